"""What integration tests share: the program, definitions to feed it, a running controller, and a client.

The program is $WEIR, else build/weir of this tree. Nothing here sleeps for luck: whatever takes time is
waited for by wait_until(), which fails with words when it does not come.
"""
import contextlib
import http.client
import json
import os
import pathlib
import select
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 30.0  # seconds; only ever spent by a test that fails, and by sanitizers

SHOP = {
    "flags/checkout.yaml": """\
apiVersion: weir/v1
kind: Flag
metadata:
  name: checkout-v2
  description: The one-page checkout
  owner: payments
spec:
  variants: {on: true, off: false}
  default: off
  rules:
    - name: staff
      when: {segment: staff}
      serve: on
  environments:
    staging: {default: on}
""",
    "flags/banner.yaml": """\
apiVersion: weir/v1
kind: Flag
metadata: {name: banner}
spec:
  variants: {plain: "Hello", loud: "Grüße, all!"}
  default: plain
""",
    "segments/staff.yaml": """\
apiVersion: weir/v1
kind: Segment
metadata: {name: staff}
spec:
  match: {attribute: email, endsWith: "@example.com"}
""",
    "environments/all.yaml": """\
apiVersion: weir/v1
kind: Environment
metadata: {name: production}
---
apiVersion: weir/v1
kind: Environment
metadata: {name: staging}
""",
}


def program():
    return str(pathlib.Path(os.environ.get("WEIR") or ROOT / "build" / "weir").absolute())


def is_sanitized():
    """Built with a sanitizer: slower, and wanting to be the first library that is loaded."""
    code = pathlib.Path(program()).read_bytes()
    return b"__asan_init" in code or b"__tsan_init" in code


def wait_until(condition, what, seconds=PATIENCE):
    """Polls until condition() is true and returns its value; fails after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain: {what() if callable(what) else what}")
        time.sleep(0.01)


# --- the command line -------------------------------------------------------------------------------------------


class Result:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout.decode(), done.stderr.decode()

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit {self.code}\n--- stdout\n{self.out}--- stderr\n{self.err}"


def environment(**changes):
    """The process environment for a run: no colours by accident, and no Git configuration of the machine's user."""
    result = dict(os.environ, LC_ALL="C.UTF-8", GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_NOSYSTEM="1")
    result.pop("NO_COLOR", None)
    result.update(changes)
    return result


def run(*arguments, cwd=None, stdin=b"", env=None, timeout=120):
    """Runs the program to its end."""
    if isinstance(stdin, str):
        stdin = stdin.encode()
    return Result(subprocess.run([program(), *map(str, arguments)], cwd=cwd, input=stdin, capture_output=True,
                                 env=env or environment(), timeout=timeout, check=False))


# --- definitions ------------------------------------------------------------------------------------------------


def write_files(folder, files):
    """Writes {path: text or bytes} below `folder`; None removes the file."""
    for path, content in files.items():
        target = pathlib.Path(folder) / path
        if content is None:
            target.unlink()
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
    return pathlib.Path(folder)


def git(folder, *arguments, input=None):
    done = subprocess.run(
        ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false",
         "-c", "init.defaultBranch=main", *map(str, arguments)],
        cwd=folder, capture_output=True, env=environment(), timeout=120, check=False,
        input=None if input is None else input.encode())
    if done.returncode != 0:
        raise AssertionError(f"git {arguments}: {done.stderr.decode()}")
    return done.stdout.decode().strip()


class Repository:
    """A bare repository and somebody's clone of it, both below `folder`."""

    def __init__(self, folder, files=None):
        self.bare, self.work = pathlib.Path(folder) / "flags.git", pathlib.Path(folder) / "work"
        self.bare.mkdir(parents=True)
        git(self.bare, "init", "--quiet", "--bare")
        git(folder, "init", "--quiet", self.work)
        git(self.work, "remote", "add", "origin", self.bare)
        if files is not None:
            self.commit(files)

    @property
    def url(self):
        return self.bare.as_uri()

    def commit(self, files, message="change", push=True):
        """Commits (and pushes) files as write_files() takes them; returns the commit's id."""
        write_files(self.work, files)
        git(self.work, "add", "--all")
        git(self.work, "commit", "--quiet", "--allow-empty", "-m", message)
        if push:
            git(self.work, "push", "--quiet", "origin", "HEAD")
        return git(self.work, "rev-parse", "HEAD")

    def pull(self):
        """Brings the clone to where the branch is."""
        git(self.work, "fetch", "--quiet", "origin")
        git(self.work, "reset", "--quiet", "--hard", "origin/" + git(self.work, "branch", "--show-current"))


# --- a running controller ---------------------------------------------------------------------------------------


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:2000]!r}"


class Client:
    """Requests to one server, each on a connection of its own."""

    def __init__(self, host, port):
        self.host, self.port = host, port

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path, headers=None):
        return self.request("GET", path, headers=headers)

    def evaluate(self, flag=None, context=None, environment=None, headers=None):
        """OFREP: one flag, or all of them when `flag` is None."""
        path = f"/env/{environment}" if environment else ""
        path += "/ofrep/v1/evaluate/flags" + (f"/{flag}" if flag is not None else "")
        body = json.dumps({"context": context or {}}).encode()
        return self.request("POST", path, body, {"Content-Type": "application/json", **(headers or {})})

    def value(self, flag, context=None, environment=None):
        answer = self.evaluate(flag, context, environment)
        assert answer.status == 200, answer
        return answer.json()["value"]

    def status(self):
        answer = self.get("/status")
        assert answer.status == 200, answer
        return answer.json()

    def is_ready(self):
        return self.get("/readyz").status == 200


class Controller(Client):
    """`weir run`, started by the constructor; stop() or kill() ends it. `log` is a file that takes its log."""

    command = "run"

    def __init__(self, *arguments, cwd=None, env=None):
        self._log = tempfile.TemporaryFile()
        self.process = subprocess.Popen([program(), self.command, *map(str, arguments)], cwd=cwd, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self._log, env=env or environment())
        try:
            self.line = self._first_line()
            prefix = "listening on http://"
            if not self.line.startswith(prefix):
                raise AssertionError(f"the first line is {self.line!r}\n{self.log()}")
            host, port = self.line[len(prefix):].rsplit(":", 1)
        except BaseException:
            self.kill()
            raise
        super().__init__(host.strip("[]"), int(port))

    def _first_line(self):
        end, line = time.monotonic() + PATIENCE, b""
        while not line.endswith(b"\n"):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise AssertionError(f"no address was printed in {PATIENCE} s\n{self.log()}")
            byte = os.read(self.process.stdout.fileno(), 1)
            if not byte:
                raise AssertionError(f"it ended by {self.process.wait(PATIENCE)} before printing\n{self.log()}")
            line += byte
        return line.decode().rstrip("\n")

    def log(self):
        # The program writes at the same place of the file that seek() would move.
        file = self._log.fileno()
        return os.pread(file, os.fstat(file).st_size, 0).decode(errors="replace")

    def send(self, number):
        self.process.send_signal(number)

    def fetch(self):
        """Makes it look at the repository now."""
        self.send(signal.SIGHUP)

    def wait_ready(self):
        """Until it serves, and has looked at its rollouts, which it does a moment later."""
        wait_until(self.is_ready, f"ready\n{self.log()}")
        wait_until(lambda: self.get("/rollouts").status != 503, f"rollouts were looked at\n{self.log()}")
        return self

    def stop(self, number=signal.SIGTERM):
        """Ends it in an orderly way and returns its exit code."""
        if self.process.poll() is None:
            self.send(number)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"it did not end in {PATIENCE} s\n{self.log()}") from late
        finally:
            self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        if not self.process.stdout.closed:
            self.process.stdout.close()


@contextlib.contextmanager
def controller(repo, data, *arguments, **keywords):
    """A controller on a free port over `repo`, which polls rarely: use fetch(). Must end with 0."""
    running = Controller("--repo", repo, "--data", data, "--listen", "127.0.0.1:0", "--poll", "1h", *arguments,
                         **keywords)
    try:
        yield running
        code = running.stop()
        assert code == 0, f"it ended with {code}\n{running.log()}"
    finally:
        running.kill()
