"""Where weir does on purpose what npm's flagd-core does not: each difference by an example, so that none grows unseen."""
import json
import os
import subprocess
from pathlib import Path

import operators
import pytest
from libweir import Weir

BUILD = Path(os.environ.get("WEIR_BUILD", "build"))
NOW = 1767225600
# what differs: the rule, a context, what weir gives, what npm gives
DIFFERENCES = {
    "npm hashes UTF-16 units, weir UTF-8 as Go and Python":
        ({"fractional": [{"cat": [{"var": "key"}]}, ["a", 1], ["b", 1]]}, {"key": "ü"}, "a", "b"),
    "npm's generated code puts no brackets around or in cat":
        ({"cat": ["x-", {"or": [{"var": "a"}, "none"]}]}, {"a": "1"}, "x-1", "1"),
    "nor around and, where in looks for a list":
        ({"in": ["a", {"and": [{"var": "list"}, {"var": "list"}]}]}, {}, "false", "(GENERAL)"),
    "nor around all in the list of an iterator":
        ({"some": [{"all": [{"var": "list"}, True]}, True]}, {"list": []}, "false", "(GENERAL)"),
    "nor around and as the default of var":
        ({"var": ["a", {"and": ["x", {"var": "b"}]}]}, {"a": "1", "b": "2"}, "1", "(default)"),
    "flagd's own operators work within iterators only where the element is the context itself":
        ({"some": [[{"var": ""}], {"starts_with": ["ab", "a"]}]}, {}, "(GENERAL)", "true"),
    "npm rounds a pre-release's number beyond 2^53, weir compares all of its digits as Go and Python":
        ({"sem_ver": [{"var": "v"}, "=", "1.0.0-9007199254740992"]}, {"v": "1.0.0-9007199254740993"}, "false", "true"),
    "what JavaScript's objects inherit is an attribute in npm":
        ({"var": "x.constructor.name"}, {"x": "s"}, "(default)", "String"),
}
sanitized = pytest.mark.skipif(BUILD.name in ("address", "thread"), reason="a sanitizer's library cannot be loaded into Python")


def document(rule):
    return json.dumps({"flags": {"f": {"state": "ENABLED", "variants": {"(default)": 0}, "defaultVariant": "(default)", "targeting": rule}}})


@sanitized
@pytest.mark.parametrize("what", DIFFERENCES)
def test_what_weir_gives(what):
    rule, context, expected, _ = DIFFERENCES[what]
    weir = Weir(BUILD.resolve() / "libweir.so", document(rule).encode())
    assert operators.answer_of(weir.decide("f", context, NOW)) == expected
    weir.close()


@pytest.mark.skipif(not operators.has_npm(BUILD), reason="npm's flagd-core is not there: make differential fetches it")
@pytest.mark.parametrize("what", DIFFERENCES)
def test_what_npm_gives(what, tmp_path):
    rule, context, _, expected = DIFFERENCES[what]
    path = tmp_path / "document.json"
    path.write_text(document(rule))
    done = subprocess.run(["node", BUILD / "npm" / "oracle.mjs", path, str(NOW)], input=json.dumps({"flag": "f", "context": context}) + "\n",
                          capture_output=True, text=True, check=True)
    assert operators.answer_of(json.loads(done.stdout)) == expected
