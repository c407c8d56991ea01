"""The command line as people and scripts use it."""
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import subprocess

import pytest
import weir

COMMANDS = ["validate", "build", "edge", "eval", "import", "run", "simulate", "start", "approve", "advance", "pause",
            "rollouts", "halt", "resume", "step-back", "rollback", "kill", "unkill", "unpin", "status", "token", "accept",
            "version", "help"]
BROKEN = weir.SHOP["flags/checkout.yaml"].replace("{segment: staff}", "{segment: staf}")


def run_in_terminal(*arguments, env=None, cwd=None):
    """Runs the program with a terminal as its standard output; returns what that shows."""
    master, slave = pty.openpty()
    try:
        with subprocess.Popen([weir.program(), *arguments], stdin=subprocess.DEVNULL, stdout=slave,
                              stderr=subprocess.DEVNULL, cwd=cwd, env=env or weir.environment(TERM="xterm")) as process:
            os.close(slave)
            slave = None
            shown = b""
            while select.select([master], [], [], weir.PATIENCE)[0]:
                try:
                    part = os.read(master, 65536)
                except OSError:  # the other side is closed: all was read
                    break
                if not part:
                    break
                shown += part
            process.wait(weir.PATIENCE)
    finally:
        os.close(master)
        if slave is not None:
            os.close(slave)
    return shown.decode()


# --- validate -----------------------------------------------------------------------------------------------------


def test_validate_tells_what_there_is(shop):
    result = weir.run("validate", shop)
    assert result.code == 0, result
    lines = result.out.splitlines()
    assert lines[0] == "✓ 2 flags, 1 segment, 2 environments, 0 targets in 4 files"
    assert lines[2].split() == ["ENVIRONMENT", "FLAGS", "DIGEST"]
    for line, name in zip(lines[3:], ["production", "staging"], strict=True):
        found, flags, digest = line.split()
        assert (found, flags) == (name, "2")
        assert digest + "\n" == weir.run("build", "--env", name, "--digest", shop).out
    assert result.err == ""


def test_validate_tells_rollouts_and_zones_that_are_not_there(tmp_path):
    shutil.copytree(weir.ROOT / "examples" / "acme-shop", tmp_path / "shop")
    result = weir.run("validate", tmp_path / "shop")
    assert result.code == 0 and re.search(r"targets?, 1 rollout, 1 phase plan, 2 metrics in \d+ files", result.out), result
    rollout = tmp_path / "shop" / "rollouts" / "checkout-v2.yaml"
    rollout.write_text(rollout.read_text().replace("Europe/Berlin", "Europe/Berln"))
    result = weir.run("validate", tmp_path / "shop")
    line = next(i for i, text in enumerate(rollout.read_text().splitlines(), 1) if "Berln" in text)
    assert result.out.startswith(f"rollouts/checkout-v2.yaml:{line}:15: warning[W328]: time zone 'Europe/Berln' is not "
                                 "known here: mend the name, or install the package tzdata\n"), result
    assert result.code == 0 and "0 errors, 1 warning" in result.out, result


def test_validate_takes_the_working_folder(shop):
    assert weir.run("validate", cwd=shop).out == weir.run("validate", shop).out


def test_validate_as_json(shop):
    result = weir.run("validate", "--format", "json", shop)
    assert result.code == 0, result
    body = result.json()
    assert body["diagnostics"] == [] and body["errors"] == 0 and body["warnings"] == 0 and body["files"] == 4
    assert [(e["name"], e["flags"]) for e in body["environments"]] == [("production", 2), ("staging", 2)]
    assert all(re.fullmatch("sha256:[0-9a-f]{64}", e["digest"]) for e in body["environments"])


def test_validate_shows_the_place_of_every_fault(shop):
    weir.write_files(shop, {"flags/checkout.yaml": BROKEN, "flags/banner.yaml":
                            weir.SHOP["flags/banner.yaml"].replace("default: plain", "default: plan\n  colour: red")})
    result = weir.run("validate", shop)
    assert result.code == 1, result
    assert "flags/checkout.yaml:12:23: error[W302]: " in result.out
    assert '"staf"' in result.out and 'hint: did you mean "staff"?' in result.out
    caret = result.out.splitlines().index("     12 |       when: {segment: staf}") + 1
    assert result.out.splitlines()[caret] == "        |" + " " * 23 + "^"
    assert "flags/banner.yaml:7:3: error[W203]: " in result.out
    assert result.out.splitlines()[-1] == "2 errors, 0 warnings"
    assert "✓" not in result.out and "ENVIRONMENT" not in result.out


def test_validate_shows_the_place_as_json(shop):
    weir.write_files(shop, {"flags/checkout.yaml": BROKEN})
    result = weir.run("validate", "--format=json", shop)
    assert result.code == 1, result
    body = result.json()
    assert body["errors"] == 1 and body["environments"] == []
    fault = body["diagnostics"][0]
    assert (fault["code"], fault["path"], fault["line"], fault["column"]) == ("W302", "flags/checkout.yaml", 12, 23)


def test_validate_finds_what_only_compiling_finds(shop):
    """A seed that python's evaluator draws differently: a fault of that environment, not of the other."""
    weir.write_files(shop, {"environments/all.yaml": weir.SHOP["environments/all.yaml"].replace(
        "metadata: {name: production}", "metadata: {name: production}\nspec: {evaluators: [weir, python]}"),
        "flags/draw.yaml": """\
apiVersion: weir/v1
kind: Flag
metadata: {name: draw}
spec:
  variants: {on: true, off: false}
  default: off
  rules:
    - {split: {on: 50, off: 50}, seed: "ä"}
"""})
    result = weir.run("validate", "--format", "json", shop)
    assert result.code == 1, result
    (fault,) = result.json()["diagnostics"]
    assert (fault["code"], fault["path"], fault["line"]) == ("W401", "flags/draw.yaml", 8)
    assert [e["name"] for e in result.json()["environments"]] == ["staging"]
    assert weir.run("build", "--env", "staging", shop).code == 0
    refused = weir.run("build", "--env", "production", shop)
    assert refused.code == 1 and "error[W401]" in refused.err and refused.out == "", refused
    refused = weir.run("eval", "--env", "production", shop, "draw")
    assert refused.code == 1 and "error[W401]" in refused.err and refused.out == "", refused


@pytest.mark.parametrize("path, words", [("nowhere", "No such file"), ("", '"" cannot be read')])
def test_validate_of_what_is_not_there(tmp_path, path, words):
    result = weir.run("validate", path, cwd=tmp_path)
    assert result.code == 2, result
    assert result.err.startswith("weir: ") and words in result.err and result.out == ""


def test_validate_of_nothing(tmp_path):
    result = weir.run("validate", tmp_path)
    assert result.code == 1, result
    assert "W101" in result.out


def test_validate_one_file(shop):
    result = weir.run("validate", shop / "environments/all.yaml")
    assert result.code == 0, result
    assert "0 flags, 0 segments, 2 environments" in result.out


# --- colour -------------------------------------------------------------------------------------------------------


def test_colour_only_on_a_terminal(shop):
    weir.write_files(shop, {"flags/checkout.yaml": BROKEN})
    assert "\033[" not in weir.run("validate", shop).out
    assert "\033[1;31m" in run_in_terminal("validate", str(shop))
    assert "\033[" not in run_in_terminal("validate", str(shop), env=weir.environment(TERM="xterm", NO_COLOR="1"))
    assert "\033[" not in run_in_terminal("validate", str(shop), env=weir.environment(TERM="dumb"))


def test_definitions_cannot_steer_the_terminal(shop):
    weir.write_files(shop, {"flags/banner.yaml": weir.SHOP["flags/banner.yaml"].replace(
        '"Hello"', '"\\e]0;owned\\a \\x9b31m"')})
    result = weir.run("eval", "--env", "production", shop, "banner")
    assert result.code == 0, result
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", result.out)
    assert "\\u001b]0;owned\\u0007 \\u009b31m" in result.out


# --- build --------------------------------------------------------------------------------------------------------


def test_build_prints_the_document(shop):
    result = weir.run("build", "--env", "production", shop)
    assert result.code == 0 and result.err == "", result
    assert result.out.endswith("}\n")
    assert sorted(result.json()["flags"]) == ["banner", "checkout-v2"]
    assert result.out == weir.run("build", "-eproduction", cwd=shop).out
    assert result.out != weir.run("build", "--env=staging", shop).out


def test_build_writes_a_file(shop, tmp_path):
    target = tmp_path / "out" / "flags.json"
    target.parent.mkdir()
    target.write_text("old")
    result = weir.run("build", "--env", "production", "-o", target, shop)
    assert result.code == 0 and result.out == "", result
    assert target.read_text() == weir.run("build", "--env", "production", shop).out
    assert os.listdir(target.parent) == ["flags.json"]
    both = weir.run("build", "--env", "production", "--digest", "-o", target, shop)
    assert re.fullmatch("sha256:[0-9a-f]{64}\n", both.out)


def test_build_leaves_the_old_file_when_it_fails(shop, tmp_path):
    target = tmp_path / "out" / "flags.json"
    target.parent.mkdir()
    target.write_text("old")
    weir.write_files(shop, {"flags/checkout.yaml": BROKEN})
    result = weir.run("build", "--env", "production", "-o", target, shop)
    assert result.code == 1 and "flags/checkout.yaml:12:23" in result.err and result.out == "", result
    assert target.read_text() == "old" and os.listdir(target.parent) == ["flags.json"]


def test_build_tells_faults_as_json(shop):
    weir.write_files(shop, {"flags/checkout.yaml": BROKEN})
    result = weir.run("build", "--env", "production", "--format", "json", shop)
    assert result.code == 1 and result.out == "", result
    assert json.loads(result.err)["diagnostics"][0]["code"] == "W302"


def test_build_to_where_nothing_can_be_written(shop, tmp_path):
    result = weir.run("build", "--env", "production", "-o", tmp_path / "no" / "flags.json", shop)
    assert result.code == 2 and "No such file or directory" in result.err, result
    result = weir.run("build", "--env", "production", "-o", tmp_path, shop)
    assert result.code == 2 and "Is a directory" in result.err, result


def test_a_full_disk_is_noticed(shop):
    result = weir.run("build", "--env", "production", "-o", "/dev/full", shop)
    assert result.code == 2 and "No space left" in result.err, result
    with open("/dev/full", "wb") as full:
        done = subprocess.run([weir.program(), "build", "--env", "production", str(shop)], stdout=full,
                              stderr=subprocess.PIPE, check=False, timeout=60, env=weir.environment())
    assert done.returncode == 2 and b"No space left" in done.stderr


def test_an_unknown_environment(shop):
    result = weir.run("build", "--env", "prodution", shop)
    assert result.code == 2, result
    assert result.err == 'weir: environment "prodution" does not exist; did you mean "production"?\n'
    result = weir.run("build", "--env", "moon", shop)
    assert "there are: production, staging" in result.err


# --- eval ---------------------------------------------------------------------------------------------------------


def test_eval_for_a_person(shop):
    result = weir.run("eval", "--env", "production", "--context", '{"email":"a@example.com"}', shop, "checkout-v2")
    assert result.code == 0 and result.err == "", result
    rows = dict(line.split(None, 1) for line in result.out.splitlines())
    assert rows["flag"] == "checkout-v2" and rows["value"] == "true"
    assert rows["variant"] == "on" and rows["reason"] == "TARGETING_MATCH"
    starts = {line.index(rows[line.split()[0]]) for line in result.out.splitlines()}
    assert len(starts) == 1, "the values stand in one column"


def test_eval_for_a_program(shop):
    arguments = ["eval", "--env", "production", "--format", "json"]
    body = weir.run(*arguments, shop, "banner").json()
    assert {k: body[k] for k in ("flag", "value", "variant", "reason")} == {
        "flag": "banner", "value": "Hello", "variant": "plain", "reason": "STATIC"}
    assert "errorCode" not in body
    assert weir.run(*arguments, "checkout-v2", cwd=shop).json()["reason"] == "DEFAULT"


def test_eval_reads_the_context_from_a_file_and_from_standard_input(shop, tmp_path):
    context = tmp_path / "user.json"
    context.write_text('{"email": "b@example.com"}\n')
    arguments = ["eval", "--env", "production", "--format", "json", shop, "checkout-v2", "--context"]
    assert weir.run(*arguments, f"@{context}").json()["value"] is True
    assert weir.run(*arguments, "-", stdin='{"email": "b@example.com"}').json()["value"] is True
    assert weir.run(*arguments, "-", stdin='{"email": "b@elsewhere.com"}').json()["value"] is False


def test_eval_of_an_unknown_flag(shop):
    result = weir.run("eval", "--env", "production", "--format", "json", shop, "checkout-v3")
    assert result.code == 1, result
    body = result.json()
    assert body["errorCode"] == "FLAG_NOT_FOUND" and body["reason"] == "ERROR" and "value" not in body
    assert 'did you mean "checkout-v2"?' in result.err


def test_eval_points_into_a_bad_context(shop):
    result = weir.run("eval", "--env", "production", "--context", '{"a": 1,\n "b": nul}', shop, "banner")
    assert result.code == 2 and result.out == "", result
    first, line, caret = result.err.splitlines()
    assert re.match(r"weir: context:2:\d+: ", first)
    assert line == '   "b": nul}'
    column = int(first.split(":")[3])
    assert caret == " " * (2 + column - 1) + "^" and 6 <= column <= 9


@pytest.mark.parametrize("context, words", [
    ("", "context:1:1"),
    ("[]", "object"),
    ("{}{}", "context:1:3"),
    ("[" * 10000, "context:1:"),
    ('{"a":' * 10000, "context:1:"),
    ('{"a": "' + "x" * 10_000_000 + '"}', "larger than 1024 KiB"),
    (b'{"a": "\xff"}', "UTF-8"),
], ids=["empty", "list", "two", "deep-list", "deep-map", "10-MB", "not-UTF-8"])
def test_eval_refuses_what_is_no_context(shop, context, words):
    result = weir.run("eval", "--env", "production", "--context", "-", shop, "banner", stdin=context)
    assert result.code == 2 and result.out == "", result
    assert words.replace("context:", "standard input:") in result.err
    assert len(result.err) < 1000


def test_eval_without_the_context_file(shop, tmp_path):
    result = weir.run("eval", "--env", "production", "--context", f"@{tmp_path}/no.json", shop, "banner")
    assert result.code == 2 and "no.json" in result.err and "No such file" in result.err, result


# --- definitions out of Git ---------------------------------------------------------------------------------------


def test_a_commit_of_a_local_repository(repository):
    first = weir.git(repository.work, "rev-parse", "HEAD")
    before = weir.run("build", "--env", "production", "--digest", repository.work).out
    repository.commit({"flags/banner.yaml": weir.SHOP["flags/banner.yaml"].replace("default: plain", "default: loud")})
    after = weir.run("build", "--env", "production", "--digest", repository.work).out
    assert before != after
    for arguments, expected in [(["--repo", repository.bare], after),
                                (["--repo", repository.work, "--rev", "HEAD"], after),
                                (["--repo", repository.bare, "--rev", "HEAD~1"], before),
                                (["--repo", repository.bare, "--rev", first[:10]], before),
                                (["--repo", repository.bare, "--rev", "main"], after)]:
        result = weir.run("build", "--env", "production", "--digest", *arguments)
        assert (result.code, result.out) == (0, expected), (arguments, result)
    assert weir.run("build", "--env", "production", "--digest", "--rev", "HEAD~1", cwd=repository.work).out == before
    assert weir.run("validate", "--format", "json", "--repo", repository.bare, "--rev", first).json()["commit"] == first


def test_an_uncommitted_change_is_not_in_the_commit(repository):
    weir.write_files(repository.work, {"flags/checkout.yaml": BROKEN})
    assert weir.run("validate", repository.work).code == 1
    assert weir.run("validate", "--rev", "HEAD", cwd=repository.work).code == 0


def test_a_url_is_cloned_and_the_clone_removed(repository, tmp_path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    weir.git(repository.work, "checkout", "--quiet", "-b", "side")
    side = repository.commit({"flags/banner.yaml": None})
    first = weir.git(repository.work, "rev-parse", "HEAD~1")
    env = weir.environment(TMPDIR=str(temporary))
    for revision, flags in [(None, 2), ("main", 2), ("side", 1), (first, 2), ("HEAD", 2)]:
        arguments = ["--rev", revision] if revision else []
        result = weir.run("validate", "--format", "json", "--repo", repository.url, *arguments, env=env)
        assert result.code == 0, (revision, result)
        assert result.json()["environments"][0]["flags"] == flags, revision
        assert result.json()["commit"] == (side if revision == "side" else first)
        assert os.listdir(temporary) == []


@pytest.mark.parametrize("arguments, words", [
    (["--repo", "{folder}"], ["{folder}"]),
    (["--repo", "file://{folder}/no.git"], ["no.git"]),
    (["--repo", "{bare}", "--rev", "nonsense"], ["nonsense"]),
    (["--repo", "file://{bare}", "--rev", "nonsense"], ["nonsense"]),
    (["--repo", "{bare}", "{folder}"], ["--repo", "give one of them"]),
    (["--rev", "HEAD", "{folder}"], ["--rev", "give one of them"]),
])
def test_what_is_no_repository_or_no_commit(repository, tmp_path, arguments, words):
    names = {"folder": str(tmp_path), "bare": str(repository.bare)}
    result = weir.run("validate", *[a.format(**names) for a in arguments], cwd=tmp_path)
    assert result.code == 2 and result.out == "", result
    assert result.err.startswith("weir: ") and result.err.count("\n") == 1
    for word in words:
        assert word.format(**names) in result.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_clone_is_removed(tmp_path, number):
    """Against a server that takes the connection and then says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/flags.git"
        env = weir.environment(TMPDIR=str(tmp_path))
        with subprocess.Popen([weir.program(), "validate", "--repo", url], env=env, stderr=subprocess.PIPE) as process:
            try:
                listener.settimeout(weir.PATIENCE)
                connection, _ = listener.accept()
                with connection:
                    weir.wait_until(lambda: os.listdir(tmp_path), "a folder for the clone")
                    process.send_signal(number)
                    assert process.wait(weir.PATIENCE) == -number
            finally:
                if process.poll() is None:
                    process.kill()
    assert os.listdir(tmp_path) == []


def test_a_slow_clone_shows_that_it_is_at_work(tmp_path):
    master, slave = pty.openpty()
    env = weir.environment(TMPDIR=str(tmp_path), TERM="xterm")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://secret:word@127.0.0.1:{listener.getsockname()[1]}/flags.git"
        with subprocess.Popen([weir.program(), "validate", "--repo", url], env=env, stderr=slave) as process:
            os.close(slave)
            shown = b""
            try:
                while b"fetching" not in shown and select.select([master], [], [], weir.PATIENCE)[0]:
                    shown += os.read(master, 4096)
            finally:
                process.terminate()
                process.wait(weir.PATIENCE)
                os.close(master)
    assert b"fetching the repository" in shown and b"word" not in shown
    assert os.listdir(tmp_path) == []


# --- usage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments, message", [
    (["vaildate"], 'unknown command "vaildate"; did you mean "validate"?'),
    (["frobnicate"], "unknown command \"frobnicate\"; 'weir help' lists the commands"),
    (["--frob"], "unknown option \"--frob\" before the command; 'weir help' lists the commands"),
    (["validate", "--fromat", "json"], 'unknown option "--fromat"; did you mean "--format"?'),
    (["validate", "--format", "yaml"], '"--format" is one of text|json, not "yaml"'),
    (["validate", "a", "b"], '"b" is one too many for "weir validate"'),
    (["validate", "--rev"], '"--rev" needs a value: REV'),
    (["build"], '"--env E" is missing: the environment to build the document of'),
    (["build", "--env", "a", "--env", "b"], '"--env" is given twice'),
    (["build", "--env", "a", "--digest=x"], '"--digest" takes no value'),
    (["eval", "--env", "a"], "FLAG is missing"),
    (["help", "vresion"], 'there is no command "vresion"; did you mean "version"?'),
    (["help", "--man", "eval"], 'one of COMMAND, "--man" and "--completion" at a time'),
    (["run"], 'no repository is given: use "--repo URL|PATH", or "repo:" in the configuration file'),
    (["run", "--repo", ".", "--poll", "often"], '"--poll": "often" is not a duration, like 10s, 5m or 1h'),
    (["run", "--repo", ".", "--http-threads", "0"], '"--http-threads": "0" is not a whole number from 1 to 1024'),
    (["run", "--repo", ".", "--blast-cap", "0"], '"--blast-cap": "0" is not a whole number from 1 to 1000000'),
    (["run", "--repo", ".", "--event-streams", "-1"], '"--event-streams": "-1" is not a whole number from 0 to'),
    (["run", "--repo", ".", "--event-heartbeat", "1h"], '"--event-heartbeat": "1h" is not between 100ms and 10m'),
    (["run", "--repo", ".", "--data", "."], "the data folder is the repository itself"),
])
def test_wrong_usage(tmp_path, arguments, message):
    result = weir.run(*arguments, cwd=tmp_path)
    assert result.code == 2 and result.out == "", result
    assert result.err.splitlines()[0].startswith("weir: " + message)


def test_wrong_usage_shows_the_usage():
    err = weir.run("build").err
    assert "usage: weir build --env E " in err and "'weir help build' tells more" in err


def test_two_dashes_end_the_options(shop):
    result = weir.run("eval", "--env", "production", shop, "--", "--help")
    assert result.code == 1 and "FLAG_NOT_FOUND" in result.out, result


# --- run's configuration file ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text, place, words", [
    ("repo: x\nlisten: 127.0.0.1:0\nbranhc: main\n", "3:1", 'did you mean "branch"?'),
    ("repo: x\npoll: 1ms\n", "2:7", "100ms"),
    ("repo: x\nallow-path: /tmp\n", "2:13", "list"),
    ("repo: [\n", "2:1", ""),
])
def test_faults_of_the_configuration_file(tmp_path, text, place, words):
    file = tmp_path / "weir.yaml"
    file.write_text(text)
    result = weir.run("run", "--config", file)
    assert result.code == 2 and result.out == "", result
    assert result.err.startswith(f"{file}:{place}: error[W") and words in result.err
    assert not (tmp_path / "weir-data").exists()


def test_a_configuration_file_that_is_not_there(tmp_path):
    result = weir.run("run", "--config", tmp_path / "no.yaml")
    assert result.code == 2 and "no.yaml" in result.err and "No such file" in result.err, result


def test_options_win_over_the_configuration_file(repository, tmp_path):
    """The file's repository and port are both useless, the option's are good, and the file's default counts."""
    file = tmp_path / "weir.yaml"
    file.write_text(f"repo: {tmp_path}/no.git\nlisten: 256.0.0.1:1\ndefault-environment: staging\npoll: 1h\n"
                    f"data: {tmp_path}/from-file\n")
    with weir.controller(repository.url, tmp_path / "data", "--config", str(file)) as running:
        running.wait_ready()
        assert running.value("checkout-v2") is True, "staging's default"
    assert not (tmp_path / "from-file").exists()


def test_run_announces_and_ends(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data") as running:
        assert re.fullmatch(r"listening on http://127\.0\.0\.1:[1-9]\d*", running.line)
        running.wait_ready()
        assert running.value("checkout-v2", {"email": "a@example.com"}, "production") is True
        assert running.stop(signal.SIGINT) == 0, running.log()


# --- help, manual, completion, version ----------------------------------------------------------------------------


def test_version():
    text, body = weir.run("version"), weir.run("version", "--format", "json").json()
    assert text.code == 0 and text.out == f"weir {body['version']}\n"
    assert body["apiVersion"] == "weir/v1"
    assert weir.run("--version").out == text.out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_in_every_way(command):
    by_name = weir.run("help", command)
    assert by_name.code == 0 and by_name.out.startswith(f"weir {command} - "), by_name
    for arguments in [[command, "--help"], [command, "-h"], [command, "--nonsense", "--help"],
                      [command, "a", "b", "c", "d", "--help"]]:
        result = weir.run(*arguments)
        assert (result.code, result.out) == (0, by_name.out), arguments


def test_the_overview():
    result = weir.run("help")
    assert result.code == 0 and all(f"\n  {name} " in result.out for name in COMMANDS), result
    assert weir.run("--help").out == weir.run("-h").out == result.out
    nothing = weir.run()
    assert nothing.code == 2 and nothing.out == "" and nothing.err == result.out


def test_examples_in_help_work(shop, tmp_path):
    """Each example that needs no server is run as it stands, in a repository that holds what it speaks of."""
    place = tmp_path / "place"
    examples = weir.ROOT / "examples" / "acme-shop"
    shutil.copytree(examples if (examples / "flags").is_dir() else shop, place / "examples" / "acme-shop")
    weir.git(place, "init", "--quiet")
    weir.git(place, "add", "--all")
    weir.git(place, "commit", "--quiet", "-m", "one")
    weir.git(place, "commit", "--quiet", "--allow-empty", "-m", "two")
    links = tmp_path / "bin"
    links.mkdir()
    (links / "weir").symlink_to(pathlib.Path(weir.program()).resolve())
    count = 0
    for command in ["validate", "build", "eval", "simulate", "version", "help"]:
        text = weir.run("help", command).out
        for line in text[text.index("\nExamples\n"):text.index("\nExit codes\n")].splitlines():
            if not line.startswith("  ") or line.startswith("  # ") or "man -l" in line:
                continue
            line = line.replace("/tmp/", f"{tmp_path}/")
            done = subprocess.run(["bash", "-ec", line], cwd=place, capture_output=True, timeout=60, check=False,
                                  env=weir.environment(PATH=f"{links}:{os.environ['PATH']}"))
            assert done.returncode == 0, (line, done)
            count += 1
    assert count >= 11


@pytest.mark.skipif(not shutil.which("man"), reason="man is not installed")
def test_the_manual_page_is_sound(tmp_path):
    page = tmp_path / "weir.1"
    page.write_text(weir.run("help", "--man").out)
    done = subprocess.run(["man", "--warnings", "-l", str(page)], capture_output=True, timeout=60, check=False,
                          env=weir.environment(MANWIDTH="80", MANPAGER="cat", PAGER="cat", MANROFFOPT="-Tutf8"))
    shown = re.sub(".\b", "", done.stdout.decode())
    if "minimized" in shown:
        pytest.skip("this machine has no manual pages")
    assert done.returncode == 0 and done.stderr == b"", done.stderr
    for words in ["weir validate", "--default-environment", "-o, --output FILE", "EXIT STATUS", "'{\"country\":\"DE\"}'"]:
        assert words in shown, words


def complete(script, words):
    """What bash offers for the last of `words`; bash itself runs the script."""
    lines = [f"source {script}", f"COMP_WORDS=({' '.join(words)} )", f"COMP_CWORD={len(words) - 1}",
             'if [ "${#COMP_WORDS[@]}" -le "$COMP_CWORD" ]; then COMP_WORDS+=(""); fi', "_weir",
             'printf "%s\\n" "${COMPREPLY[@]}"']
    done = subprocess.run(["bash", "--norc", "-uc", "\n".join(lines)], capture_output=True, timeout=30, check=False,
                          cwd=script.parent)
    assert done.returncode == 0 and done.stderr == b"", done.stderr
    return done.stdout.decode().split("\n")[:-1]


def test_completion_for_bash(tmp_path):
    script = tmp_path / "weir.bash"
    script.write_text(weir.run("help", "--completion", "bash").out)
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a.file").touch()
    assert complete(script, ["weir", "va"]) == ["validate"]
    assert sorted(complete(script, ["weir", ""])) == sorted(COMMANDS + ["--help", "--version"])
    assert complete(script, ["weir", "validate", "--re"]) == ["--repo", "--rev"]
    assert complete(script, ["weir", "validate", "--format", ""]) == ["text", "json"]
    assert complete(script, ["weir", "eval", "--format", "=", "j"]) == ["json"]
    assert complete(script, ["weir", "help", "--completion", "z"]) == ["zsh"]
    assert complete(script, ["weir", "help", "ev"]) == ["eval"]
    assert complete(script, ["weir", "validate", "a"]) == ["a folder"]
    assert sorted(complete(script, ["weir", "build", "-o", "a"])) == ["a folder", "a.file"]
    assert complete(script, ["weir", "build", "--env", "x", "--di"]) == ["--digest"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_for_other_shells(shell, tmp_path):
    result = weir.run("help", "--completion", shell)
    assert result.code == 0 and "default-environment" in result.out, result
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed: only that the script is printed was tested")
    script = tmp_path / "script"
    script.write_text(result.out)
    assert subprocess.run([shell, "-n", str(script)], check=False, timeout=30).returncode == 0
