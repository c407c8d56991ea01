"""A release that walks by itself in the world of world.py: its definitions, who watches its users, and what `git log`
tells of it.

    with Release(folder) as release:        # a world whose remote stands behind a proxy of the tests (release.wire)
        release.begin(TEN)                  # commits the rollout, which starts by itself
        with release.traffic():             # users check out all the time
            release.until("ten")            # its phase is on the branch
            release.breaks()                # the new checkout fails half of the time
            release.until_safe()

Users are those that the shop serves; "on control" is what the shop's own library answers, and the field at Redis.
"""
import contextlib
import json
import re
import socket
import threading
import time

import weir
from proxy import Proxy
from world import World

FLAG = "checkout-v2"
FIELDS = {"flags/checkout.yaml": f"""\
apiVersion: weir/v1
kind: Flag
metadata: {{name: {FLAG}}}
spec: {{variants: {{on: true, off: false}}, default: off}}
""", "environments/all.yaml": """\
apiVersion: weir/v1
kind: Environment
metadata: {name: production}
"""}
METRIC = """\
apiVersion: weir/v1
kind: Metric
metadata: {{name: checkout-errors}}
spec:
  role: guardrail
  prometheus:
    address: {url}
    numerator: sum(increase(checkout_errors_total{{variant="{{{{variant}}}}"}}[{{{{window}}}}]))
    denominator: sum(increase(checkout_total{{variant="{{{{variant}}}}"}}[{{{{window}}}}]))
  thresholdRange: {{max: 0.05}}
  interval: {interval}s
  window: 30s
"""
ROLLOUT = """\
apiVersion: weir/v1
kind: Rollout
metadata: {{name: {flag}}}
spec:
  flag: {flag}
  environment: production
  variant: on
  control: off
  start: 2026-01-01T00:00:00Z
  metrics: [checkout-errors]
  phases: {phases}
"""
WALK = "[{name: one, percent: 1, bake: 3s}, {name: ten, percent: 10, bake: 4w}, {name: all, percent: 100, bake: 4w}]"
TEN = "[{name: ten, percent: 10, bake: 4w}, {name: all, percent: 100, bake: 4w}]"
USERS = 150


def trailers(text):
    """{name: value} of a commit's last paragraph; a name that stands twice has a list."""
    found = {}
    for name, value in re.findall(r"^(Weir-[A-Za-z]+): (.*)$", text.strip().rpartition("\n\n")[2], re.M):
        found[name] = value if name not in found else [found[name], value]
    return found


class Commit:
    def __init__(self, record):
        self.id, self.author, self.time, message = record.strip("\n").split("\n", 3)
        self.subject, _, self.body = message.partition("\n")
        self.trailers = trailers(message)

    def __repr__(self):
        return f"{self.id[:10]} {self.author}: {self.subject} {self.trailers}"


class Field:
    """The flag's field at Redis, over a connection that is kept: what is watched must not cost a process a look."""

    def __init__(self, port):
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=weir.PATIENCE)
        self.answers = self.connection.makefile("rb")
        assert self._ask("CLIENT", "SETNAME", "watch") == b"+OK\r\n"

    def _ask(self, *words):
        """The first line of the answer."""
        self.connection.sendall(f"*{len(words)}\r\n".encode()
                                + b"".join(f"${len(word)}\r\n{word}\r\n".encode() for word in words))
        return self.answers.readline()

    def read(self):
        length = int(self._ask("HGET", "{weir:production}:doc", FLAG)[1:])
        return json.loads(self.answers.read(length + 2)) if length >= 0 else None

    def exposes(self):
        """Whether it lets anybody have the variant; None where there is no such field."""
        field = self.read()
        return field and (field["defaultVariant"] != "off" or bool(field.get("targeting")))

    def close(self):
        self.answers.close()
        self.connection.close()


class Watch:
    """Looks at what users get, all the time. `seen` has of each change (not before, not after, what), by
    time.monotonic(): when the last look began that did not see it yet, and when the one ended that saw it."""

    def __init__(self, look):
        self.look, self.seen, self.closing = look, [], threading.Event()
        self.problem = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        try:
            before = time.monotonic()
            while not self.closing.wait(0.001):
                began, found = time.monotonic(), self.look()
                if not self.seen or self.seen[-1][2] != found:
                    self.seen.append((before, time.monotonic(), found))
                before = began
        except Exception as problem:  # told by close()
            self.problem = problem

    def values(self):
        return [what for _, _, what in self.seen]

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.closing.set()
        self.thread.join()
        if kind is None:
            assert not self.problem, repr(self.problem)


class Release(World):
    def __init__(self, folder, options=()):
        super().__init__(folder, FIELDS, ["--scrape-interval", "1s", "--allow-host", "127.0.0.1", *options])
        self.wire = None

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            stack.callback(lambda: self.wire and self.wire.__exit__())
            super().__enter__()
            stack.pop_all()
        return self

    def __exit__(self, *problem):
        try:
            super().__exit__(*problem)
        finally:
            self.wire.__exit__()

    def place(self):
        """Where controllers find the remote: behind a proxy."""
        if not self.wire:
            self.wire = Proxy("127.0.0.1", self.remote.port).__enter__()
        return f"http://127.0.0.1:{self.wire.port}/flags.git"

    # --- what happens ---------------------------------------------------------------------------------------------

    def begin(self, phases, interval=1):
        """`interval`: seconds from one measurement to the next."""
        return self.push({"metrics/errors.yaml": METRIC.format(url=self.prometheus.url, interval=interval),
                          "rollouts/checkout.yaml": ROLLOUT.format(flag=FLAG, phases=phases)},
                         "Release the new checkout")

    def push(self, files, message, controller=None):
        """A person's commit, on whatever the branch is now; weir may push between the pull and the push."""
        for attempt in range(20):
            self.repository.pull()
            try:
                commit = self.repository.commit(files, message)
                break
            except AssertionError as problem:
                if attempt == 19 or "[rejected]" not in str(problem) and "[remote rejected]" not in str(problem):
                    raise
        (controller or self.weir).fetch()
        return commit

    def traffic(self):
        return self.shop.open(USERS)

    def breaks(self):
        self.shop.errors(on=0.5)

    def git_down(self):
        self.wire.refuse()
        self.wire.drop()

    def git_up(self):
        self.wire.heal()

    # --- what users get -------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def watch_redis(self):
        """Whether the field exposes anybody, as a Watch."""
        field = Field(self.redis.port)
        try:
            with Watch(field.exposes) as watch:
                yield watch
        finally:
            field.close()

    def drift(self):
        """Redis loses the document, not what stands over it, and everybody's connection: as a hand there may do it."""
        self.redis.ask("DEL", "{weir:production}:doc", "{weir:production}:meta")
        for client in self.redis.ask("CLIENT", "LIST", "TYPE", "normal").splitlines():
            if "name=watch" not in client:
                self.redis.ask("CLIENT", "KILL", "ID", re.match(r"id=(\d+)", client)[1])

    def exposes_at_redis(self):
        with contextlib.closing(Field(self.redis.port)) as field:
            return field.exposes()

    def until_exposed(self):
        weir.wait_until(self.exposes_at_redis, lambda: f"somebody is exposed at Redis\n{self.weir.log()}")
        weir.wait_until(lambda: self.shop.visit(USERS)["on"], "and at the shop")

    def until_safe(self):
        weir.wait_until(lambda: not self.exposes_at_redis(), lambda: f"control at Redis\n{self.weir.log()}")
        assert self.shop.visit(USERS) == {"on": 0, "off": USERS}, "answers come before targets"

    # --- what the log tells ---------------------------------------------------------------------------------------

    def log(self, revision="main"):
        """Commits, oldest first."""
        text = weir.git(self.repository.bare, "log", "--reverse", "-z", "--format=%H%n%an%n%cI%n%B", revision)
        return [Commit(record) for record in text.split("\0") if record.strip()]

    def moves(self):
        """What was done, in order, as the trailers have it: (action, phase)."""
        return [(commit.trailers["Weir-Action"], commit.trailers["Weir-Phase"]) for commit in self.log()
                if "Weir-Action" in commit.trailers]

    def actions(self):
        return [action for action, _ in self.moves()]

    def until(self, action, phase="", seconds=weir.PATIENCE):
        """The commit that says so; `phase` is what its phase's trailer ends with."""
        return weir.wait_until(
            lambda: next((c for c in self.log() if c.trailers.get("Weir-Action") == action
                          and c.trailers["Weir-Phase"].endswith(phase)), None),
            lambda: f"{action} {phase} on the branch: {self.moves()}\n{self.weir.log()[-6000:]}", seconds)

    def until_settled(self, controller=None):
        """Nothing is served that Git does not say."""
        asked = controller or self.weir
        weir.wait_until(lambda: asked.status()["overrideCount"] == 0, lambda: f"no override is open\n{asked.log()}")

    def rollout(self, controller=None):
        answer = (controller or self.weir).get("/rollouts")
        assert answer.status == 200, answer
        return next((one for one in answer.json()["rollouts"] if one["name"] == FLAG), None)
