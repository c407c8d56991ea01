"""The comparison of portability.py in short: fewer keys, and the engines that `make portability` has installed."""
import json
import os
import pathlib
import subprocess
import types

import pytest

import corpus
import engines
import limits
import portability

BUILD = pathlib.Path(os.environ.get("WEIR_BUILD") or engines.ROOT / "build").resolve()
SANITIZED = BUILD.name in ("address", "thread")


@pytest.fixture(scope="module")
def comparison():
    if SANITIZED:
        pytest.skip("a libweir.so with a sanitizer cannot be loaded into Python")
    return portability.compare_all(BUILD, portability.KEYS_SHORT, install=False)


def asked(comparison, column):
    counts = [count for (_, of), count in comparison.counts.items() if of == column]
    return sum(count.alike + count.excluded + count.different for count in counts)


@pytest.mark.parametrize("name", [engine.name for engine in engines.all_engines(BUILD)])
def test_engine_answers_as_weir(comparison, name):
    if name in comparison.missing:
        pytest.skip(f"{name}: {comparison.missing[name]}")
    faults = comparison.faults.get(name, [])
    assert not faults, "\n".join(portability.shortest(faults))
    assert asked(comparison, name) > 50_000


def test_weir_answers_as_the_schema_says(comparison):
    faults = comparison.faults.get(portability.MEANING, [])
    assert not faults, "\n".join(portability.shortest(faults))
    assert asked(comparison, portability.MEANING) > 50_000


def test_every_list_of_evaluators_is_built(comparison):
    lists = [each for document in comparison.documents for each in document.lists]
    assert sorted(lists) == sorted(set(lists)) and len(lists) == 16


def test_the_rollout_is_asked_at_every_stage(comparison):
    rollouts = comparison.rollouts
    assert len(rollouts.users) > 0.95 * portability.USERS_SHORT and not list(rollouts.faults())
    every = ("weir", *portability.EVALUATORS)
    forms = {rollouts.of[every, stage.name].forms["checkout-v2"] for stage in rollouts.stages}
    assert len(forms) >= 8, "canary is a ramp that is not open yet, all is completed, rolled back is killed"
    # A stage that gives the variant to others than it should is seen.
    half = next(stage for stage in rollouts.stages if stage.name == "half")
    half.share = 0.2
    assert any(fault.startswith("half (") and "users, not about" in fault for fault in rollouts.faults())
    half.share, half.staff = 0.5, False
    assert any(fault.startswith("half (") and "not none of the staff" in fault for fault in rollouts.faults())
    half.staff = True


# --- what cannot be written for all of a list is refused by name ------------------------------------------------------

SPLIT = {"split": {"on": 50, "off": 50}}


@pytest.mark.parametrize("evaluators, rule, message", [
    (["weir", "js"], {**SPLIT, "seed": "é"}, "this seed cannot be bucketed alike by the evaluator js"),
    (["weir", "python"], {**SPLIT, "seed": "é"},
     "this seed cannot be bucketed alike by the evaluators python and java"),
    (["weir", "java"], {**SPLIT, "seed": "s" * 59},
     "this seed cannot be bucketed alike by the evaluators python and java"),
    (["weir", "flagd"], {**SPLIT, "seed": " s"}, "this seed cannot be bucketed alike by the evaluator flagd"),
    (["weir"], {"when": {"attribute": "x", "is": 9007199254740992}, "serve": "on"},
     "number is beyond what every engine keeps exactly"),
    (["weir"], {"when": {"attribute": "$flagd.flagKey", "is": "x"}, "serve": "on"}, "belongs to the evaluator"),
    (["weir"], {"when": {"attribute": "a.__proto__", "is": "x"}, "serve": "on"},
     "cannot be read alike by all evaluators"),
])
def test_what_cannot_be_alike_is_refused(tmp_path, evaluators, rule, message):
    documents = [{"apiVersion": "weir/v1", "kind": "Environment", "metadata": {"name": "e"},
                  "spec": {"evaluators": evaluators}},
                 {"apiVersion": "weir/v1", "kind": "Flag", "metadata": {"name": "f"},
                  "spec": {"variants": {"on": True, "off": False}, "default": "off", "rules": [rule]}}]
    (tmp_path / "all.yaml").write_text("\n---\n".join(map(json.dumps, documents)), encoding="utf-8")
    done = subprocess.run([BUILD / "weir", "build", "--env", "e", tmp_path], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 1 and message in done.stderr


# --- the comparison itself ------------------------------------------------------------------------------------------

CASE = types.SimpleNamespace(flag="f", group="is", about="{'attribute': 'x'}")
DOCUMENT = types.SimpleNamespace(lists=[("weir", "js")])
ON = (True, "on", "TARGETING_MATCH", None)


def bare():
    made = object.__new__(portability.Comparison)
    made.counts, made.faults, made.limits_used, made.missing = {}, {}, {}, {}
    return made


@pytest.mark.parametrize("other", [(1, "on", "TARGETING_MATCH", None), (True, "off", "TARGETING_MATCH", None),
                                   (True, "on", "DEFAULT", None), (None, None, "ERROR", "GENERAL")])
def test_a_difference_in_any_part_is_a_fault(other):
    made = bare()
    made.compare("npm", CASE, {"x": 1}, other, ON, DOCUMENT)
    assert len(made.faults["npm"]) == 1 and made.counts["is", "npm"].different == 1
    made.compare("npm", CASE, {"x": 1}, ON, ON, DOCUMENT)
    assert len(made.faults["npm"]) == 1 and made.counts["is", "npm"].alike == 1


def test_whole_numbers_compare_as_doubles():
    made = bare()
    made.compare("npm", CASE, {}, ({"a": [1]}, "v", "STATIC", None), ({"a": [1.0]}, "v", "STATIC", None), DOCUMENT)
    assert not made.faults


def test_a_limit_that_no_longer_holds_is_a_fault(monkeypatch):
    monkeypatch.setattr(portability, "LIMITS", [limits.Limit(("npm",), ("is",), "one is two", lambda case,
                                                             context: context == {"x": 1})])
    made = bare()
    made.check_limits({"npm"})
    assert "one is two" in made.faults["npm"][0]
    made = bare()
    made.compare("npm", CASE, {"x": 1}, (None, None, "ERROR", "GENERAL"), ON, DOCUMENT)
    made.check_limits({"npm"})
    assert not made.faults and made.counts["is", "npm"].excluded == 1


def test_the_corpus_has_every_type_and_all_keys():
    kinds = {type(value) for value in corpus.VALUES}
    assert {type(None), bool, int, float, str, list, dict, object} <= kinds
    keys = corpus.bucketing_keys(5000)
    assert len(set(keys)) == 5000 and all(key.isascii() for key in keys)
