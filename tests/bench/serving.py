"""A controller over a repository of its own, the HTTP library's fixed answer, and wrk: what the serving benches
run. Servers listen on loopback ports that the system chooses and are stopped by their process id."""
import contextlib
import http.client
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import flags

HERE = pathlib.Path(__file__).resolve().parent
PATIENCE = 60.0


def environment():
    return dict(os.environ, LC_ALL="C.UTF-8", GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_NOSYSTEM="1",
                GIT_AUTHOR_NAME="bench", GIT_AUTHOR_EMAIL="bench@example.com",
                GIT_COMMITTER_NAME="bench", GIT_COMMITTER_EMAIL="bench@example.com")


def git(*arguments, cwd):
    subprocess.run(["git", *map(str, arguments)], cwd=cwd, env=environment(), check=True, capture_output=True)


class Repository:
    """A bare repository and a work tree that pushes to it; `made`: they are there already."""

    def __init__(self, folder, made=False):
        self.bare, self.work = folder / "flags.git", folder / "work"
        if made:
            return
        self.work.mkdir()
        git("init", "--bare", "-b", "main", self.bare, cwd=folder)
        git("init", "-b", "main", cwd=self.work)
        git("remote", "add", "origin", self.bare, cwd=self.work)

    def write(self, path, text):
        target = self.work / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def commit(self, message):
        git("add", "-A", cwd=self.work)
        git("commit", "-q", "-m", message, cwd=self.work)

    def push(self):
        git("push", "-q", "origin", "main", cwd=self.work)


class Process:
    """A server's process; `core` pins it. What it prints goes to the file `log`, or to `stdout`."""

    def __init__(self, command, log, core=None, stdout=None, variables=None):
        command = list(map(str, command))
        if core is not None:
            command = ["taskset", "-c", str(core), *command]
        self.command, self.log, self.address = command, log, None
        with open(log, "wb") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout or out, stderr=out,
                                            env=environment() | (variables or {}))

    @property
    def pid(self):
        return self.process.pid

    def fail(self, why):
        tail = pathlib.Path(self.log).read_text(errors="replace")[-500:]
        raise RuntimeError(f"{' '.join(self.command)} {why}: {tail}")

    def cpu_seconds(self):
        """Of all its threads, user and system, from /proc."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Server(Process):
    """One that prints where it listens: on a port that the system chose."""

    def __init__(self, command, log, core=None):
        super().__init__(command, log, core, stdout=subprocess.PIPE)
        line = self.process.stdout.readline().decode().strip()
        if not line.startswith("listening on http://"):
            self.stop()
            self.fail("did not start")
        self.address = line.removeprefix("listening on http://")


class Target:
    """What wrk asks a server for: POSTs of `body` to `paths` in turn."""

    def __init__(self, server, paths, body, headers=None):
        self.server, self.paths, self.body = server, paths, body
        self.headers = {"Content-Type": "application/json"} | (headers or {})

    def ask(self, body=None):
        """One answer, to look at: of the first path."""
        return Client(self.server.address).ask("POST", self.paths[0], body or self.body, self.headers)


class Client:
    """One kept connection."""

    def __init__(self, address):
        self.connection = http.client.HTTPConnection(address, timeout=PATIENCE)

    def get(self, path):
        return self.ask("GET", path)

    def post(self, path, text):
        return self.ask("POST", path, text, {"Content-Type": "application/json"})

    def ask(self, method, path, text=None, headers=None):
        self.connection.request(method, path, text, headers or {})
        answer = self.connection.getresponse()
        return answer.status, answer.read()


@contextlib.contextmanager
def controller(build, count, threads=1, core=None):
    """weir run over a repository of `count` flags, ready to answer: yields (server, repository, client)."""
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as name:
        folder = pathlib.Path(name)
        repository = Repository(folder)
        flags.write_definitions(repository.work, count)
        repository.commit("Flags")
        repository.push()
        with Server([f"{build}/weir", "run", "--repo", repository.bare, "--listen", "127.0.0.1:0", "--data",
                     folder / "data", "--poll", "1h", "--http-threads", threads], folder / "log", core) as server:
            client = Client(server.address)
            end = time.monotonic() + PATIENCE
            while client.get("/readyz")[0] != 200:
                if time.monotonic() > end:
                    server.fail("is never ready")
                time.sleep(0.02)
            yield server, repository, client


def wrk(target, seconds, core, connections):
    """One round: requests a second, microseconds of the server's CPU a request, its share of a core. A round in which
    not one answer came is made longer: the slowest answers take seconds when all connections ask at once."""
    variables = {"BENCH_BODY": target.body, "BENCH_PATHS": "\n".join(target.paths),
                 "BENCH_HEADERS": "\n".join(f"{name}: {value}" for name, value in target.headers.items())}
    for lasting in (seconds, 4 * seconds, 16 * seconds):
        before = target.server.cpu_seconds()
        done = subprocess.run(["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{lasting}s",
                               f"--timeout={PATIENCE:.0f}s", "-s", str(HERE / "post.lua"),
                               f"http://{target.server.address}/"],
                              env=os.environ | variables, capture_output=True, text=True, check=True)
        used = target.server.cpu_seconds() - before
        result = json.loads(done.stdout.strip().splitlines()[-1])
        if result["requests"] or result["failed"]:
            break
    if result["failed"] or not result["requests"]:
        raise RuntimeError(f"wrk saw {result['failed']} failures in {result['requests']} requests to {target.paths[0]}")
    return {"rate": result["requests"] / result["seconds"], "cpu": used / result["requests"] * 1e6,
            "busy": used / result["seconds"]}
