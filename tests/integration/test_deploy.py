"""The recipes of examples/deploy do what they say: alerts for Prometheus, and what CI runs on a pull request.

That the unit of systemd is sound is in test_systemd.py."""
import json
import os
import re
import shutil
import subprocess

import pytest
import weir
import yaml

DEPLOY = weir.ROOT / "examples" / "deploy"
ALERTS = DEPLOY / "alerts.yml"
SHOP = weir.ROOT / "examples" / "acme-shop"
BROKEN = "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: broken}\nspec: {variants: {on: true}, default: of}\n"


def rules():
    return {rule["alert"]: rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]}


def families():
    """{name: (labels, help)} of every metric that weir has."""
    text = (weir.ROOT / "controller" / "telemetry_families.c").read_text()
    found = {}
    for body in re.findall(r"family_\w+\s*=\s*\{(.*?)\}\}", text, re.DOTALL):
        words, labels = body.rsplit("{", 1)
        words = re.findall(r'"([^"]*)"', words)
        found[words[0]] = (set(re.findall(r'"(\w+)"', labels)), "".join(words[1:]))
    assert len(found) > 30 and found["weir_git_fetches_total"][0] == {"result"}, found
    return found


def test_alerts_ask_for_what_weir_has():
    known = families()
    for name, rule in rules().items():
        asked = re.findall(r"(weir_\w+|up)(?:\{([^}]*)\})?", rule["expr"])
        assert asked, name
        for family, matchers in asked:
            if family == "up":
                continue
            assert family in known, f"{name} asks for {family}"
            labels, text = known[family]
            for label, values in re.findall(r'(\w+)=~?"([^"]*)"', matchers):
                assert label in labels, f"{name}: {family} has no {label}"
                for value in values.split("|") if label in ("result", "outcome", "verdict") else []:
                    assert value in text, f"{name}: {family} never says {label} {value}"
        assert rule["labels"]["severity"] in ("page", "ticket") and rule["annotations"]["description"], name


# What is seen, a value a minute, and when which alerts fire then: minutes, and names.
QUIET = [
    ("up", 'job="weir"', "1+0x60"),
    ("weir_overrides_open", "", "0+0x60"),
    ("weir_state_age_seconds", "", "1+0x60"),
    ("weir_records_total", 'outcome="accepted"', "0+1x60"),
    ("weir_metrics_watched", "", "2+0x60"),
    ("weir_measurements_total", 'source="http",verdict="success"', "0+2x60"),
    ("weir_target_behind", 'target="t"', "0 1 0 1 0+0x57"),
    ("weir_git_last_fetch_timestamp_seconds", 'result="succeeded"', "0+60x60"),
    ("weir_loop_iterations_total", 'loop="core"', "0+1x60"),
    ("weir_notifications_waiting", 'channel="c"', "0+0x60"),
]
SEEN = {
    "quiet": (QUIET, {5: set(), 59: set()}),
    "away": ([("up", 'job="weir"', "0+0x60")], {1: set(), 3: {"WeirDown"}}),
    "an override": ([("weir_overrides_open", "", "1+0x60")], {9: set(), 11: {"WeirOverridesOpen"}}),
    "refused": ([("weir_records_total", 'outcome="refused"', "0+1x20 20+0x40")],
                {5: {"WeirRecordsRefused"}, 40: set()}),
    "not recorded": ([("weir_records_total", 'outcome="failed"', "0+1x60")], {10: set(), 20: {"WeirRecordsFail"}}),
    "recorded in the end": ([("weir_records_total", 'outcome="failed"', "0+1x60"),
                             ("weir_records_total", 'outcome="accepted"', "0+1x60")], {20: set(), 50: set()}),
    "not served": ([("weir_overrides_opened_total", 'result="failed"', "0+1x60")], {5: {"WeirOverrideFailed"}}),
    "git is away": ([("weir_git_last_fetch_timestamp_seconds", 'result="succeeded"', "0+0x60")],
                    {9: set(), 11: {"WeirFetchesFail"}}),
    "an old edge": ([("weir_state_age_seconds", "", "0+60x60")], {4: set(), 6: {"WeirEdgeIsOld"}}),
    "a bad commit": ([("weir_definitions_quarantined", "", "3+0x60")], {4: set(), 6: {"WeirDefinitionsQuarantined"}}),
    "a target": ([("weir_target_behind", 'target="t"', "1+0x60")], {4: set(), 6: {"WeirTargetBehind"}}),
    "no data": ([("weir_metrics_watched", "", "1+0x60"),
                 ("weir_measurements_total", 'source="http",verdict="no data"', "0+1x60"),
                 ("weir_measurements_total", 'source="http",verdict="success"', "0+0x60")],
                {10: set(), 20: {"WeirMeasuresNothing"}}),
    "a full disk": ([("weir_metrics_store_failures_total", "", "0+1x60")], {5: {"WeirMeasurementsNotKept"}}),
    "too many rows": ([("weir_measurements_lost_total", "", "0+1x60")], {5: {"WeirMeasurementsNotKept"}}),
    "stuck": ([("weir_loop_iterations_total", 'loop="core"', "7+0x60")], {15: {"WeirLoopStuck"}}),
    "nobody is told": ([("weir_notifications_waiting", 'channel="c"', "1+0x60")],
                       {29: set(), 31: {"WeirNotificationsStuck"}}),
    "lost notices": ([("weir_notifications_total", 'channel="c",result="lost"', "0+1x60")],
                     {5: {"WeirNotificationsLost"}}),
}


def test_every_alert_fires_in_a_test():
    assert set().union(*(fired for _, times in SEEN.values() for fired in times.values())) == set(rules())


@pytest.mark.skipif(not shutil.which("promtool"), reason="there is no promtool on this machine: .ci/install test")
def test_alerts_fire_when_they_should(tmp_path):
    checked = subprocess.run(["promtool", "check", "rules", ALERTS], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tests = []
    for what, (series, times) in SEEN.items():
        # Which alerts are firing, and nothing of their other labels.
        tests.append({"name": what, "interval": "1m",
                      "input_series": [
                          {"series": f'{name}{{instance="a"{"," * bool(labels)}{labels}}}', "values": values}
                          for name, labels, values in series],
                      "promql_expr_test": [{
                          "expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": f"{minute}m",
                          "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(names)]}
                          for minute, names in times.items()]})
    (tmp_path / "test.yml").write_text(json.dumps({"rule_files": [str(ALERTS)], "evaluation_interval": "1m",
                                                   "tests": tests}))
    done = subprocess.run(["promtool", "test", "rules", tmp_path / "test.yml"], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


# --- what CI runs on a pull request -------------------------------------------------------------------------------


def github():
    """(lines, folder of the definitions) of the steps that use weir, as one script each."""
    recipe = yaml.safe_load((DEPLOY / "github-actions.yml").read_text())
    assert recipe[True] == "pull_request"  # YAML 1.1 reads "on" so, and GitHub does not
    return [step["run"] for step in recipe["jobs"]["definitions"]["steps"] if step.get("name")], "flags"


def gitlab():
    return yaml.safe_load((DEPLOY / "gitlab-ci.yml").read_text())["weir"]["script"], "."


def run(recipe, tmp_path, files):
    steps, place = recipe()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "weir").symlink_to(weir.program())
    shutil.copytree(SHOP, tmp_path / "work" / place, dirs_exist_ok=True)
    weir.write_files(tmp_path / "work" / place, files)
    output = ""
    for step in steps:  # as both do: each ends the job where it fails
        step = step.replace("/tmp/rollouts.json", str(tmp_path / "rollouts.json"))
        done = subprocess.run(["bash", "-eo", "pipefail", "-c", step], cwd=tmp_path / "work", capture_output=True,
                              text=True, timeout=120,
                              env={**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"})
        output += done.stdout + done.stderr
        if done.returncode:
            return done.returncode, output
    return 0, output


@pytest.mark.skipif(not shutil.which("jq"), reason="there is no jq on this machine: .ci/install test")
@pytest.mark.parametrize("recipe", [github, gitlab])
class TestCi:
    def test_a_good_change_is_played_ahead(self, recipe, tmp_path):
        code, output = run(recipe, tmp_path, {})
        assert code == 0 and "checkout-v2 in staging:" in output and "completed" in output, output

    def test_a_bad_one_fails_with_its_place(self, recipe, tmp_path):
        code, output = run(recipe, tmp_path, {"flags/broken.yaml": BROKEN})
        assert code == 1 and "flags/broken.yaml:4:" in output and "in staging:" not in output, output
