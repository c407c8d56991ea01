"""The digests of a random history by every way to them: see test_determinism.py."""
import random
import shutil

import weir
from histories import History

ENVIRONMENTS = ("production", "staging")


def built(repository, commit):
    """{environment: digest} as `weir build` has it; of an environment that is not there, nothing."""
    digests = {}
    for environment in ENVIRONMENTS:
        result = weir.run("build", "--env", environment, "--repo", repository, "--rev", commit, "--digest")
        assert result.code in (0, 1, 2), result
        if result.out:
            digests[environment] = result.out.strip()
    return digests


class Follower:
    """A controller on a branch of its own, moved along the tips; restarted or robbed of its cache as it is told."""

    def __init__(self, history, folder, name):
        self.history, self.name, self.data = history, name, folder / name
        self.seen, self.running = {}, None

    def start(self):
        self.running = weir.Controller("--repo", self.history.bare.as_uri(), "--branch", self.name, "--data", self.data,
                                       "--listen", "127.0.0.1:0", "--poll", "1h")

    def restart(self, keep_cache):
        if self.running is not None:
            assert self.running.stop() == 0, self.running.log()
        if not keep_cache:
            shutil.rmtree(self.data / "effective", ignore_errors=True)
        self.start()

    def go(self, commit):
        weir.git(self.history.bare, "update-ref", f"refs/heads/{self.name}", commit)
        if self.running is None:
            self.start()
        else:
            self.running.fetch()

    def arrived(self, commit):
        status = weir.wait_until(lambda: (s := self.running.status())["commit"] == commit and s,
                                 f"{self.name} has {commit}\n{self.running.log()}")
        digests = {each["name"]: each["digest"] for each in status["environments"]}
        assert self.seen.setdefault(commit, digests) == digests, f"{self.name} changed its mind about {commit}"

    def stop(self):
        code = self.running.stop()
        assert code == 0, f"it ended with {code}\n{self.running.log()}"

    def kill(self):
        if self.running:
            self.running.kill()


def differences(expected, found):
    return {commit: (expected[commit], digests) for commit, digests in found.items() if digests != expected[commit]}


def determine(folder, count, seed):
    """Raises AssertionError when two ways differ; returns what was done in words."""
    chance = random.Random(seed)
    history = History(folder, count, chance)
    clones = [folder / "one.git", folder / "another.git"]
    weir.git(folder, "clone", "--quiet", "--bare", history.bare.as_uri(), clones[0])
    weir.git(folder, "clone", "--quiet", "--bare", "--no-local", history.bare, clones[1])
    weir.git(clones[1], "repack", "-adfq")
    expected = {commit: built(clones[0], commit) for commit in history.commits}
    backwards = {commit: built(clones[1], commit) for commit in reversed(history.commits)}
    assert not differences(expected, backwards), "two clones differ"

    followers = [Follower(history, folder, name) for name in ("each", "jumps", "forgets")]
    each, jumps, forgets = followers
    try:
        for place, tip in enumerate(history.tips):
            going = [each]
            if chance.random() < 0.3 or place == len(history.tips) - 1:
                going += [jumps, forgets]
            for follower in going:
                follower.go(tip)
            for follower in going:
                follower.arrived(tip)
            if forgets in going and chance.random() < 0.7:
                jumps.restart(keep_cache=True)
                forgets.restart(keep_cache=False)
                for follower in (jumps, forgets):
                    follower.arrived(tip)
        for follower in followers:
            follower.stop()
    finally:
        for follower in followers:
            follower.kill()
    for follower in followers:
        wrong = differences(expected, follower.seen)
        assert not wrong, f"seed {seed}: the controller that {follower.name} differs from weir build: {wrong}"
    merges = sum(len(parents) > 1 for parents in history.parents)
    kinds = {tuple(sorted(digests.items())) for digests in expected.values()}
    return Outcome(len(history.tips), merges, len(kinds), len(list((folder / "jumps/effective").glob("*"))),
                   {follower.name: len(follower.seen) for follower in followers})


class Outcome:
    def __init__(self, tips, merges, states, cached, seen):
        self.tips, self.merges, self.states, self.cached, self.seen = tips, merges, states, cached, seen

    def __str__(self):
        return (f"{self.tips} tips of main, {self.merges} merges, {self.states} different states; compared at "
                + ", ".join(f"{count} commits by the one that {name}" for name, count in self.seen.items())
                + f"; {self.cached} faulty commits in the cache")
