"""`weir start`, `advance`, `kill` and their like, straight on a repository: a whole life, who may approve, what is refused and
why, races with others who push, and what becomes of a state that somebody edited by hand."""
import datetime
import hashlib
import itertools
import json
import re
import subprocess
import threading

import gitserver
import pytest
import weir
from remotes import TOKEN
from test_cli import run_in_terminal

ADA = ("--author", "Ada Lovelace <ada@example.com>")
ROLLOUT = "production/checkout-v2"
STATE = f"state/{ROLLOUT}.yaml"
PHASES = """\
    - {name: staff, audience: {segment: staff}, bake: 5d}
    - {name: canary, percent: 1, bake: 6d}
    - {name: ten, percent: 10, bake: 7d}
    - {name: half, percent: 50, bake: 2w, approvals: 1}
    - {name: all, percent: 100, bake: 1d}
"""


def rollout(phases=PHASES, more=""):
    return f"""\
apiVersion: weir/v1
kind: Rollout
metadata: {{name: checkout-v2}}
spec:
  flag: checkout-v2
  environment: production
  variant: on
  control: off
  phases:
{phases}{more}"""


DEFINITIONS = {
    "all.yaml": """\
apiVersion: weir/v1
kind: Environment
metadata: {name: production}
---
apiVersion: weir/v1
kind: Flag
metadata: {name: checkout-v2}
spec:
  variants: {on: true, off: false}
  default: off
  rules:
    - {name: friends, when: {attribute: friend, is: true}, serve: on}
---
apiVersion: weir/v1
kind: Segment
metadata: {name: staff}
spec: {match: {attribute: email, endsWith: "@example.com"}}
---
apiVersion: weir/v1
kind: Metric
metadata: {name: errors}
spec: {role: guardrail, prometheus: {address: 'http://p:9090', query: up}, thresholdRange: {max: 0.01}}
""",
    "rollout.yaml": rollout(),
}


@pytest.fixture
def repository(tmp_path):
    return weir.Repository(tmp_path / "git", DEFINITIONS)


def tip(repository):
    return weir.git(repository.bare, "rev-parse", "main")


def verb(repository, name, *options, code=0, of=ROLLOUT, env=None, url=None):
    author = () if "--author" in options else ADA
    done = weir.run(name, of, "--repo", url or repository.bare, *author, *options, env=env)
    assert done.code == code, (name, options, done)
    return done


def subject(repository, revision="main"):
    return weir.git(repository.bare, "log", "-1", "--format=%s", revision)


def trailers(repository, revision="main"):
    """What git itself finds: a list of pairs."""
    message = weir.git(repository.bare, "log", "-1", "--format=%B", revision)
    found = weir.git(repository.bare, "interpret-trailers", "--parse", input=message + "\n")
    return [tuple(line.split(": ", 1)) for line in found.splitlines()]


def trailer(repository, key, revision="main"):
    return [value for name, value in trailers(repository, revision) if name == key]


def state(repository, revision="main"):
    return weir.git(repository.bare, "show", f"{revision}:{STATE}") + "\n"


def as_weir(text):
    """A state file that says what weir would have written: with its checksum."""
    body = text[:text.index("  checksum:")]
    return body + f'  checksum: "sha256:{hashlib.sha256(body.encode()).hexdigest()}"\n'


def push(repository, files, message="change"):
    weir.git(repository.work, "fetch", "--quiet", "origin")
    weir.git(repository.work, "reset", "--quiet", "--hard", "origin/main")
    return repository.commit(files, message)


def let_pass(repository, hours):
    """The same as waiting for that long: all instants of the state are so much earlier."""
    def earlier(match):
        then = datetime.datetime.fromisoformat(match[0][:-1]) - datetime.timedelta(hours=hours)
        return then.isoformat() + "Z"

    push(repository, {STATE: as_weir(re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", earlier, state(repository)))})


def hook(repository, name, script):
    path = repository.bare / "hooks" / name
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)


class Served:
    """Who is on the variant by the document of a commit."""

    def __init__(self, repository, tmp_path, revision="main"):
        document = tmp_path / "document.json"
        built = weir.run("build", "--repo", repository.bare, "--rev", weir.git(repository.bare, "rev-parse", revision),
                         "--env", "production", "-o", document)
        assert built.code == 0, built
        self.bytes = document.read_bytes()
        people = [{"targetingKey": f"u{i}"} for i in range(1000)]
        people += [{"targetingKey": "s", "email": "s@example.com"}, {"targetingKey": "f", "friend": True}]
        asked = "".join(json.dumps({"flag": "checkout-v2", "context": context}) + "\n" for context in people)
        answers = weir.run("eval", "--flagd", document, "--batch", stdin=asked)
        assert answers.code == 0, answers
        on = [json.loads(line)["value"] for line in answers.out.splitlines()]
        assert len(on) == len(people)
        self.users, self.staff, self.friend = {i for i in range(1000) if on[i]}, on[1000], on[1001]

    def is_control(self):
        return not self.users and not self.staff and not self.friend


def keys(tmp_path, *names):
    """A signing key for each name, all of them allowed to sign; returns the file of allowed signers."""
    lines = []
    for name in names:
        file = tmp_path / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", file], check=True)
        lines.append(f"{name}@example.com {' '.join((tmp_path / f'{name}.pub').read_text().split()[:2])}\n")
    (tmp_path / "signers").write_text("".join(lines))
    return tmp_path / "signers"


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
        f"Approve half of {ROLLOUT}", f"Pause {ROLLOUT} in ten", f"Resume {ROLLOUT} in ten", f"Advance {ROLLOUT} to half",
        f'Revert "Advance {ROLLOUT} to half"', f"Resume {ROLLOUT} in ten", f'Revert "Advance {ROLLOUT} to ten"', "change",
        f"Resume {ROLLOUT} at staff as run 2", f"Kill {ROLLOUT}", f"Unkill {ROLLOUT}"]

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
    push(repository, {"rollout.yaml": rollout(
        more=f"  calendar: {{freeze: [{{from: {today - datetime.timedelta(days=3)}, to: {last}, reason: Easter}}]}}\n")})
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
        done = verb(repository, "approve", "--author", author, "--sign-key", tmp_path / "ada", "--allowed-signers", signers,
                    code=1)
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
    assert done.out == f"bob@example.com has approved {ROLLOUT} already: nothing to do\n" and tip(repository) == approved
    verb(repository, "advance")


def test_what_git_is_told_about_signing_counts(repository, tmp_path):
    signers = keys(tmp_path, "bob")
    at_ten(repository)
    (tmp_path / "gitconfig").write_text(f"[gpg]\nformat = ssh\n[commit]\ngpgSign = true\n[user]\nsigningKey = {tmp_path}/bob\n"
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
    """Each verb lands between the commits of another, and takes nothing of theirs away."""
    stop, pushed, failed = threading.Event(), [], []
    other = weir.Repository.__new__(weir.Repository)
    other.bare, other.work = repository.bare, tmp_path / "other"
    weir.git(tmp_path, "clone", "--quiet", repository.bare, other.work)

    def keep_pushing():
        for number in itertools.count():
            if stop.is_set():
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
        for name in ("start", "advance", "pause", "resume", "step-back", "rollback", "kill"):
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
        "after": {"audiences": [{"percent": 100, "segment": "staff"}], "percent": 0, "phase": "staff", "run": 1, "seq": 1,
                  "status": "running"},
        "commits": [tip(repository)], "parent": before, "pushed": True, "reasons": [], "repository": str(repository.bare),
        "result": "recorded", "rollout": ROLLOUT}
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
    done = verb(repository, "kill", code=1)
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
