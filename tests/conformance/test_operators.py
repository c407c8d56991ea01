"""Every operator × type × missing: weir against the table operators.json, and the table against npm where it is fetched."""
import os
from pathlib import Path

import operators
import pytest

BUILD = Path(os.environ.get("WEIR_BUILD", "build"))
sanitized = pytest.mark.skipif(BUILD.name in ("address", "thread"), reason="a sanitizer's library cannot be loaded into Python")


@sanitized
@pytest.mark.parametrize("index", range(len(operators.table())))
def test_an_operator(index, answers):
    rule, gives = operators.table()[index]
    assert dict(zip(operators.VALUES, answers[index], strict=True)) == dict(zip(operators.VALUES, gives, strict=True)), rule


@pytest.fixture(scope="module")
def answers():
    return operators.of_weir(BUILD)


@pytest.mark.skipif(not operators.has_npm(BUILD), reason="npm's flagd-core is not there: make differential fetches it")
def test_the_table_is_what_npm_answers():
    assert not operators.differences(operators.of_npm(BUILD))


def test_the_table_has_every_operator():
    schema = ("var missing missing_some if == === != !== > >= < <= % / * + - max min merge cat substr in map filter reduce all none some and "
              "or ! !! sem_ver starts_with ends_with fractional").split()
    assert sorted({name for rule, _ in operators.table() for name in rule}) == sorted(schema)
