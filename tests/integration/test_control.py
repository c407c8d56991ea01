"""People's verbs through a running controller: from the command to the commit on the branch, and to what users get."""
import json
import re

import pytest
import weir
from rolling import SHOP, answered
from serving import Tokens, bearer

PLACE = "production/checkout-v2"


@pytest.fixture
def world(tmp_path):
    """(repository, controller, verb): verb("kill", …) asks that controller as ann."""
    repository = weir.Repository(tmp_path / "git", {"flags/all.yaml": SHOP})
    tokens = Tokens(tmp_path / "tokens")
    (tmp_path / "token").write_text(tokens.create("operator", "production", name="ann"))
    with weir.controller(repository.url, tmp_path / "data", "--tokens", tmp_path / "tokens") as running:
        running.wait_ready()

        def verb(name, *arguments, place=PLACE):
            return weir.run(name, place, "--controller", f"http://127.0.0.1:{running.port}", "--token-file",
                            tmp_path / "token", *arguments)
        yield repository, running, verb


def one(running, name="checkout-v2"):
    answer = running.get("/rollouts")
    assert answer.status == 200, answer
    return next(item for item in answered(answer.body, "Rollouts")["rollouts"] if item["name"] == name)


def share(running, users=200):
    """How many of so many users get the variant."""
    return sum(running.value("checkout-v2", {"targetingKey": f"u{i}"}, "production") for i in range(users))


def newest(repository):
    return weir.git(repository.bare, "log", "-1", "--format=%H%n%B").split("\n", 1)


def test_a_verb_is_a_commit_in_the_name_of_the_token(world):
    repository, running, verb = world
    assert one(running)["status"] == "pending" and share(running) == 0
    done = verb("start", "--reason", "it is time")
    assert done.code == 0, done
    commit, message = newest(repository)
    assert done.out.startswith(f"recorded {commit[:12]} by "), (done, commit)
    assert ["status", "pending", "running"] in [line.split() for line in done.out.splitlines()], done
    assert "Weir-Action: start" in message and f"Weir-Rollout: {PLACE}" in message and "it is time" in message, message
    weir.wait_until(lambda: one(running)["phase"] == "canary", lambda: one(running))
    assert 0 < share(running) < 40

    paused = verb("pause").out
    assert ["holds", "-", "pause", "by", "ann"] in [line.split() for line in paused.splitlines()], paused
    assert verb("resume").code == 0
    done = verb("approve", "--format", "json").json()
    assert done["result"] == "recorded" and done["request"]["by"] == "ann", done
    # It was all that lacked: the next phase may be entered by the same push.
    approved = weir.git(repository.bare, "log", "--format=%H", "--grep=^Weir-Action: approve$").split()
    assert len(approved) == 1, approved
    state = weir.git(repository.bare, "show", f"{approved[0]}:state/{PLACE}.yaml")
    assert re.search(r'approvals:\n +- .*\bby: "?ann"?', state), state
    weir.wait_until(lambda: one(running)["phase"] == "half", "the phase that was approved")
    assert share(running) > 60


def test_what_is_shown_of_an_approval_and_of_a_flag(world):
    """What a verb alone has changed; of a flag that has no rollout there is no table."""
    repository, running, verb = world
    repository.commit({"flags/all.yaml": SHOP.replace("percent: 5}", "percent: 5, bake: 1h}")})
    repository.commit({"flags/other.yaml": "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: other}\n"
                                           "spec: {variants: {on: true, off: false}, default: on}\n"})
    running.fetch()
    weir.wait_until(lambda: running.status()["commit"] == newest(repository)[0], "the flag")
    assert verb("start").code == 0
    approved = verb("approve").out
    assert ["approvals", "0", "of", "1", "1", "of", "1"] in [line.split() for line in approved.splitlines()], approved
    killed = verb("kill", place="production/other")
    assert re.fullmatch(r"recorded \w{12} by \S+\n\nkill of production/other\n\nby ann\n", killed.out), killed


def test_a_kill_is_served_while_the_branch_is_away(world):
    repository, running, verb = world
    assert verb("start").code == 0
    assert share(running) > 0
    before = newest(repository)[0]
    away = repository.bare.with_name("away.git")
    repository.bare.rename(away)
    try:
        def kill():
            """Again where it was not even served within a second: it is one kill, however often it is asked for."""
            killed = verb("kill", "--reason", "it burns", "--wait", "1s")
            return "still waits" not in killed.err and killed

        done = weir.wait_until(kill, lambda: running.log())
        assert done.code == 0 and done.out.startswith("served, and Git does not say it yet"), done
        assert share(running) == 0
        shown = weir.run("rollouts", "--controller", f"http://127.0.0.1:{running.port}")
        assert shown.code == 1, shown
        assert re.search(rf"✗ {PLACE}: serving control for everybody, Git says running, phase canary, since .*; "
                         r"kill by ann: it burns", " ".join(shown.out.split())), shown
        (row,) = [line for line in shown.out.splitlines() if line.startswith(PLACE)]
        assert "0 %, Git says 5 " in row, "what users have now is not what Git says"
        status = weir.run("status", "--controller", f"http://127.0.0.1:{running.port}")
        assert status.code == 1, status
        assert "✗ 1 safe state is served that Git does not say yet: see weir rollouts" in status.out, status
    finally:
        away.rename(repository.bare)
    running.fetch()
    weir.wait_until(lambda: newest(repository)[0] != before, "the kill on the branch")
    commit, message = newest(repository)
    assert "Weir-Action: kill" in message and "it burns" in message, message
    weir.wait_until(lambda: one(running)["status"] == "killed" and one(running)["override"] is None, "its end")
    assert share(running) == 0
    assert weir.git(repository.bare, "rev-list", "--count", f"{before}..{commit}").strip() == "1"


def test_what_is_refused_commits_nothing(world):
    repository, running, verb = world
    before = newest(repository)[0]
    done = verb("resume")
    assert done.code == 1 and done.err.startswith(f"weir: resume is refused for {PLACE}, which is pending: "), done
    done = verb("kill", place="production/nothing")
    assert done.code == 1 and "production/nothing" in done.err, done
    done = verb("start", place="staging/search")
    assert done.code == 2 and "the token is not for environment 'staging'" in done.err, done
    assert newest(repository)[0] == before and one(running)["status"] == "pending"
    assert verb("start").code == 0 and verb("rollback").code == 0
    done = verb("resume")
    assert done.code == 1 and re.search(r"hold rollback: not before .* \(until \d{4}-\d\d-\d\dT[\d:]+Z\)$", done.err), done
    answer = running.request("POST", "/env/production/rollouts/checkout-v2/kill", json.dumps({}), bearer("weir_x"))
    assert answer.status == 401
