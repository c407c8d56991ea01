"""The same verbs as they are asked for: what is so already, what is refused and why, who may approve, and how it is
told."""
import datetime
import re
import subprocess

import pytest
import weir
from test_cli import run_in_terminal
from verbing import ADA, DEFINITIONS, PHASES, ROLLOUT, keys, push, rollout, state, tip, trailer, verb


@pytest.fixture
def repository(tmp_path):
    return weir.Repository(tmp_path / "git", DEFINITIONS)


# --- what is so already, and what is refused ----------------------------------------------------------------------


@pytest.mark.parametrize(("moves", "again", "status"), [
    (["start"], "start", "running"), (["start", "pause"], "pause", "paused"), (["start", "halt"], "halt", "held"),
    (["start"], "resume", "running"), (["start", "rollback"], "rollback", "rolledBack"), (["kill"], "kill", "killed"),
    (["kill"], "rollback", "killed"), (["start", "kill"], "step-back", "killed")])
def test_what_is_so_already_is_fine(repository, moves, again, status):
    for name in moves:
        verb(repository, name)
    before = tip(repository)
    done = verb(repository, again)
    assert done.out == f"{ROLLOUT} is {status} already: nothing to do\n" and done.err == "", done
    answer = verb(repository, again, "--format", "json").json()
    assert answer["result"] == "nothing" and answer["commits"] == [] and answer["pushed"] is False, answer
    assert answer["before"] == answer["after"] and answer["after"]["status"] == status
    assert tip(repository) == before


@pytest.mark.parametrize(("moves", "asked", "words"), [
    ([], "advance", "cannot advance: the rollout is pending; start begins it"),
    ([], "pause", "cannot pause: the rollout is pending"),
    (["start", "pause"], "advance", "hold pause by Ada Lovelace <ada@example.com>"),
    (["start", "rollback"], "start", "cannot start: the rollout is rolledBack; resume starts it again"),
    (["kill"], "resume", "cannot resume: the rollout is killed; unkill it first"),
    (["start"], "unkill", "cannot unkill: the rollout is running"),
])
def test_what_is_refused_says_why(repository, moves, asked, words):
    for name in moves:
        verb(repository, name)
    before = tip(repository)
    done = verb(repository, asked, code=1)
    lines = done.err.splitlines()
    assert lines[0].startswith(f"weir: {asked} is refused for {ROLLOUT}, which is ") and done.out == "", done
    assert lines[1].startswith("  " + words), done
    answer = verb(repository, asked, "--format", "json", code=1).json()
    assert answer["result"] == "refused" and answer["commits"] == [], answer
    assert answer["reasons"][0]["words"].startswith(words) and answer["reasons"][0]["until"] is None, answer
    assert tip(repository) == before


def test_every_reason_is_told_with_its_end(repository):
    """Growing obeys the calendar; what takes users back waits for nothing."""
    verb(repository, "start")
    today = datetime.datetime.now(datetime.timezone.utc).date()
    last = today + datetime.timedelta(days=3)
    freeze = f"{{from: {today - datetime.timedelta(days=3)}, to: {last}, reason: Easter}}"
    push(repository, {"rollout.yaml": rollout(more=f"  calendar: {{freeze: [{freeze}]}}\n")})
    end = f"{last + datetime.timedelta(days=1)}T00:00:00Z"
    done = verb(repository, "advance", code=1)
    assert re.search(rf"^  calendar: .*Easter.* \(until {end}\)$", done.err, re.M), done
    (reason,) = verb(repository, "advance", "--format", "json", code=1).json()["reasons"]
    assert reason["cause"] == "calendar" and reason["until"] == end, reason
    for name in ("pause", "halt"):
        verb(repository, name)
    assert f"(until {end})" in verb(repository, "resume", code=1).err
    for name in ("step-back", "kill"):
        verb(repository, name)
    assert f"(until {end})" in verb(repository, "unkill", code=1).err


def test_metrics_are_a_controllers_to_measure(repository):
    push(repository, {"rollout.yaml": rollout(more="  metrics: [errors]\n")})
    verb(repository, "start")
    done = verb(repository, "advance", code=1)
    assert "  metric errors: no data\n" in done.err and "measured by a running controller" in done.err, done


def test_a_time_zone_that_is_not_known_lets_nobody_in(repository, tmp_path):
    push(repository, {"rollout.yaml": rollout(more="  calendar: {timezone: Europe/Berlin}\n")})
    lost = weir.environment(WEIR_ZONEINFO=str(tmp_path))
    done = verb(repository, "start", env=lost, code=1)
    assert "  calendar: " in done.err and "Europe/Berlin" in done.err, done
    verb(repository, "start")
    verb(repository, "advance", env=lost, code=1)
    verb(repository, "kill", env=lost)
    verb(repository, "unkill", env=lost, code=1)


def test_resume_lifts_what_is_named(repository):
    verb(repository, "start")
    verb(repository, "pause")
    verb(repository, "halt")
    done = weir.run("resume", ROLLOUT, "--repo", repository.bare, *ADA, "--lift", "nonsense")
    assert done.code == 2 and '"--lift nonsense" is no hold; there are: pause, halt, ratio' in done.err, done
    verb(repository, "resume", "--lift", "halt")
    assert "reason: pause" in state(repository) and "reason: halt" not in state(repository)
    verb(repository, "halt")
    verb(repository, "resume", "--lift", "halt", "--lift", "pause")
    assert "holds:" not in state(repository)


# --- who approves -------------------------------------------------------------------------------------------------


def at_ten(repository):
    for name in ("start", "advance", "advance"):
        verb(repository, name)
    return tip(repository)


def test_the_signature_approves_and_not_the_author(repository, tmp_path):
    signers = keys(tmp_path, "bob", "ada", "eve")
    before = at_ten(repository)
    done = verb(repository, "approve", "--author", "Bob <bob@example.com>", "--allowed-signers", signers, code=2)
    assert "--sign-key" in done.err and "told by a signature" in done.err, done
    done = verb(repository, "approve", "--sign-key", tmp_path / "bob", code=2)
    assert "--allowed-signers" in done.err, done
    # Ada wrote the last change of the rollout, whoever's commit she makes.
    for author in ("Bob <bob@example.com>", "Ada <ada@example.com>"):
        done = verb(repository, "approve", "--author", author, "--sign-key", tmp_path / "ada",
                    "--allowed-signers", signers, code=1)
        assert "the author of the last change may not approve it" in done.err, done
    (tmp_path / "signers").write_text("".join(
        line for line in signers.read_text().splitlines(True) if not line.startswith("eve")))
    done = verb(repository, "approve", "--sign-key", tmp_path / "eve", "--allowed-signers", signers, code=2)
    assert "a key that is not among the allowed signers" in done.err, done
    assert tip(repository) == before
    verb(repository, "approve", "--author", "Ada <ada@example.com>", "--sign-key", tmp_path / "bob",
         "--allowed-signers", signers)
    assert trailer(repository, "Weir-By") == ["bob@example.com"] and 'by: "bob@example.com"' in state(repository)
    said = subprocess.run(["git", "-c", f"gpg.ssh.allowedSignersFile={signers}", "verify-commit", "main"],
                          cwd=repository.bare, capture_output=True, check=False)
    assert b'Good "git" signature for bob@example.com' in said.stderr, said
    approved = tip(repository)
    done = verb(repository, "approve", "--sign-key", tmp_path / "bob", "--allowed-signers", signers)
    assert done.out == f"bob@example.com has approved {ROLLOUT} already: nothing to do\n", done
    assert tip(repository) == approved
    verb(repository, "advance")


def test_what_git_is_told_about_signing_counts(repository, tmp_path):
    signers = keys(tmp_path, "bob")
    at_ten(repository)
    (tmp_path / "gitconfig").write_text(f"[gpg]\nformat = ssh\n[commit]\ngpgSign = true\n"
                                        f"[user]\nsigningKey = {tmp_path}/bob\n"
                                        f'[gpg "ssh"]\nallowedSignersFile = {signers}\n')
    env = weir.environment(GIT_CONFIG_GLOBAL=str(tmp_path / "gitconfig"))
    done = verb(repository, "approve", "--dry-run", env=env)
    assert done.out.startswith("would push ") and "\nby bob@example.com, signed\n" in done.out, done
    verb(repository, "approve", env=env)
    assert trailer(repository, "Weir-By") == ["bob@example.com"]


def test_who_changed_the_plan_may_not_approve_either(repository, tmp_path):
    """The change came by a merge: who merged it did not write it, and a name's case does not matter."""
    signers = keys(tmp_path, "bob", "zoe")
    push(repository, {"rollout.yaml": rollout().replace("phases:\n" + PHASES, "plan: slow\n"), "plan.yaml":
                      f"apiVersion: weir/v1\nkind: PhasePlan\nmetadata: {{name: slow}}\nspec:\n  phases:\n{PHASES}"})
    at_ten(repository)
    weir.git(repository.work, "fetch", "--quiet", "origin")
    weir.git(repository.work, "reset", "--quiet", "--hard", "origin/main")
    weir.git(repository.work, "checkout", "--quiet", "-b", "side")
    weir.write_files(repository.work, {"plan.yaml": (repository.work / "plan.yaml").read_text().replace("1d", "2d")})
    weir.git(repository.work, "commit", "--quiet", "--all", "-m", "slower", "--author", "Zoe <ZOE@example.com>")
    weir.git(repository.work, "checkout", "--quiet", "-")
    weir.git(repository.work, "merge", "--quiet", "--no-ff", "-m", "Merge", "side")
    weir.git(repository.work, "push", "--quiet", "origin", "HEAD")
    done = verb(repository, "approve", "--sign-key", tmp_path / "zoe", "--allowed-signers", signers, code=1)
    assert "the author of the last change may not approve it" in done.err, done
    verb(repository, "approve", "--sign-key", tmp_path / "bob", "--allowed-signers", signers)


def test_who_approves_and_then_changes_it_has_not_approved_it(repository, tmp_path):
    signers = keys(tmp_path, "bob", "eve")
    at_ten(repository)
    verb(repository, "approve", "--sign-key", tmp_path / "bob", "--allowed-signers", signers)
    weir.git(repository.work, "fetch", "--quiet", "origin")
    weir.git(repository.work, "reset", "--quiet", "--hard", "origin/main")
    weir.write_files(repository.work, {"rollout.yaml": (repository.work / "rollout.yaml").read_text() + "# a word\n"})
    weir.git(repository.work, "commit", "--quiet", "--all", "-m", "a word", "--author", "Bob <bob@example.com>")
    weir.git(repository.work, "push", "--quiet", "origin", "HEAD")
    done = verb(repository, "advance", code=1)
    assert "approvals 0 of 1" in done.err, done
    verb(repository, "approve", "--sign-key", tmp_path / "eve", "--allowed-signers", signers)
    verb(repository, "advance")


# --- how it is asked ----------------------------------------------------------------------------------------------


def test_a_dry_run_shows_it_and_pushes_nothing(repository):
    before = tip(repository)
    done = verb(repository, "start", "--dry-run", "--reason", "look\nWeir-Action: kill")
    assert done.out.startswith("would push ") and tip(repository) == before, done
    assert f"    Start {ROLLOUT} at staff\n\n    Weir-Action: start\n" in done.out, done
    assert done.out.endswith("    Weir-Reason: look Weir-Action: kill\n"), done


def test_json(repository):
    before = tip(repository)
    answer = verb(repository, "start", "--format", "json", "--branch", "main").json()
    assert answer == {
        "action": "start", "apiVersion": "weir/v1", "branch": "main", "by": "Ada Lovelace <ada@example.com>",
        "before": {"audiences": [], "percent": 0, "phase": None, "run": 1, "seq": 0, "status": "pending"},
        "after": {"audiences": [{"percent": 100, "segment": "staff"}], "percent": 0, "phase": "staff", "run": 1,
                  "seq": 1, "status": "running"},
        "commits": [tip(repository)], "parent": before, "pushed": True, "reasons": [],
        "repository": str(repository.bare), "result": "recorded", "rollout": ROLLOUT}
    answer = verb(repository, "advance", "--format", "json", "--dry-run").json()
    assert answer["result"] == "would-be-recorded" and answer["pushed"] is False and answer["after"]["percent"] == 1


@pytest.mark.parametrize(("of", "code", "words"), [
    ("production/chekout-v2", 1, f'did you mean "{ROLLOUT}"?'),
    ("staging/checkout-v2", 1, f'did you mean "{ROLLOUT}"?'),
    ("production/nothing-like-it", 1, f'does not exist; there is: "{ROLLOUT}"'),
    ("checkout-v2", 2, '"checkout-v2" is not ENVIRONMENT/ROLLOUT'),
    ("a/b/c", 2, '"a/b/c" is not ENVIRONMENT/ROLLOUT'),
    ("production/", 2, "is not ENVIRONMENT/ROLLOUT"),
])
def test_a_rollout_that_does_not_exist(repository, of, code, words):
    before = tip(repository)
    done = verb(repository, "kill", of=of, code=code)
    assert words in done.err and done.out == "" and len(done.err.splitlines()) == 1 and tip(repository) == before, done


def test_a_branch_without_rollouts(repository):
    push(repository, {"rollout.yaml": None})
    done = verb(repository, "rollback", code=1)
    assert "the branch defines no rollouts" in done.err, done


def test_the_working_folder_is_left_alone(repository):
    before = weir.git(repository.work, "rev-parse", "HEAD")
    done = weir.run("start", ROLLOUT, *ADA, cwd=repository.work)
    assert done.code == 2 and "use --controller URL, or --repo URL|PATH" in done.err, done
    assert weir.git(repository.work, "rev-parse", "HEAD") == before
    assert weir.git(repository.work, "status", "--porcelain") == ""


def test_a_branch_that_is_not_there(repository):
    done = verb(repository, "start", "--branch", "nothing", code=2)
    assert 'has no branch "nothing"' in done.err, done


def test_colour_only_on_a_terminal(repository):
    assert "\033[" not in verb(repository, "start", "--dry-run").out
    shown = run_in_terminal("start", ROLLOUT, "--repo", str(repository.bare), "--dry-run", *ADA)
    assert "\033[32mrunning\033[0m" in shown and "\033[1mwould push\033[0m" in shown, shown
