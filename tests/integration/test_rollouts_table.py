"""tests/rollouts.md: every rule of rollouts has a test, and each test that is named there exists and runs."""
import re

import weir

TESTS = weir.ROOT / "tests"


def rows():
    for line in (TESTS / "rollouts.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and cells[0] != "Rule" and set(cells[0]) != {"-"}:
            yield cells


def runs(path, name):
    text = (TESTS / path).read_text()
    if path.endswith(".py"):
        return re.search(rf"^def {name}\(", text, re.M)
    main = re.search(r"^UNIT_MAIN\((.*?)\)$", text, re.M | re.S) or re.search(r"^UNIT_MAIN\w*\((.*)\)", text, re.M | re.S)
    return re.search(rf"^START_TEST\({name}\)", text, re.M) and re.search(rf"\b{name}\b", main.group(1))


def test_every_rule_has_a_test_that_runs():
    found = list(rows())
    assert len(found) > 100
    for cells in found:
        assert len(cells) == 2, cells
        path, name = re.fullmatch(r"((?:unit|integration|e2e)/test_\w+\.(?:c|py)): (\w+)", cells[1]).groups()
        assert (TESTS / path).is_file(), f"{path} does not exist"
        assert runs(path, name), f"{path} has no test {name}"


def test_no_rule_stands_there_twice():
    rules = [cells[0] for cells in rows()]
    assert sorted(rules) == sorted(set(rules))
