"""Everything that a rollout meets, real and on loopback: a Git remote behind nginx, Redis, Prometheus, a shop, weir.

    with World(folder) as world:
        world.commit({"rollouts/checkout.yaml": …})     # onto the remote; weir fetches at once
        world.shop.visit(100)                           # checkouts of users user-0 … user-99
        world.shop.errors(on=0.2)
        world.prometheus.query('checkout_total{variant="on"}')

Each part takes a free port, and is stopped by its pid. What the machine lacks skips the test with the reason.
"""
import contextlib
import http.client
import json
import pathlib
import select
import shutil
import subprocess
import threading
import urllib.parse

import clients
import pytest
import weir
from gitserver import HttpServer, Server
from test_targets import Redis, redis_target

HERE = pathlib.Path(__file__).resolve().parent
SCRAPE = "250ms"
DEFINITIONS = {
    "flags/checkout.yaml": weir.SHOP["flags/checkout.yaml"],
    "segments/staff.yaml": weir.SHOP["segments/staff.yaml"],
    "environments/all.yaml": weir.SHOP["environments/all.yaml"],
}


def ask(port, method, path, body=None):
    """(status, text) of one request to a loopback server."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=weir.PATIENCE)) as connection:
        connection.request(method, path, body and json.dumps(body))
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


class Prometheus(Server):
    """Debian's prometheus, scraping one loopback port."""

    def __init__(self, scraped):
        if not shutil.which("prometheus"):
            pytest.skip("there is no prometheus on this machine: .ci/install test")
        super().__init__(".")
        self.scraped = scraped

    def _prepare(self):
        pass

    def _configure(self):
        (self._folder / "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE},
            "scrape_configs": [{"job_name": "shop", "static_configs": [{"targets": [f"127.0.0.1:{self.scraped}"]}]}]}))

    def _launch(self):
        self._spawn(["prometheus", f"--config.file={self._folder}/prometheus.yml",
                     f"--storage.tsdb.path={self._folder}/data", f"--web.listen-address=127.0.0.1:{self.port}",
                     "--log.level=warn"])
        self._await(self.is_ready, "prometheus")

    def is_ready(self):
        try:
            return ask(self.port, "GET", "/-/ready")[0] == 200
        except OSError:
            return False

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def query(self, expression):
        """{labels as a frozenset of pairs: value} of an instant query."""
        status, text = ask(self.port, "GET", "/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        assert status == 200, text
        return {frozenset(series["metric"].items()): float(series["value"][1])
                for series in json.loads(text)["data"]["result"]}

    def number(self, expression):
        """The value of a query that answers one series; None where it answers none."""
        found = list(self.query(expression).values())
        assert len(found) <= 1, f"{expression} has {len(found)} series"
        return found[0] if found else None


class Shop:
    """shop.py, running; its users are user-0, user-1, …"""

    def __init__(self, place, folder):
        try:
            kit = clients.KITS["python"].install()
        except clients.Unavailable as reason:
            pytest.skip(str(reason))
        self._complaints = open(pathlib.Path(folder) / "shop.log", "w+b")
        self.process = subprocess.Popen([kit / "ofrep/bin/python", HERE / "shop.py", place], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self._complaints,
                                        env=clients.Client._environment())
        try:
            ready, _, _ = select.select([self.process.stdout], [], [], clients.PATIENCE)
            line = self.process.stdout.readline() if ready else b""
            assert line, f"the shop did not start\n{self.complaints()}"
            self.port = json.loads(line)["port"]
        except BaseException:
            self.close()
            raise

    def complaints(self):
        self._complaints.seek(0)
        return self._complaints.read().decode(errors="replace")[-5000:]

    def _ask(self, method, path, body=None):
        status, text = ask(self.port, method, path, body)
        assert status == 200, f"{status} {text}\n{self.complaints()}"
        return text

    def visit(self, count, first=0):
        """Checkouts of that many users; {"on": N, "off": N}, by what each was given."""
        return json.loads(self._ask("POST", "/checkouts", {"users": [f"user-{first + i}" for i in range(count)]}))

    def errors(self, **rates):
        self._ask("PUT", "/errors", rates)

    @contextlib.contextmanager
    def open(self, count=100):
        """While the block runs, the first `count` users check out over and over."""
        closing, problems = threading.Event(), []

        def serve():
            try:
                while not closing.is_set():
                    self.visit(count)
            except (AssertionError, OSError) as problem:
                problems.append(problem)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            closing.set()
            thread.join()
        assert not problems, problems[0]

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(weir.PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self._complaints.close()


class World:
    """See above. Parts: repository, remote, redis, weir, shop, prometheus."""

    def __init__(self, folder, definitions=None, options=()):
        self.folder, self.options = pathlib.Path(folder), list(options)
        self.definitions = DEFINITIONS if definitions is None else definitions

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.redis = Redis(self.folder)
            stack.callback(self.redis.stop)
            self.repository = weir.Repository(self.folder / "git", {
                **self.definitions, "targets/redis.yaml": redis_target(self.redis.port)})
            weir.git(self.repository.bare, "config", "http.receivepack", "true")
            self.remote = stack.enter_context(HttpServer(self.folder / "git"))
            self.start()
            stack.callback(lambda: self.weir.kill())
            self.shop = Shop(f"http://127.0.0.1:{self.weir.port}/env/production", self.folder)
            stack.callback(self.shop.close)
            self.prometheus = stack.enter_context(Prometheus(self.shop.port))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *problem):
        code = self.weir.stop() if problem[0] is None else 0
        self._stack.close()
        assert code == 0, f"weir ended with {code}\n{self.weir.log()}"

    def start(self, port=0):
        """Starts weir, also after a kill; with the port that it had, the shop finds it again."""
        self.weir = self.controller(self.folder / "data", port, self.options)

    def place(self):
        """Where controllers find the remote."""
        return self.remote.url("flags.git")

    def controller(self, data, port=0, options=()):
        """One more over the same remote; whoever asks for it ends it."""
        running = weir.Controller("--repo", self.place(), "--data", data, "--listen", f"127.0.0.1:{port}", "--poll", "1h",
                                  "--allow-host", f"127.0.0.1:{self.redis.port}", *options)
        try:
            return running.wait_ready()
        except BaseException:
            running.kill()
            raise

    def restart(self):
        """kill -9, and again on the same port and data."""
        port = self.weir.port
        self.weir.kill()
        self.start(port)

    def commit(self, files, message="change"):
        """Puts it onto the remote, and waits until weir has judged it; returns the commit."""
        commit = self.repository.commit(files, message)
        self.weir.fetch()
        weir.wait_until(lambda: self.weir.status()["commit"] == commit, f"{commit} is served\n{self.weir.log()}")
        return commit
