"""Strict loading beside flagd's own JSON Schemas, by another validator than weir's: Python's jsonschema.

schemas/flagd.json and flagd_check() must refuse what flagd's schemas refuse and take what they take, over flagd's test
files, every document that weir builds for the example shop, and seeded random changes of both; flagd_check() says more
only by codes of its own. flagd's schemas are in $WEIR_CONFORMANCE (a folder with flagd-schemas/ and flagd/), else in
../shared/conformance beside this tree; without them the tests are skipped. flagd_check() is called by a small program
that is linked with the build's rules.a.
"""
import copy
import itertools
import json
import os
import pathlib
import random
import shutil
import subprocess

import pytest
import weir

jsonschema = pytest.importorskip("jsonschema", reason="needs Debian's python3-jsonschema")

CONFORMANCE = pathlib.Path(os.environ.get("WEIR_CONFORMANCE") or weir.ROOT.parent / "shared" / "conformance")
THEIRS = CONFORMANCE / "flagd-schemas"
BUILD = pathlib.Path(weir.program()).resolve().parent
pytestmark = [
    pytest.mark.skipif(not (THEIRS / "flagd.json").is_file(), reason=f"{THEIRS}/flagd.json is not there"),
    pytest.mark.skipif(not (BUILD / "rules.a").is_file(), reason=f"{BUILD}/rules.a is not there: weir was not built here"),
]

# Of what a schema refuses too; and those that some refusals of a schema share with what only strict loading refuses.
BY_SCHEMA = {"W802", "W805", "W807", "W808", "W809", "W811"}
BY_BOTH = {"W810", "W821"}
CHANGES = 2000

# A line of JSON in, a line of codes out.
PROGRAM = """
#include "flagd_check.h"

#include <stdio.h>

int main(void)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    while ((length = getline(&line, &size, stdin)) > 0) {
        struct diagnostics faults;
        diagnostics_init(&faults);
        enum status status = flagd_check((struct text){line, (size_t)length}, "line", &faults);
        printf("status%d", (int)status);
        for (size_t i = 0; i < faults.count; i++)
            printf(" %s", faults.items[i].code);
        putchar('\\n');
        diagnostics_dispose(&faults);
    }
    free(line);
    return 0;
}
"""


def validator(path, *others):
    """Of the schema in a file, which may refer to the others."""
    schemas = [json.loads(name.read_text()) for name in (path, *others)]
    resolver = jsonschema.RefResolver(schemas[0]["$id"], schemas[0], store={schema["$id"]: schema for schema in schemas})
    return jsonschema.Draft7Validator(schemas[0], resolver=resolver)


@pytest.fixture(scope="module")
def theirs():
    return validator(THEIRS / "flagd.json", THEIRS / "flags.json", THEIRS / "targeting.json")


@pytest.fixture(scope="module")
def ours():
    return validator(weir.ROOT / "schemas" / "flagd.json")


@pytest.fixture(scope="module")
def check(tmp_path_factory):
    """Takes documents, returns for each the list of the codes of its faults."""
    folder = tmp_path_factory.mktemp("check")
    (folder / "check.c").write_text(PROGRAM)
    sanitizer = {"address": ["-fsanitize=address,undefined"], "thread": ["-fsanitize=thread"]}.get(BUILD.name, [])
    libraries = subprocess.run(["pkg-config", "--libs", "yaml-0.1", "libpcre2-8", "nettle", "liblz4"], capture_output=True,
                               check=True).stdout.split()
    subprocess.run([os.environ.get("CC", "cc"), "-std=c11", "-D_GNU_SOURCE", *sanitizer, f"-I{weir.ROOT}/rules", folder / "check.c",
                    "-o", folder / "check", BUILD / "rules.a", *libraries, "-lm"], check=True)

    def run(documents):
        text = "".join(json.dumps(document) + "\n" for document in documents)
        done = subprocess.run([folder / "check"], input=text.encode(), capture_output=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr.decode()
        lines = done.stdout.decode().splitlines()
        assert len(lines) == len(documents) and all(line.split()[0] == "status0" for line in lines)
        return [line.split()[1:] for line in lines]

    return run


def compare(documents, theirs, ours, check):
    """Each document by all three; returns how many were taken and how many refused."""
    taken = 0
    for document, codes in zip(documents, check(documents)):
        valid = theirs.is_valid(document)
        told = f"{json.dumps(document)}\nflagd's schema {'takes' if valid else 'refuses'} it; strict loading says {codes}"
        assert ours.is_valid(document) == valid, f"ours differs: {told}"
        if valid:
            assert not BY_SCHEMA & set(codes), told
        else:
            assert (BY_SCHEMA | BY_BOTH) & set(codes), told
        taken += valid
    return taken, len(documents) - taken


# --- flagd's own test files ---------------------------------------------------------------------------------------


def flag_files():
    return [CONFORMANCE / "flagd" / "testkit-flags.json", *sorted((CONFORMANCE / "flagd" / "flags").glob("*.json"))]


def single_flags():
    """Each flag of flagd's test files as a document of its own, with what belongs to all of them."""
    for path in flag_files():
        document = json.loads(path.read_text())
        for key, flag in document["flags"].items():
            yield {**document, "flags": {key: flag}}


def test_flagds_test_files(theirs, ours, check):
    files = [json.loads(path.read_text()) for path in flag_files()]
    assert len(files) >= 11
    taken, refused = compare(files, theirs, ours, check)
    assert taken >= 5 and refused >= 2
    taken, refused = compare(list(single_flags()), theirs, ours, check)
    assert taken >= 80 and refused >= 12


# --- what weir writes ---------------------------------------------------------------------------------------------

EVALUATORS = ["weir", "flagd", "js", "python", "java"]
FLEETS = [list(fleet) for size in range(1, 6) for fleet in itertools.combinations(EVALUATORS, size)]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The example shop for each list of evaluators and each environment."""
    shop = tmp_path_factory.mktemp("strict") / "shop"
    shutil.copytree(weir.ROOT / "examples" / "acme-shop", shop)
    documents = []
    for fleet in FLEETS:
        for name in ("production", "staging"):
            (shop / "environments" / f"{name}.yaml").write_text(
                f"apiVersion: weir/v1\nkind: Environment\nmetadata: {{name: {name}}}\nspec: {{evaluators: {json.dumps(fleet)}}}\n")
        for name in ("production", "staging"):
            result = weir.run("build", "--env", name, shop)
            assert result.code == 0, f"{fleet}: {result}"
            documents.append(result.json())
    return documents


def test_what_weir_builds_loads_strictly(built, theirs, ours, check):
    assert len(built) == 62 and all(len(document["flags"]) >= 4 for document in built)
    distinct = list({json.dumps(document): document for document in built}.values())
    assert compare(distinct, theirs, ours, check) == (len(distinct), 0)
    for document, codes in zip(built, check(built)):
        assert codes == [], json.dumps(document)


# --- changed at random --------------------------------------------------------------------------------------------

VALUES = [None, True, 0, 1, -1, 1.5, 2.0, "", "x", "on", "$flagd.x", "$flagd.flagKey", "1.2.3", "1.2", "01.0.0", "~", "ENABLED", [], {},
          [1], [["on", 1]], ["on", 1], [{"foo": 1}], {"var": "a"}, {"var": 7}, {"$ref": "is_ballmer"}, {"$ref": 1}, {"foo": [1]},
          {"and": [1], "or": [2]}, {"==": [1, 1], "<": [1, 2]}, {"!": [{}, 2]}, {"in": ["a", {"cat": ["b"]}]}]
KEYS = ["flags", "$evaluators", "metadata", "state", "variants", "defaultVariant", "targeting", "key", "$ref", "foo", "", "x", "a\nb",
        "var", "missing", "missing_some", "if", "==", "===", "!=", "!==", ">", ">=", "<", "<=", "%", "/", "*", "+", "-", "max", "min",
        "merge", "cat", "substr", "in", "map", "filter", "reduce", "all", "none", "some", "and", "or", "!", "!!", "starts_with",
        "ends_with", "fractional", "sem_ver"]


def places(value, found=None):
    """Every (container, key or index) below a value."""
    found = [] if found is None else found
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        found.append((value, key))
        places(inner, found)
    return found


def change(document, dice):
    """Changes one thing; keys stay distinct, since JSON objects in Python have no others."""
    found = places(document)
    if not found:
        return
    container, key = dice.choice(found)
    act = dice.randrange(7)
    if act == 0:
        del container[key]
    elif act == 1:
        container[key] = copy.deepcopy(dice.choice(VALUES))
    elif act == 2 and isinstance(container, dict):
        container[dice.choice(KEYS)] = container.pop(key)
    elif act == 3 and isinstance(container, list):
        container.insert(key, copy.deepcopy(container[key]))
    elif act == 4:
        container[key] = {dice.choice(KEYS): container[key]} if dice.random() < 0.7 else [container[key]]
    elif act == 5:
        other, name = dice.choice(found)
        container[key] = copy.deepcopy(other[name])
    elif isinstance(container, dict):
        container[dice.choice(KEYS)] = copy.deepcopy(dice.choice(VALUES))


def test_random_changes(built, theirs, ours, check):
    dice = random.Random(20261122)
    seeds = list(single_flags())
    seeds += [{"flags": {key: flag}} for document in built for key, flag in document["flags"].items()
              if len(json.dumps(flag)) < 1000]  # the validator in Python takes its time
    # flags are also taken as an array
    seeds += [{**seed, "flags": [{"key": key, **flag} for key, flag in seed["flags"].items()]} for seed in seeds[::5]]
    changed = []
    for _ in range(CHANGES):
        document = copy.deepcopy(dice.choice(seeds))
        for _ in range(dice.randint(1, 3)):
            change(document, dice)
        changed.append(document)
    taken, refused = compare(changed, theirs, ours, check)
    assert taken > CHANGES / 10 and refused > CHANGES / 4, (taken, refused)
