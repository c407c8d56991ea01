"""A controller that is struck dead (SIGKILL) at every step of the way from a kill to its record: whatever the step, the safe
state is served from the moment it was kept, it is on the branch once, and no target goes backwards; and on the way from a
pin of a watched flag to the proposed revert of what broke it, which is there in the end.

The program is weir with tests/crash/points.c linked in: it dies where WEIR_CRASH_POINT says."""
import contextlib
import json
import pathlib
import shutil

import pytest
import weir
import test_watch
from serving import Serving, bearer, tokens  # noqa: F401 (a fixture)

CRASHING = pathlib.Path(weir.program()).parent / "tests" / "crash" / "weir"
# The step, and whether the safe state has outlived the process there.
POINTS = {"decided": False, "kept": True, "served": True, "given": True, "recording": True, "committed": True,
          "pushed": True, "recorded": True, "closed": True}
PROPOSING = ("noted", "pushed", "proposing", "proposed")
FILES = {
    "all.yaml": """\
apiVersion: weir/v1
kind: Environment
metadata: {name: production}
---
apiVersion: weir/v1
kind: Flag
metadata: {name: shop}
spec: {variants: {on: true, off: false}, default: off}
---
apiVersion: weir/v1
kind: Rollout
metadata: {name: shop}
spec:
  flag: shop
  environment: production
  variant: on
  control: off
  start: 2026-01-01T00:00:00Z
  phases: [{name: half, percent: 50}, {name: all, percent: 100, bake: 4w}]
---
apiVersion: weir/v1
kind: Target
metadata: {name: copy}
spec: {environment: production, file: {path: copy.json}}
""",
}


class Line:
    """One data folder, and the controllers that live in it one after the other."""

    def __init__(self, folder, tokens):
        self.repository = weir.Repository(folder, FILES)
        self.data, self.tokens = folder / "data", tokens
        self.token = tokens.create("operator", "production", name="ada")
        self.held = ""

    def run(self, env=None):
        return Serving(self.repository, self.data, "--tokens", self.tokens.path, poll="200ms", env=env)

    def log(self):
        return weir.git(self.repository.bare, "log", "--format=%s")

    def state(self):
        return weir.git(self.repository.bare, "show", "HEAD:state/production/shop.yaml")

    def look_at_target(self):
        path = self.data / "targets" / "copy.json.meta.json"
        generation = json.loads(path.read_text())["generation"]
        assert generation >= self.held, "the target went backwards"
        self.held = generation
        return "fractional" not in path.with_suffix("").with_suffix("").read_text()

    def status(self, controller):
        return controller.get("/status", bearer(self.token)).json()

    def kill(self, controller):
        """The status of the answer; None where who was asked is dead before it has answered."""
        with contextlib.suppress(ConnectionError):
            return self._kill(controller).status

    def _kill(self, controller):
        return controller.request("POST", "/env/production/rollouts/shop/kill", b'{"reason":"it burns"}',
                                  {"Content-Type": "application/json", **bearer(self.token)})


@pytest.fixture(name="line")
def make_line(tmp_path, tokens):  # noqa: F811
    line = Line(tmp_path, tokens)
    with line.run() as controller:
        weir.wait_until(lambda: "Advance production/shop to all" in line.log(), lambda: controller.log())
        weir.wait_until(lambda: controller.value("shop", {"targetingKey": "u"}) is True, "served to all")
        weir.wait_until(lambda: (line.data / "targets" / "copy.json.meta.json").exists(), "a target")
    return line


@pytest.mark.parametrize("point", POINTS)
def test_one_record_whatever_the_step(line, point):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEIR", str(CRASHING))
        struck = line.run(env=weir.environment(WEIR_CRASH_POINT=point))
        try:
            weir.wait_until(lambda: struck.value("shop", {"targetingKey": "u"}) is True, "served")
            assert line.kill(struck) in (202, None)
            assert struck.process.wait(weir.PATIENCE) == -9
        finally:
            struck.kill()
    line.look_at_target()
    away = line.repository.bare.with_name("away.git")
    shutil.move(line.repository.bare, away)
    with line.run() as controller:  # nobody is asked before the first answer
        assert controller.value("shop", {"targetingKey": "u"}) is not POINTS[point]
    shutil.move(away, line.repository.bare)
    with line.run() as controller:
        if not POINTS[point]:  # nothing was promised: who asked asks again
            assert line.kill(controller) == 202
        weir.wait_until(lambda: "course: killed" in line.state(), "recorded")
        weir.wait_until(lambda: line.status(controller)["overrideCount"] == 0, "closed")
        weir.wait_until(line.look_at_target, "safe at the target")
        assert controller.value("shop", {"targetingKey": "u"}) is False
    assert line.log().count("Kill production/shop") == 1
    with line.run() as controller:
        assert controller.value("shop", {"targetingKey": "u"}) is False
        weir.wait_until(lambda: line.status(controller)["source"] == "git", "Git was read")
        assert controller.value("shop", {"targetingKey": "u"}) is False
    assert line.log().count("Kill production/shop") == 1


make_source, make_repository = test_watch.make_source, test_watch.make_repository  # fixtures


@pytest.mark.parametrize("point", PROPOSING)
def test_what_is_pinned_has_its_revert_proposed(repository, source, tmp_path, point):
    def branches():
        return weir.git(repository.bare, "branch", "--list", "weir/revert/*").split()

    def kept():
        """What whoever comes next would push: who ends between a push and its answer cannot know that it landed."""
        return weir.git(tmp_path / "data" / "repository.git", "for-each-ref", "refs/weir/proposed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEIR", str(CRASHING))
        struck = Serving(repository, tmp_path / "data", "--allow-host", f"127.0.0.1:{source.port}", poll="200ms",
                         env=weir.environment(WEIR_CRASH_POINT=point))
        try:
            weir.wait_until(lambda: struck.is_ready() and struck.value("shop") is False, "served")
            repository.commit({
                "flags/shop.yaml": test_watch.FLAG.format(name="shop", default="on", more=test_watch.WATCH),
                "flags/other.yaml": test_watch.FLAG.format(name="other", default="on", more="")}, "Both for all")
            weir.wait_until(lambda: struck.value("shop") is True, "served to all")
            source.rate = 0.3
            assert struck.process.wait(weir.PATIENCE) == -9
        finally:
            struck.kill()
    source.rate = 0.0
    assert bool(branches()) is (point == "proposed")
    with test_watch.serve(repository, source, tmp_path) as controller:
        weir.wait_until(branches, lambda: controller.log())
        weir.wait_until(lambda: not kept(), "it is known that the remote has it")
        weir.wait_until(lambda: controller.is_ready() and controller.status()["overrides"] == [], "recorded")
        assert controller.value("shop") is False
    assert len(branches()) == 1
    assert test_watch.log(repository).count("Pin flag production/shop") == 1
    changed = weir.git(repository.bare, "diff", "--name-only", "HEAD", branches()[0]).split()
    assert sorted(changed) == ["flags/other.yaml", "flags/shop.yaml", "state/production/flags/shop.yaml"]
    weir.git(repository.bare, "branch", "-D", branches()[0])  # which is an answer
    with test_watch.serve(repository, source, tmp_path) as controller:
        weir.git(repository.work, "pull", "--quiet", "--rebase", "origin", "main")
        repository.commit({"flags/other.yaml": test_watch.FLAG.format(name="other", default="off", more="")})
        weir.wait_until(lambda: controller.value("other") is False, "a fetch later")
    assert branches() == []
