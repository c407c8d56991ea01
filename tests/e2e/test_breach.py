"""A breach at ten percent while Git is away, unsure, busy or says no: users are back on control at once, and the branch
says so once, when it can."""
import pathlib
import re
import threading
import uuid

import pytest
import releasing
import weir
from test_notify import Receiver, channel, configured, webhook


@pytest.fixture
def receiver():
    with Receiver() as made:
        yield made


@pytest.fixture
def release(tmp_path, receiver):
    with releasing.Release(tmp_path, configured(tmp_path, webhook(receiver.url))) as made:
        yield made


def assert_told_once(release, receiver):
    weir.wait_until(lambda: channel(release.weir)["waiting"] == 0, "nothing waits to be told")
    assert [event["data"]["event"] for event in receiver.events] == ["rollout.started", "rollout.rolled-back"]


def hook(release, name, script):
    """A hook of the remote that asks only those who come over HTTP: the person of the tests pushes by the path."""
    path = release.repository.bare / "hooks" / name
    path.write_text(f"#!/bin/sh\n[ -n \"$GIT_PROJECT_ROOT\" ] || exit 0\n{script}")
    path.chmod(0o755)
    return path


def assert_recorded_once(release):
    """Once on the branch, of just the move that it undoes, with its evidence; nothing waits any more."""
    release.until_settled()
    start, undone = [commit for commit in release.log() if commit.trailers]
    assert start.subject == f"Start production/{releasing.FLAG} at ten"
    assert undone.subject == f'Revert "{start.subject}"'
    assert f"This reverts commit {start.id}." in undone.body
    assert undone.trailers["Weir-Action"] == "rollback" and undone.trailers["Weir-Reverts"] == start.id
    assert re.match(r"checkout-errors: 0\.\d+ > 0\.05, n=\d+", undone.trailers["Weir-Evidence"]), undone.trailers
    weir.wait_until(lambda: release.rollout()["status"] == "rolledBack", release.rollout)
    release.until_safe()
    return undone


def begin(release):
    """Ten percent have the new checkout, and the branch says so."""
    release.begin(releasing.TEN)
    release.until("start")
    release.until_exposed()


def recording(release):
    return release.weir.status()["recording"]


def test_git_is_down(release, receiver):
    with release.traffic():
        begin(release)
        release.git_down()
        release.breaks()
        release.until_safe()
    assert release.actions() == ["start"], "Git was not there"
    assert_told_once(release, receiver)
    assert release.rollout()["override"]["action"] == "rollback"
    release.restart()  # served from the disk, before Git is asked, which is still away
    assert release.shop.visit(50) == {"on": 0, "off": 50}
    assert not release.exposes_at_redis()
    release.git_up()
    release.weir.fetch()
    release.until("rollback")
    assert_recorded_once(release)
    release.restart()
    release.push({"README": "later"}, "Something else")
    weir.wait_until(lambda: release.weir.status()["commit"] == release.log()[-1].id, "the newest commit is served")
    assert release.actions() == ["start", "rollback"], "and not again"
    release.until_safe()
    assert_told_once(release, receiver)


@pytest.mark.parametrize("dies", [False, True])
def test_a_push_whose_answer_never_arrives(release, receiver, dies):
    with release.traffic():
        begin(release)
        signs = pathlib.Path(release.folder)
        hook(release, "post-receive", f"touch {signs}/accepted; while [ ! -e {signs}/seen ]; do sleep 0.02; done\n")
        release.breaks()
        weir.wait_until((signs / "accepted").exists, lambda: f"the push was accepted\n{release.weir.log()}")
        release.wire.refuse()  # and its answer is cut
        release.wire.drop()
        (signs / "seen").touch()
        # /status has it until the next try, which may be a moment later
        weir.wait_until(lambda: "outcome=unknown" in release.weir.log(), lambda: recording(release))
    assert release.actions() == ["start", "rollback"], "the branch has it"
    assert release.weir.status()["overrideCount"] == 1, "weir does not know"
    if dies:
        release.restart()
        assert release.weir.status()["overrideCount"] == 1, "nor does who comes after it"
    release.until_safe()
    release.git_up()
    release.weir.fetch()
    assert_recorded_once(release)
    assert_told_once(release, receiver)


def test_somebody_pushes_every_100_ms(release):
    closing, pushed, lost = threading.Event(), [], []
    with release.traffic():
        begin(release)
        clone = release.folder / "busy"
        weir.git(release.folder, "clone", "--quiet", release.repository.bare, clone)

        def push():
            while not closing.wait(0.1):
                weir.git(clone, "fetch", "--quiet")
                commit = weir.git(clone, "commit-tree", "origin/main^{tree}", "-p", "origin/main", "-m",
                                  f"busy {uuid.uuid4()}")
                try:
                    weir.git(clone, "push", "--quiet", "origin", f"{commit}:main")
                    pushed.append(commit)
                except AssertionError:  # weir was there before
                    lost.append(commit)

        thread = threading.Thread(target=push)
        thread.start()
        try:
            weir.wait_until(lambda: len(pushed) >= 3, "pushes")
            release.breaks()
            release.until_safe()
            release.until("rollback")
            after = len(pushed)
            weir.wait_until(lambda: len(pushed) > after + 3, "pushes go on")
        finally:
            closing.set()
            thread.join()
    release.weir.fetch()
    assert_recorded_once(release)
    subjects = [commit.subject for commit in release.log()]
    assert len([one for one in subjects if one.startswith("busy ")]) == len(pushed), "nobody's push was overwritten"
    told = release.weir.log()
    print(f"\n{len(pushed)} pushes of somebody, {len(lost)} lost a race; weir lost {told.count('outcome=moved')}")


def test_a_hook_rejects(release):
    with release.traffic():
        begin(release)
        rejecting = hook(release, "pre-receive", "echo 'no releases today' >&2; exit 1\n")
        release.breaks()
        release.until_safe()
        weir.wait_until(lambda: recording(release)["outcome"] == "refused" and recording(release)["failures"] >= 2,
                        lambda: recording(release))
    assert release.actions() == ["start"]
    assert release.rollout()["override"]["action"] == "rollback"
    release.until_safe()
    rejecting.unlink()
    # It tries again in as long as the hook was there, or so: a minute at the most.
    release.until("rollback", seconds=3 * weir.PATIENCE)
    assert_recorded_once(release)


def intents(release):
    return weir.git(release.repository.bare, "for-each-ref", "--format=%(refname)", "refs/weir/").split()


def test_a_protected_branch(release, tmp_path):
    with release.traffic():
        begin(release)
        protection = hook(release, "update", 'case $1 in refs/heads/*) echo "branch is protected" >&2; exit 1;; esac\n')
        release.breaks()
        release.until_safe()
        refs = weir.wait_until(lambda: intents(release), lambda: f"a ref beside the branch\n{release.weir.log()}")
    intent = release.rollout()["override"]["intent"]
    assert refs == [f"refs/weir/intents/{intent}"]
    assert release.actions() == ["start"]
    # Nothing but the remote tells the other one: no store, no target, no measurement.
    other = weir.Controller("--repo", release.place(), "--data", tmp_path / "other", "--listen", "127.0.0.1:0",
                            "--poll", "1h")
    try:
        other.wait_ready()
        weir.wait_until(lambda: (release.rollout(other) or {}).get("override"), lambda: f"it adopts\n{other.log()}")
        assert release.rollout(other)["override"]["intent"] == intent
        assert other.status()["overrideCount"] == 1
        assert not any(other.value(releasing.FLAG, {"targetingKey": f"user-{i}"}) for i in range(releasing.USERS))
        protection.unlink()
        release.push({"README": "open again"}, "The branch is open")
        other.fetch()
        release.until("rollback")
        other.fetch()
        release.weir.fetch()
        release.until_settled(other)
        assert_recorded_once(release)
        weir.wait_until(lambda: not (release.weir.fetch() or intents(release)),
                        lambda: f"{intents(release)}\n{other.log()}")
        assert other.stop() == 0
    finally:
        other.kill()
