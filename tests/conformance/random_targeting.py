"""Random targeting, as flagd's schema allows it, evaluated by libweir and by npm's flagd-core: every answer must be alike.

    make differential                      a short run of this and of random_definitions.py
    make differential SEEDS=1000 PAIRS=10000

Each seed makes one flagd document (all operators of targeting.json, nested, numbers at the edges, unicode) and PAIRS
contexts (every JSON type in every attribute, missing ones, odd strings). Where npm's package is known to differ, the
generator keeps away, and tests/conformance/test_differences.py shows each difference:
  - it hashes UTF-16 units, weir UTF-8 as Go and Python: bucketing keys are ASCII here;
  - the code it generates puts `and`, `or`, `all`, `missing`, `missing_some` without brackets into `cat`, `in`, iterators and
    the default of `var`, where + or || binds tighter; its own interpreter, Go and weir do not;
  - within an iterator flagd's own operators fail, as in weir, but not where the element is the whole context.
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
NAMES = ["a", "b", "c", "list", "m", "deep.x", "deep.x.y", "a.length", "list.0", "list.length", "m.k.0", "é", "$x", "n", "key", "a.b",
         "targetingKey", "$flagd.flagKey", "$flagd.timestamp", "list.1.k", "a\\.b", ".", "a..b"]
LOCAL = ["", "k", "k.0", "length", "0", "../index", "../../a", "current", "accumulator", "accumulator.k", "../../../../a", "../iterator"]
STRINGS = ["a", "b", "", "DE", "10", "1", "0", "-1", " 10 ", "0x1F", "1e3", ".5", "true", "null", "2.4.0", "v2.4", "1.0.0-rc.1", "é",
           "😀", "a😀b", "\uffff", "abc", "Infinity", "a,b", "[object Object]", "1,2", "NaN", "a.b", "\u00a05", "+7"]
NUMBERS = [0, 1, -1, 2, 3, 10, 10.5, -7, 0.1, 1e-7, 1e21, 1.5, 9007199254740991, 9007199254740993, 1e308, -1e308, 100, NOW, 2147483647,
           5e-324, -0.5, 1234567890123]
BARE = {"and", "or", "all", "missing", "missing_some"}
ITERATORS = {"map", "filter", "some", "all", "none", "reduce"}
FLAGDS_OWN = {"starts_with", "ends_with", "sem_ver", "fractional"}
VARIANTS = ["a", "b", "true", "false", "0", "1", "10", "DE", ""]


def rules_in(node):
    """All (operator, operand) of a tree."""
    if isinstance(node, list):
        for item in node:
            yield from rules_in(item)
    elif isinstance(node, dict):
        for name, operand in node.items():
            yield name, operand
            yield from rules_in(operand)


def asks_for_everything(node):
    return any(name == "var" and (operand in ("", []) or isinstance(operand, list) and operand[0] == "") for name, operand in rules_in(node))


def iterates_over_the_context(rule):
    """Whether flagd's own operators may meet the context as an element."""
    return any(name in ITERATORS and asks_for_everything(operand[0]) and FLAGDS_OWN & {inner for inner, _ in rules_in(operand[1])}
               for name, operand in rules_in(rule))


class Logic:
    def __init__(self, chance):
        self.chance = chance

    def primitive(self):
        roll = self.chance.random()
        if roll < 0.4:
            return self.chance.choice(STRINGS)
        if roll < 0.75:
            return self.chance.choice(NUMBERS)
        if roll < 0.85:
            return self.chance.random() < 0.5
        if roll < 0.92:
            return None
        return [self.primitive() for _ in range(self.chance.randint(0, 3))]

    def var(self, depth, inside):
        names = LOCAL if inside and self.chance.random() < 0.8 else NAMES
        name = self.chance.choice(names)
        roll = self.chance.random()
        if roll < 0.6:
            return {"var": name}
        if roll < 0.75:
            return {"var": [name]}
        if roll < 0.97 or depth <= 0:
            return {"var": [name, self.bracketed(depth - 1, inside) if depth > 0 else self.primitive()]}
        return {"var": [] if roll < 0.985 else ""}

    def argument(self, depth, inside=0):
        roll = self.chance.random()
        if depth <= 0 or roll < 0.25:
            return self.primitive() if self.chance.random() < 0.4 else self.var(depth, inside)
        if roll < 0.33:
            return [self.argument(depth - 1, inside) for _ in range(self.chance.randint(0, 3))]
        return self.rule(depth, inside)

    def bracketed(self, depth, inside):
        """An argument for a place where generated code brackets nothing."""
        while True:
            argument = self.argument(depth, inside)
            if not isinstance(argument, dict) or not argument or not self.is_bare(argument):
                return argument

    @staticmethod
    def is_bare(rule):
        (name, operand), = rule.items()
        return name in BARE or (name == "/" and isinstance(operand, dict))

    def in_brackets(self, kind, depth, inside):
        while True:
            argument = kind(depth, inside)
            if not isinstance(argument, dict) or not self.is_bare(argument):
                return argument

    def some_arguments(self, least, most, depth, inside):
        return [self.argument(depth - 1, inside) for _ in range(self.chance.randint(least, most))]

    def fractional(self, depth):
        shares = []
        for _ in range(self.chance.randint(1, 4)):
            variant = self.argument(depth - 1) if self.chance.random() < 0.1 else self.chance.choice(VARIANTS + [None, True, 1])
            roll = self.chance.random()
            weight = [] if roll < 0.2 else [self.chance.choice([0, 1, 25, 50, 100000, 2147483647])] if roll < 0.85 else \
                [self.rule(depth - 1, 0) if depth > 1 else {"-": [{"var": "$flagd.timestamp"}, NOW - 50]}]
            shares.append([variant, *weight])
        roll = self.chance.random()
        if roll < 0.25:
            return {"fractional": shares}
        key = {"cat": ["seed/", {"var": "key"}]} if roll < 0.6 else {"var": self.chance.choice(["key", "n"])}
        return {"fractional": [key, *shares]}

    def rule(self, depth, inside=0):
        name = self.chance.choice(
            ["var", "missing", "missing_some", "if", "if", "==", "===", "!=", "!==", ">", ">=", "<", "<=", "%", "/", "*", "+", "-", "max",
             "min", "merge", "cat", "substr", "in", "map", "filter", "reduce", "all", "none", "some", "and", "or", "!", "!!", "sem_ver",
             "starts_with", "ends_with", "fractional"])
        many = lambda least, most: self.some_arguments(least, most, depth, inside)  # noqa: E731
        if name == "var":
            return self.var(depth, inside)
        if name == "missing":
            return {name: [self.chance.choice(NAMES) for _ in range(self.chance.randint(0, 3))]}
        if name == "missing_some":
            return {name: [self.chance.choice([0, 1, 2, 3]), [self.chance.choice(NAMES) for _ in range(self.chance.randint(0, 3))]]}
        if name in ("==", "===", "!=", "!==", "%", "/"):
            return {name: many(2, 2)}
        if name in ("<", "<=", ">", ">="):
            return {name: many(2, 3)}
        if name == "substr":
            return {name: many(2, 3)}
        if name == "in":
            return {name: [self.argument(depth - 1, inside), self.bracketed(depth - 1, inside)]}
        if name == "cat":
            return {name: [self.bracketed(depth - 1, inside) for _ in range(self.chance.randint(1, 4))]}
        if name in ("map", "filter", "all", "none", "some", "reduce"):
            start = [self.argument(depth - 1, inside)] if name == "reduce" else []
            return {name: [self.bracketed(depth - 1, inside), self.argument(depth - 1, inside + 1), *start]}
        if name in ("!", "!!"):
            argument = self.argument(depth - 1, inside)
            return {name: argument if self.chance.random() < 0.5 and not isinstance(argument, list) else [argument]}
        if name == "*":
            return {name: many(2, 3)}
        if name == "sem_ver":
            return {name: [self.chance.choice([{"var": self.chance.choice(["a", "c"])}, "1.0.0", "2.4.0"]),
                           self.chance.choice(["=", "!=", ">", "<", ">=", "<=", "~", "^"]), self.chance.choice(["1.0.0", "2.4.0-rc.1", {"var": "a"}])]}
        if name in ("starts_with", "ends_with"):
            return {name: [self.chance.choice([{"var": "a"}, "abc", self.rule(depth - 1, inside) if depth > 1 else "b"]),
                           self.chance.choice([{"var": "b"}, "a", ""])]}
        if name == "fractional":
            return self.fractional(depth)
        return {name: many(1, 5)}

    # --- rules that a person could mean: each operator gets what it works on, mostly ---

    def number(self, depth, inside):
        pick = self.chance.random()
        if depth <= 0 or pick < 0.3:
            return self.chance.choice(NUMBERS)
        if pick < 0.55:
            return {"var": self.chance.choice(["n", "n", "c", "list.length", "$flagd.timestamp"] if not inside else ["", "k", "current", "../index"])}
        if pick < 0.6:
            return self.rule(depth - 1, inside)
        name = self.chance.choice(["+", "-", "*", "/", "%", "min", "max", "if", "reduce"])
        if name == "if":
            return {name: [self.boolean(depth - 1, inside), self.number(depth - 1, inside), self.number(depth - 1, inside)]}
        if name == "reduce":
            return {name: [self.items(depth - 1, inside), {self.chance.choice("+*-"): [{"var": "accumulator"}, {"var": "current"}]},
                           self.number(depth - 1, inside)]}
        return {name: [self.number(depth - 1, inside) for _ in range(2 if name in "%/" else self.chance.randint(1, 3) if name in "+-" else 2)]}

    def string(self, depth, inside):
        pick = self.chance.random()
        if depth <= 0 or pick < 0.3:
            return self.chance.choice(STRINGS)
        if pick < 0.55:
            return {"var": self.chance.choice(["a", "b", "key", "$flagd.flagKey", "é"] if not inside else ["", "k", "0"])}
        if pick < 0.6:
            return self.rule(depth - 1, inside)
        name = self.chance.choice(["cat", "substr", "if"])
        if name == "cat":
            return {name: [self.in_brackets(self.chance.choice([self.string, self.number]), 0 if self.chance.random() < 0.5 else depth - 2, inside)
                           for _ in range(self.chance.randint(1, 3))]}
        if name == "substr":
            return {name: [self.string(depth - 1, inside), self.chance.choice([0, 1, 2, -1, -2, 5, 1.5]),
                           *([self.chance.choice([0, 1, 2, -1, -2, 99])] if self.chance.random() < 0.6 else [])]}
        return {name: [self.boolean(depth - 1, inside), self.string(depth - 1, inside), self.string(depth - 1, inside)]}

    def items(self, depth, inside):
        pick = self.chance.random()
        if depth <= 0 or pick < 0.25:
            return [self.primitive() for _ in range(self.chance.randint(0, 4))]
        if pick < 0.6:
            return {"var": "list" if not inside else self.chance.choice(["", "../../list", "k"])}
        name = self.chance.choice(["map", "filter", "merge"])
        if name == "merge":
            return {name: [self.items(depth - 1, inside), self.chance.choice([self.items, self.string])(depth - 1, inside)]}
        return {name: [self.items(depth - 1, inside), (self.boolean if name == "filter" else self.chance.choice([self.number, self.string, self.boolean]))(depth - 1, inside + 1)]}

    def boolean(self, depth, inside):
        pick = self.chance.random()
        if depth <= 0 or pick < 0.1:
            return self.chance.choice([True, False, {"var": "a" if not inside else ""}])
        name = self.chance.choice(["==", "===", "!=", "!==", "<", "<=", ">", ">=", "in", "and", "or", "!", "!!", "some", "all", "none", "starts_with", "ends_with",
                                   "sem_ver", "missing"])
        if name in ("==", "===", "!=", "!=="):
            kind = self.chance.choice([self.number, self.string, self.boolean])
            return {name: [kind(depth - 1, inside), kind(depth - 1, inside)]}
        if name in ("<", "<=", ">", ">="):
            kind = self.chance.choice([self.number, self.number, self.string])
            return {name: [kind(depth - 1, inside) for _ in range(self.chance.randint(2, 3))]}
        if name == "in":
            return {name: [self.string(depth - 1, inside), self.in_brackets(self.chance.choice([self.string, self.items]), depth - 1, inside)]}
        if name in ("and", "or"):
            return {name: [self.boolean(depth - 1, inside) for _ in range(self.chance.randint(1, 4))]}
        if name in ("!", "!!"):
            return {name: [self.boolean(depth - 1, inside)]}
        if name in ("some", "all", "none"):
            return {name: [self.in_brackets(self.items, depth - 1, inside), self.boolean(depth - 1, inside + 1)]}
        if name == "missing":
            return {"!": [{name: [self.chance.choice(NAMES)]}]}
        if inside:
            return {"!!": [{"var": "k"}]}
        if name == "sem_ver":
            return {name: [{"var": "a"}, self.chance.choice(["=", "!=", ">", "<", ">=", "<=", "~", "^"]), self.chance.choice(["1.0.0", "2.4.0"])]}
        return {name: [self.string(depth - 1, inside), self.chance.choice(["a", "", "1", "b"])]}

    def targeting(self):
        while True:
            rule = self.any_targeting()
            if not iterates_over_the_context(rule):
                return rule

    def any_targeting(self):
        depth = self.chance.choice([1, 2, 3, 4, 5])
        if self.chance.random() < 0.4:
            return self.rule(depth)
        branches = []
        for _ in range(self.chance.randint(1, 4)):
            served = self.chance.choice([self.string, self.number, self.boolean])(depth - 1, 0) if self.chance.random() < 0.7 else self.fractional(2)
            branches += [self.boolean(depth, 0), served]
        return {"if": [*branches, *([self.string(depth, 0)] if self.chance.random() < 0.7 else [])]}

    def attribute(self, depth=2):
        roll = self.chance.random()
        if roll < 0.35:
            return self.chance.choice(STRINGS)
        if roll < 0.6:
            return self.chance.choice(NUMBERS)
        if roll < 0.7:
            return self.chance.random() < 0.5
        if roll < 0.77:
            return None
        if depth and roll < 0.9:
            return [self.attribute(depth - 1) for _ in range(self.chance.randint(0, 3))]
        return {name: self.attribute(depth - 1) for name in self.chance.sample(["x", "k", "y", "0"], 2)} if depth else {}

    def context(self):
        context = {name: self.attribute() for name in ("a", "b", "c", "list", "m", "deep", "é", "$x", "n", "a.b")
                   if self.chance.random() < 0.7}
        if self.chance.random() < 0.5:
            context["list"] = [self.attribute(1) for _ in range(self.chance.randint(0, 4))]
        if self.chance.random() < 0.3:
            context["deep"] = {"x": {"y": self.attribute()}}
        context["n"] = self.chance.choice(NUMBERS + ["a", None])
        if self.chance.random() < 0.9:
            context["key"] = f"user-{self.chance.randrange(1000)}" if self.chance.random() < 0.8 else self.chance.choice([5, True, None, "", ["a", 1]])
        if self.chance.random() < 0.8:
            context["targetingKey"] = self.chance.choice([f"u{self.chance.randrange(1000)}", "", 7])
        if self.chance.random() < 0.1:
            context["$flagd"] = {"flagKey": "no", "timestamp": 1}
        return context


def compare(seed, arguments):
    chance = random.Random(seed)
    logic = Logic(chance)
    # flags of one document share their attributes: one alone shows what it asks for itself
    count = 1 if seed % 10 == 0 else arguments.flags
    document = {"flags": {f"f{index}": {"state": "ENABLED", "defaultVariant": "b", "variants": {name: name for name in VARIANTS},
                                        "targeting": logic.targeting()} for index in range(count)}}
    pairs = [(f"f{chance.randrange(count)}", logic.context()) for _ in range(arguments.pairs)]
    build = Path(arguments.build)
    with tempfile.TemporaryDirectory(prefix="weir-differential-") as folder:
        path = Path(folder, "document.json")
        path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        lines = "".join(json.dumps({"flag": flag, "context": context}) + "\n" for flag, context in pairs)
        oracle = subprocess.run(["node", build / "npm" / "oracle.mjs", path, str(NOW)], input=lines, capture_output=True,
                                text=True, check=True)
        weir = Weir(build.resolve() / "libweir.so", path.read_bytes())
    different = 0
    kinds = {}
    for (flag, context), line in zip(pairs, oracle.stdout.splitlines(), strict=True):
        expected, got = json.loads(line), weir.decide(flag, context, NOW)
        kind = expected["errorCode"] or expected["reason"]
        kinds[kind] = kinds.get(kind, 0) + 1
        if got != expected:
            different += 1
            if different <= arguments.show:
                print(f"seed {seed}, {json.dumps(document['flags'][flag]['targeting'], ensure_ascii=False)}\n  context {json.dumps(context, ensure_ascii=False)}"
                      f"\n  weir {got} {weir.details}\n  npm  {expected}")
    weir.close()
    return different, kinds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--flags", type=int, default=200)
    parser.add_argument("--show", type=int, default=20, help="differences to print of each seed")
    arguments = parser.parse_args()
    different, kinds = 0, {}
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        more, found = compare(seed, arguments)
        different += more
        kinds = {kind: kinds.get(kind, 0) + found.get(kind, 0) for kind in {*kinds, *found}}
        if sys.stderr.isatty():
            print(f"\r{seed - arguments.first + 1} of {arguments.seeds} seeds", end="", file=sys.stderr)
    print(f"{arguments.seeds * arguments.pairs - different} pairs alike, {different} different; "
          + ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())))
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
