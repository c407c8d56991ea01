"""The engines that read weir's documents, each behind the same question: answers(documents, batches).

A batch is (number of the document, context, [flag, …]); its answer is a list of (value, variant, reason, error code),
one for each flag. What an engine needs is installed below build/portability by the language's own client, with the
versions that stand in npm/, python/ and java/. flagd, the daemon, has to be on PATH or in a folder of $WEIR_PEERS.
"""
import ctypes
import functools
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PATIENCE = 900  # seconds an engine may take for everything

sys.path.insert(0, str(HERE.parent / "conformance"))
import libweir  # noqa: E402 - libweir.so by ctypes


class Unavailable(Exception):
    """The engine cannot be had on this machine; the text says why."""


def run(command, **more):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, **more)
    if done.returncode != 0:
        said = done.stdout.strip()[-300:]
        raise Unavailable(f"{' '.join(map(str, command[:4]))} ended with status {done.returncode}: {said}")


value_of = functools.cache(json.loads)  # there are few different ones


class Weir(libweir.Weir):
    """One document in libweir."""

    def answers(self, context, flags, now):
        self.read(context)
        return [self.answer(flag, now) for flag in flags]

    def answer(self, flag, now):
        made = libweir.Decision()
        self.library.weir_evaluate(self.document, flag.encode(), self.context, ctypes.c_int64(now), ctypes.byref(made))
        value = value_of(ctypes.string_at(made.value, made.value_length)) if made.value else None
        variant = ctypes.string_at(made.variant, made.variant_length).decode() if made.variant else None
        code = self.library.weir_error_code_name(made.error_code).decode()
        return value, variant, self.library.weir_reason_name(made.reason).decode(), code or None


class Oracle:
    """A program beside this file that reads batches as JSON lines."""

    def __init__(self, name, evaluator, folder):
        self.name, self.evaluator, self.folder = name, evaluator, folder / name
        self.stamp = self.folder / ".installed"

    def askable(self, context):
        """Whether an application can send this context at all."""
        return True

    def sources(self):
        raise NotImplementedError

    def fingerprint(self):
        return "\n".join(path.read_text(encoding="utf-8") for path in self.sources())

    def installed(self):
        return self.stamp.exists() and self.stamp.read_text(encoding="utf-8") == self.fingerprint()

    def ensure(self, install):
        if self.installed():
            return
        if not install:
            raise Unavailable("not installed: `make portability` does it")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.install()
        self.stamp.write_text(self.fingerprint(), encoding="utf-8")

    def install(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def answers(self, documents, batches):
        def file():
            return tempfile.TemporaryFile("w+", encoding="utf-8")

        with file() as ask, file() as told, file() as wrong:
            for document, context, flags in batches:
                ask.write(json.dumps({"document": document, "context": context, "flags": flags}) + "\n")
            ask.seek(0)
            done = subprocess.run([*self.command(), *map(str, documents)], stdin=ask, stdout=told, stderr=wrong,
                                  check=False, timeout=PATIENCE)
            told.seek(0)
            wrong.seek(0)
            assert done.returncode == 0, f"{self.name} ended with status {done.returncode}: {wrong.read()[-2000:]}"
            answers = [[tuple(answer) for answer in json.loads(line)] for line in told]
            assert len(answers) == len(batches), f"{self.name} answered {len(answers)} of {len(batches)} contexts"
            return answers


class JavaScript(Oracle):
    options = ()

    def sources(self):
        return HERE / "npm/package.json", HERE / "npm/oracle.mjs"

    def install(self):
        if not shutil.which("npm") or not shutil.which("node"):
            raise Unavailable("there is no npm")
        for path in self.sources():
            shutil.copy(path, self.folder)
        run(["npm", "install", "--prefix", self.folder, "--no-package-lock", "--no-audit", "--no-fund", "--silent"])

    def command(self):
        return ["node", self.folder / "oracle.mjs", *self.options]


class JavaScriptInterpreted(JavaScript):
    """The same package where code may not be made at run time, as on edge platforms."""
    options = ("--interpreted",)


class TextKeyed(Oracle):
    """The SDKs of Python and Java know targetingKey as text, or none."""

    def askable(self, context):
        return isinstance(context.get("targetingKey", ""), str)


class Python(TextKeyed):
    def sources(self):
        return HERE / "python" / f"{self.name}.txt", HERE / "python/oracle.py"

    def install(self):
        requirements, oracle = self.sources()
        shutil.copy(oracle, self.folder)
        run(["/usr/bin/python3", "-m", "venv", self.folder / "venv"])
        run([self.folder / "venv/bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements])

    def command(self):
        return [self.folder / "venv/bin/python", self.folder / "oracle.py"]


class Java(TextKeyed):
    def sources(self):
        return HERE / "java/pom.xml", HERE / "java/src/Oracle.java"

    def install(self):
        for tool in ("mvn", "javac"):
            if not shutil.which(tool):
                raise Unavailable(f"there is no {tool}")
        pom, oracle = self.sources()
        shutil.copy(pom, self.folder)
        (self.folder / "src").mkdir()
        shutil.copy(oracle, self.folder / "src")
        run(["mvn", "--quiet", "--batch-mode", "package"], cwd=self.folder)

    def command(self):
        return ["java", "-XX:+UseSerialGC", "-cp", f"{self.folder}/target/classes:{self.folder}/target/dependency/*",
                "Oracle"]


class Flagd:
    """The daemon, asked over OFREP: in bulk, since all flags of a document are asked with nearly every context."""
    name, evaluator = "flagd", "flagd"

    def __init__(self):
        folders = os.environ.get("WEIR_PEERS", "").split(os.pathsep)
        found = (shutil.which("flagd", path=folder) for folder in folders if folder)
        self.program = shutil.which("flagd") or next(filter(None, found), None)

    def askable(self, context):
        return True

    def installed(self):
        return self.program is not None

    def ensure(self, install):
        if not self.program:
            raise Unavailable("no flagd on PATH or in $WEIR_PEERS")

    def answers(self, documents, batches):
        """A document is cut in two, splits and the rest: what is asked with thousands of keys, and what is not."""
        answers = [[None] * len(flags) for _, _, flags in batches]
        for number, path in enumerate(documents):
            whole = json.loads(Path(path).read_text(encoding="utf-8"))
            for is_split in (True, False):
                part = {key: flag for key, flag in whole["flags"].items() if key.startswith("split-") == is_split}
                wanted = [(index, position) for index, (document, _, flags) in enumerate(batches) if document == number
                          for position, flag in enumerate(flags) if flag in part]
                if wanted:
                    self.ask_part({**whole, "flags": part}, batches, wanted, answers)
        return answers

    def ask_part(self, document, batches, wanted, answers):
        with tempfile.TemporaryDirectory(prefix="weir-flagd-") as folder:
            path = Path(folder, "flags.json")
            path.write_text(json.dumps(document), encoding="utf-8")
            with Daemon(self.program, path, Path(folder, "log"), next(iter(document["flags"]))) as daemon:
                told, last = {}, None
                for index, position in wanted:
                    if index != last:
                        told, last = daemon.bulk(batches[index][1]), index
                    flag = batches[index][2][position]
                    # What is disabled is left out of a bulk answer.
                    answers[index][position] = told[flag] if flag in told else daemon.single(flag, batches[index][1])


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Daemon:
    """One running flagd with one file."""

    def __init__(self, program, path, log, some_flag):
        self.program, self.path, self.log, self.some_flag = program, path, log, some_flag

    def __enter__(self):
        for attempt in range(3):  # another process may take a port between the look and the bind
            self.start()
            try:
                self.connect()
                return self
            except AssertionError:
                self.__exit__()
                if attempt == 2:
                    raise
            except BaseException:
                self.__exit__()
                raise

    def start(self):
        ports = free_ports(4)
        self.port = ports[0]
        options = ("--ofrep-port", "--port", "--management-port", "--sync-port")
        command = [self.program, "start", "--uri", f"file:{self.path}"]
        command += [word for pair in zip(options, map(str, ports)) for word in pair]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def connect(self):
        """Its readiness comes before its flags: a flag is asked for until it is known."""
        end = time.monotonic() + 60
        while True:
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"flagd does not answer: {self.log.read_text()[-2000:]}")
            try:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
                if self.single(self.some_flag, {})[3] != "FLAG_NOT_FOUND":
                    return
            except OSError:
                pass
            time.sleep(0.05)

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def post(self, path, context):
        self.connection.request("POST", f"/ofrep/v1/evaluate/flags{path}", json.dumps({"context": context}),
                                {"Content-Type": "application/json"})
        return json.loads(self.connection.getresponse().read())

    @staticmethod
    def answer(told):
        if "errorCode" in told:
            return None, None, "ERROR", told["errorCode"]
        return told.get("value"), told.get("variant") or None, told["reason"], None

    def single(self, flag, context):
        return self.answer(self.post(f"/{flag}", context))

    def bulk(self, context):
        told = self.post("", context)
        assert "flags" in told, f"flagd answers {told} for {json.dumps(context)[:500]}"
        return {flag["key"]: self.answer(flag) for flag in told["flags"]}


def all_engines(build):
    folder = build / "portability"
    return [JavaScript("npm", "js", folder), JavaScriptInterpreted("npm-interpreted", "js", folder),
            Python("core1", "python", folder), Python("core2", "python", folder), Java("java", "java", folder), Flagd()]
