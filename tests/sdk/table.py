"""What every SDK must answer: CASES, one row an evaluation, and FAULTS, where a provider is known to answer otherwise.

A fault is asserted like everything else: when a new release of a provider mends it, the test fails, and the row goes.
"""
from dataclasses import dataclass, replace

ANN = {"targetingKey": "ann"}
OVER_OFREP = ("js-server", "js-newest", "js-web", "python", "java", "rust")
IN_PROCESS = ("flagd-core-1", "flagd-core-2")  # from the document of production


@dataclass(frozen=True)
class Answer:
    value: object
    variant: str | None
    reason: str
    error: str | None
    metadata: tuple  # of (name, value)

    def details(self):
        return {"value": self.value, "variant": self.variant, "reason": self.reason, "errorCode": self.error,
                "flagMetadata": dict(self.metadata)}


@dataclass(frozen=True)
class Case:
    name: str
    flag: str
    kind: str
    default: object
    context: dict | None
    answer: Answer
    environment: str = "production"
    in_process: bool = True  # whether it says something of flagd's evaluator, which knows neither requests nor staging

    @property
    def request(self):
        return self.flag, self.kind, self.default, self.context


def nested(depth):
    return {"in": nested(depth - 1)} if depth else {}


def found(environment, value, variant, reason):
    return Answer(value, variant, reason, None, (("flagSetId", environment),))


def failed(default, error, metadata=()):
    return Answer(default, None, "ERROR", error, metadata)


# name: (flag, type, the caller's default, context, value, variant, reason), in production
FOUND = {
    "boolean": ("release", "boolean", False, ANN, True, "on", "STATIC"),
    "string": ("greeting", "string", "?", ANN, "Grüß Gott 😀", "formal", "STATIC"),
    "string: empty": ("silence", "string", "?", ANN, "", "empty", "STATIC"),
    "integer": ("limit", "integer", 7, ANN, 25, "low", "STATIC"),
    "integer: zero": ("nothing", "integer", 7, ANN, 0, "zero", "STATIC"),
    "integer: negative": ("below-zero", "integer", 7, ANN, -273, "minus", "STATIC"),
    "integer: widest": ("widest", "integer", 7, ANN, 2**53 - 1, "widest", "STATIC"),
    "float": ("ratio", "float", 0.75, ANN, 0.25, "quarter", "STATIC"),
    "float: whole": ("whole-ratio", "float", 0.75, ANN, 2, "whole", "STATIC"),
    "object": ("theme", "object", {"none": 0}, ANN, {
        "colour": "#101018", "size": 14, "scale": 1.5, "rounded": True, "fonts": ["Inter", "Noto Sans"],
        "nested": {"deep": {"er": "é"}, "list": [1, {"two": 2}], "none": None}}, "dark", "STATIC"),

    "rule: true": ("staff-banner", "string", "?", {**ANN, "email": "ann@acme.example"},
                   "Hello, colleague", "staff", "TARGETING_MATCH"),
    "rule: false": ("staff-banner", "string", "?", {**ANN, "email": "ann@mail.example"}, "Hello", "plain", "DEFAULT"),
    "rule: excluded": ("staff-banner", "string", "?", {"targetingKey": "departed-dora", "email": "dora@acme.example"},
                       "Hello", "plain", "DEFAULT"),
    "split: in": ("checkout", "boolean", False, {"targetingKey": "user-3", "country": "DE"},
                  True, "on", "TARGETING_MATCH"),
    "split: out": ("checkout", "boolean", True, {"targetingKey": "user-1", "country": "DE"},
                   False, "off", "TARGETING_MATCH"),
    "split: no key": ("checkout", "boolean", True, {"country": "DE"}, False, "off", "DEFAULT"),

    "attribute: string": ("attribute-types", "string", "?", {**ANN, "text": "größer 😀"}, "text", "text",
                          "TARGETING_MATCH"),
    "attribute: boolean": ("attribute-types", "string", "?", {**ANN, "flag": True}, "flag", "flag", "TARGETING_MATCH"),
    "attribute: integer": ("attribute-types", "string", "?", {**ANN, "whole": 42}, "whole", "whole", "TARGETING_MATCH"),
    "attribute: float": ("attribute-types", "string", "?", {**ANN, "fraction": 0.5}, "fraction", "fraction",
                         "TARGETING_MATCH"),
    "attribute: list": ("attribute-types", "string", "?", {**ANN, "list": ["alpha", "beta"]}, "list", "list",
                        "TARGETING_MATCH"),
    "attribute: nested": ("attribute-types", "string", "?", {**ANN, "app": {"version": "2.5.0"}}, "inside", "inside",
                          "TARGETING_MATCH"),
    "attribute: null": ("attribute-types", "string", "?", {**ANN, "text": None}, "none", "none", "DEFAULT"),
    "attribute: none": ("attribute-types", "string", "?", ANN, "none", "none", "DEFAULT"),
    "key: empty": ("attribute-types", "string", "?", {"targetingKey": ""}, "none", "none", "DEFAULT"),
    "key: none": ("attribute-types", "string", "?", {}, "absent", "absent", "TARGETING_MATCH"),
    "context: none": ("attribute-types", "string", "?", None, "absent", "absent", "TARGETING_MATCH"),

    "disabled": ("retired", "boolean", False, ANN, False, None, "DISABLED"),
}

# The same, in staging
FOUND_IN_STAGING = {
    "staging: boolean": ("release", "boolean", True, ANN, False, "off", "STATIC"),
    "staging: string": ("greeting", "string", "?", ANN, 'say "hello"\n\\ twice', "quoted", "STATIC"),
    "staging: integer": ("limit", "integer", 7, ANN, 2**31 - 1, "high", "STATIC"),
    "staging: float": ("ratio", "float", 0.75, ANN, 1.5e-7, "tiny", "STATIC"),
    "staging: object": ("theme", "object", {"none": 0}, ANN, {"colour": "#ffffff"}, "light", "STATIC"),
    "staging: no rule": ("staff-banner", "string", "?", {**ANN, "email": "ann@acme.example"},
                         "Hello", "plain", "STATIC"),
    "staging: enabled": ("retired", "boolean", False, ANN, True, "on", "STATIC"),
}

# name: (flag, type, the caller's default), of another type than the flag's
MISMATCHED = {
    "mismatch: boolean as string": ("release", "string", "?"),
    "mismatch: boolean as object": ("release", "object", {"none": 0}),
    "mismatch: string as boolean": ("greeting", "boolean", True),
    "mismatch: string as integer": ("greeting", "integer", 7),
    "mismatch: integer as boolean": ("limit", "boolean", True),
    "mismatch: object as string": ("theme", "string", "?"),
    "mismatch: float as integer": ("ratio", "integer", 7),
}


def all_cases():
    for name, (*request, value, variant, reason) in FOUND.items():
        yield Case(name, *request, found("production", value, variant, reason))
    for name, (*request, value, variant, reason) in FOUND_IN_STAGING.items():
        yield Case(name, *request, found("staging", value, variant, reason), "staging", False)
    for name, (flag, kind, default) in MISMATCHED.items():
        yield Case(name, flag, kind, default, ANN, failed(default, "TYPE_MISMATCH", (("flagSetId", "production"),)))
    yield Case("unknown flag", "nowhere", "string", "?", ANN, failed("?", "FLAG_NOT_FOUND"))
    yield Case("unknown environment", "release", "boolean", False, ANN, failed(False, "GENERAL"), "nowhere", False)
    yield Case("context: invalid", "release", "boolean", False, {"targetingKey": 7}, failed(False, "INVALID_CONTEXT"),
               in_process=False)
    yield Case("context: too deep", "release", "boolean", False, {**ANN, "deep": nested(100)},
               failed(False, "PARSE_ERROR"), in_process=False)


CASES = list(all_cases())


@dataclass(frozen=True)
class Fault:
    sdks: tuple
    applies: object  # a function of the case
    changes: dict  # what the answer is instead
    why: str


def named(*names):
    return lambda case: case.name in names


def mismatched(case):
    return case.answer.error == "TYPE_MISMATCH"


def succeeds(case):
    return case.answer.error is None


FAULTS = [
    # --- all of a language
    Fault(("js-server", "js-newest", "js-web"), named("mismatch: float as integer"),
          {"value": 0.25, "variant": "quarter", "reason": "STATIC", "error": None},
          "JavaScript has one type of number"),
    Fault(("java",), named("integer: widest"),
          {"value": 7, "variant": None, "reason": "ERROR", "error": "TYPE_MISMATCH"},
          "the SDK's integers have 32 bits"),
    Fault(("rust",), named("attribute: list", "attribute: nested"), {"value": "none", "variant": "none"},
          "the SDK's context has neither lists nor maps; the provider sends their Rust debug text"),
    Fault(("rust",), named("context: too deep"), {"value": True, "variant": "on", "reason": "STATIC", "error": None},
          "the same: what is nested never reaches weir"),

    # --- @openfeature/ofrep-provider 0.1.3
    Fault(("js-server",), named("disabled"), {"reason": "ERROR", "error": "GENERAL", "metadata": ()},
          "it refuses an answer without a value, which means the caller's default"),
    Fault(("js-server",), lambda case: mismatched(case) and case.name != "mismatch: float as integer", {"metadata": ()},
          "its errors carry no metadata"),

    # --- @openfeature/ofrep-web-provider 0.4.3, which knows errors of the whole request only
    Fault(("js-web",), named("unknown flag"), {"metadata": (("flagSetId", "production"),)},
          "it gives the set's metadata with a flag that is not in the set; that is no fault"),
    Fault(("js-web",), named("unknown environment"), {"error": "FLAG_NOT_FOUND"},
          "after a failed start it knows no flag, and says that and not why"),
    Fault(("js-web",), named("context: invalid", "context: too deep"),
          {"value": True, "variant": "on", "reason": "STATIC", "error": None,
           "metadata": (("flagSetId", "production"),)},
          "it keeps the answers for the context before, and tells the error by an event"),

    # --- openfeature-provider-ofrep 0.3.0 of Python
    Fault(("python",), named("float: whole"),
          {"value": 0.75, "variant": None, "reason": "ERROR", "error": "TYPE_MISMATCH", "metadata": ()},
          "it takes the number 2 in JSON for no float"),
    Fault(("python",), named("disabled"), {"reason": "ERROR", "error": "GENERAL", "metadata": ()},
          "it wants a variant in every answer"),
    Fault(("python", "flagd-core-1", "flagd-core-2"), mismatched, {"metadata": ()}, "its errors carry no metadata"),
    Fault(("python",), named("unknown environment"), {"error": "FLAG_NOT_FOUND"},
          "it takes every 404 for an unknown flag"),
    Fault(("python", "flagd-core-1", "flagd-core-2"), named("key: empty"),
          {"value": "absent", "variant": "absent", "reason": "TARGETING_MATCH"}, "it drops an empty targeting key"),

    # --- dev.openfeature.contrib.providers:ofrep 0.0.2 of Java
    Fault(("java",), named("float: whole"),
          {"value": 0.75, "variant": None, "reason": "ERROR", "error": "TYPE_MISMATCH"},
          "it takes the number 2 in JSON for no double"),
    Fault(("java",), named("disabled"), {"reason": "ERROR", "error": "FLAG_NOT_FOUND"},
          "it takes an answer without a value for an unknown flag"),
    Fault(("java",), named("mismatch: boolean as object"),
          {"value": True, "variant": "on", "reason": "STATIC", "error": None}, "it takes every value for an object"),
    Fault(("java",), named("attribute: null"),
          {"value": "?", "variant": None, "reason": "ERROR", "error": "GENERAL", "metadata": ()},
          "it cannot send an attribute that is null"),
    Fault(("java",), named("context: too deep"), {"error": "INVALID_CONTEXT"},
          "it takes every 400 for an invalid context"),
    Fault(("java",), named("unknown environment"), {"error": "FLAG_NOT_FOUND"},
          "it takes every 404 for an unknown flag"),

    # --- open-feature-ofrep 0.1.2 of Rust
    Fault(("rust",), succeeds, {"reason": "STATIC", "metadata": ()}, "it passes on neither reason nor metadata"),
    Fault(("rust",), named("object"), {"value": {
        "colour": "#101018", "size": 14, "scale": 1.5, "rounded": True, "fonts": ["Inter", "Noto Sans"],
        "nested": {"deep": {"er": "é"}, "list": [1, {"two": 2}], "none": ""}}},
        "it takes null inside an object for an empty string"),
    Fault(("rust",), named("disabled"), {"reason": "ERROR", "error": "PARSE_ERROR"},
          "it wants a value in every answer"),
    Fault(("rust",), mismatched, {"error": "PARSE_ERROR", "metadata": ()},
          "it takes a value of another type for an answer that cannot be read"),
    Fault(("rust",), named("unknown environment"), {"error": "FLAG_NOT_FOUND"},
          "it takes every 404 for an unknown flag"),
]


def expected(sdk, case):
    """What that SDK answers, and why that is not what it should, if so."""
    answer, reasons = case.answer, []
    for fault in FAULTS:
        if sdk in fault.sdks and fault.applies(case):
            answer = replace(answer, **fault.changes)
            reasons.append(fault.why)
    return answer.details(), reasons


def cases_of(sdk):
    return [case for case in CASES if case.in_process or sdk not in IN_PROCESS]
