"""Where an engine is known to answer otherwise, with the reason in words: nothing else may differ.

A limit names the engines, the groups of flags and the contexts as narrowly as it can. One that covers no difference any
more is an error: what it says is then no longer so.
"""
import dataclasses
import re
import typing

from corpus import TIMES
from meaning import RFC3339, TIME_SHAPE


@dataclasses.dataclass
class Limit:
    engines: tuple
    groups: tuple
    reason: str
    covers: typing.Callable  # (case, context) -> bool

    def applies(self, engine, case, context):
        return engine in self.engines and case.group in self.groups and self.covers(case, context)


NPM = ("npm", "npm-interpreted")
NUMERIC = ("lt", "lte", "gt", "gte", "between", "before", "after")


def bucketing_key(case, context):
    """What the split draws from."""
    account = context.get("account")
    keys = [context.get("targetingKey"), context.get("x") if "'bucketBy': 'x'" in case.about else None,
            account.get("id") if isinstance(account, dict) else None]
    return next((key for key in keys if isinstance(key, str)), "")


def stopped_at(case, context):
    """The value below which the flag's path would go on, though it is no object; None where it is walked to its end."""
    found, inner = re.search(r"'(?:attribute|bucketBy)': '([^']+)'", case.about), context
    for part in found[1].split(".") if found else ():
        if not isinstance(inner, dict):
            return inner
        inner = inner.get(part)
    return None


def number_parts(version):
    return [int(part) for part in re.findall(r"\d+", version)]


def is_partial_with_suffix(case, context):
    return re.fullmatch(r"v?\d+(\.\d+)?[-+].*", str(context.get("x")), re.A) is not None


LIMITS = [
    # --- semver
    Limit(("core1", "core2"), ("semver",),
          "2.4-rc1 and 2.4+b: a suffix behind a version with parts left out counts in Python only", is_partial_with_suffix),
    Limit(("java",), ("semver",), "2.4: a version with parts left out is none in Java",
          lambda case, context: re.fullmatch(r"v?\d+\.\d+", str(context.get("x")), re.A) is not None),
    Limit(("java",), ("semver",), "numbers of a version beyond 32 bits make it none in Java",
          lambda case, context: max(number_parts(str(context.get("x"))), default=0) > 2 ** 31 - 1),
    Limit(("core1", "core2", "flagd"), ("semver",), "numbers of a version beyond 2^53 make it none in JavaScript and weir",
          lambda case, context: max(number_parts(str(context.get("x"))), default=0) > 2 ** 53),
    # --- numbers and times
    Limit(NPM, NUMERIC, "an object with a key toString cannot be made a string in JavaScript",
          lambda case, context: isinstance(context.get("x"), dict) and "toString" in context["x"]),
    Limit(("java",), ("before", "after"),
          "letters in the digit places of a time: Java compares numbers, the others strings",
          lambda case, context: context.get("x") in TIMES and TIME_SHAPE.fullmatch(context["x"]) and
          not RFC3339.fullmatch(context["x"])),
    Limit(("java",), ("in", "notIn"), "-0.0 is not in a list with 0 in Java",
          lambda case, context: repr(context.get("x")) == "-0.0"),
    # --- paths
    Limit(("flagd",), ("paths", "names", "split"), "a path that goes on below a list reads the list's entries in Go",
          lambda case, context: isinstance(stopped_at(case, context), list)),
    Limit(("java",), ("paths", "names", "split"),
          "a path that goes on below a list is an error in Java, but for 0 and length",
          lambda case, context: isinstance(stopped_at(case, context), list)),
    Limit(("npm-interpreted",), ("paths", "names"),
          "a path that goes on below false, 0 or an empty string gives that value",
          lambda case, context: stopped_at(case, context) in (False, 0, "")),
    # --- splits
    Limit(NPM, ("split",), "JavaScript hashes UTF-16 units: keys that are not ASCII fall into other buckets",
          lambda case, context: not bucketing_key(case, context).isascii()),
    Limit(("core2",), ("split",),
          "the third generation hashes CBOR, whose header counts bytes: only ASCII keys are padded to it",
          lambda case, context: not bucketing_key(case, context).isascii()),
    Limit(("core1", "flagd"), ("split",), "Python and Go count characters, not UTF-16 units: keys with characters beyond them are padded differently",
          lambda case, context: any(ord(mark) > 0xFFFF for mark in bucketing_key(case, context))),
    # --- the rest
    Limit(("java",), ("flag",), "a disabled flag is not found by Java's provider",
          lambda case, context: case.about == "enabled: false"),
]
