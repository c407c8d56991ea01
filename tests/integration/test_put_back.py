"""What weir decided, put back by a person's `git revert` or merge: users stay where weir put them, wherever one looks,
and the commands go on from there."""
import pytest
import weir
from verbing import ADA, DEFINITIONS, PHASES, ROLLOUT, STATE, Served, let_pass, rollout, state, subject, tip, verb

STAFF = {"targetingKey": "s", "email": "s@example.com"}
FRIEND = {"targetingKey": "f", "friend": True}


@pytest.fixture
def repository(tmp_path):
    return weir.Repository(tmp_path / "git", DEFINITIONS | {"rollout.yaml": rollout(PHASES.replace("6d", "0s"))})


def revert(repository, revision="origin/main"):
    """As the Revert button does it; returns the commit."""
    repository.pull()
    weir.git(repository.work, "revert", "--no-edit", revision)
    weir.git(repository.work, "push", "--quiet", "origin", "HEAD")
    return tip(repository)


def test_a_kill_that_is_reverted_stands(repository, tmp_path):
    verb(repository, "start")
    verb(repository, "advance")
    verb(repository, "kill")
    revert(repository)
    assert "course: running" in state(repository)
    assert Served(repository, tmp_path).is_control()
    repository.commit({"README": "and on they go"})
    assert Served(repository, tmp_path).is_control()
    shown = weir.run("rollouts", "--repo", repository.bare, "--rev", tip(repository))
    assert f'error[W316]: the state of "{ROLLOUT}" was put back by hand' in shown.err, shown
    assert shown.code == 1 and "killed" in shown.out, shown
    done = verb(repository, "unkill")
    assert "the state file was not as weir wrote it, so that was held first\n" in done.out, done
    assert [subject(repository, "main~1"), subject(repository)] == [
        f"Hold {ROLLOUT} in killed: foreign-edit", f"Unkill {ROLLOUT}"]
    assert "course: rolledBack" in state(repository) and "reason: foreign-edit" in state(repository)
    assert Served(repository, tmp_path).is_control()
    let_pass(repository, 2)
    done = verb(repository, "resume", code=1)
    assert "hold foreign-edit: is lifted only by its name" in done.err, done
    verb(repository, "resume", "--lift", "foreign-edit", "--lift", "rollback")
    assert "course: running" in state(repository) and "holds:" not in state(repository)
    assert Served(repository, tmp_path).staff


def test_a_controller_is_not_told_otherwise(repository, tmp_path):
    verb(repository, "start")
    verb(repository, "kill")
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        assert running.value("checkout-v2", STAFF, "production") is False
        back = revert(repository)
        running.fetch()
        weir.wait_until(lambda: subject(repository) == f"Hold {ROLLOUT} in killed: foreign-edit",
                        f"it is held\n{running.log()}")
        assert weir.git(repository.bare, "rev-parse", "main~1") == back
        weir.wait_until(lambda: running.status()["commit"] == tip(repository), f"that is served\n{running.log()}")
        for person in (STAFF, FRIEND):
            assert running.value("checkout-v2", person, "production") is False
        weir.wait_until(lambda: running.get("/rollouts").json()["commit"] == tip(repository), "its rollouts too")
        shown = weir.run("rollouts", "--controller", f"http://127.0.0.1:{running.port}")
        assert shown.code == 1 and "killed" in shown.out and "foreign-edit" in shown.out, shown
    assert Served(repository, tmp_path).is_control()
    with weir.controller(repository.url, tmp_path / "empty") as fresh:
        fresh.wait_ready()
        assert fresh.value("checkout-v2", STAFF, "production") is False
        assert subject(repository) == f"Hold {ROLLOUT} in killed: foreign-edit"


def test_an_advance_that_is_reverted_counts_and_is_gone_on_from(repository, tmp_path):
    verb(repository, "start")
    verb(repository, "advance")
    assert Served(repository, tmp_path).users
    back = revert(repository)
    assert not Served(repository, tmp_path).users and Served(repository, tmp_path).staff
    verb(repository, "advance")
    assert weir.git(repository.bare, "rev-parse", "main~1") == back
    assert Served(repository, tmp_path).users
    assert int(state(repository).split("  seq: ")[1].split()[0]) == 4  # behind the one that was put back
    verb(repository, "kill")
    assert Served(repository, tmp_path).is_control()


@pytest.mark.parametrize("is_pulled", [False, True], ids=["merged", "pulled"])
def test_a_merge_that_takes_the_old_side_changes_nothing(repository, tmp_path, is_pulled):
    verb(repository, "start")
    repository.pull()
    weir.git(repository.work, "switch", "--quiet", "--create", "branch")
    repository.commit({"README": "work", STATE: state(repository) + "# mine\n"}, push=False)
    repository.commit({STATE: state(repository)}, push=False)
    verb(repository, "kill")
    weir.git(repository.work, "fetch", "--quiet", "origin")
    if not is_pulled:
        weir.git(repository.work, "switch", "--quiet", "main")
        weir.git(repository.work, "reset", "--quiet", "--hard", "origin/main")
    other = "origin/main" if is_pulled else "branch"
    weir.git(repository.work, "merge", "--quiet", "--no-ff", "--no-commit", other)
    old = weir.git(repository.work, "show", f"branch:{STATE}") + "\n"
    (repository.work / STATE).write_text(old)
    weir.git(repository.work, "add", "--all")
    weir.git(repository.work, "commit", "--quiet", "-m", "Merge")
    weir.git(repository.work, "push", "--quiet", "origin", "HEAD:main")
    assert "course: running" in state(repository)
    assert Served(repository, tmp_path).is_control()
    done = weir.run("unkill", ROLLOUT, "--repo", repository.bare, *ADA)
    assert "that was held first\n" in done.out, done
