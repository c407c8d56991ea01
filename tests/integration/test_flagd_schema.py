"""Every document that weir writes is valid by flagd's own JSON Schemas: each operator, for each fleet of evaluators.

The schemas are those of open-feature/flagd-schemas, in $WEIR_CONFORMANCE (a folder with flagd-schemas/), else in
../shared/conformance beside this tree; without them the tests are skipped.
"""
import json
import os
import pathlib

import pytest
import weir

jsonschema = pytest.importorskip("jsonschema", reason="needs Debian's python3-jsonschema")

SCHEMAS = pathlib.Path(os.environ.get("WEIR_CONFORMANCE") or weir.ROOT.parent / "shared" / "conformance") / "flagd-schemas"
pytestmark = pytest.mark.skipif(not (SCHEMAS / "flags.json").is_file(), reason=f"{SCHEMAS}/flags.json is not there")

FLEETS = ["[weir, flagd]", "[weir, flagd, js, python, java]", "[weir]", "[js]", "[python]", "[java]"]

CONDITIONS = """\
is: x|is: ""|is: 10|is: 0|is: 1|is: 1.5|is: -1|is: true|is: false|isNot: x|isNot: 1|isNot: true
in: [x]|in: [x, y]|in: [1, 2]|in: [0]|in: [true, false]|in: [x, 1, 0, true]|notIn: [x, y]|notIn: [true]
in: [a, b, c, d, e, f, g, h, i, j]|startsWith: x|endsWith: x|contains: x|contains: 10|contains: 0
lt: 10|lte: 10|gt: 0.5|gte: -1|between: [1, 10]|exists: true|exists: false
semver: 2.4.0|semver: ">=2.0.0 <3.0.0"|semver: "!=1.0.0"|semver: "^1.0.0 ~1.2.0"|semver: "<=1.0.0-rc.1"
before: 1767225600|after: 1767225600|before: 2026-01-01|after: 2026-01-01T00:00:00+01:00
""".replace("\n", "|").strip("|").split("|")

OTHERS = """\
apiVersion: weir/v1
kind: Segment
metadata: {name: staff}
spec: {match: {attribute: email, endsWith: "@x"}, include: [a, b], exclude: [c]}
---
apiVersion: weir/v1
kind: Segment
metadata: {name: some}
spec: {include: [a]}
---
apiVersion: weir/v1
kind: Flag
metadata: {name: plain}
spec: {variants: {a: {x: [1, null]}, b: {}}, default: a}
---
apiVersion: weir/v1
kind: Flag
metadata: {name: dark}
spec: {variants: {a: 1, b: 2.5}, default: b, enabled: false}
---
apiVersion: weir/v1
kind: Flag
metadata: {name: split}
spec:
  variants: {a: x, b: y, c: z}
  default: a
  rules:
    - {when: {segment: staff}, split: {a: 12.345, b: 87.655}, seed: s, bucketBy: app.session}
    - split: {a: 10, b: 20, c: 70}
---
apiVersion: weir/v1
kind: Flag
metadata: {name: lists}
spec:
  variants: {on: true, off: false}
  default: off
  rules:
    - {when: {all: []}, serve: on}
    - {when: {any: []}, serve: on}
    - {when: {all: [{segment: some}]}, serve: on}
    - {when: {any: [{segment: staff}, {not: {segment: some}}]}, serve: on}
    - {when: {not: {not: {all: [{segment: staff}, {any: []}]}}}, serve: on}
    - {when: {flag: {name: plain, is: a}}, serve: on}
    - {when: {flag: {name: dark, is: b}}, serve: on}
    - {when: {flag: {name: split, is: c}}, serve: on}
    - {when: {attribute: $flagd.timestamp, after: 2026-01-01}, serve: on}
    - {when: {attribute: $flagd.timestamp, before: 1767225600}, serve: on}
"""


@pytest.fixture(scope="module")
def validators():
    found = {name: json.loads((SCHEMAS / name).read_text()) for name in ("flags.json", "targeting.json", "flagd.json")}
    store = {schema["$id"]: schema for schema in found.values()}
    result = {}
    for name, schema in found.items():
        resolver = jsonschema.RefResolver(schema["$id"], schema, store=store)
        result[name] = jsonschema.Draft7Validator(schema, resolver=resolver)
    return result


def definitions(fleet):
    text = f"apiVersion: weir/v1\nkind: Environment\nmetadata: {{name: production}}\nspec: {{evaluators: {fleet}}}\n---\n"
    for index, condition in enumerate(CONDITIONS):
        text += (f"apiVersion: weir/v1\nkind: Flag\nmetadata: {{name: f{index}}}\nspec:\n"
                 f"  variants: {{on: true, off: false}}\n  default: off\n  rules:\n"
                 f"    - {{when: {{attribute: app.x, {condition}}}, serve: on}}\n---\n")
    return text + OTHERS


def check(validators, document, what):
    for name in ("flags.json", "flagd.json"):
        validators[name].validate(document)
    for key, flag in document["flags"].items():
        if "targeting" in flag:
            faults = sorted(validators["targeting.json"].iter_errors(flag["targeting"]), key=str)
            assert not faults, f"{what}: {key}: {json.dumps(flag['targeting'])}: {faults[0].message}"


@pytest.mark.parametrize("fleet", FLEETS)
def test_documents_are_valid_by_flagds_schemas(tmp_path, validators, fleet):
    folder = weir.write_files(tmp_path / "shop", {"flags/all.yaml": definitions(fleet)})
    result = weir.run("build", "--env", "production", folder)
    assert result.code == 0, result
    document = result.json()
    assert len(document["flags"]) == len(CONDITIONS) + 4
    check(validators, document, fleet)


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_the_shop_is_valid_by_flagds_schemas(validators, environment):
    result = weir.run("build", "--env", environment, weir.ROOT / "examples" / "acme-shop")
    assert result.code == 0, result
    check(validators, result.json(), environment)


def test_the_schemas_do_refuse(validators):
    """So that a validator that takes everything would show."""
    for document in ({"flags": {"f": {"state": "ON", "variants": {"a": True}, "defaultVariant": "a"}}},
                     {"flags": {"f": {"state": "ENABLED", "variants": {"a": True}, "defaultVariant": "a",
                                      "targeting": {"no_such_operator": [1]}}}}):
        assert not validators["flags.json"].is_valid(document)
