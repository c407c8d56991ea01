"""Two controllers and three edges that lose Git, Redis and their source at random while commits arrive: see
test_converge.py.

Each reaches Git and Redis by proxies of its own. Definitions are the same for both, so there are two targets for one
key in one Redis, each by another proxy, and each controller may only contact its own. A file target is written by both,
another by each in its own data folder. One that has lost Git may be killed and started again: then it knows an old
state only, which must not replace what the other has pushed. One edge follows the first controller and one Redis, each
by a proxy, the third the file that both write; edges are killed at any time. An episode is some seconds of all that; it
ends when the last cut is healed, and then everything has to be the same everywhere. The same means: of the same commit,
with the same digest, and what an edge serves is what `weir build` makes of it.
"""
import contextlib
import random
import time

import gitserver
import weir
from proxy import Proxy
from test_targets import Redis, target
from watching import EdgeWatcher, FileWatcher, Line, RedisWatcher

EPISODE = 4.0  # seconds
WITHIN = 2.0  # seconds from the last heal until all are the same
LONGEST_CUT = 1.5
COMMITS_A_SECOND = 10
MOST_EPISODES = 10  # that a short run is made longer to, so that enough happens
SIDES = ("a", "b")


def targets(ports, shared):
    head = "apiVersion: weir/v1\nkind: Target\nmetadata: {{name: {}}}\nspec:\n  environment: production\n"
    made = [head.format(f"redis-{side}") + f"  redis: {{url: \"redis://127.0.0.1:{port}\", key: \"weir:production\"}}\n"
            for side, port in ports.items()]
    made += [head.format(name) + f"  file: {{path: {path}}}\n"
             for name, path in (("shared", shared), ("own", "flags.json"))]
    return {"targets/all.yaml": "---\n".join(made)}


class Side:
    """A controller and its two ways into the world."""

    def __init__(self, name, folder, git, redis, shared):
        self.name, self.data, self.git, self.redis = name, folder / name, git, redis
        self.shared, self.running, self.kills = shared, None, 0
        self.followers = None  # the proxy by which an edge reaches it, or None

    def restart(self):
        if self.running:
            self.running.kill()  # by SIGKILL
            self.kills += 1
        self.running = weir.Controller(
            "--repo", f"http://127.0.0.1:{self.git.port}/line.git", "--branch", "main", "--data", self.data, "--listen",
            "127.0.0.1:0", "--poll", "200ms", "--git-timeout", "1s", "--allow-host", f"127.0.0.1:{self.redis.port}",
            "--allow-path", self.shared.parent)
        if self.followers:
            self.followers.redirect(self.running.port)

    def lacks(self, commit):
        """What has not come to `commit` yet, in words; empty: all has."""
        status = self.running.status()
        late = [] if status["commit"] == commit else [f"{self.name} serves {status['commit']}"]
        for name in (f"redis-{self.name}", "shared", "own"):
            found = target(self.running, name)
            if not found or found["state"] != "inSync" or found["commit"] != commit:
                late.append(f"{self.name}'s {name} is {found}")
        return late

    def digest(self):
        return digest_of(self.running)


def digest_of(running):
    return next(each["digest"] for each in running.status()["environments"] if each["name"] == "production")


class EdgeProcess(weir.Controller):
    command = "edge"


class Edge:
    """An edge of one kind, with the proxy before its source, or None where there is no network in between."""

    def __init__(self, name, folder, source, way):
        self.name, self.data, self.source, self.way = name, folder / f"edge-{name}", source, way
        self.running, self.kills = None, 0

    def restart(self):
        if self.running:
            self.running.kill()  # by SIGKILL
            self.kills += 1
        self.running = EdgeProcess("--from", self.source, "--environment", "production", "--data", self.data,
                                   "--listen", "127.0.0.1:0")

    def lacks(self, commit):
        served = self.running.status()["commit"]
        return [] if served == commit else [f"the edge of {self.name} serves {served}"]

    def digest(self):
        return digest_of(self.running)


class Weather:
    """Breaks one way after the other, each for a while."""

    def __init__(self, sides, edges, chance):
        self.sides, self.edges, self.chance, self.broken = sides, edges, chance, {}
        self.ways = [(way, kind) for side in sides for way, kind in ((side.git, "git"), (side.redis, "redis"))]
        self.ways += [(edge.way, "edge") for edge in edges if edge.way]

    def turn(self, now):
        for way in [way for way, until in self.broken.items() if until <= now]:
            way.heal()
            del self.broken[way]
        way, kind = self.chance.choice(self.ways)
        if way not in self.broken and self.chance.random() < 0.3:
            self._break(way, kind)
            self.broken[way] = now + self.chance.uniform(0.05, LONGEST_CUT)
        if self.chance.random() < 0.05:
            way.drop()
        for side in self.sides:
            if side.git in self.broken and self.chance.random() < 0.02:
                side.restart()
        for edge in self.edges:
            if self.chance.random() < 0.005:
                edge.restart()

    def _break(self, way, kind):
        after, towards = self.chance.choice((0, 100, 1000)), self.chance.choice(("client", "server"))
        faults = [lambda: way.cut(after, towards), lambda: way.reset(after, towards), lambda: way.stall(after, towards),
                  way.refuse, lambda: way.delay(0.1, towards)]
        if kind == "git":  # what Redis is sent, and the head of an answer, is not protected against a byte that changes
            faults.append(lambda: way.corrupt(after, towards))
        self.chance.choice(faults)()

    def count(self):
        return sum(count for way, _ in self.ways for kind, count in way.happened.items() if kind != "connect")

    def heal(self):
        for way, _ in self.ways:
            way.heal()
        self.broken.clear()


class Everything:
    def __init__(self, folder, seconds, seed):
        self.chance = random.Random(seed)
        self.folder, self.seconds, self.took, self.cuts = folder, seconds, [], 0
        self.shared = folder / "shared/flags.json"
        self.shared.parent.mkdir()
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        enter = self.stack.enter_context
        redis = Redis(self.folder)
        self.stack.callback(redis.stop)
        proxies = {side: enter(Proxy("127.0.0.1", redis.port)) for side in SIDES}
        files = targets({side: proxy.port for side, proxy in proxies.items()}, self.shared)
        self.line = Line(self.folder, int(self.seconds * COMMITS_A_SECOND) + 50, self.chance, files)
        self.line.push(0)
        server = enter(gitserver.HttpServer(self.folder))
        self.sides = [Side(side, self.folder, enter(Proxy("127.0.0.1", server.port)), proxies[side], self.shared)
                      for side in SIDES]
        self.sides[0].followers = enter(Proxy("127.0.0.1", 0))  # side a's port is told to it by its start
        to_redis = enter(Proxy("127.0.0.1", redis.port))
        self.edges = [
            Edge("a", self.folder, f"http://127.0.0.1:{self.sides[0].followers.port}", self.sides[0].followers),
            Edge("redis", self.folder, f"redis://127.0.0.1:{to_redis.port}#weir:production", to_redis),
            Edge("file", self.folder, self.shared, None)]
        self.processes = self.sides + self.edges
        for each in self.processes:
            self.stack.callback(lambda each=each: each.running and each.running.kill())
            each.restart()
        self.watchers = [enter(RedisWatcher(self.line, redis.port)), enter(FileWatcher(self.line, self.shared))]
        self.watchers += [enter(FileWatcher(self.line, side.data / "targets/flags.json")) for side in self.sides]
        self.watchers += [enter(EdgeWatcher(self.line, lambda edge=edge: edge.running)) for edge in self.edges]
        return self

    def __exit__(self, *reason):
        return self.stack.__exit__(*reason)

    def logs(self):
        return "\n".join(f"--- {each.name}\n{each.running.log()[-6000:]}" for each in self.processes)

    def together(self, what):
        """All serve and hold the tip; how long that took."""
        begun, commit = time.monotonic(), self.line.commits[self.line.tip]
        for each in self.processes:
            weir.wait_until(lambda each=each: not each.lacks(commit), f"{what}: {each.name} is at {commit}")
        took = time.monotonic() - begun
        assert len({each.digest() for each in self.processes} | {self.line.digest(commit)}) == 1
        weir.wait_until(lambda: all(w.faults or w.last == self.line.tip for w in self.watchers), "the watchers see it")
        faults = [fault for watcher in self.watchers for fault in watcher.faults]
        assert not faults, "\n".join(faults)
        return took

    def episode(self):
        weather = Weather(self.sides, self.edges, self.chance)
        end = time.monotonic() + EPISODE
        next_commit = 0.0
        while (now := time.monotonic()) < end:
            if now >= next_commit and self.line.tip + 1 < len(self.line.commits):
                self.line.push(self.line.tip + 1)
                next_commit = now + self.chance.uniform(0.5, 1.5) / COMMITS_A_SECOND
            weather.turn(now)
            time.sleep(0.02)
        weather.heal()
        self.cuts = weather.count()  # since the beginning
        self.took.append(self.together(f"episode {len(self.took) + 1}"))

    def is_enough(self):
        """Whether it was a storm: on a machine that is busy, less happens in a second."""
        return len(self.took) >= 3 and self.cuts >= 20 and any(edge.kills for edge in self.edges)

    def run(self, tell=lambda episode, took: None):
        self.together("at first")
        end = time.monotonic() + self.seconds
        try:
            while time.monotonic() < end or (not self.is_enough() and len(self.took) < MOST_EPISODES):
                self.episode()
                tell(len(self.took), self.took[-1])
        except AssertionError as failure:
            raise AssertionError(f"{failure}\n{self.logs()}") from failure
        for watcher in self.watchers:
            watcher.check(digests=3)
        for each in reversed(self.processes):
            code = each.running.stop()
            assert code == 0, f"it ended with {code}\n{self.logs()}"
        looks = ", ".join(f"{watcher.looks}" for watcher in self.watchers)
        return (f"{len(self.took)} times all came together, {max(self.took):.2f} s after the last heal at the latest; "
                f"{self.line.tip} commits, {self.cuts} times something was done to a connection, "
                f"{sum(each.kills for each in self.sides)} kills of controllers and "
                f"{sum(each.kills for each in self.edges)} of edges; looks at Redis, the three files and the "
                f"three edges: {looks}")
