"""The client programs: what they need, how they are installed below build/sdk, and how they are talked to.

A client takes where the flags are, the base URL of an environment or the document of one, and then answers lines: a
request {"flag","type","default","context"} in, {"value","variant","reason","errorCode","flagMetadata"} out.
"""
import fcntl
import hashlib
import json
import os
import pathlib
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build" / "sdk"
PATIENCE = 60  # seconds for one line; only ever spent by a test that fails
INSTALLING = 600  # seconds for one command
PYTHON = "/usr/bin/python3"

# What package managers say when their registry cannot be reached, which is nobody's fault; all else is a failure.
UNREACHABLE = re.compile(
    r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH"  # npm
    r"|from versions: none|Failed to establish a new connection|Temporary failure in name resolution"  # pip
    r"|Unknown host|Connection refused|Connect to .* failed|Network is unreachable|Connection timed out"  # Maven
    r"|[Cc]ould(n't| not) resolve host|Failed to connect to|spurious network error")  # Cargo


class Unavailable(Exception):
    """This machine cannot have the client: the reason of a skip."""


# --- what has to be on the machine ------------------------------------------------------------------------------------


def plain(text):
    """Without colours, which some of these programs print even when told not to, and other control characters."""
    return re.sub(r"[^\n\t -~\u00a0-\U0010ffff]", "", re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text))


def first_line(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return None
    return plain(done.stdout or done.stderr).strip().split("\n")[0] if done.returncode == 0 else None


def need(program, command, least, hint):
    """The program's version line; Unavailable when it is not there or older than `least`, as "20" or "1.86"."""
    line = first_line(command)
    if line is None:
        raise Unavailable(f"there is no {program} on this machine: {hint}")
    found = re.search(r"(\d+(?:\.\d+)*)", line)
    if not found or tuple(map(int, found[1].split("."))) < tuple(map(int, least.split("."))):
        raise Unavailable(f'{program} {least} is needed, and this is "{line}": {hint}')
    return line


def need_javascript():
    return [need("Node.js", ["node", "--version"], "20", "install Node.js"),
            need("npm", ["npm", "--version"], "8", "install npm")]


def need_python():
    line = need("Python", [PYTHON, "--version"], "3.10", "install python3")
    if first_line([PYTHON, "-c", "import ensurepip, venv; print(1)"]) is None:
        raise Unavailable("Python cannot make virtual environments on this machine: install python3-venv")
    return [line]


def need_java():
    return [need("javac", ["javac", "-version"], "11", "install default-jdk-headless"),
            need("Maven", ["mvn", "-B", "-q", "--version"], "3.6.3", "install maven")]


def need_rust():
    return [need("Cargo", ["cargo", "--version"], "1.86", "install Rust"),
            need("rustc", ["rustc", "--version"], "1.86", "install Rust")]


# --- how they are installed -------------------------------------------------------------------------------------------

JAVASCRIPT = [["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]]
JAVA = [["mvn", "-B", "-q", "-Dstyle.color=never", "compile"]]
RUST = [["cargo", "build", "--quiet", "--jobs", "2", "--target-dir", "target"]]


def python(requirements):
    return [[PYTHON, "-m", "venv", "--clear", requirements],
            [f"{requirements}/bin/pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r",
             f"{requirements}.txt"]]


class Kit:
    """A client's folder below build/sdk, with everything it needs in it; `source` is its folder beside this file."""

    def __init__(self, name, source, needs, commands):
        self.folder, self.source = BUILD / name, HERE / source
        self.needs, self.commands = needs, commands
        self.outcome = None  # of install(): True, or what it raised

    def install(self):
        """Makes the folder what it should be, at once when it is that already; raises Unavailable."""
        if self.outcome is None:
            try:
                self._install()
                self.outcome = True
            except (Unavailable, AssertionError) as problem:
                self.outcome = problem
        if self.outcome is not True:
            raise self.outcome
        return self.folder

    def _install(self):
        versions = self.needs()
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / ".lock", "w", encoding="utf-8") as lock:  # of two test runs at once
            fcntl.flock(lock, fcntl.LOCK_EX)
            stamp, state = self.folder / ".installed", self._state(versions)
            if stamp.exists() and stamp.read_text() == state:
                return
            stamp.unlink(missing_ok=True)
            shutil.copytree(self.source, self.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
            for command in self.commands:
                self._run(command)
            stamp.write_text(state)

    def _state(self, versions):
        digest = hashlib.sha256(json.dumps([versions, self.commands, str(self.folder)]).encode())
        for path in sorted(path for path in self.source.rglob("*") if path.is_file() and path.suffix != ".pyc"):
            digest.update(f"\n{path.relative_to(self.source)}\n".encode() + path.read_bytes())
        return digest.hexdigest()

    @staticmethod
    def _environment():
        """What the make above has set is for weir: flags of a sanitizer, and a job server that is gone by now."""
        ours = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "CFLAGS", "CPPFLAGS", "LDFLAGS")
        return {name: value for name, value in os.environ.items() if name not in ours}

    def _run(self, command):
        what = f"{self.folder.name}: {' '.join(command)}"
        try:
            done = subprocess.run(command, cwd=self.folder, env=self._environment(), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                                  timeout=INSTALLING, check=False)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"{what} did not end in {INSTALLING} s") from late
        said = plain(done.stdout)
        unreachable = [line for line in said.splitlines() if UNREACHABLE.search(line)]
        if done.returncode and unreachable:
            raise Unavailable(f"cannot install {what}: {unreachable[0].strip()[:200]}")
        assert done.returncode == 0, f"{what} ended with {done.returncode}\n{said[-5000:]}"


KITS = {
    "javascript": Kit("javascript", "javascript", need_javascript, JAVASCRIPT),
    "python": Kit("python", "python", need_python, python("ofrep")),
    "flagd-core-1": Kit("flagd-core-1", "python", need_python, python("flagd-core-1")),
    "flagd-core-2": Kit("flagd-core-2", "python", need_python, python("flagd-core-2")),
    "java": Kit("java", "java", need_java, JAVA),
    "rust": Kit("rust", "rust", need_rust, RUST),
}


# --- how they are talked to -------------------------------------------------------------------------------------------


def java_command(folder, place):
    classpath = (folder / "target/classpath").read_text().strip()
    return ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{folder}/target/classes:{classpath}", "Client", place]


SDKS = {  # what each needs, and its command for a place: a base URL, or a document
    "js-server": ("javascript", lambda folder, place: ["node", "server.mjs", "released", place]),
    "js-newest": ("javascript", lambda folder, place: ["node", "server.mjs", "newest", place]),
    "js-web": ("javascript", lambda folder, place: ["node", "web.mjs", place]),
    "python": ("python", lambda folder, place: ["ofrep/bin/python", "ofrep.py", place]),
    "java": ("java", java_command),
    "rust": ("rust", lambda folder, place: ["target/debug/weir-sdk-client", place]),
    "flagd-core-1": ("flagd-core-1", lambda folder, place: ["flagd-core-1/bin/python", "flagd.py", place]),
    "flagd-core-2": ("flagd-core-2", lambda folder, place: ["flagd-core-2/bin/python", "flagd.py", place]),
}


class Client:
    """A running client; ask() it, then close() it."""

    def __init__(self, sdk, place, *more):
        kit, command = SDKS[sdk]
        folder = KITS[kit].install()
        self.sdk, self._unread = sdk, b""
        self._complaints = tempfile.TemporaryFile()
        self.process = subprocess.Popen([*command(folder, str(place)), *more], cwd=folder, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self._complaints, env=self._environment())
        try:
            assert self._read() == {"ready": True}
        except BaseException:
            self.kill()
            raise

    @staticmethod
    def _environment():
        """No settings of providers from outside, no proxy between the client and weir."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OFREP_", "FLAGD_"))}
        return {**kept, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "PYTHONDONTWRITEBYTECODE": "1"}

    def _read(self):
        end = time.monotonic() + PATIENCE
        while b"\n" not in self._unread:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise AssertionError(f"{self.sdk} did not answer in {PATIENCE} s\n{self.complaints()}")
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                raise AssertionError(f"{self.sdk} ended with {self.process.wait(PATIENCE)}\n{self.complaints()}")
            self._unread += more
        line, self._unread = self._unread.split(b"\n", 1)
        return json.loads(line)

    def complaints(self):
        self._complaints.seek(0)
        return self._complaints.read().decode(errors="replace")[-5000:]

    def _send(self, request):
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        return self._read()

    def ask(self, flag, kind, default, context):
        return self._send({"flag": flag, "type": kind, "default": default, "context": context})

    def do(self, action):
        return self._send({"do": action})

    def close(self):
        """Ends it by the end of its input; it must then end well."""
        try:
            self.process.stdin.close()
            code = self.process.wait(PATIENCE)
            assert code == 0, f"{self.sdk} ended with {code}\n{self.complaints()}"
        finally:
            self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        self.process.stdout.close()
        self._complaints.close()


if __name__ == "__main__":  # installs all that can be installed, or those that are named
    for chosen in sys.argv[1:] or KITS:
        began = time.monotonic()
        try:
            print(f"{chosen}: {KITS[chosen].install()} in {time.monotonic() - began:.1f} s")
        except Unavailable as reason:
            print(f"{chosen}: skipped: {reason}")
