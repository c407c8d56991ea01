"""`weir start`, `advance`, `kill` and their like, straight on a repository: a whole life, races with others who push,
and what becomes of a state that somebody edited by hand."""
import itertools
import json
import random
import re
import threading
import time

import gitserver
import pytest
import weir
from remotes import TOKEN
from verbing import (DEFINITIONS, ROLLOUT, STATE, Served, hook, keys, let_pass, push, state, subject, tip, trailer,
                     trailers, verb)


@pytest.fixture
def repository(tmp_path):
    return weir.Repository(tmp_path / "git", DEFINITIONS)


# --- a whole life -------------------------------------------------------------------------------------------------


@pytest.fixture(params=["http", "path"])
def remote(request, repository, tmp_path):
    """(URL or path, options that lead there)"""
    if request.param == "http":
        (tmp_path / "token").write_text(TOKEN)
        weir.git(repository.bare, "config", "http.receivepack", "true")
        with gitserver.HttpServer(repository.bare.parent, "git", TOKEN) as server:
            yield server.url("flags.git", credentials=False), ("--git-token-file", tmp_path / "token")
    else:
        yield repository.bare, ()


def test_a_whole_life(repository, remote, tmp_path):
    url, options = remote
    signers = keys(tmp_path, "bob")
    before = tip(repository)

    def do(name, *more, code=0):
        return verb(repository, name, *options, *more, code=code, url=url)

    done = do("start", "--reason", "the first of many")
    first = tip(repository)
    assert done.err == "" and TOKEN not in done.out, done
    lines = done.out.splitlines()
    assert lines[0].startswith(f'pushed {first[:12]} to "main" of ') and lines[1] == "", done
    assert [line.split() for line in lines[2:6]] == [
        ["BEFORE", "AFTER"], ["status", "pending", "running"], ["phase", "-", "staff"], ["users", "nobody", "staff"]]
    assert "by Ada Lovelace <ada@example.com>" in lines
    assert weir.git(repository.bare, "log", "-1", "--format=%P|%an|%ae", "main") == (
        f"{before}|Ada Lovelace|ada@example.com")
    assert weir.git(repository.bare, "diff", "--name-only", "main~1", "main") == STATE
    (intent,) = trailer(repository, "Weir-Intent")
    assert re.fullmatch("[0-9a-f]{64}", intent) and intent in state(repository)
    assert trailers(repository) == [
        ("Weir-Action", "start"), ("Weir-Rollout", ROLLOUT), ("Weir-Phase", "pending -> staff"),
        ("Weir-Intent", intent), ("Weir-By", "Ada Lovelace <ada@example.com>"), ("Weir-Reason", "the first of many")]

    do("advance")
    canary = tip(repository)
    do("advance")
    ten = tip(repository)
    refused = do("advance", code=1)
    assert "  approvals 0 of 1\n" in refused.err and tip(repository) == ten, refused
    done = do("approve", "--sign-key", tmp_path / "bob", "--allowed-signers", signers)
    assert "by bob@example.com, signed\n" in done.out, done
    do("pause", "--reason", "lunch")
    do("resume")
    done = do("advance")
    half = tip(repository)
    assert re.search(r"^users +staff, 10 % +staff, 50 %$", done.out, re.M), done
    do("step-back", "--reason", "slow")
    back = tip(repository)
    assert trailer(repository, "Weir-Reverts") == [half]
    do("resume")
    do("rollback", "--reason", "orders are lost")
    rolled = tip(repository)
    assert trailer(repository, "Weir-Reverts") == [ten, canary, first]
    assert trailer(repository, "Weir-Phase") == ["ten -> rolledBack"]
    body = weir.git(repository.bare, "log", "-1", "--format=%b", "main").splitlines()
    assert body[:3] == [f"This reverts commit {commit}." for commit in (ten, canary, first)], body
    refused = do("resume", code=1)
    assert re.search(r"^  hold rollback: not before .* \(until \d{4}-.*Z\)$", refused.err, re.M), refused
    let_pass(repository, 2)
    do("resume")
    second = tip(repository)
    do("kill", "--reason", "it charges twice")
    killed = tip(repository)
    do("resume", code=1)
    do("unkill")

    story = weir.git(repository.bare, "log", "--reverse", "--format=%s", f"{before}..main").splitlines()
    assert story == [
        f"Start {ROLLOUT} at staff", f"Advance {ROLLOUT} to canary", f"Advance {ROLLOUT} to ten",
        f"Approve half of {ROLLOUT}", f"Pause {ROLLOUT} in ten", f"Resume {ROLLOUT} in ten",
        f"Advance {ROLLOUT} to half", f'Revert "Advance {ROLLOUT} to half"', f"Resume {ROLLOUT} in ten",
        f'Revert "Advance {ROLLOUT} to ten"', "change", f"Resume {ROLLOUT} at staff as run 2", f"Kill {ROLLOUT}",
        f"Unkill {ROLLOUT}"]

    def served(revision):
        return Served(repository, tmp_path, revision)

    assert not served(before).users and not served(before).staff and served(before).friend
    assert served(first).staff and served(first).friend and not served(first).users
    shares = [served(commit).users for commit in (canary, ten, half)]
    assert all(a < b for a, b in itertools.pairwise(shares)), "growing only adds users"
    assert 0 < len(shares[0]) < 30 and 70 < len(shares[1]) < 130 and 450 < len(shares[2]) < 550
    assert served(back).bytes == served(ten).bytes
    assert served(f"{back}~4").bytes == served(ten).bytes, "a pause moves nobody"
    for commit in (rolled, f"{second}~1", killed, "main"):
        assert served(commit).is_control(), commit
    assert served(second).staff and not served(second).users
    weir.git(repository.bare, "fsck", "--strict", "--no-dangling")
    assert weir.run("validate", "--repo", repository.bare).code == 0


def test_a_controller_serves_what_was_decided(repository, tmp_path):
    friend = {"targetingKey": "f", "friend": True}
    staff = {"targetingKey": "s", "email": "s@example.com"}
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        assert running.value("checkout-v2", staff, "production") is False
        for name, expected in (("start", True), ("halt", True), ("kill", False), ("unkill", False)):
            verb(repository, name)
            running.fetch()
            weir.wait_until(lambda: running.status()["commit"] == tip(repository), f"{name} is served\n{running.log()}")
            assert running.value("checkout-v2", staff, "production") is expected, name
            assert running.value("checkout-v2", friend, "production") is expected, name


# --- among others -------------------------------------------------------------------------------------------------


def test_who_is_overtaken_decides_anew(repository, remote):
    """Between the look at the branch and the push somebody kills it: what was an advance is refused then."""
    url, options = remote
    verb(repository, "start")
    verb(repository, "kill")
    killed, running = tip(repository), weir.git(repository.bare, "rev-parse", "main~1")
    weir.git(repository.bare, "update-ref", "refs/heads/keep", killed)
    weir.git(repository.bare, "update-ref", "refs/heads/main", running)
    hook(repository, "pre-receive", f'[ -e overtaken ] || {{ touch overtaken; unset GIT_QUARANTINE_PATH; '
                                    f'git update-ref refs/heads/main {killed}; }}\n')
    done = verb(repository, "advance", *options, url=url, code=1)
    assert (repository.bare / "overtaken").exists()
    assert "advance is refused" in done.err and "which is killed" in done.err and tip(repository) == killed, done


def test_somebody_who_pushes_all_the_time(repository, tmp_path):
    """Each verb lands between the commits of another, and takes nothing of theirs away. However slow this build is, some
    of their pauses are longer than a verb takes: who never pauses for that long is not to be overtaken by anybody."""
    began = time.monotonic()
    verb(repository, "start")
    pause = 3 * (time.monotonic() - began)
    stop, pushed, failed = threading.Event(), [], []
    other = weir.Repository.__new__(weir.Repository)
    other.bare, other.work = repository.bare, tmp_path / "other"
    weir.git(tmp_path, "clone", "--quiet", repository.bare, other.work)

    def keep_pushing():
        for number in itertools.count():
            if stop.wait(random.uniform(0, pause)):
                return
            try:
                weir.git(other.work, "pull", "--quiet", "--rebase", "origin", "main")
                other.commit({f"notes/{number % 7}.txt": str(number)}, f"note {number}")
                pushed.append(number)
            except AssertionError as error:  # overtaken by the verb: its next pull takes that in
                failed.append(error)

    thread = threading.Thread(target=keep_pushing)
    thread.start()
    try:
        weir.wait_until(lambda: pushed or len(failed) > 20, "somebody pushes")
        for name in ("advance", "pause", "resume", "step-back", "rollback", "kill"):
            verb(repository, name)
    finally:
        stop.set()
        thread.join(weir.PATIENCE * 4)
    subjects = weir.git(repository.bare, "log", "--reverse", "--format=%s", "main").splitlines()
    assert len([line for line in subjects if ROLLOUT in line]) == 7, subjects
    assert len({line for line in subjects if line.startswith("note ")}) >= len(pushed) > 0, "nothing of theirs is lost"
    assert "course: killed" in state(repository)


def test_several_who_kill_at_once_kill_once(repository, remote):
    url, options = remote
    verb(repository, "start")
    before, results = tip(repository), []
    threads = [threading.Thread(target=lambda why=why: results.append(
        verb(repository, "kill", *options, "--reason", why, url=url))) for why in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(weir.PATIENCE * 4)
    assert len(results) == 4 and sum(done.out.startswith("pushed ") for done in results) == 1, results
    assert sum(done.out.endswith("is killed already: nothing to do\n") for done in results) == 3, results
    assert weir.git(repository.bare, "rev-list", "--count", f"{before}..main") == "1"


def test_a_hook_rejects_with_its_words(repository, remote):
    url, options = remote
    before = tip(repository)
    hook(repository, "pre-receive", "echo 'frozen until Monday' >&2\nexit 1\n")
    done = verb(repository, "kill", *options, url=url, code=2)
    assert "frozen until Monday" in done.err and len(done.err.splitlines()) == 1 and tip(repository) == before, done


# --- what others did to the files ---------------------------------------------------------------------------------


def test_an_edit_by_hand_that_exposes_more_is_held(repository, tmp_path):
    verb(repository, "start")
    mine = tip(repository)
    push(repository, {STATE: state(repository).replace("phase: staff", "phase: all")}, "All of them, now!")
    edited = tip(repository)
    assert Served(repository, tmp_path).bytes == Served(repository, tmp_path, mine).bytes
    done = verb(repository, "advance", code=1)
    assert "hold foreign-edit" in done.err and tip(repository) == edited, done
    done = verb(repository, "pause", "--reason", "who was that?")
    assert "the state file was not as weir wrote it, so that was held first\n" in done.out, done
    assert [subject(repository, "main~1"), subject(repository)] == [
        f"Hold {ROLLOUT} in staff: foreign-edit", f"Pause {ROLLOUT} in staff"]
    assert trailer(repository, "Weir-By", "main~1") == ["weir"] and trailer(repository, "Weir-Reason", "main~1") == []
    assert "phase: staff" in state(repository) and "reason: foreign-edit" in state(repository)
    verb(repository, "resume", "--lift", "pause")
    done = verb(repository, "resume", code=1)
    assert "hold foreign-edit: is lifted only by its name" in done.err, done
    verb(repository, "resume", "--lift", "foreign-edit")
    verb(repository, "advance")
    assert Served(repository, tmp_path).users


def test_an_edit_by_hand_that_is_safer_counts(repository):
    verb(repository, "start")
    verb(repository, "advance")
    push(repository, {STATE: state(repository).replace("phase: canary", "phase: staff")})
    verb(repository, "advance")
    assert trailer(repository, "Weir-Phase") == ["staff -> canary"]


@pytest.mark.parametrize(("path", "content"), [
    (STATE, "kind: [nonsense\n"),
    ("rollout.yaml", "apiVersion: weir/v1\nkind: Rollout\nmetadata: {name: checkout-v2}\nspec: {}\n")])
def test_a_broken_file_does_not_stop_a_kill(repository, tmp_path, path, content):
    verb(repository, "start")
    push(repository, {path: content})
    verb(repository, "kill")
    assert subject(repository) == f"Kill {ROLLOUT}" and "course: killed" in state(repository)
    built = weir.run("build", "--repo", repository.bare, "--rev", tip(repository), "--env", "production", "-o",
                     tmp_path / "after.json")
    asked = json.dumps({"flag": "checkout-v2", "context": {"targetingKey": "s", "email": "s@example.com"}}) + "\n"
    answer = weir.run("eval", "--flagd", tmp_path / "after.json", "--batch", stdin=asked)
    assert json.loads(answer.out)["value"] is False, (built, answer)
