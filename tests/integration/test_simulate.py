"""weir simulate: a rollout played ahead, as a table, as JSON and as a picture."""
import datetime
import json
import subprocess
import xml.dom.minidom

import pytest
import weir
from verbing import CHECKOUT, rollout

DEFINITIONS = CHECKOUT + "---\n" + rollout("""\
    - {name: staff, audience: {segment: staff}, bake: 5d}
    - {name: canary, percent: 1, bake: 6d}
    - {name: ten, ramp: {to: 10, over: 1d}, bake: 7d}
    - {name: half, percent: 50, bake: 2w, approvals: 2}
    - {name: all, percent: 100, bake: 1d}
""", """\
  start: 2027-01-11T09:00:00+01:00
  calendar:
    timezone: Europe/Berlin
    allow: [{days: [Mon, Tue, Wed, Thu], from: "09:00", to: "16:00"}]
    freeze: [{from: 2027-02-22, to: 2027-02-24, reason: Carnival}]
  metrics: [errors]
""") + """---
apiVersion: weir/v1
kind: Metric
metadata: {name: unasked}
spec: {role: info, http: {url: "http://127.0.0.1:1/", query: /value}, thresholdRange: {max: 1}}
"""


@pytest.fixture
def definitions(tmp_path):
    path = tmp_path / "definitions.yaml"
    path.write_text(DEFINITIONS)
    return str(path)


def simulate(definitions, *options, code=0):
    done = subprocess.run([weir.program(), "simulate", "checkout-v2", *options, definitions],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def play(definitions, *options):
    return json.loads(simulate(definitions, "--format", "json", *options))


def begins(timeline):
    return {(span["phase"], span["status"]): span["begin"] for span in timeline["timeline"]}


def test_twelve_weeks(definitions):
    timeline = play(definitions)
    assert timeline["status"] == "completed"
    assert begins(timeline) == {
        ("staff", "running"): "2027-01-11T08:00:00Z",
        ("canary", "running"): "2027-01-18T08:00:00Z",  # five days end on a Saturday
        ("ten", "running"): "2027-01-25T08:00:00Z",
        # 24 open hours end on Thursday at 12:00; seven days of bake, one hour for approvals
        ("half", "running"): "2027-02-04T12:00:00Z",
        ("all", "running"): "2027-02-18T12:00:00Z",
        ("all", "completed"): "2027-02-19T12:00:00Z",
    }
    assert timeline["timeline"][0]["waitedSeconds"] == {"bake": 5 * 86400, "calendar": 2 * 86400}
    assert timeline["timeline"][-1]["percent"] == 100


def test_a_table_says_why_it_waited(definitions):
    lines = simulate(definitions).splitlines()
    assert lines[0] == "checkout-v2 in production: on of flag checkout-v2, times in Europe/Berlin"
    assert lines[2] == "staff   running    staff  2027-01-11 09:00  2027-01-18 09:00  calendar 2d, bake 5d"
    assert lines[-1] == "No measurements were given: every metric passes. " \
                        "Approvals come 1h after they are all that lacks."


def test_freeze_and_daylight(definitions):
    timeline = play(definitions, "--from", "2027-02-17T09:00:00+01:00")
    assert begins(timeline)["canary", "running"] == "2027-02-25T08:00:00Z"
    timeline = play(definitions, "--from", "2027-03-24T09:00:00+01:00")
    assert begins(timeline)["canary", "running"] == "2027-03-29T08:00:00Z"  # a day has 24 hours


def test_nobody_approves(definitions):
    timeline = play(definitions, "--approve-after", "never")
    assert timeline["timeline"][-1]["phase"] == "ten"
    assert timeline["timeline"][-1]["waitedFor"] == "approvals 0 of 2"


def test_breach(definitions):
    timeline = play(definitions, "--breach", "errors@2027-01-20T10:00:00Z")
    last = timeline["timeline"][-1]
    assert (last["status"], last["begin"], last["percent"]) == ("rolledBack", "2027-01-20T10:00:00Z", 0)
    assert last["evidence"] == "errors: a breach, as asked for"
    assert last["waitedFor"] == "hold rollback by weir"


def measurements(tmp_path, value):
    start = datetime.datetime(2027, 1, 11, 8, 0, 30)
    path = tmp_path / "measurements.jsonl"
    with path.open("w") as file:
        for minute in range(20 * 24 * 60):
            when = start + datetime.timedelta(minutes=minute)
            measured = value(minute)
            if measured is not None:
                file.write(json.dumps({"metric": "errors", "finished": f"{when:%Y-%m-%dT%H:%M:%SZ}", **measured}) + "\n")
    return str(path)


def test_measurements_decide(definitions, tmp_path):
    bad = 12 * 24 * 60
    path = measurements(tmp_path, lambda minute: {"value": 0.002 if minute < bad else 0.03})
    timeline = play(definitions, "--measurements", path)
    last = timeline["timeline"][-1]
    assert (last["status"], last["begin"]) == ("rolledBack", "2027-01-23T08:00:30Z")
    assert last["evidence"] == "errors: 0.03 > 0.01"
    assert timeline["measurements"] == 20 * 24 * 60


def test_errors_and_gaps_never_advance(definitions, tmp_path):
    path = measurements(tmp_path, lambda minute: {"verdict": "error" if minute % 2 else "no data"})
    timeline = play(definitions, "--measurements", path)
    assert [span["phase"] for span in timeline["timeline"]] == ["staff"]
    # Two days without data of a bake of five: the rest has to be four fifths of it.
    path = measurements(tmp_path, lambda minute: None if 1440 <= minute < 3 * 1440 else {"verdict": "success"})
    assert begins(play(definitions, "--measurements", path))["canary", "running"] == "2027-01-18T08:00:00Z"
    path = measurements(tmp_path, lambda minute: {"verdict": "success"} if minute % 10 == 0 else None)
    timeline = play(definitions, "--measurements", path)
    assert [span["phase"] for span in timeline["timeline"]] == ["staff"]
    # As in a controller a measurement covers its interval, a minute: every other one takes eight days for four.
    path = measurements(tmp_path, lambda minute: {"verdict": "success"} if minute % 2 == 0 else None)
    assert begins(play(definitions, "--measurements", path))["canary", "running"] == "2027-01-19T08:00:30Z"
    path = measurements(tmp_path, lambda minute: {"verdict": "success"} if minute % 5 else None)
    assert begins(play(definitions, "--measurements", path))["canary", "running"] == "2027-01-18T08:00:00Z"


def test_picture(definitions):
    picture = xml.dom.minidom.parseString(simulate(definitions, "--format", "svg"))
    root = picture.documentElement
    assert root.getAttribute("role") == "img"
    title = root.getElementsByTagName("title")[0]
    assert title.getAttribute("id") == "title" and root.getAttribute("aria-labelledby").startswith("title")
    assert title.firstChild.data == "Rollout checkout-v2 in production"
    bars = [rect for rect in root.getElementsByTagName("rect") if rect.getElementsByTagName("title")]
    assert len(bars) == len(play(definitions)["timeline"])
    assert "href" not in picture.toxml()
    # What a bar is stands beside it or within it, not only in its colour.
    picture = xml.dom.minidom.parseString(simulate(definitions, "--format", "svg", "--breach", "errors@2027-01-20T10:00:00Z"))
    words = [text.firstChild.data for text in picture.getElementsByTagName("text")]
    assert words[0] == "checkout-v2 in production" and "1 %" in words and "0 %, rolledBack" in words, words


@pytest.mark.parametrize("options, message", [
    (["--breach", "errors"], 'weir: "--breach errors" is not METRIC@TIME like errors@2027-01-11T09:00:00Z\n'),
    (["--breach", "error@2027-01-11T09:00:00Z"], 'weir: metric "error" does not exist; did you mean "errors"?\n'),
    (["--breach", "latency@2027-01-11T09:00:00Z"], 'weir: metric "latency" does not exist\n'),
    (["--breach", "unasked@2027-01-11T09:00:00Z"], 'weir: metric "unasked" does not watch this rollout\n'),
    (["--from", "Monday"], 'weir: "--from Monday" is no time like 2027-01-11T09:00:00+01:00\n'),
    (["--for", "0d"], 'weir: "--for 0d" is no period like 90d or 12w\n'),
    (["--approve-after", "soon"], 'weir: "--approve-after soon" is neither a period like 1h nor never\n'),
    (["--measurements", "/nowhere"], 'weir: cannot read "/nowhere": No such file or directory\n'),
])
def test_slips_are_told(definitions, options, message):
    assert simulate(definitions, *options, code=2) == message


def test_lines_that_are_no_measurements(definitions, tmp_path):
    path = tmp_path / "m"
    for text, words in [("{}\n", "line 1: wants"), ('\n{"metric":1', "line 2: "), ("", "holds no measurement"),
                        ('{"metric":"errors","finished":"2027-01-11T09:00:00Z","verdict":"fine"}\n', "line 1: wants")]:
        path.write_text(text)
        assert words in simulate(definitions, "--measurements", str(path), code=2)


def test_unknown_rollout(definitions):
    near = '; did you mean "production/checkout-v2"?'
    for name, hint in (("checkout", ""), ("checkout-v3", near), ("staging/checkout-v2", near)):
        done = subprocess.run([weir.program(), "simulate", name, definitions], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (2, f'weir: rollout "{name}" does not exist{hint}\n')


def test_limits_count_as_in_a_controller(definitions, tmp_path):
    """One inconclusive measurement is one too many while the window lasts, however many successes follow."""
    limits = DEFINITIONS.replace("thresholdRange: {max: 0.01}}", "thresholdRange: {max: 0.01}, window: 30d}")
    assert limits != DEFINITIONS
    (tmp_path / "definitions.yaml").write_text(limits)
    path = measurements(tmp_path, lambda minute: {"verdict": "inconclusive" if minute == 60 else "success"})
    assert [span["phase"] for span in play(definitions, "--measurements", path)["timeline"]] == ["staff"]


def test_silence_fails_whatever_is_forgiven(definitions, tmp_path):
    """Of a variant that says nothing while control speaks no measurement is forgiven."""
    (tmp_path / "definitions.yaml").write_text(
        DEFINITIONS.replace("thresholdRange: {max: 0.01}}", "thresholdRange: {max: 0.01}, failureLimit: 1000}"))
    bad = 8 * 24 * 60
    path = measurements(tmp_path, lambda minute: {"verdict": "success" if minute < bad else "failure"})
    assert "rolledBack" not in [span["status"] for span in play(definitions, "--measurements", path)["timeline"]]
    path = measurements(tmp_path, lambda minute: {"verdict": "success"} if minute < bad else
                        {"verdict": "failure", "silent": True})
    last = play(definitions, "--measurements", path)["timeline"][-1]
    assert (last["status"], last["begin"]) == ("rolledBack", "2027-01-19T08:00:30Z")
    assert last["evidence"] == "errors: silent while control speaks"


def test_a_sample_ratio_that_is_none_holds(definitions, tmp_path):
    words = "sample ratio mismatch: share 0.02 of 0.01, n=90000"
    path = measurements(tmp_path, lambda minute: {"verdict": "success", **({"ratioMismatch": words} if minute >= 11520
                                                                          else {})})
    last = play(definitions, "--measurements", path)["timeline"][-1]
    assert (last["status"], last["begin"], last["evidence"]) == ("held", "2027-01-19T08:00:30Z", words)
