"""weir import: what it prints, writes and tells; that what was printed builds; and answers that stay as they were."""
import json
import os
import subprocess
import sys

import pytest
import weir

CONFORMANCE = weir.ROOT / "tests" / "conformance"
BUILD = os.path.dirname(weir.program())

FLAGD = """\
{
  "flags": {
    "checkout": {
      "state": "ENABLED",
      "variants": {"on": true, "off": false},
      "defaultVariant": "off",
      "targeting": {"if": [{"$ref": "staff"}, "on", {"in": [{"var": "country"}, ["DE", "FR"]]}, "on"]}
    },
    "adults": {
      "state": "ENABLED",
      "variants": {"on": true, "off": false},
      "defaultVariant": "off",
      "targeting": {"if": [{">=": [{"var": "age"}, 18]}, "on"]}
    },
    "banner": {
      "state": "DISABLED",
      "variants": {"red": "#f00", "blue": "#00f"},
      "defaultVariant": "red",
      "metadata": {"owner": "web", "issue": 7}
    },
    "half": {
      "state": "ENABLED",
      "variants": {"on": true, "off": false},
      "defaultVariant": "off",
      "targeting": {"fractional": [["on", 50], ["off", 50]]}
    }
  },
  "$evaluators": {"staff": {"ends_with": [{"var": "email"}, "@acme.example"]}}
}
"""
GOFF = """\
checkout:
  variations: {on: true, off: false}
  targeting:
    - name: some
      query: key in ["ann", "bob"] or age ge 18
      variation: on
  defaultRule: {variation: off}
"""


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "flags.json"
    path.write_text(FLAGD)
    return path


def build(folder):
    result = weir.run("build", "--env", "production", folder)
    assert result.code == 0, result
    return json.loads(result.out)


def answer(folder, flag, **context):
    result = weir.run("eval", "--env", "production", "--format", "json", folder, flag, "--context", json.dumps(context))
    assert result.code == 0, result
    return json.loads(result.out)["value"]


def test_what_is_printed_builds(source, tmp_path):
    result = weir.run("import", "flagd", source)
    assert result.code == 1
    definitions = tmp_path / "definitions"
    definitions.mkdir()
    (definitions / "all.yaml").write_text(result.out)
    assert sorted(build(definitions)["flags"]) == ["banner", "checkout"]
    assert answer(definitions, "checkout", country="FR") is True
    assert answer(definitions, "checkout", email="a@acme.example") is True
    assert answer(definitions, "checkout", country="US") is False


def test_what_is_left_out_is_told_with_place_and_reason(source):
    result = weir.run("import", "flagd", source)
    lines = result.err.splitlines()
    reason = "the rule also takes a string for the number that it spells, and weir does not"
    assert f"{source}:13:28: error[W705]: {reason}" in lines
    assert f"{source}:25:20: error[W706]: weir would draw other buckets for these shares" in lines
    assert any("--as-written" in line for line in lines) and any("--rebucket" in line for line in lines)
    assert lines[-1] == "2 flags carried over, 2 left out"


def test_faults_as_json(source):
    told = json.loads(weir.run("import", "flagd", "--format", "json", source).err)
    assert (told["flags"], told["leftOut"], told["errors"]) == (2, 2, 2)
    places = [(entry["code"], entry["line"]) for entry in told["diagnostics"]]
    assert places == [("W705", 13), ("W708", 19), ("W706", 25)]


def test_all_is_carried_over_when_asked(source, tmp_path):
    folder = tmp_path / "out"
    result = weir.run("import", "flagd", "--as-written", "--rebucket", "-o", folder, source)
    assert (result.code, result.out) == (0, ""), result
    assert "warning[W710]: users of flag \"half\" move" in result.err
    assert "warning[W711]: rules of flag \"adults\"" in result.err
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.yaml"))
    assert files == ["environments/production.yaml", "flags/adults.yaml", "flags/banner.yaml", "flags/checkout.yaml",
                     "flags/half.yaml", "segments/staff.yaml"]
    assert answer(folder, "adults", age=18) is True
    assert answer(folder, "adults", age=17) is False
    assert answer(folder, "adults") is False
    users = [answer(folder, "half", targetingKey=f"user-{index}") for index in range(12)]
    assert {True, False} == set(users)
    assert (folder / "flags" / "banner.yaml").read_text() == """\
apiVersion: weir/v1
kind: Flag
metadata: {name: banner, owner: web, labels: {issue: "7"}}
spec:
  enabled: false
  variants: {red: "#f00", blue: "#00f"}
  default: red
"""


def test_files_are_not_overwritten(source, tmp_path):
    folder = tmp_path / "out"
    assert weir.run("import", "flagd", "-o", folder, source).code == 1
    theirs = folder / "flags" / "checkout.yaml"
    theirs.write_text("mine")
    (folder / "flags" / "banner.yaml").unlink()
    result = weir.run("import", "flagd", "-o", folder, source)
    assert result.code == 2
    assert f'"{folder}/environments/production.yaml" exists; --force overwrites it' in result.err
    assert theirs.read_text() == "mine" and not (folder / "flags" / "banner.yaml").exists()
    assert weir.run("import", "flagd", "--force", "-o", folder, source).code == 1
    assert theirs.read_text().startswith("apiVersion: weir/v1\nkind: Flag\n")
    assert [path.name for path in (folder / "flags").iterdir() if not path.name.endswith(".yaml")] == []


def test_the_environment_has_a_name(source):
    result = weir.run("import", "flagd", "--env", "staging", source)
    assert result.out.startswith("apiVersion: weir/v1\nkind: Environment\nmetadata: {name: staging}\n")
    result = weir.run("import", "flagd", "--env", "Not/A name", source)
    assert result.code == 2 and "cannot be the name of an environment" in result.err


def test_go_feature_flag(tmp_path):
    source = tmp_path / "flags.goff.yaml"
    source.write_text(GOFF)
    folder = tmp_path / "out"
    result = weir.run("import", "goff", "-o", folder, source)
    assert result.code == 0, result
    assert result.err == "1 flag carried over, 0 left out\n"
    assert answer(folder, "checkout", targetingKey="ann") is True
    assert answer(folder, "checkout", targetingKey="eve", age=18) is True
    assert answer(folder, "checkout", targetingKey="eve", age=17.9) is False
    source.write_text(GOFF + "  experimentation: {start: 2026-01-01T00:00:00Z}\n")
    result = weir.run("import", "goff", source)
    assert result.code == 1
    assert f'{source}:8:3: error[W705]: "experimentation" ends a flag by the clock, which weir does not' in result.err


@pytest.mark.parametrize("arguments, code, says", [
    (["flipt", "x"], 2, 'format "flipt" is not known'),
    (["flagd", "/does/not/exist"], 2, 'cannot read "/does/not/exist": No such file or directory'),
    (["flagd", "/dev/null"], 1, "error[W701]: not JSON"),
    (["goff", "/dev/null"], 1, "error[W701]: file has no map of flags"),
])
def test_other_files(arguments, code, says):
    result = weir.run("import", *arguments)
    assert result.code == code and says in result.err, result
    assert result.out == ""


def test_answers_stay_as_they_were():
    if os.path.basename(BUILD) in ("address", "thread"):
        pytest.skip("a sanitizer's library is not loaded into Python")
    done = subprocess.run([sys.executable, CONFORMANCE / "import_roundtrip.py", "--build", BUILD, "--seeds", "1",
                           "--flags", "12", "--contexts", "60"],
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "own: 60 flags came back" in done.stdout
    if "skipped:" in done.stdout:
        pytest.skip(done.stdout.splitlines()[0].removeprefix("skipped: "))
