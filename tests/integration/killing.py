"""Kills a controller at random moments while commits arrive, and sees what is left: see test_kill.py."""
import json
import random
import threading
import time

import weir
from test_targets import Redis, file_target, in_sync, redis_target
from watching import FileWatcher, Line, RedisWatcher, number_of

PER_ROUND = 3  # commits
# Seconds from the start to the kill, at first: in between it has to have served something new now and then.
LONGEST = 1.0 if weir.is_sanitized() else 0.25
LONGEST_OF_ALL = 10.0


class Pusher:
    """Moves the branch on, a commit or a few at a time, until it is stopped."""

    def __init__(self, line, chance):
        self.line, self.chance, self.controller = line, chance, None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(weir.PATIENCE)

    def _run(self):
        while not self._stop.wait(self.chance.uniform(0.02, 0.15)):
            after = self.line.tip + self.chance.choice((1, 1, 1, 4))
            if after < len(self.line.commits):
                self.line.push(after)


def start(line, data, redis):
    return weir.Controller("--repo", line.url, "--branch", "main", "--data", data, "--listen", "127.0.0.1:0", "--poll",
                           "100ms", "--allow-host", f"127.0.0.1:{redis.port}")


def served(running, line):
    """(the place in the line of what is served, its document, its digest, whether it is from the disk); None when
    nothing is."""
    before = running.status()
    document = running.get("/env/production/flagd.json")
    after = running.status()
    if document.status != 200 or before.get("commit") != after.get("commit") or not after.get("commit"):
        return None
    digest = next(e["digest"] for e in after["environments"] if e["name"] == "production")
    return line.index[after["commit"]], document.body, digest, after["source"] == "disk"


class Rounds:
    """Start, look at what is served, wait a random while, kill: so many times."""

    def __init__(self, folder, seed, count):
        self.chance = random.Random(seed)
        self.redis = Redis(folder)
        files = {"targets/file.yaml": file_target("flags.json"), "targets/redis.yaml": redis_target(self.redis.port)}
        self.line = Line(folder, max(60, count * PER_ROUND), self.chance, files)
        self.line.push(0)
        self.folder, self.data, self.count = folder, folder / "data", count
        self.last, self.digests = -1, {}
        self.killed_before_ready, self.slowest, self.longest = 0, 0.0, LONGEST

    def look(self, running, begun):
        """What is served after a restart: from the disk at once, which may be a little older than the last that was
        served, then from Git, which is not; and never an older one after a newer one."""
        until = begun + self.chance.uniform(0, self.longest)
        before, first, floor = self.last, True, -1
        while True:
            found = served(running, self.line)
            if found:
                place, document, digest, from_disk = found
                assert place >= floor, f"{place} is served after {floor}\n{running.log()}"
                assert from_disk or place >= self.last, f"{place} is served after {self.last}\n{running.log()}"
                assert number_of(json.loads(document)) == self.line.numbers[place]
                if first or place > self.last:
                    assert document == self.line.built(self.line.commits[place]), f"not the document of {place}"
                if first:
                    self.slowest = max(self.slowest, time.monotonic() - begun)
                self.last, floor, first = max(self.last, place), place, False
                self.digests[place] = digest
            if time.monotonic() >= until:
                self.killed_before_ready += first
                # A machine that is too busy to serve anything new in that time is given more of it.
                self.longest *= 0.9 if self.last > before or self.last == self.line.tip else 1.5
                self.longest = min(max(self.longest, LONGEST), LONGEST_OF_ALL)
                return

    def turn(self, files, hashes):
        self.last = max(self.last, files.last, hashes.last)  # what a target was seen to hold was served
        begun = time.monotonic()
        running = start(self.line, self.data, self.redis)
        try:
            self.look(running, begun)
        finally:
            running.kill()  # by SIGKILL
        files.look_now()  # nobody writes now: it is whole as it lies there

    def end(self):
        """The last start: everybody comes to the tip, and nothing is left lying about."""
        running = start(self.line, self.data, self.redis)
        try:
            commit = self.line.commits[self.line.tip]
            for name in ("file", "redis"):
                in_sync(running, name, commit)
            assert running.stop() == 0, running.log()
        finally:
            running.kill()
        assert (self.data / "targets/flags.json").read_bytes() == self.line.built(commit)
        assert sorted(path.name for path in (self.data / "targets").iterdir()) == ["flags.json", "flags.json.meta.json"]
        weir.git(self.data / "repository.git", "fsck", "--full")
        for place, digest in list(self.digests.items())[-10:]:
            assert self.line.digest(self.line.commits[place]) == digest, f"not the digest of {place}"

    def run(self, tell=lambda number: None):
        try:
            with FileWatcher(self.line, self.data / "targets/flags.json") as files, \
                    RedisWatcher(self.line, self.redis.port) as hashes:
                with Pusher(self.line, random.Random(self.chance.random())):
                    for number in range(self.count):
                        self.turn(files, hashes)
                        assert not files.faults + hashes.faults, files.faults + hashes.faults
                        tell(number + 1)
                self.end()
            files.check()
            hashes.check()
            return (f"{self.count} kills, {self.killed_before_ready} of them before anything was served; the branch "
                    f"came to commit {self.line.tip}; the file was read {files.looks} times and held {len(files.seen)} "
                    f"documents, Redis {hashes.looks} and {len(hashes.seen)}; "
                    f"served {self.slowest * 1000:.0f} ms after a start at the latest")
        finally:
            self.redis.stop()
