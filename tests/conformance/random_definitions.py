"""Random definitions, compiled by weir, evaluated by libweir and by npm's flagd-core: every answer must be alike.

    make differential                      a short run
    make differential SEEDS=1000 PAIRS=10000

Each seed makes one repository (an environment with random evaluators, segments, flags with every operator, prerequisites
and splits) and PAIRS contexts (every JSON type in every attribute, missing ones, odd strings). Bucketing keys are
ASCII: npm hashes UTF-16 units and weir, as Go and Python, UTF-8 (reference: flagd's fractional, second generation).
"""
import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from libweir import Weir

NOW = 1767225600
FLEETS = [None, ["js"], ["flagd", "js"], ["flagd", "js", "python"], ["flagd", "js", "python", "java"]]
ATTRIBUTES = ["a", "b", "app.version", "email", "n", "list", "deep.x.y", "time", "$x", "é", "bucket", "targetingKey"]
STRINGS = ["a", "b", "DE", "10", "1", "0", "true", "false", "null", "2.4.0", "v2.4.0", "1.0.0-rc.1", "user-1", "é",
           "x@acme.example", "2026-01-01T00:00:00Z", "2026-06-01T12:00:00.5Z", "2026-06-01T12:00:00+01:00", " ", '"q"',
           "a\\b", "😀"]
NUMBERS = [0, 1, -1, 10, 10.5, 2.4, 0.1, 1e-7, 9007199254740991, -0.5, 100, 1767225600]
VERSIONS = ["<2.4.0", ">=1.0.0", "=2.4.0", "!=2.4.0", "^2.0.0", "~2.4.0", ">=1.0.0 <3.0.0", ">1.0.0-rc.1"]
TIMES = [1767225600, "2026-01-01T00:00:00Z", "2026-06-01T13:00:00+01:00"]
VARIANTS = [{"on": True, "off": False}, {"x": "X", "y": "Y", "z": ""}, {"one": 1, "half": 0.5, "big": 1e6},
            {"e": {}, "f": {"k": [1, None, {"z": True, "a": "é"}]}}]


class Definitions:
    """One random repository, as a list of documents."""

    def __init__(self, chance, flags):
        self.chance, self.segments, self.flags = chance, [], []
        fleet = chance.choice(FLEETS)
        self.documents = [self.document("Environment", "p", {"evaluators": ["weir", *fleet]} if fleet else {})]
        for index in range(8):
            self.add_segment(f"s{index}")
        for index in range(flags):
            self.add_flag(f"f{index}")

    @staticmethod
    def document(kind, name, spec):
        return {"apiVersion": "weir/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}

    def scalar(self):
        return self.chance.choice([self.chance.choice(STRINGS), self.chance.choice(NUMBERS), self.chance.random() < 0.5])

    def scalars(self):
        seen = {}
        for _ in range(self.chance.choice([1, 2, 4, 12])):
            value = self.scalar()
            seen[(type(value).__name__, value)] = value
        return list(seen.values())

    def operand(self, operator):
        if operator in ("is", "isNot"):
            return self.scalar()
        if operator in ("in", "notIn"):
            return self.scalars()
        if operator in ("startsWith", "endsWith"):
            return self.chance.choice(STRINGS)
        if operator == "contains":
            return self.chance.choice(STRINGS + NUMBERS)
        if operator == "between":
            return sorted(self.chance.sample(NUMBERS, 2))
        if operator == "semver":
            return self.chance.choice(VERSIONS)
        if operator in ("before", "after"):
            return self.chance.choice(TIMES)
        if operator == "exists":
            return self.chance.random() < 0.5
        return self.chance.choice(NUMBERS)

    def condition(self, depth=0):
        roll = self.chance.random()
        if depth < 3 and roll < 0.1:
            return {"all": [self.condition(depth + 1) for _ in range(self.chance.randint(0, 3))]}
        if depth < 3 and roll < 0.2:
            return {"any": [self.condition(depth + 1) for _ in range(self.chance.randint(0, 3))]}
        if depth < 3 and roll < 0.27:
            return {"not": self.condition(depth + 1)}
        if roll < 0.33 and self.segments:
            return {"segment": self.chance.choice(self.segments)}
        if roll < 0.38 and self.flags:
            name, variants = self.chance.choice(self.flags)
            return {"flag": {"name": name, "is": self.chance.choice(variants)}}
        operator = self.chance.choice(["is", "isNot", "in", "notIn", "startsWith", "endsWith", "contains", "lt", "lte", "gt",
                                       "gte", "between", "semver", "before", "after", "exists"])
        return {"attribute": self.chance.choice(ATTRIBUTES), operator: self.operand(operator)}

    def add_segment(self, name):
        spec = {"match": self.condition(1)}
        if self.chance.random() < 0.6:
            spec["include"] = self.chance.sample(["user-1", "user-2", "a", "10"], self.chance.randint(1, 3))
        if self.chance.random() < 0.4:
            spec["exclude"] = self.chance.sample(["user-1", "user-3", "b"], self.chance.randint(1, 2))
        self.documents.append(self.document("Segment", name, spec))
        self.segments.append(name)

    def split(self, names):
        """Thousandths of a percent, cut at random places."""
        cuts = sorted(self.chance.choice([0, 1000, 25000, 33333, 100000, self.chance.randint(0, 100000)]) for _ in names[1:])
        weights = [end - start for start, end in zip([0, *cuts], [*cuts, 100000])]
        return {name: weight / 1000 for name, weight in zip(names, weights)}

    def rule(self, names):
        rule = {"when": self.condition()} if self.chance.random() < 0.9 else {}
        if self.chance.random() < 0.6:
            return {**rule, "serve": self.chance.choice(names)}
        rule["split"] = self.split(self.chance.sample(names, len(names)))
        if self.chance.random() < 0.3:
            rule["bucketBy"] = "bucket"
        if self.chance.random() < 0.3:
            rule["seed"] = self.chance.choice(["s1", "seed-2"])
        return rule

    def add_flag(self, name):
        variants = self.chance.choice(VARIANTS)
        names = list(variants)
        rules = [self.rule(names) for _ in range(self.chance.randint(0, 4))]
        spec = {"variants": variants, "default": self.chance.choice(names), "rules": rules}
        if self.chance.random() < 0.05:
            spec["enabled"] = False
        self.documents.append(self.document("Flag", name, spec))
        self.flags.append((name, names))


def random_value(chance, depth=0):
    roll = chance.random()
    if roll < 0.35:
        return chance.choice(STRINGS)
    if roll < 0.6:
        return chance.choice([*NUMBERS, 1e21, 123456789012345680000, -1e-9])
    if roll < 0.7:
        return chance.random() < 0.5
    if roll < 0.76 or depth == 2:
        return None
    if roll < 0.9:
        return [random_value(chance, depth + 1) for _ in range(chance.randint(0, 3))]
    return {key: random_value(chance, depth + 1) for key in chance.sample(["x", "y", "version"], chance.randint(0, 2))}


def random_context(chance):
    context = {}
    for attribute in ATTRIBUTES:
        if chance.random() < 0.3:
            continue
        value = random_value(chance)
        if attribute in ("bucket", "targetingKey") and isinstance(value, str):
            value = chance.choice(["user-1", "", f"user-{chance.randint(2, 100000)}"])
        *path, last = attribute.split(".")
        inner = context
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return context


def compare(seed, arguments):
    chance = random.Random(seed)
    definitions = Definitions(chance, arguments.flags)
    pairs = [(f"f{chance.randrange(arguments.flags)}", random_context(chance)) for _ in range(arguments.pairs)]
    build = Path(arguments.build)
    with tempfile.TemporaryDirectory(prefix="weir-differential-") as folder:
        flags = Path(folder, "flags")
        flags.mkdir()
        for index, document in enumerate(definitions.documents):  # JSON is YAML
            (flags / f"{index}.yaml").write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        output = Path(folder, "document.json")
        subprocess.run([build / "weir", "build", "--env", "p", folder, "-o", output], check=True)
        lines = "".join(json.dumps({"flag": flag, "context": context}) + "\n" for flag, context in pairs)
        oracle = subprocess.run(["node", build / "npm" / "oracle.mjs", output, str(NOW)], input=lines, capture_output=True,
                                text=True, check=True)
        weir = Weir(build.resolve() / "libweir.so", output.read_bytes())
    different = 0
    for (flag, context), line in zip(pairs, oracle.stdout.splitlines(), strict=True):
        expected, got = json.loads(line), weir.decide(flag, context, NOW)
        if got != expected:
            different += 1
            print(f"seed {seed}, {flag}, {json.dumps(context, ensure_ascii=False)}\n  weir {got}\n  npm  {expected}")
    return different


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--flags", type=int, default=80)
    arguments = parser.parse_args()
    different = 0
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        different += compare(seed, arguments)
        if sys.stderr.isatty():
            print(f"\r{seed - arguments.first + 1} of {arguments.seeds} seeds", end="", file=sys.stderr)
    print(f"{arguments.seeds * arguments.pairs - different} pairs alike, {different} different")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
