"""Two controllers and a breach that one of them sees while Git is away: the other one, and a third on an empty disk,
never put the bad state back at the target that they share."""
import contextlib

import pytest
import releasing
import weir

UNRELATED = """\
apiVersion: weir/v1
kind: Flag
metadata: {name: banner}
spec: {variants: {plain: hello, loud: HELLO}, default: plain}
"""


class Blind(weir.Controller):
    """Over the same remote and target; it may not ask Prometheus."""

    def __init__(self, release, data):
        super().__init__("--repo", release.place(), "--data", data, "--listen", "127.0.0.1:0", "--poll", "1h",
                         "--allow-host", f"127.0.0.1:{release.redis.port}")

    def is_safe(self):
        return not any(self.value(releasing.FLAG, {"targetingKey": f"user-{i}"}) for i in range(releasing.USERS))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            assert kind or self.stop() == 0, self.log()
        finally:
            self.kill()


def come_back_with_a_commit(release, other):
    """Git is there again, with somebody's commit; what it refuses is weir's."""
    commit = release.push({"flags/banner.yaml": UNRELATED}, "Something else", other)
    release.git_up()
    other.fetch()
    weir.wait_until(lambda: release.redis.hash("{weir:production}:meta").get("commit") == commit,
                    lambda: f"the other one has pushed it\n{other.log()}")
    assert "banner" in release.redis.hash("{weir:production}:doc")


def repair_drift(release, other):
    release.drift()
    weir.wait_until(lambda: release.exposes_at_redis() is not None, lambda: f"it was repaired\n{other.log()}")


@pytest.mark.parametrize("first, second", [(come_back_with_a_commit, repair_drift),
                                           (repair_drift, come_back_with_a_commit)])
def test_who_saw_nothing_undoes_nothing(tmp_path, first, second):
    with contextlib.ExitStack() as stack:
        release = stack.enter_context(releasing.Release(tmp_path))
        other = stack.enter_context(Blind(release, tmp_path / "other"))
        with release.traffic():
            release.begin(releasing.TEN)
            release.until("start")
            release.until_exposed()
            other.fetch()
            weir.wait_until(lambda: not other.is_safe(), lambda: f"the other one exposes, too\n{other.log()}")
            hook = release.repository.bare / "hooks" / "pre-receive"
            hook.write_text("#!/bin/sh\n[ -z \"$GIT_PROJECT_ROOT\" ]\n")
            hook.chmod(0o755)
            release.git_down()
            release.breaks()
            release.until_safe()
        gate = next(gate for gate in release.rollout(other)["gates"] if gate["metric"] == "checkout-errors")
        assert gate["verdict"] != "failure" and not release.rollout(other)["override"], "it knows nothing"
        with release.watch_redis() as watch:
            port = release.weir.port
            release.weir.kill()
            first(release, other)
            second(release, other)
            third = stack.enter_context(Blind(release, tmp_path / "third"))
            third.wait_ready()
            weir.wait_until(third.is_safe, lambda: f"the third has learned of it\n{third.log()}")
            assert other.is_safe(), "and so has the second"
            repair_drift(release, third)
            assert release.actions() == ["start"], "Git still says the bad state"
            release.start(port)
            hook.unlink()
            release.push({"README": "open again"}, "The branch is open", third)
            release.until("rollback")
            for controller in (release.weir, other, third):
                controller.fetch()
                release.until_settled(controller)
            assert True not in watch.values(), watch.seen
        assert release.actions() == ["start", "rollback"]
        release.until_safe()
