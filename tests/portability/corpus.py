"""What is asked: the values an attribute may have, the contexts made of them, and the keys that splits draw from.

All of it is made without chance, so that every run asks the same.
"""
import string

MISSING = object()  # the attribute is not in the context

NUMBERS = [0, -0.0, 1, 1.0, -1, 2, 5, 9, 9.999, 10, 10.0, 10.5, 11, 20, -0.5, 0.1, 0.30000000000000004, 2.4, 100, 1500,
           1e21, 1e-7, 1e300, 5e-324, 2147483647, 2147483648, 1234567890123, 9007199254740991, -9007199254740991,
           9007199254740992, 9007199254740993, 1767225599, 1767225600, 1767225601, 1767225600.5]

WORDS = ["", " ", "a", "b", "A", "abc", "DE", "de", "DEF", "xDE", "aDEb", " DE", "DE ", "FR", "D", "é", "e\u0301", "éa",
         "aé", "É", "ß", "😀", "a😀", "\ufb01", "fi", "日本", "\uffff", "a b", "a\nb", "a\u2028b", "a\x7fb", '"q"', "a\\b",
         "a/b", "&<>", "$a", "{}", "[]", "null", "true", "false", "True", "False", "None", "undefined", "NaN",
         "Infinity", "[object Object]", "v7", "v1499", "v1500", "long" * 2000, "DE" + "x" * 5000, "x" * 5000 + "DE"]

NUMERIC_WORDS = ["0", "1", "-1", "10", " 10 ", "10.0", "10.5", "1e1", "0x0A", "1e21", "9", "0010", "+10", "10a"]

VERSIONS = ["2.4.0", "2.4.1", "2.3.9", "2.10.0", "3.0.0", "2.0.0", "1.0.0", "1.9.9", "0.0.0", "2.4.0-rc.1",
            "2.4.0-rc.10", "2.4.0-alpha", "2.4.0-1", "2.4.0-0a", "3.0.0-rc.1", "2.4.0+build", "2.4.0+5", "2.4.0-rc.1+5",
            "v2.4.0", "v2.4.0-rc.1", "V2.4.0", "vv2.4.0", " 2.4.0", "2.4.0 ", "2.4.0\n", "2.4", "v2.4", "2", "v2",
            "2.4-rc1", "2.4+b", "2.4.0.0", "02.4.0", "2.04.0", "2.4.0-01", "2.4.0-", "2.4.0+", "2.4.x", "2..0",
            ".2.4.0", "2.4.", "-2.4.0", "=2.4.0", ">=2.4.0", "2,4,0", "2.4.0-é", "2.4.0_1", "٢.4.0", "2147483647.0.0",
            "0.2147483648.0", "999999999999999.0.0", "9007199254740993.0.0", "v", "v.", "2026-01-01", "1.2.3-DE",
            "2.4.0-rc_1", "2.4.0 -rc"]

TIMES = ["2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", "2026-01-01T00:00:01Z", "2026-01-01T00:00:00.5Z",
         "2025-12-31T23:59:59.999999999Z", "2026-06-01T12:00:00Z", "2026-06-01T11:59:59Z", "2026-06-01T12:00:01Z",
         "1969-07-20T20:17:39Z", "1969-07-20T20:17:41Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
         "2026-01-01T00:00:00+00:00", "2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00-00:00", "2026-01-01",
         "2026-01-31", "2026-01-01T00:00Z", "2026-01-01 00:00:00Z", "2026-01-01t00:00:00z", "2026-01-01T00:00:00",
         "20260101T000000Z", "2026-01-01T00:00:00 Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00ZZ",
         "2026/01/01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-02-30T00:00:00Z", "2026-06-30T23:59:60Z",
         "2O26-01-01T00:00:00Z", "2026-O6-01T00:00:00Z", "aaaa-bb-ccTdd:ee:ffZ", "+026-01-01T00:00:00Z",
         "12026-01-01T00:00:00Z", "2026-01-01T00:00:0éZ", "1767225600"]

LISTS = [[], [""], ["a"], ["DE"], ["DE", "FR"], ["FR", "DE"], ["xDEx"], ["é"], ["v1499"], ["10"], [10], [10.0], [10.5],
         [0], [1], [-0.5], [9007199254740991], [None], [True], [False], [None, "DE"], [1, "DE", None, True], [["DE"]],
         [["DE"], "b"], [[10]], [[["a"]]], [[]], [{}], [{"a": 1}], [{"DE": 1}], [{"var": "x"}], ["2.4.0"], [1767225600],
         ["2026-01-01T00:00:00Z"], [10, 10], list(range(50))]

MAPS = [{}, {"a": 1}, {"DE": True}, {"x": 10}, {"x": {"y": "DE"}}, {"var": "x"}, {"===": [1, 1]}, {"and": []},
        {"length": 2}, {"length": 0}, {"0": "DE", "length": 1}, {"": "DE"}, {"a": None}, {"a": []}, {"toString": 10},
        {"valueOf": 10}, {"constructor": "DE"}]

VALUES = [MISSING, None, True, False, *NUMBERS, *WORDS, *NUMERIC_WORDS, *VERSIONS, *TIMES, *LISTS, *MAPS]
# One or two of each type, where each value is combined with others.
SAMPLE = [MISSING, None, True, False, 0, 1, 10, -0.5, "", "DE", "FR", "10", "2.4.0", [], ["DE"], [10], [None], {},
          {"a": 1}]


def context(**attributes):
    return {name: value for name, value in attributes.items() if value is not MISSING}


def contexts(name, values):
    return [{} if value is MISSING else {name: value} for value in values]


def path_contexts():
    """For a.b and a.b.c: the right place with every type in it, and everything else in the places before it."""
    made = [{}, {"a.b": "DE"}, {"b": "DE"}, {"a.b": "FR", "a": {"b": "DE"}}, {"a": {"b.c": "DE"}},
            {"a": {"": {"b": "DE"}}}]
    made += [{"a": value} for value in SAMPLE if value is not MISSING]
    made += [{"a": {"b": value}} for value in SAMPLE if value is not MISSING]
    made += [{"a": {"b": {"c": value}}} for value in SAMPLE if value is not MISSING]
    made += [{"a": value} for value in (["b"], [{"b": "DE"}], [["b", "DE"]], ["DE", "DE"], {"B": "DE"}, {"b": ["c"]},
                                        {"b": [{"c": "DE"}]}, {"b": "c"}, {"b": {"c": {"c": "DE"}}}, "b", "abc")]
    return made


def bucketing_keys(count):
    """ASCII keys as applications have them, then odd ones, then every printable character at both ends."""
    odd = ["a", "0", "1", "-1", "00", "true", "null", "undefined", "a b", "a/b", "/", "//", "a/", "/a", "a ", "a  ",
           " a", "  a  ", "a\t", "\ta", "a\n", "a\r\n", ".", "..", "a.", "a" + "." * 20, "xx", "xxa", '"', "\\", "a\\b",
           "{}", "[]", "%20", "a%", "user@example.com", "https://example.com/a?b=c#d", "k" * 50, "k" * 110, "k" * 119,
           "k" * 120, "k" * 121, "k" * 1000, "k" * 1000 + "tail", "0" * 64, "\x01", "\x7f", "a\x00b"]
    odd += [f"{mark}a" for mark in string.printable] + [f"a{mark}" for mark in string.printable]
    forms = ["user-{}", "{}", "customer/{}/device", "u{}@example.com", "{:032x}", "Team {} ",
             "{:08d}-4f1e-4c3a-9d2b-7a6c5b4d3e2f"]
    keys = list(dict.fromkeys(odd))
    for index in range(count):
        keys.append(forms[index % len(forms)].format(index * 7919))
    return list(dict.fromkeys(keys))[:count]


# Keys that are no text, and texts that are not ASCII: limits.py tells who is bucketed differently by them.
OTHER_KEYS = [MISSING, None, True, False, 0, 1, 10.5, [], ["a"], {}, {"a": 1}, ""]
UNICODE_KEYS = ["é", "e\u0301", "日本", "😀", "a😀b", "Zoë", "Łódź", "\u00a0", "a\u00a0", "\u2028", "ﬁ", "\uffff", "Ω" * 60]
