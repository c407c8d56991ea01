"""Two controllers and a breach that one of them sees while Git is away: the other one, and a third on an empty disk,
never put the bad state back at the target that they share. And a breach that both see."""
import contextlib
import re

import pytest
import releasing
import weir
from test_notify import Receiver, channel, configured, webhook

UNRELATED = """\
apiVersion: weir/v1
kind: Flag
metadata: {name: banner}
spec: {variants: {plain: hello, loud: HELLO}, default: plain}
"""


class Other(weir.Controller):
    """Over the same remote and target; without more options it may not ask Prometheus, and is blind."""

    def __init__(self, release, data, *options):
        super().__init__("--repo", release.place(), "--data", data, "--listen", "127.0.0.1:0", "--poll", "1h",
                         "--allow-host", f"127.0.0.1:{release.redis.port}", *options)

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
        other = stack.enter_context(Other(release, tmp_path / "other"))
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
        found = release.rollout(other)
        verdicts = [gate["verdict"] for gate in found["gates"] if gate["metric"] == "checkout-errors"]
        if found["override"]:  # on a busy machine its next look at Redis, one in half a minute, may have come by now
            assert "as told by target 'redis'" in found["override"]["by"], found
        else:
            assert verdicts and "failure" not in verdicts, "it has seen nothing"
        with release.watch_redis() as watch:
            port = release.weir.port
            release.weir.kill()
            first(release, other)
            second(release, other)
            third = stack.enter_context(Other(release, tmp_path / "third"))
            third.wait_ready()
            weir.wait_until(third.is_safe, lambda: f"the third has learned of it\n{third.log()}")
            weir.wait_until(other.is_safe, lambda: f"and so has the second\n{other.log()}")
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


def test_what_both_see_is_recorded_once(tmp_path):
    with contextlib.ExitStack() as stack:
        receiver = stack.enter_context(Receiver())
        news = configured(tmp_path, webhook(receiver.url))
        release = stack.enter_context(releasing.Release(tmp_path, news))
        other = stack.enter_context(Other(release, tmp_path / "other", *release.options))
        both = (release.weir, other)
        with release.traffic():
            release.begin(releasing.TEN)
            release.until("start")
            release.until_exposed()
            other.fetch()
            weir.wait_until(lambda: not other.is_safe(), lambda: f"the other one exposes, too\n{other.log()}")
            release.git_down()  # else the first to push is the only one that sees it
            release.breaks()
            for controller in both:
                weir.wait_until(lambda: (release.rollout(controller) or {}).get("override"),
                                lambda: f"it has seen it\n{controller.log()}")
        own = [release.rollout(controller)["override"] for controller in both]
        # Where the look at Redis of one, once in half a minute, came between: "weir, as told by target 'redis'".
        assert own[0]["intent"] == own[1]["intent"] and all(re.match(r"weir\b", each["by"]) for each in own), own
        release.git_up()
        for controller in both:
            controller.fetch()
        release.until("rollback")
        for controller in both:
            controller.fetch()
            release.until_settled(controller)
            weir.wait_until(lambda: channel(controller)["waiting"] == 0, "nothing waits to be told")
        assert release.actions() == ["start", "rollback"]
        release.until_safe()
        ids = {(event["data"]["event"], event["source"], event["id"]) for event in receiver.events}
        assert sorted(event for event, _, _ in ids) == ["rollout.rolled-back", "rollout.started"], receiver.events
