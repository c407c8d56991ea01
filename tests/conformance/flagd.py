"""flagd's testbed, asked of weir: its cases, three ways of asking, and what a client makes of an answer.

The data is the folder flagd/ below $WEIR_CONFORMANCE, else below ../shared/conformance of this tree:

    evaluator-cases.jsonl   asked of testkit-flags.json
    provider-cases.jsonl    asked of flags/*.json but selector-*, merged, with injectedmetadata=set in every context;
                            a case with a selector that names a selector-* file is asked of that file alone,
                            since weir serves each set of flags as a document of its own

Every way of asking returns {"value"?, "variant"?, "reason"?, "errorCode"?, "metadata"?}; where there is no value the
code's default is to be used, as the client does that is modelled by resolve().
"""
import contextlib
import json
import os
import pathlib
import select
import subprocess
import time
import urllib.parse

import libweir
import weir

CASES = ("evaluator-cases.jsonl", "provider-cases.jsonl")
EVERYTHING = "the merged flags"
STATIC_CONTEXT = {"injectedmetadata": "set"}  # what the testbed's server adds to every context
SKIPPED = {  # by tag
    "@fractional-v1": "the first generation of fractional is gone since flagd 0.15",
    "@deprecated": "the testbed itself calls it deprecated: flagd 0.16 answers otherwise",
}


def folder():
    given = os.environ.get("WEIR_CONFORMANCE")
    return (pathlib.Path(given) if given else weir.ROOT.parent / "shared" / "conformance") / "flagd"


# --- cases ---------------------------------------------------------------------------------------------------------


class Case:
    """One scenario: a flag, a context, the type that the application asks for, and what it must see."""

    def __init__(self, suite, number, fields):
        self.suite, self.fields = suite, fields
        self.flag, self.type, self.default, self.expect = (fields[key] for key in ("flag", "type", "default", "expect"))
        self.generation = "v3" if "@fractional-v3" in fields["tags"] else "v2"
        self.skipped = next((reason for tag, reason in SKIPPED.items() if tag in fields["tags"]), None)
        self.name = f"{pathlib.PurePath(fields['file']).stem}-{fields['line']}-{number}"
        if suite == "evaluator":
            self.document, self.context = "testkit-flags.json", fields["context"]
        else:
            selected = pathlib.PurePath((fields.get("options") or {}).get("selector", "")).name
            self.document = selected if selected.startswith("selector-") else EVERYTHING
            self.context = {**fields["context"], **STATIC_CONTEXT}

    def __str__(self):
        return f"{self.fields['file']}:{self.fields['line']}: {self.fields['scenario']}"


def cases():
    """All of them; [] where the folder is absent."""
    found = []
    for name in CASES:
        path = folder() / name
        if path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines()
            found += [Case(name.split("-")[0], number, json.loads(line)) for number, line in enumerate(lines, 1)]
    return found


def merge(paths):
    """As flagd does with several sources: of equal keys the later one wins."""
    whole = {"flags": {}}
    for path in paths:
        one = json.loads(path.read_text(encoding="utf-8"))
        for key in ("flags", "$evaluators", "metadata"):
            if key in one:
                whole.setdefault(key, {}).update(one[key])
    return whole


def write_documents(into):
    """{name: path} of every document that a case may be asked of."""
    flags = sorted((folder() / "flags").glob("*.json"))
    made = {path.name: path for path in flags if path.name.startswith("selector-")}
    made["testkit-flags.json"] = folder() / "testkit-flags.json"
    made[EVERYTHING] = into / "merged.json"
    made[EVERYTHING].write_text(json.dumps(merge(path for path in flags if path.name not in made)), encoding="utf-8")
    return made


# --- what a client makes of it -------------------------------------------------------------------------------------


def has_type(value, wanted):
    if wanted in ("Integer", "Float"):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and (wanted == "Float" or value == int(value))
    return isinstance(value, {"Boolean": bool, "String": str, "Object": (dict, list)}[wanted])


def resolve(case, answer):
    """The details that the application sees: its own default where there is no value of the type it asked for."""
    details = {"value": case.default, "reason": answer.get("reason"), "errorCode": answer.get("errorCode"),
               "metadata": answer.get("metadata") or {}}
    if details["errorCode"]:
        details["reason"] = "ERROR"
    elif "value" in answer and not has_type(answer["value"], case.type):
        details.update(reason="ERROR", errorCode="TYPE_MISMATCH")
    elif "value" in answer:
        details["value"] = answer["value"]
    return details


def same(a, b):
    """Of JSON: true is not 1, while 1 is 1.0."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def faults(case, details):
    """What differs from what the case expects, in words."""
    wrong = []
    for key, wanted in case.expect.items():
        if key == "metadata_contains":
            lacking = {name: value for name, value in wanted.items()
                       if name not in details["metadata"] or not same(details["metadata"][name], value)}
            if lacking:
                wrong.append(f"metadata lacks {lacking}, has {details['metadata']}")
        elif key == "metadata_empty":
            if bool(details["metadata"]) is wanted:
                wrong.append(f"metadata is {details['metadata']}")
        elif key == "errorCode":
            if (details[key] or "") != wanted:
                wrong.append(f"errorCode: expected {wanted!r}, got {details[key]!r}")
        elif key in ("value", "reason"):
            if not same(details[key], wanted):
                wrong.append(f"{key}: expected {wanted!r}, got {details[key]!r}")
        else:
            wrong.append(f"the case expects something unknown: {key}")
    return wrong


# --- the three ways of asking --------------------------------------------------------------------------------------


def library():
    return pathlib.Path(weir.program()).resolve().parent / "libweir.so"


class Library:
    """libweir.so by its public header."""

    def __init__(self, path, generation):
        self.weir = libweir.Weir(library(), path.read_bytes(), generation)

    def ask(self, case):
        answer = self.weir.decide(case.flag, case.context, int(time.time()))
        answer["errorDetails"], answer["metadata"] = self.weir.details, self.weir.metadata
        has_value = answer["variant"] is not None  # it may be false
        return {key: answer[key] for key in answer if answer[key] or (key == "value" and has_value)}

    def close(self):
        self.weir.close()


def first_line(process, what):
    """The next line of a process's standard output, waited for at most weir.PATIENCE seconds."""
    line, end = b"", time.monotonic() + weir.PATIENCE
    while not line.endswith(b"\n"):
        left = max(0, end - time.monotonic())
        if not select.select([process.stdout], [], [], left)[0]:
            raise AssertionError(f"{what}: nothing came in {weir.PATIENCE} s")
        some = os.read(process.stdout.fileno(), 1 << 16)
        if not some:
            raise ConnectionError(f"{what} ended by itself")
        line += some
    return line.decode()


def end(process):
    process.stdout.close()
    try:
        return process.wait(weir.PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


class Batch:
    """`weir eval --flagd --batch`, asked line by line; the type goes with the question."""

    def __init__(self, path, generation):
        command = [weir.program(), "eval", "--flagd", path, "--batch"]
        if generation != "v2":  # the default
            command += ["--fractional", generation]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=weir.environment())

    def ask(self, case):
        question = {"flag": case.flag, "context": case.context, "type": case.type}
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        self.process.stdin.flush()
        answer = json.loads(first_line(self.process, "weir eval --batch"))
        assert answer.pop("flag") == case.flag
        return answer

    def close(self):
        with contextlib.suppress(BrokenPipeError):  # how it ended is told by its code
            self.process.stdin.close()
        code = end(self.process)
        assert code == 0, f"weir eval --batch ended with {code}"


class Ofrep:
    """The controller's HTTP code over one document, by tests/conformance/serve.c."""

    def __init__(self, path, generation):
        serve = pathlib.Path(weir.program()).resolve().parent / "tests" / "conformance" / "serve"
        assert serve.is_file(), f"{serve} is not there: run make conformance-programs"
        self.process = subprocess.Popen([serve, "--fractional", generation, path], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, env=weir.environment())
        try:
            line = first_line(self.process, "serve").strip()
        except BaseException:
            self.process.kill()
            end(self.process)
            raise
        address = urllib.parse.urlsplit(line.removeprefix("listening on "))
        self.client = weir.Client(address.hostname, address.port)

    def ask(self, case):
        answer = self.client.evaluate(urllib.parse.quote(case.flag, safe=""), case.context)
        body = answer.json()
        assert body.pop("key") == case.flag
        status = {None: 200, "FLAG_NOT_FOUND": 404}.get(body.get("errorCode"), 400)
        assert answer.status == status, answer
        return body

    def close(self):
        self.process.terminate()
        code = end(self.process)
        assert code == 0, f"serve ended with {code}"


WAYS = {"library": Library, "batch": Batch, "ofrep": Ofrep}


class Site:
    """Every document in every generation, by every way, each opened when it is first asked."""

    def __init__(self, into):
        self.documents, self.open = write_documents(into), {}

    def ask(self, way, case):
        key = way, case.document, case.generation
        if key not in self.open:
            self.open[key] = WAYS[way](self.documents[case.document], case.generation)
        try:
            return self.open[key].ask(case)
        except OSError as problem:  # it has gone: that is this case's failure; the next one opens it again
            with contextlib.suppress(OSError, AssertionError):
                self.open.pop(key).close()
            raise AssertionError(f"{case}: by {way} there is no answer: {problem}") from problem

    def close(self):
        with contextlib.ExitStack() as stack:  # also the others when one complains
            for one in self.open.values():
                stack.callback(one.close)
