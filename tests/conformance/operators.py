"""What each operator gives for each type of argument and for a missing one: the table operators.json.

    python3 tests/conformance/operators.py [--build build]           says what differs from the table, of weir and of npm
    python3 tests/conformance/operators.py --update                  writes it anew, as npm's flagd-core answers

A row is a rule with the attribute x in one of its places; its answers stand in the order of VALUES, as what the rule gave:
JavaScript's String() of it, "(default)" for null, "(GENERAL)" and "(PARSE_ERROR)" for errors. npm's package is asked where
`make differential` has fetched it.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from libweir import Weir

HERE = Path(__file__).resolve().parent
TABLE = HERE / "operators.json"
NOW = 1767225600
X, ABSENT = {"var": "x"}, object()
VALUES = {"missing": ABSENT, "null": None, "true": True, "false": False, "0": 0, "1": 1, "-1.5": -1.5, '""': "", '"a"': "a", '"10"': "10",
          '"2.4.0"': "2.4.0", "[]": [], '["a"]': ["a"], "[1,2]": [1, 2], "{}": {}, '{"k":1}': {"k": 1}}


def rules():
    """Each operator with x in each of its places, beside constants of several types."""
    yield from [X, {"var": ["x", "d"]}, {"var": "x.k"}, {"var": "x.0"}, {"var": "x.length"}, {"var": X}, {"var": [X, "d"]}]
    yield from [{"missing": ["x"]}, {"missing": ["x", "y", "x.k"]}, {"missing_some": [1, ["x", "y"]]}]
    for name in ("==", "===", "!=", "!==", "<", "<=", ">", ">="):
        for other in (None, True, 0, 1, "", "a", "10"):
            yield {name: [X, other]}
            yield {name: [other, X]}
        yield {name: [X, X]}
        if name in "<=>=":
            yield from [{name: [0, X, 5]}, {name: [X, 1, 2]}, {name: [0, 1, X]}]
    for name in ("+", "-", "*", "/", "%"):
        yield from [{name: [X, 2]}, {name: [7, X]}, {name: [X, X]}, {name: X}]
        if name in "+-":
            yield {name: [X]}
    for name in ("min", "max"):
        yield from [{name: [X]}, {name: [X, 1]}, {name: X}]
    yield from [{"merge": [X]}, {"merge": [[1], X]}, {"cat": [X]}, {"cat": ["s-", X, "-e"]}, {"cat": X}]
    yield from [{"substr": [X, 0, 1]}, {"substr": ["abc", X]}, {"substr": ["abc", 1, X]}, {"substr": ["abc", 0, -1]}, {"substr": [X, -1]}]
    yield from [{"in": [X, ["a", 1, None, True, "10"]]}, {"in": ["a", X]}, {"in": [1, X]}, {"in": [X, "a10"]}, {"in": [X, X]}]
    for name in ("map", "filter", "all", "none", "some"):
        yield from [{name: [X, {"var": ""}]}, {name: [X, {"==": [{"var": ""}, 1]}]}, {name: [[1, 2], X]}, {name: [X, True]}]
    yield from [{"reduce": [X, {"+": [{"var": "current"}, {"var": "accumulator"}]}, 1]}, {"reduce": [[1, 2], {"var": "current"}, X]}]
    yield from [{"if": [X, "yes", "no"]}, {"if": [X]}, {"if": [X, "yes"]}, {"if": [False, 1, X]}, {"if": [False, 1, X, 2]}]
    for name in ("and", "or"):
        yield from [{name: [X]}, {name: [X, "z"]}, {name: ["z", X]}, {name: ["", X]}]
    yield from [{"!": X}, {"!": [X]}, {"!!": X}, {"!!": [X]}]
    for name in ("starts_with", "ends_with"):
        yield from [{name: [X, ""]}, {name: [X, "0"]}, {name: ["10", X]}, {name: X}]
    for comparison in ("=", "!=", "<", "<=", ">", ">=", "^", "~"):
        yield from [{"sem_ver": [X, comparison, "2.4.0"]}, {"sem_ver": ["2.4.0", comparison, X]}]
    yield from [{"fractional": [X, ["one", 1], ["two", 1]]}, {"fractional": [{"cat": ["k"]}, ["one", X], ["two", 1]]},
                {"fractional": [{"cat": ["k"]}, [X, 1]]}, {"fractional": [["one", X], ["two", 1]]}]


def document():
    flags = {str(index): {"state": "ENABLED", "variants": {"(default)": 0}, "defaultVariant": "(default)", "targeting": rule}
             for index, rule in enumerate(rules())}
    return json.dumps({"flags": flags})


def contexts():
    return [{"targetingKey": "u1"} | ({} if value is ABSENT else {"x": value}) for value in VALUES.values()]


def answer_of(decision):
    if "resolved" in decision:
        return decision["resolved"]
    return f"({decision['errorCode']})" if decision["errorCode"] else decision["variant"]


def of_weir(build):
    weir = Weir(build.resolve() / "libweir.so", document().encode())
    rows = [[answer_of(weir.decide(str(index), context, NOW)) for context in contexts()] for index, _ in enumerate(rules())]
    weir.close()
    return rows


def has_npm(build):
    return (build / "npm" / "node_modules" / "@openfeature" / "flagd-core").is_dir()


def of_npm(build):
    count = len(list(rules()))
    lines = [json.dumps({"flag": str(index), "context": context}) for index in range(count) for context in contexts()]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(document())
        file.flush()
        done = subprocess.run(["node", build / "npm" / "oracle.mjs", file.name, str(NOW)], input="\n".join(lines) + "\n",
                              capture_output=True, text=True, check=True)
    answers = [answer_of(json.loads(line)) for line in done.stdout.splitlines()]
    width = len(VALUES)
    return [answers[index * width:(index + 1) * width] for index in range(count)]


def table():
    """[(rule, answers)] as it was written down."""
    stored = json.loads(TABLE.read_text(encoding="utf-8"))
    assert stored["x"] == list(VALUES), "operators.json has other values: --update it"
    return [(row["rule"], row["gives"]) for row in stored["rows"]]


def write(rows):
    lines = ",\n".join("    " + json.dumps({"rule": rule, "gives": gives}, ensure_ascii=False) for rule, gives in zip(rules(), rows, strict=True))
    head = json.dumps(list(VALUES), ensure_ascii=False)
    TABLE.write_text(f'{{\n  "x": {head},\n  "rows": [\n{lines}\n  ]\n}}\n', encoding="utf-8")


def differences(rows):
    """[text] for every answer that is not the table's."""
    found = []
    for (rule, gives), got, asked in zip(table(), rows, rules(), strict=True):
        assert rule == asked, "operators.json has other rules: --update it"
        found += [f"{json.dumps(rule)} with x {name}: {given!r}, the table says {said!r}"
                  for name, given, said in zip(VALUES, got, gives, strict=True) if given != said]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--update", action="store_true")
    arguments = parser.parse_args()
    if arguments.update:
        write(of_npm(arguments.build))
    found = differences(of_weir(arguments.build)) + (differences(of_npm(arguments.build)) if has_npm(arguments.build) else [])
    print("\n".join(found) or f"{len(table())} rules × {len(VALUES)} values alike")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
