"""The definitions repository: a flag for each operator and kind of operand, each way of combining them, each split.

A Case is one flag with the contexts it is asked for and what its words mean. Names of flags tell the group.
"""
import dataclasses
import itertools
import typing

import corpus
from corpus import MISSING, context, contexts
from meaning import holds

STRINGS_LONG = [f"v{index}" for index in range(1500)]
ON_OFF = {"on": True, "off": False}


@dataclasses.dataclass
class Case:
    flag: str
    group: str
    about: str  # the condition or split, for people
    variants: dict
    contexts: list
    expected: typing.Callable  # of a context: the variant, or None where the words leave it open
    for_java: bool = True  # no: weir refuses to compile it where java is in the list


class Definitions:
    """The documents of the repository, and the cases."""

    def __init__(self, keys):
        self.documents, self.cases, self.counts, self.growth = [], [], {}, {}
        self.add_operators()
        self.add_paths()
        self.add_logic()
        self.add_segments()
        self.add_prerequisites()
        self.add_flags()
        self.add_splits(keys)

    def document(self, kind, name, spec):
        self.documents.append({"apiVersion": "weir/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})

    def flag(self, group, spec, asked, expected, about=None, name=None, for_java=True):
        self.counts[group] = self.counts.get(group, 0) + 1
        name = name or f"{group.lower().replace(' ', '-')}-{self.counts[group]}"
        self.document("Flag", name, spec)
        about = about or f"{spec['variants']} {spec.get('rules', '')}"[:200]
        self.cases.append(Case(name, group, about, spec["variants"], asked, expected, for_java))
        return name

    def condition(self, group, when, asked, meaning, name=None, for_java=True):
        """A flag that is on where the condition holds; `meaning` of a context is True, False or None."""
        spec = {"variants": ON_OFF, "default": "off", "rules": [{"when": when, "serve": "on"}]}
        return self.flag(group, spec, asked, lambda given: {True: "on", False: "off", None: None}[meaning(given)],
                         str(when)[:200], name, for_java)

    def operator(self, operator, operand, digits=None, for_java=True):
        self.condition(operator, {"attribute": "x", operator: operand}, contexts("x", corpus.VALUES),
                       lambda given: holds(operator, operand, given.get("x"), digits), for_java=for_java)

    def add_operators(self):
        for operator in ("is", "isNot"):
            for operand in ("DE", "", "10", "true", "é", "a\u2028b", 0, 1, 10, 10.5, -0.5, 0.1, 9007199254740991,
                            True, False):
                self.operator(operator, operand)
        for operator in ("in", "notIn"):
            for operand in (["DE"], ["DE", "FR"], ["10", "0", "1", "true", ""], ["é", "😀", '"q"', "a\\b", "&<>"],
                            [f"v{index}" for index in range(12)], STRINGS_LONG, [10], [10, 10.5], [0, 1, 10], [0], [1],
                            list(range(2, 40)), [number / 2 for number in range(300)], ["DE", 10],
                            ["DE", 10, 0, 1, True, False],
                            [True], [True, False], [*STRINGS_LONG, *range(300), True]):
                self.operator(operator, operand)
        for operator in ("startsWith", "endsWith"):
            for operand in ("DE", "a", "é", "\u0301", "😀", " ", "10", "x" * 5000, "Z", "a\\b", '"'):
                self.operator(operator, operand)
        for operand in ("DE", "a", "b", "10", "é", "😀", "v1499", '"q"', "x" * 4000, "true", 0, 1, 10, 10.5, -0.5,
                        9007199254740991):
            self.operator("contains", operand)
        for operator in ("lt", "lte", "gt", "gte"):
            for operand in (10, 0, 1, -0.5, 10.5, 9007199254740991):
                self.operator(operator, operand)
        for operand in ([0, 1], [1, 10], [10, 10], [-1, 10.5], [-9007199254740991, 9007199254740991], [10, 1]):
            self.operator("between", operand)
        for operand in ("2.4.0", "=2.4.0", "!=2.4.0", "<2.4.0", "<=2.4.0", ">2.4.0", ">=2.4.0", "^2.4.0", "~2.4.0",
                        ">2.4.0-rc.1", "=2.4.0-rc.1", "<1.0.0-alpha.1", ">=2.0.0 <3.0.0", "^2.0.0 !=2.4.0 >=2.3.9",
                        ">=0.0.0", "<2147483647.0.0", ">2.4.0-rc.2147483648"):
            self.operator("semver", operand)
        for operand in ("<2147483648.0.0", "<999999999999999.0.0", "!=2.4.999999999999999"):
            self.operator("semver", operand, for_java=False)
        for operator in ("before", "after"):
            for operand, digits in ((1767225600, None), (0, None), (1767225600.5, None),
                                    ("2026-01-01T00:00:00Z", "20260101000000"),
                                    ("2026-06-01T13:00:00+01:00", "20260601120000"),
                                    ("2026-01-31", "20260131000000"), ("1969-07-20T20:17:40Z", "19690720201740"),
                                    ("9999-12-31T23:59:59Z", "99991231235959"), ("0001-01-01", "00010101000000")):
                self.operator(operator, operand, digits)
        for operand in (True, False):
            self.operator("exists", operand)
        for operator, moment, result in (("before", 946684800, False), ("after", 946684800, True),
                                         ("before", "2100-01-01T00:00:00Z", True), ("after", "2100-01-01", False)):
            self.condition("now", {"attribute": "$flagd.timestamp", operator: moment},
                           [{}, {"$flagd": {"timestamp": 1}}, {"$flagd": None}, {"x": "DE"}],
                           lambda given, result=result: result)

    def add_paths(self):
        def at(given, path):
            for part in path:
                given = given.get(part) if isinstance(given, dict) else None
            return given

        operators = (("is", "DE"), ("isNot", "DE"), ("in", ["DE", "FR"]), ("exists", True), ("exists", False),
                     ("lt", 10), ("contains", "DE"), ("startsWith", "D"), ("semver", ">=2.0.0"),
                     ("before", "2026-01-01T00:00:00Z"))
        for path, (operator, operand) in itertools.product(("a.b", "a.b.c"), operators):
            self.condition("paths", {"attribute": path, operator: operand}, corpus.path_contexts(),
                           lambda given, path=path.split("."), operator=operator, operand=operand:
                           holds(operator, operand, at(given, path), "20260101000000"))
        for name in ("é", "a b", "a/b", "$x", "0", "-1", "constructor", "toString", "hasOwnProperty", "length", "日本",
                     "😀", 'q"q', "var", "X", "x y z", "@", "prototype", "null", "true"):
            asked = [{}, {"x": "DE"}] + [{name: value} for value in ("DE", 1, None, "", ["DE"], {name: "DE"},
                                                                     {"a": "DE"})]
            for operator, operand in (("is", "DE"), ("exists", True)):
                self.condition("names", {"attribute": name, operator: operand}, asked,
                               lambda given, name=name, operator=operator, operand=operand:
                               holds(operator, operand, given.get(name)))
        for path in ("x.constructor", "x.toString"):
            last = path[2:]
            asked = contexts("x", [*corpus.SAMPLE, "abc", ["DE", "FR"], {last: "DE"}, {last: 1}, {last: None}])
            self.condition("names", {"attribute": path, "exists": True}, asked,
                           lambda given, path=path.split("."): at(given, path) is not None)

    def add_logic(self):
        germany, five = {"attribute": "x", "is": "DE"}, {"attribute": "y", "gte": 5}
        asked = [context(x=x, y=y) for x, y in itertools.product(corpus.SAMPLE,
                                                                 (MISSING, None, 4, 5, "5", True, [], {}))]

        def truth(when, given):
            if "all" in when:
                return all([truth(inner, given) for inner in when["all"]])
            if "any" in when:
                return any([truth(inner, given) for inner in when["any"]])
            if "not" in when:
                return not truth(when["not"], given)
            (operator, operand), = [item for item in when.items() if item[0] != "attribute"]
            return holds(operator, operand, given.get(when["attribute"]))

        nested = germany
        for index in range(10):
            nested = {"any": [nested, {"all": [five, {"attribute": "y", "lt": index + 5}]}]}
            if index % 2:
                nested = {"not": {"any": [{"all": [nested, {"not": five}]}, {"attribute": "z", "exists": True}]}}
        for when in ({"all": []}, {"any": []}, {"not": {"all": []}}, {"not": {"any": []}}, {"all": [{"any": []}]},
                     {"any": [{"all": []}, germany]}, {"all": [germany]}, {"any": [germany]}, {"all": [germany, five]},
                     {"any": [germany, five]}, {"not": germany}, {"not": {"not": germany}},
                     {"not": {"all": [germany, five]}},
                     {"all": [{"not": germany}, {"not": five}]},
                     {"any": [{"all": [germany, five]}, {"not": {"any": [germany, five]}}]},
                     {"all": [{"attribute": "x", "exists": True}, {"attribute": "x", "isNot": "DE"}, five]}, nested):
            self.condition("all any not", when, asked, lambda given, when=when: truth(when, given))
        many = {"any": [{"attribute": "x", "is": f"v{index}"} for index in range(2000)]}
        self.condition("all any not", many, contexts("x", [MISSING, "v0", "v1999", "v2000", 10]),
                       lambda given: given.get("x") in ("v0", "v1999"))

    def add_segments(self):
        match = {"attribute": "x", "is": "DE"}
        specs = {"match": {"match": match}, "one": {"include": ["user-1"]},
                 "three": {"include": ["user-1", "user-2", "10"]},
                 "less-one": {"match": match, "exclude": ["user-1"]},
                 "less-two": {"match": match, "exclude": ["user-1", "user-2"]},
                 "both": {"match": match, "include": ["user-2", "user-3"], "exclude": ["user-1", "user-2"]},
                 "nested": {"match": {"any": [{"segment": "both"},
                                              {"all": [{"segment": "match"}, {"attribute": "y", "lt": 5}]}]},
                            "exclude": ["user-4"]},
                 "other": {"match": {"not": {"segment": "nested"}}, "include": ["user-1"]},
                 "crowd": {"include": [f"user-{index}" for index in range(3000)]}}

        def member(name, given):
            key, spec = given.get("targetingKey"), specs[name]
            if key in spec.get("exclude", []):
                return False
            if key in spec.get("include", []):
                return True
            if name == "nested":
                return member("both", given) or given.get("x") == "DE" and holds("lt", 5, given.get("y"))
            if name == "other":
                return not member("nested", given)
            return "match" in spec and given.get("x") == "DE"

        keys = [MISSING, "user-1", "user-2", "user-3", "user-4", "user-2999", "user-3000", "10", "", " ", "é", None, 10,
                True, [],
                ["user-1"], {}]
        asked = [context(targetingKey=key, x=x, y=y)
                 for key, x, y in itertools.product(keys, (MISSING, "DE", "FR", 10, None),
                                                                                       (MISSING, 4))]
        for name, spec in specs.items():
            self.document("Segment", name, spec)
            self.condition("segment", {"segment": name}, asked, lambda given, name=name: member(name, given))
        self.condition("segment", {"not": {"segment": "both"}}, asked, lambda given: not member("both", given))
        self.condition("segment", {"all": [{"segment": "three"}, {"not": {"segment": "less-one"}}]}, asked,
                       lambda given: member("three", given) and not member("less-one", given))
        for operand in ("user-1", "10"):
            self.condition("segment", {"attribute": "targetingKey", "is": operand}, asked,
                           lambda given, operand=operand: given.get("targetingKey") == operand)
        for operand in (True, False):
            self.condition("segment", {"attribute": "targetingKey", "exists": operand}, asked,
                           lambda given, operand=operand: (given.get("targetingKey") is not None) == operand)

    def add_prerequisites(self):
        asked = [context(x=x, y=y) for x, y in itertools.product(corpus.SAMPLE, (MISSING, 4, 5, "5"))]
        germany = {"attribute": "x", "is": "DE"}

        def of_three(given):
            if given.get("x") == "DE":
                return "a"
            return "b" if holds("in", [1, 10], given.get("x")) else "c"

        def of_second(given):
            return given.get("x") == "DE" and holds("gte", 5, given.get("y"))

        def needs(name, variant):
            return {"flag": {"name": name, "is": variant}}

        base = self.condition("flag", germany, asked, lambda given: given.get("x") == "DE")
        three = self.flag("flag", {"variants": {"a": "A", "b": "", "c": "ć"}, "default": "c", "rules": [
            {"when": germany, "serve": "a"}, {"when": {"attribute": "x", "in": [1, 10]}, "serve": "b"}]}, asked,
            of_three)
        fixed = self.flag("flag", {"variants": ON_OFF, "default": "on"}, asked, lambda given: "on")
        disabled = self.flag("flag", {"variants": ON_OFF, "default": "on", "enabled": False,
                                      "rules": [{"when": germany, "serve": "on"}]}, asked[:2], lambda given: None,
                                      "enabled: false")
        second = self.condition("flag", {"all": [needs(base, "on"), {"attribute": "y", "gte": 5}]}, asked, of_second)
        self.condition("flag", needs(base, "off"), asked, lambda given: given.get("x") != "DE")
        self.condition("flag", {"not": needs(base, "on")}, asked, lambda given: given.get("x") != "DE")
        self.condition("flag", {"not": needs(second, "off")}, asked, of_second)
        for variant in ("a", "b", "c"):
            self.condition("flag", needs(three, variant), asked,
                           lambda given, variant=variant: of_three(given) == variant)
        for variant in ("on", "off"):
            self.condition("flag", needs(fixed, variant), asked, lambda given, variant=variant: variant == "on")
            self.condition("flag", needs(disabled, variant), asked, lambda given: False)

    def add_flags(self):
        """Values of every type, names that look like something else, many rules."""
        asked = [context(x=x) for x in corpus.SAMPLE]
        for variants in ({"on": True, "off": False}, {"true": True, "false": False}, {"1": 1, "0": 0},
                         {"null": "", "None": "é😀"},
                         {"constructor": "C", "toString": "S"}, {"a.b_c-D": "\"q\" \\ \u2028 & <>", "-": "\n"},
                         {"half": 0.5, "minus": -3}, {"big": 9007199254740991, "small": -9007199254740991},
                         {"over": 2147483648, "one": 1}, {"most": 2147483647, "least": -2147483648},
                         {"fraction": 2147483648.5, "one": 1},
                         {"tiny": 1e-7, "zero": 0},
                         {"one": 1.0, "million": 1000000},
                         {"e": {}, "f": {"k": [1, None, {"z": True, "a": "é"}], "n": 0.1}},
                         {"deep": {"n": 9007199254740991}, "list": {"n": [2147483648, -2147483649]}},
                         {"long": "x" * 20000, "short": "x"}):
            first, second = variants
            for_java = not {"small", "over", "deep"} & set(variants)
            for default in (first, second):
                self.flag("variants", {"variants": variants, "default": default}, asked,
                          lambda given, default=default: default, for_java=for_java)
                self.flag("variants", {"variants": variants, "default": default, "rules": [
                    {"when": {"attribute": "x", "is": "DE"}, "serve": first},
                    {"when": {"attribute": "x", "is": 10}, "serve": second}]},
                    asked, lambda given, names=(first, second, default):
                    names[0] if given.get("x") == "DE" else names[1] if holds("is", 10, given.get("x")) else names[2],
                    for_java=for_java)
        self.flag("variants", {"variants": ON_OFF, "default": "off", "rules": [{"serve": "on"}]}, asked,
                  lambda given: "on")
        rules = [{"when": {"attribute": "x", "is": f"v{index}"}, "serve": "ab"[index % 2]} for index in range(1000)]
        self.flag("variants", {"variants": {"a": 1, "b": 2, "c": 3}, "default": "c", "rules": rules},
                  contexts("x", [MISSING, "v0", "v1", "v999", "v1000", 5]),
                  lambda given: {"v0": "a", "v1": "b", "v999": "b"}.get(given.get("x"), "c"))

    def add_splits(self, keys):
        """The first three are asked with all keys, the others with every tenth; what is no text gets the default."""
        def text(given, path):
            for part in path.split("."):
                given = given.get(part) if isinstance(given, dict) else None
            return isinstance(given, str)

        def split(shares, asked, path="targetingKey", when=None, seeds=(), **more):
            """`seeds`: by environment, where not all lists can have this one."""
            values = {name: index for index, name in enumerate(shares)}
            rule = {"split": shares, **({"when": when} if when else {}), **more}
            elsewhere = {"environments": {name: {"rules": [{**rule, "seed": seed}]} for name, seed in seeds}}
            whole = [name for name, share in shares.items() if share == 100]

            def expected(given):
                if not text(given, path) or when and given.get("x") != "DE":
                    return "default"
                return whole[0] if whole else None

            return self.flag("split", {"variants": {**values, "default": -1}, "default": "default", "rules": [rule],
                                       **(elsewhere if seeds else {})},
                             asked, expected, f"split {shares} {more or ''}{' when x is DE' if when else ''}")

        every = contexts("targetingKey", keys)
        others = contexts("targetingKey", [*corpus.OTHER_KEYS, *corpus.UNICODE_KEYS])
        some = every[::10] + others
        quarter = split({"a": 25, "b": 75}, every + others)
        split({"a": 10, "b": 20, "c": 70}, every + others)
        split({"a": 37.123, "b": 62.877}, every + others)
        split({"a": 0.001, "b": 99.999}, some)
        split({"a": 0, "b": 100}, some)
        split({"a": 100, "b": 0}, some)
        split({"a": 33.333, "b": 33.333, "c": 33.334}, some)
        split({"a": 10, "b": 0, "c": 20, "d": 0, "e": 70}, some)
        split({"a": 50, "b": 50}, some, seed="seed of its own/1")
        split({"a": 50, "b": 50}, some, seed="s" * 58)
        split({"a": 50, "b": 50}, some + [{**given, "x": "DE"} for given in some], when={"attribute": "x", "is": "DE"})
        split({"a": 50, "b": 50}, contexts("x", corpus.VALUES) + contexts("x", keys[::10]), path="x", bucketBy="x")
        split({"a": 50, "b": 50}, [{"account": value} for value in (None, 1, "k", [], {}, ["k"], {"id": None},
                                                                    {"id": 5})] +
              [{"account": {"id": key}} for key in keys[::20]], path="account.id", bucketBy="account.id")
        split({"a": 50, "b": 50}, some, seeds=(("weir", "ä"), ("weir-flagd", "ä"), ("weir-js", "  x ")))
        # The same seed throughout: whom a share has, a larger one has too.
        self.growth = {split({"a": share, "b": 100 - share}, every[::5], seed="growth"): share
                       for share in (1, 12.5, 50)}
        self.condition("split", {"flag": {"name": quarter, "is": "a"}}, some,
                       lambda given: None if text(given, "targetingKey") else False)
        self.condition("split", {"not": {"flag": {"name": quarter, "is": "default"}}}, some,
                       lambda given: text(given, "targetingKey"))
