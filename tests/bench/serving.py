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

HERE = pathlib.Path(__file__).resolve().parent
PATIENCE = 60.0
FLAGS = 350
COUNTRIES = "AT BE CH DE DK ES FI FR IE IT NL NO PL PT SE UK".split()

# 130 bytes with the envelope; the rules below look at four of its attributes.
CONTEXT = {"targetingKey": "user-48151", "email": "ann@example.com", "country": "DE", "app": {"version": "2.7.13"},
           "plan": "enterprise1"}


def body():
    return json.dumps({"context": CONTEXT}, separators=(",", ":"))


def flag_yaml(i):
    """Three conditions, all of which hold for CONTEXT, and a 25 % split. No two flags' rules are the same."""
    countries = ", ".join(["DE"] + [COUNTRIES[(i + k) % len(COUNTRIES)] for k in (0, 4, 9, 13) if
                                    COUNTRIES[(i + k) % len(COUNTRIES)] != "DE"])
    return f"""apiVersion: weir/v1
kind: Flag
metadata:
  name: flag-{i:03}
  description: Generated
  owner: team-{i % 23}
spec:
  variants: {{on: true, off: false}}
  default: off
  rules:
    - name: experiment
      when:
        all:
          - {{attribute: country, in: [{countries}]}}
          - {{attribute: app.version, semver: ">={i % 2 + 1}.{i % 7}.{i % 10}"}}
          - {{attribute: email, endsWith: "{"@example.com"[i % 8:]}"}}
      split: {{on: 25, off: 75}}
"""


def environment():
    return dict(os.environ, LC_ALL="C.UTF-8", GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_NOSYSTEM="1",
                GIT_AUTHOR_NAME="bench", GIT_AUTHOR_EMAIL="bench@example.com",
                GIT_COMMITTER_NAME="bench", GIT_COMMITTER_EMAIL="bench@example.com")


def git(*arguments, cwd):
    subprocess.run(["git", *map(str, arguments)], cwd=cwd, env=environment(), check=True, capture_output=True)


class Repository:
    """A bare repository and a work tree that pushes to it."""

    def __init__(self, folder):
        self.bare, self.work = folder / "flags.git", folder / "work"
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


class Server:
    """A process that prints where it listens; `core` pins it."""

    def __init__(self, command, log, core=None):
        if core is not None:
            command = ["taskset", "-c", str(core), *command]
        self.log = log
        with open(log, "wb") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment())
        line = self.process.stdout.readline().decode().strip()
        if not line.startswith("listening on http://"):
            self.stop()
            raise RuntimeError(f"{command} did not start: {pathlib.Path(log).read_text()[-500:]}")
        self.address = line.removeprefix("listening on http://")

    @property
    def pid(self):
        return self.process.pid

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
        self.process.stdout.close()


class Client:
    """One kept connection."""

    def __init__(self, address):
        self.connection = http.client.HTTPConnection(address, timeout=PATIENCE)

    def get(self, path):
        return self._ask("GET", path, None)

    def post(self, path, text):
        return self._ask("POST", path, text)

    def _ask(self, method, path, text):
        headers = {"Content-Type": "application/json"} if text else {}
        self.connection.request(method, path, text, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()


@contextlib.contextmanager
def controller(build, threads=1, core=None):
    """weir run over a repository of FLAGS flags, ready to answer: yields (server, repository, client)."""
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as name:
        folder = pathlib.Path(name)
        repository = Repository(folder)
        repository.write("environments/production.yaml",
                         "apiVersion: weir/v1\nkind: Environment\nmetadata: {name: production}\n")
        for i in range(FLAGS):
            repository.write(f"flags/flag-{i:03}.yaml", flag_yaml(i))
        repository.commit("Flags")
        repository.push()
        server = Server([f"{build}/weir", "run", "--repo", str(repository.bare), "--listen", "127.0.0.1:0", "--data",
                         str(folder / "data"), "--poll", "1h", "--http-threads", str(threads)],
                        folder / "log", core)
        try:
            client = Client(server.address)
            end = time.monotonic() + PATIENCE
            while client.get("/readyz")[0] != 200:
                if time.monotonic() > end:
                    raise RuntimeError(f"never ready: {(folder / 'log').read_text()[-500:]}")
                time.sleep(0.02)
            yield server, repository, client
        finally:
            server.stop()


def wrk(server, paths, seconds, core, connections=32):
    """One round: requests and bytes a second, microseconds of the server's CPU a request, its share of a core."""
    before = server.cpu_seconds()
    done = subprocess.run(["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s",
                           str(HERE / "post.lua"), f"http://{server.address}/"],
                          env=dict(os.environ, BENCH_BODY=body(), BENCH_PATHS="\n".join(paths)),
                          capture_output=True, text=True, check=True)
    used = server.cpu_seconds() - before
    result = json.loads(done.stdout.strip().splitlines()[-1])
    if result["failed"] or not result["requests"]:
        raise RuntimeError(f"wrk saw {result['failed']} failures in {result['requests']} requests")
    return {"rate": result["requests"] / result["seconds"], "cpu": used / result["requests"] * 1e6,
            "busy": used / result["seconds"]}
