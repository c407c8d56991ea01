"""What each operator means by the words of schemas/definitions.json, on the values of Python's json.

The engines agreeing only shows that a document is read alike; that it says what its author wrote is shown by this. Each
function gives True or False, or None where the words leave it open.
"""
import re

from corpus import MISSING

VERSION = re.compile(r"v?(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?",
                     re.A)
RFC3339 = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
                     r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?Z",
                     re.A)
# As far as the encoding looks: what passes it without being a time is open.
TIME_SHAPE = re.compile(r".{4}-..-..T..:..:..[.Z].*", re.S)


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def equals(value, operand):
    """Nothing coerces; all numbers are doubles."""
    if is_number(operand):
        return is_number(value) and float(value) == float(operand)
    return type(value) is type(operand) and value == operand


def contains(value, operand):
    if isinstance(value, list):
        return any(equals(item, operand) for item in value)
    if isinstance(operand, str):
        return isinstance(value, str) and operand in value
    return equals(value, operand)  # a number counts as a list of one


def precedence(text):
    """Of semantic versioning 2.0.0, section 11, as a sort key; None for what is no version."""
    found = VERSION.fullmatch(text)
    if not found:
        return None
    release = [int(part) for part in found.groups()[:3]]
    parts = found[4].split(".") if found[4] is not None else None
    if parts and not all(part and (not part.isdigit() or part == "0" or part[0] != "0") for part in parts):
        return None
    return (release, parts is None, [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts or []])


def in_range(value, ranges):
    if not isinstance(value, str) or not re.match(r"v?[0-9]", value, re.A):
        return False
    version = precedence(value)
    if version is None:
        return None
    if max(version[0]) > 2 ** 53 - 1:
        return False
    tests = {"=": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
             ">": lambda a, b: a > b, ">=": lambda a, b: a >= b, "^": lambda a, b: a[0][0] == b[0][0],
             "~": lambda a, b: a[0][:2] == b[0][:2]}
    for bound in ranges.split():
        comparison, literal = re.fullmatch(r"([=!<>^~]*)(.*)", bound).groups()
        if not tests[comparison or "="](version, precedence(literal)):
            return False
    return True


def compare_time(value, operand, digits, before):
    """`digits`: the moment in UTC as 14 digits, where the operand is a string."""
    if is_number(operand):
        return is_number(value) and (value < operand if before else value > operand)
    if not isinstance(value, str):
        return False
    if not RFC3339.fullmatch(value):
        return None if TIME_SHAPE.fullmatch(value) and value.endswith("Z") else False
    seen = re.sub("[^0-9]", "", value)[:14]  # a fraction is cut off
    return seen < digits if before else seen > digits


def holds(operator, operand, value, digits=None):
    """Whether an attribute with this value (or MISSING) passes."""
    value = None if value is MISSING else value
    if operator in ("isNot", "notIn"):
        return not holds({"isNot": "is", "notIn": "in"}[operator], operand, value)
    if operator == "exists":
        return (value is not None) == operand
    if operator in ("before", "after"):
        return compare_time(value, operand, digits, operator == "before")
    if operator == "between":
        return is_number(value) and operand[0] <= value <= operand[1]
    tests = {"is": lambda: equals(value, operand), "in": lambda: any(equals(value, item) for item in operand),
             "startsWith": lambda: isinstance(value, str) and value.startswith(operand),
             "endsWith": lambda: isinstance(value, str) and value.endswith(operand),
             "contains": lambda: contains(value, operand), "semver": lambda: in_range(value, operand),
             "lt": lambda: is_number(value) and value < operand, "lte": lambda: is_number(value) and value <= operand,
             "gt": lambda: is_number(value) and value > operand, "gte": lambda: is_number(value) and value >= operand}
    return tests[operator]()
