"""`weir import flagd`, proved by answers: flagd -> weir -> flagd says the same on random contexts.

    tests/conformance/import_roundtrip.py --flags 40 --contexts 10000 --seeds 5

Three kinds of documents: what weir's compiler writes of random definitions, for every list of evaluators; plain flagd
JSON as people write it, out of what can be carried over exactly, with attributes of every type; and more of it with
--as-written, where attributes have the types that the rules are written with. Each is imported, built again, and both
documents are asked. Where the foreign document answers with an error, anything goes (rules/import.h); such pairs are
not counted. Foreign documents are evaluated by npm's flagd-core where `make differential` has fetched it, else by
libweir.
"""
import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from random_definitions import FLEETS, NUMBERS, STRINGS, Definitions, random_context
from libweir import Weir

FAR = [1000000000, 4000000000, 1000000000.5]  # long ago, and long to come


class Plain:
    """A random flagd document."""

    def __init__(self, chance, flags, written):
        self.chance, self.written = chance, written
        self.evaluators = {f"is_{index}": self.condition(2) for index in range(3)}
        self.flags = {f"f{index}": self.flag(f"f{index}") for index in range(flags)}

    def document(self):
        return {"$schema": "https://flagd.dev/schema/v0/flags.json", "flags": self.flags,
                "$evaluators": self.evaluators}

    def scalar(self):
        return self.chance.choice([self.chance.choice(STRINGS), self.chance.choice(NUMBERS),
                                   self.chance.random() < 0.5])

    def attribute(self):
        return {"var": self.chance.choice(["a", "b", "app.version", "email", "n", "list", "deep.x.y", "targetingKey",
                                           "é"])}

    def loose(self):
        """What --as-written carries over: s is a string, n a number, v a version, t true or false; or missing."""
        roll = self.chance.random()
        if roll < 0.35:
            pair = [{"var": "n"}, self.chance.choice(NUMBERS)]
            self.chance.shuffle(pair)
            return {self.chance.choice(["<", "<=", ">", ">=", "==", "!="]): pair}
        if roll < 0.45:
            low, high = sorted(self.chance.sample(NUMBERS, 2))
            return {self.chance.choice(["<=", "<"]): [low, {"var": "n"}, high]}
        if roll < 0.7:
            return {"sem_ver": [{"var": "v"}, self.chance.choice(["=", "!=", "<", "<=", ">", ">=", "^", "~"]),
                                self.chance.choice(["2.4.0", "1.0.0-rc.1", "3.0.0"])]}
        if roll < 0.8:
            return {self.chance.choice(["==", "!="]): [{"var": "t"}, self.chance.random() < 0.5]}
        if roll < 0.9:
            return {"var": self.chance.choice(["t", "n", "s"])}
        return {"!": {"missing": [self.chance.choice(["n", "s"])]}}

    def leaf(self):
        if self.written and self.chance.random() < 0.5:
            return self.loose()
        where = {"var": "s"} if self.written else self.attribute()
        roll = self.chance.random()
        if roll < 0.15:
            pair = [where, self.scalar()]
            self.chance.shuffle(pair)
            return {self.chance.choice(["===", "!=="]): pair}
        if roll < 0.3:
            return {self.chance.choice(["==", "!="]): [where, self.chance.choice(STRINGS)]}
        if roll < 0.36:
            return {self.chance.choice(["==", "!=", "===", "!=="]): [where, None]}
        if roll < 0.5:
            return {"in": [where, [self.scalar() for _ in range(self.chance.choice([1, 2, 5]))]]}
        if roll < 0.62:
            return {"in": [self.chance.choice(STRINGS), where]}
        if roll < 0.78:
            return {self.chance.choice(["starts_with", "ends_with"]): [where, self.chance.choice(STRINGS)]}
        if roll < 0.83:
            return {"===": [{"var": [where["var"], self.chance.choice(["a", "DE", 1])]},
                            self.chance.choice(["a", "DE", 1])]}
        if roll < 0.9:
            return {self.chance.choice(["<", "<=", ">", ">="]): [{"var": "$flagd.timestamp"}, self.chance.choice(FAR)]}
        if roll < 0.95:
            entries = {"some": [{"merge": [[], where]}, {"===": [{"var": ""}, self.chance.choice(STRINGS)]}]}
            return {"or": [entries, {"in": [entries["some"][1]["==="][1], where]}]}
        return {"===": [{"var": "$flagd.flagKey"}, self.chance.choice(["f1", "f2"])]}

    def condition(self, depth=0):
        roll = self.chance.random()
        if depth < 3 and roll < 0.3:
            return {self.chance.choice(["and", "or"]): [self.condition(depth + 1)
                                                        for _ in range(self.chance.randint(1, 3))]}
        if depth < 3 and roll < 0.4:
            return {self.chance.choice(["!", "!!"]): [self.condition(depth + 1)]}
        if depth < 3 and roll < 0.45:
            return {"if": [self.condition(depth + 1) for _ in range(3)]}
        if depth == 0 and roll < 0.55:
            return {"$ref": f"is_{self.chance.randrange(3)}"}
        return self.leaf()

    def value(self, names, key, depth=0):
        roll = self.chance.random()
        if depth < 2 and roll < 0.4:
            parts = []
            for _ in range(self.chance.randint(1, 2)):
                parts += [self.condition(), self.value(names, key, depth + 1)]
            return {"if": parts + ([self.value(names, key, depth + 1)] if self.chance.random() < 0.7 else [])}
        if roll < 0.5:
            return None
        if roll < 0.6:
            return {"fractional": [[self.chance.choice(names), 10], [self.chance.choice(names), 0]]}
        if roll < 0.7:
            where = {"var": self.chance.choice(["targetingKey", "bucket"])}
            shares = list(zip(self.chance.sample(names, 2), self.chance.choice([[50, 50], [1, 3], [33333, 66667]])))
            return {"if": [{"starts_with": [where, ""]},
                           {"fractional": [{"cat": [self.chance.choice(["seed/", f"{key}/"]), where, "/"]},
                                           *map(list, shares)]}, None]}
        return self.chance.choice(names)

    def flag(self, key):
        if self.chance.random() < 0.2:
            names, variants = ["true", "false"], {"true": True, "false": False}
            targeting = {"!!": [self.condition()]} if self.chance.random() < 0.5 else self.condition()
        else:
            variants = self.chance.choice([{"on": True, "off": False}, {"x": "X", "y": "Y"}, {"one": 1, "two": 2.5}])
            names = list(variants)
            targeting = {"if": [self.condition(), self.value(names, key), self.value(names, key)]}
        return {"state": "DISABLED" if self.chance.random() < 0.05 else "ENABLED", "variants": variants,
                "defaultVariant": self.chance.choice(names), "targeting": targeting}


def typed_context(chance):
    """What --as-written takes attributes to be."""
    makers = {"s": lambda: chance.choice(STRINGS), "n": lambda: chance.choice([*NUMBERS, 1e21, -1e-9]),
              "v": lambda: chance.choice(["2.4.0", "v2.4.0", "1.0.0-rc.1", "2.4", "3.0.0", "0.9.9"]),
              "t": lambda: chance.random() < 0.5,
              "targetingKey": lambda: f"user-{chance.randint(1, 100000)}",
              "bucket": lambda: f"b{chance.randint(1, 99)}"}
    return {name: make() for name, make in makers.items() if chance.random() < 0.8}


class Oracle:
    """flagd-core from npm, as `make differential` fetches it."""

    def __init__(self, build, document):
        self.build, self.document = build, document

    def decide_all(self, pairs, _now):
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            file.write(self.document)
            file.flush()
            lines = "".join(json.dumps({"flag": flag, "context": context}) + "\n" for flag, context in pairs)
            done = subprocess.run(["node", self.build / "npm" / "oracle.mjs", file.name], input=lines, text=True,
                                  capture_output=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]


class Library(Weir):
    def decide_all(self, pairs, now):
        return [self.decide(flag, context, now) for flag, context in pairs]


def has_npm(build):
    return (build / "npm" / "node_modules" / "@openfeature" / "flagd-core").is_dir()


def evaluates_foreign(build):
    """Whether libweir evaluates what weir's compiler does not write."""
    document = {"flags": {"f": {"state": "ENABLED", "variants": {"a": 1}, "defaultVariant": "a",
                                "targeting": {"if": [{"==": [1, 1]}, "a"]}}}}
    made = Library(build.resolve() / "libweir.so", json.dumps(document).encode()).decide("f", {}, 0)
    return made["reason"] == "TARGETING_MATCH"


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)


class Trip:
    """One document on its way."""

    def __init__(self, build, folder):
        self.build, self.folder, self.program = build, Path(folder), build / "weir"
        self.compared = self.errors = self.different = 0

    def write_definitions(self, documents):
        flags = self.folder / "first" / "flags"
        flags.mkdir(parents=True)
        for index, document in enumerate(documents):
            (flags / f"{index}.yaml").write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        done = run(self.program, "build", "--env", "p", self.folder / "first", "-o", self.folder / "foreign.json")
        assert done.returncode == 0, done.stderr
        return (self.folder / "foreign.json").read_bytes()

    def carry_over(self, document, *options):
        """Imports and builds again: the new document, and the names of the flags that are in it."""
        (self.folder / "foreign.json").write_bytes(document)
        done = run(self.program, "import", "flagd", "--env", "p", *options, "-o", self.folder / "second",
                   self.folder / "foreign.json")
        assert done.returncode in (0, 1), done.stderr
        self.complaints = done.stderr
        built = run(self.program, "build", "--env", "p", self.folder / "second", "-o", self.folder / "again.json")
        assert built.returncode == 0, built.stderr
        again = (self.folder / "again.json").read_bytes()
        return again, sorted(json.loads(again)["flags"])

    def compare(self, foreign, again, pairs, what):
        now = int(time.time())
        mine = Library(self.build.resolve() / "libweir.so", again)
        for (flag, context), theirs, got in zip(pairs, foreign.decide_all(pairs, now), mine.decide_all(pairs, now),
                                                strict=True):
            if theirs["errorCode"]:
                self.errors += 1
                continue
            self.compared += 1
            if theirs != got:
                self.different += 1
                if self.different <= 5:
                    print(f"{what}, {flag}, {json.dumps(context, ensure_ascii=False)}\n"
                          f"  weir    {got}\n  foreign {theirs}")


def own(build, seed, flags, contexts):
    """What the compiler wrote, for each list of evaluators: all of it comes back."""
    total = [0, 0, 0, 0]
    for index, fleet in enumerate(FLEETS):
        chance = random.Random(f"own {seed} {index}")
        definitions = Definitions(chance, flags)
        definitions.documents[0]["spec"] = {"evaluators": ["weir", *fleet]} if fleet else {}
        with tempfile.TemporaryDirectory(prefix="weir-import-") as folder:
            trip = Trip(build, folder)
            document = trip.write_definitions(definitions.documents)
            again, names = trip.carry_over(document)
            left = set(json.loads(document)["flags"]) - set(names)
            assert not left, f"seed {seed}, {fleet}: {left} did not come back\n{trip.complaints}"
            pairs = [(name, random_context(chance)) for name in names for _ in range(contexts)]
            trip.compare(Library(build.resolve() / "libweir.so", document), again, pairs, f"own {fleet}, seed {seed}")
            total = [a + b for a, b in zip(total, [trip.compared, trip.errors, trip.different, len(names)])]
    return total


def plain(build, seed, flags, contexts, written):
    chance = random.Random(f"plain {seed} {written}")
    made = Plain(chance, flags, written)
    document = json.dumps(made.document(), ensure_ascii=False).encode()
    with tempfile.TemporaryDirectory(prefix="weir-import-") as folder:
        trip = Trip(build, folder)
        again, names = trip.carry_over(document, *(["--as-written"] if written else []))
        context = typed_context if written else random_context
        pairs = [(name, context(chance)) for name in names for _ in range(contexts)]
        foreign = Oracle(build, document) if has_npm(build) else Library(build.resolve() / "libweir.so", document)
        trip.compare(foreign, again, pairs, f"plain, seed {seed}{', as written' if written else ''}")
        return [trip.compared, trip.errors, trip.different, len(names)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", type=Path)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--flags", type=int, default=30)
    parser.add_argument("--contexts", type=int, default=1000)
    arguments = parser.parse_args()
    kinds = {"own": lambda seed: own(arguments.build, seed, arguments.flags, arguments.contexts)}
    if has_npm(arguments.build) or evaluates_foreign(arguments.build):
        for written in (False, True):
            kinds["as written" if written else "plain"] = lambda seed, written=written: plain(
                arguments.build, seed, arguments.flags, arguments.contexts, written)
    else:
        print("skipped: nothing here evaluates foreign documents (make differential fetches flagd-core)")
    failed = False
    for kind, make in kinds.items():
        total = [0, 0, 0, 0]
        for seed in range(arguments.first, arguments.first + arguments.seeds):
            total = [a + b for a, b in zip(total, make(seed))]
        compared, errors, different, flags = total
        print(f"{kind}: {flags} flags came back, {compared} answers compared, {errors} foreign errors, "
              f"{different} different")
        failed = failed or different or compared < errors or not flags
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
