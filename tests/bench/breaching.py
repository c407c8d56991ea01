"""From a breach to safety: a metric is answered badly, and users are on control again, at every target, with the Git
server up or down; then the revert is on the branch. And what it takes to measure a thousand rollouts all day long."""
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import following
import serving
import walking
import webhook
from webhook import gitserver

PAUSE = 0.0002  # between two looks
KEY = "{bench}:doc"  # where the Redis target keeps a field for each flag


def rollout(number):
    return following.head("Flag", f"f{number:06d}") + """\
spec: {variants: {on: true, off: false}, default: off}
---
""" + following.head("Rollout", f"r{number:06d}") + f"""\
spec:
  flag: f{number:06d}
  environment: production
  variant: on
  control: off
  start: 2026-01-01T00:00:00Z
  metrics: [errors]
  onBreach: rollback
  phases: [{{name: half, percent: 50, bake: 8w}}, {{name: all, percent: 100}}]
"""


def make_repository(path, count, measured, redis):
    made = following.Importer(path)
    made.commit("first")
    made.put("environments/production.yaml", following.head("Environment", "production"))
    made.put("metrics/errors.yaml", following.head("Metric", "errors") + f"""\
spec:
  role: guardrail
  http: {{url: "http://{measured.address}/value?flag={{{{flag}}}}", query: /value}}
  thresholdRange: {{max: 0.01}}
  interval: 1s
  window: 1m
""")
    for where, text in webhook.targets(redis).items():
        made.put(where, text)
    for number in range(count):
        made.put(f"rollouts/r{number:06d}.yaml", rollout(number))
    made.finish()


class Places:
    """The three places at which users may be served: the Redis field, the file, and an answer over HTTP."""

    def __init__(self, redis, path, client):
        self.redis, self.path, self.client = redis, path, client
        self.users = {}

    def field(self, flag):
        return self.redis.ask("HGET", KEY, flag)

    def answer(self, flag, user):
        status, body = self.client.post(f"/env/production/ofrep/v1/evaluate/flags/{flag}",
                                        json.dumps({"context": {"targetingKey": user}}))
        return status == 200 and json.loads(body)["value"] is True

    def look(self, flag):
        """Which places put users on the variant now."""
        return {"redis": exposes(self.field(flag)), "answer": self.answer(flag, self.users[flag]),
                "file": exposes(json.dumps(json.loads(self.path.read_text())["flags"][flag]))}

    def are_exposing(self, flag):
        """All three; finds a user who is on the variant, to be asked for from then on."""
        if flag not in self.users:
            user = next((user for user in (f"user-{i}" for i in range(64)) if self.answer(flag, user)), None)
            if user is None:
                return False
            self.users[flag] = user
        try:
            return all(self.look(flag).values())
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def await_safety(self, flag, server):
        """Nanoseconds at which each was first seen without the variant."""
        seen, end = {}, time.monotonic() + serving.PATIENCE
        while len(seen) < 3:
            for place, is_exposing in self.look(flag).items():
                if not is_exposing:
                    seen.setdefault(place, time.monotonic_ns())
            if time.monotonic() > end:
                server.fail(f"does not bring {flag} to safety at {set(seen) ^ {'redis', 'file', 'answer'}}")
            time.sleep(PAUSE)
        return seen


def exposes(fragment):
    return fragment is not None and "fractional" in fragment


class Measured(serving.Server):
    def __init__(self, log):
        super().__init__([sys.executable, pathlib.Path(__file__).with_name("measured.py")], log)
        self.client = serving.Client(self.address)

    def ask(self, path):
        return json.loads(self.client.get(path)[1])


def await_true(server, what, condition, patience=serving.PATIENCE):
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            server.fail(what)
        time.sleep(0.02)


def breach(server, measured, places, number):
    """Breaks one flag; nanoseconds of the bad answer, and of each place's safety."""
    flag = f"f{number:06d}"
    await_true(server, f"does not expose {flag} at every target", lambda: places.are_exposing(flag))
    measured.ask(f"/break?flag={flag}")
    seen = places.await_safety(flag, server)
    return measured.ask(f"/when?flag={flag}"), seen


class Branch:
    """The remote's branch, looked at where it is kept."""

    def __init__(self, path):
        self.path = path

    def git(self, *arguments):
        return subprocess.run(["git", "-C", self.path, *arguments], env=serving.environment(), check=False,
                              capture_output=True, text=True).stdout.strip()

    def course(self, number):
        return self.git("show", f"main:state/production/r{number:06d}.yaml").partition("course: ")[2].partition("\n")[0]

    def await_revert(self, number, server):
        end = time.monotonic() + serving.PATIENCE
        while True:
            now, tip = time.monotonic_ns(), self.git("rev-parse", "main")
            if self.course(number) == "rolledBack" and self.git("rev-parse", "main") == tip:
                return now
            if time.monotonic() > end:
                server.fail(f"does not record the rollback of {number}")
            time.sleep(PAUSE)

    def rollbacks(self):
        """The rollout of each commit that rolls one back, sorted."""
        lines = self.git("log", "--format=%(trailers:key=Weir-Action,valueonly,separator=) "
                         "%(trailers:key=Weir-Rollout,valueonly,separator=)", "main").split("\n")
        return sorted(line.split()[1] for line in lines if line.startswith("rollback "))


def add(table, name, what, times, most=None):
    table.add(f"{name}.p50", f"{what}, p50", following.percentile(times, 50), "ms")
    table.add(f"{name}.p99", "  p99", following.percentile(times, 99), "ms", most=most)


def add_places(table, name, what, breaches):
    """The last of the three is what counts; each by itself below."""
    add(table, name, what, [(max(seen.values()) - told) / 1e6 for told, seen in breaches], most=250.0)
    for place, words in (("answer", "an answer over HTTP"), ("redis", "Redis"), ("file", "the file")):
        times = [(seen[place] - told) / 1e6 for told, seen in breaches]
        table.add(f"{name}.{place}", f"  {words}: p50", following.percentile(times, 50), "ms",
                  beside=f"p99 {following.percentile(times, 99):.1f} ms")


def bench_breach(build, table, quick):
    rounds = 20 if quick else 100
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        redis = webhook.Redis(folder)
        stack.callback(redis.close)
        measured = stack.enter_context(Measured(folder / "measured.log"))
        (folder / "root").mkdir()
        make_repository(folder / "root" / "flags.git", 2 * rounds, measured, redis)
        branch = Branch(folder / "root" / "flags.git")
        branch.git("config", "http.receivepack", "true")
        remote = stack.enter_context(gitserver.HttpServer(folder / "root"))
        server = stack.enter_context(serving.Server(
            [f"{build}/weir", "run", "--repo", remote.url("flags.git"), "--listen", "127.0.0.1:0", "--data",
             folder / "data", "--poll", "1h", "--allow-host", f"127.0.0.1:{redis.port}", "--allow-host",
             measured.address, "--blast-cap", 10 * rounds, "--scrape-interval", "1s"], folder / "log"))
        places = Places(redis, folder / "data/targets/flags.json", serving.Client(server.address))
        reverts, up, down = [], [], []
        for number in range(rounds):
            told, seen = breach(server, measured, places, number)
            up.append((told, seen))
            reverts.append((branch.await_revert(number, server) - told) / 1e6)
        remote.stop()
        for number in range(rounds, 2 * rounds):
            down.append(breach(server, measured, places, number))
        begin = time.monotonic()
        remote.start()
        for number in range(rounds, 2 * rounds):
            branch.await_revert(number, server)
        recorded = (time.monotonic() - begin) * 1e3
        found = branch.rollbacks()
        if found != [f"production/r{number:06d}" for number in range(2 * rounds)]:
            raise RuntimeError(f"{len(found)} rollbacks are recorded, not each of {2 * rounds} once")
    add_places(table, "breach.up", "a bad measurement is answered → control at file, Redis and over HTTP", up)
    add(table, "breach.revert", "  → the revert is on the branch, smart HTTP", reverts)
    add_places(table, "breach.down", "the same with the Git server down", down)
    table.add("breach.back", f"  the Git server is back → all {rounds} reverts are on the branch", recorded, "ms")


# --- all day long -----------------------------------------------------------------------------------------------------


def bench_watch(build, table, quick):
    """What `weir run` takes of a core while it measures, and nothing happens."""
    del quick  # the metrics' interval is a minute: less would see none of them, or all
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        measured = stack.enter_context(Measured(folder / "measured.log"))

        def metric(number):  # each asks for something else: of one question weir asks once
            url = f"http://{measured.address}/value?flag={{{{flag}}}}&of={number}"
            return walking.metric(number, f'http: {{url: "{url}", query: /value}}', "  interval: 1m\n")

        walking.make_repository(folder / "flags.git", walking.ROLLOUTS, metric)
        server = stack.enter_context(serving.Server(
            [f"{build}/weir", "run", "--repo", folder / "flags.git", "--listen", "127.0.0.1:0", "--data",
             folder / "data", "--allow-host", measured.address], folder / "log"))
        all_of_them = walking.ROLLOUTS * walking.METRICS
        begin = time.monotonic()
        await_true(server, f"does not measure all {all_of_them}", lambda: measured.ask("/asked") >= all_of_them,
                   5 * serving.PATIENCE)
        started = (time.monotonic() - begin) * 1e3
        asked, used, begin = measured.ask("/asked"), server.cpu_seconds(), time.monotonic()
        time.sleep(60)
        asked, used, passed = (measured.ask("/asked") - asked, server.cpu_seconds() - used, time.monotonic() - begin)
        if asked < all_of_them * passed / 60 / 2:
            raise RuntimeError(f"only {asked} measurements in {passed:.0f} s")
    table.add("watch.start", "weir run on 1 000 rollouts × 5 metrics: ready → started, all measured once", started,
              "ms")
    table.add("watch.cpu", "  then each metric every minute: of a core", used / passed * 100, "%",
              beside=f"{asked / passed:.0f} measurements a second")
