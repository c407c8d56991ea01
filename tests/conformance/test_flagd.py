"""flagd's own test suite passes through the library, through `weir eval --batch` and over OFREP; see flagd.py."""
import json
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

import flagd  # noqa: E402  (after the path is set)

CASES = flagd.cases()
ABSENT = f"{flagd.folder()} is not there: set WEIR_CONFORMANCE to the folder that holds flagd/"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    opened = flagd.Site(tmp_path_factory.mktemp("documents"))
    yield opened
    opened.close()


def parameters():
    """One a case and way; what is skipped is so for a reason that is printed with its count."""
    for case in CASES:
        for way in flagd.WAYS:
            marks = [pytest.mark.skip(reason=case.skipped)] if case.skipped else []
            yield pytest.param(way, case, id=f"{way}-{case.suite}-{case.name}", marks=marks)


def tell(way, case, answer, wrong):
    """Everything one needs to look into it."""
    question = {"flag": case.flag, "context": case.context, "type": case.type, "default": case.default}
    return "\n".join([f"{case} ({case.suite}, {', '.join(case.fields['tags'])})", *(f"  {line}" for line in wrong),
                      f"  asked    {json.dumps(question, ensure_ascii=False)}",
                      f"  of       {case.document}, fractional {case.generation}, by {way}",
                      f"  expected {json.dumps(case.expect, ensure_ascii=False)}",
                      f"  answered {json.dumps(answer, ensure_ascii=False)}"])


@pytest.mark.skipif(not CASES, reason=ABSENT)
@pytest.mark.parametrize("way, case", parameters())
def test_a_case(way, case, site):
    if way == "library" and flagd.library().parent.name in ("address", "thread"):
        pytest.skip("a sanitizer's library cannot be loaded into Python")
    answer = site.ask(way, case)
    wrong = flagd.faults(case, flagd.resolve(case, answer))
    if wrong:
        pytest.fail(tell(way, case, answer, wrong), pytrace=False)


@pytest.mark.skipif(not CASES, reason=ABSENT)
def test_the_cases_are_the_whole_suite():
    """A file that was not found, or a case without an expectation, must not look like a pass."""
    assert {case.suite for case in CASES} == {"evaluator", "provider"}
    assert {case.generation for case in CASES} == {"v2", "v3"}
    assert all(case.expect for case in CASES)
    assert sum(not case.skipped for case in CASES) >= 200


# --- the runner itself: it must see what is wrong ------------------------------------------------------------------


def case_of(**changes):
    fields = {"file": "x.feature", "line": 1, "scenario": "x", "tags": [], "flag": "f", "type": "Boolean",
              "default": False, "context": {}, "expect": {"value": True, "reason": "STATIC"}, **changes}
    return flagd.Case("evaluator", 1, fields)


@pytest.mark.parametrize("changes, answer, good", [
    ({}, {"value": True, "reason": "STATIC"}, True),
    ({}, {"value": 1, "reason": "STATIC"}, False),
    ({}, {"value": True, "reason": "DEFAULT"}, False),
    ({}, {"value": True}, False),
    ({}, {"reason": "STATIC"}, False),
    ({"default": True}, {"reason": "STATIC"}, True),
    ({"expect": {"value": False, "reason": "DISABLED"}}, {"reason": "DISABLED"}, True),
    ({"expect": {"errorCode": "TYPE_MISMATCH", "value": False}}, {"value": "x", "reason": "STATIC"}, True),
    ({"expect": {"errorCode": "TYPE_MISMATCH", "value": False}}, {"errorCode": "TYPE_MISMATCH"}, True),
    ({"expect": {"errorCode": "TYPE_MISMATCH"}}, {"value": True, "reason": "STATIC"}, False),
    ({"expect": {"errorCode": ""}}, {"value": True, "reason": "STATIC"}, True),
    ({"expect": {"errorCode": ""}}, {"errorCode": "GENERAL"}, False),
    ({"expect": {"reason": "ERROR"}}, {"errorCode": "GENERAL"}, True),
    ({"type": "Integer", "default": 3, "expect": {"value": 1}}, {"value": 1.0}, True),
    ({"type": "Integer", "default": 3, "expect": {"errorCode": "TYPE_MISMATCH"}}, {"value": 1.5}, True),
    ({"type": "Float", "default": 0.1, "expect": {"value": 1}}, {"value": 1}, True),
    ({"type": "Object", "default": {}, "expect": {"value": {"a": 1}}}, {"value": {"a": True}}, False),
    ({"expect": {"metadata_contains": {"a": 1}}}, {"value": True, "metadata": {"a": 1, "b": 2}}, True),
    ({"expect": {"metadata_contains": {"a": 1}}}, {"value": True, "metadata": {"a": True}}, False),
    ({"expect": {"metadata_contains": {"a": 1}}}, {"value": True}, False),
    ({"expect": {"metadata_empty": True}}, {"value": True, "metadata": {"a": 1}}, False),
    ({"expect": {"metadata_empty": True}}, {"value": True}, True),
    ({"expect": {"colour": "red"}}, {"value": True}, False),
])
def test_the_judge(changes, answer, good):
    case = case_of(**changes)
    wrong = flagd.faults(case, flagd.resolve(case, answer))
    assert (not wrong) is good, wrong


def test_a_failing_case_is_told_in_full():
    case, answer = case_of(context={"email": "é"}, tags=["@targeting"]), {"value": False, "reason": "STATIC"}
    told = tell("batch", case, answer, flagd.faults(case, flagd.resolve(case, answer)))
    for words in ["x.feature:1: x", "@targeting", "value: expected True, got False", '"email": "é"', '"flag": "f"',
                  "by batch", 'expected {"value": true', 'answered {"value": false']:
        assert words in told, told
