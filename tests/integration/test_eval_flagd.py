"""`weir eval --flagd`: one flag of a flagd document, and batches of JSON lines."""
import json
import os
import re
import select
import subprocess
import threading

import pytest
import weir

MIB = 1 << 20
LINE = 2 * MIB  # the longest line of a batch
CONTEXT = MIB  # the largest context

BOOLEAN = {"state": "ENABLED", "variants": {"on": True, "off": False}}


def valued(value, **more):
    return {"state": "ENABLED", "variants": {"it": value, "other": value}, "defaultVariant": "it", **more}


FLAGS = {
    "plain": {**BOOLEAN, "defaultVariant": "on"},
    "dark": {**BOOLEAN, "state": "DISABLED", "defaultVariant": "on"},
    "nothing": BOOLEAN,
    "staff": {**BOOLEAN, "defaultVariant": "off",
              "targeting": {"if": [{"===": [{"var": "email"}, "a@example.com"]}, "on", None]}},
    "echo": {"state": "ENABLED", "variants": {str(i): i for i in range(10)}, "defaultVariant": "0",
             "targeting": {"var": "n"}},
    "lost": {**BOOLEAN, "defaultVariant": "off", "targeting": {"if": [True, "nowhere"]}},
    "broken": {**BOOLEAN, "defaultVariant": "off", "targeting": {"no_such_operator": [1]}},
    "owned": valued("x", metadata={"owner": "payments"}),
    "ключ \"é\"\n": valued("said"),
    "string": valued("text"), "empty": valued(""), "whole": valued(3), "zero": valued(0), "negative": valued(-7),
    "half": valued(0.5), "huge": valued(1e300), "object": valued({"a": [1]}), "no": valued(False),
}


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    path = tmp_path_factory.mktemp("flagd") / "flags.json"
    text = json.dumps({"flags": FLAGS, "metadata": {"flagSetId": "here"}}, ensure_ascii=False)
    # as other tools write numbers; 1.0 and 1e3 are whole, whatever they look like
    more = ('"spelled": {"state":"ENABLED","variants":{"one":1.0,"thousand":1e3,"tiny":1e-3},"defaultVariant":"one",'
            '"targeting":{"var":"which"}}')
    path.write_text(text.replace('"flags": {', '"flags": {' + more + ", ", 1), encoding="utf-8")
    return path


def lines_of(questions):
    return "".join((q if isinstance(q, str) else json.dumps(q, ensure_ascii=False)) + "\n" for q in questions)


def batch(flags, questions, *options, code=0):
    """The answers to `questions`, each an object or the text of a line."""
    result = weir.run("eval", "--flagd", flags, "--batch", *options, stdin=lines_of(questions))
    assert result.code == code, result
    assert bool(result.err) == (code != 0), result
    return [json.loads(line) for line in result.out.splitlines()]


SET = {"metadata": {"flagSetId": "here"}}

# --- one flag -----------------------------------------------------------------------------------------------------


def test_one_flag_for_a_person(flags):
    result = weir.run("eval", "--flagd", flags, "staff", "--context", '{"email":"a@example.com"}')
    assert result.code == 0 and result.err == "", result
    rows = dict(line.split(None, 1) for line in result.out.splitlines())
    assert rows == {"flag": "staff", "value": "true", "variant": "on", "reason": "TARGETING_MATCH",
                    "metadata": '{"flagSetId":"here"}'}


@pytest.mark.parametrize("flag, expected", [
    ("plain", {"value": True, "variant": "on", "reason": "STATIC"}),
    ("staff", {"value": False, "variant": "off", "reason": "DEFAULT"}),
    ("dark", {"reason": "DISABLED"}),
    ("nothing", {"reason": "DEFAULT"}),
    ("empty", {"value": "", "variant": "it", "reason": "STATIC"}),
])
def test_one_flag_for_a_program(flags, flag, expected):
    result = weir.run("eval", "--flagd", flags, "--format", "json", flag)
    assert result.code == 0 and result.json() == {"flag": flag, **expected, **SET}, result


def test_errors_have_a_code_and_words(flags):
    for flag, code in [("lost", "GENERAL"), ("broken", "PARSE_ERROR")]:
        body = weir.run("eval", "--flagd", flags, "--format", "json", flag).json()
        assert body["reason"] == "ERROR" and body["errorCode"] == code and body["errorDetails"], body
        assert "value" not in body and "variant" not in body


def test_a_flag_that_does_not_exist(flags):
    result = weir.run("eval", "--flagd", flags, "--format", "json", "plane")
    assert result.code == 1 and result.json()["errorCode"] == "FLAG_NOT_FOUND", result
    assert result.err == f'weir: flag "plane" does not exist in "{flags}"; did you mean "plain"?\n'


def test_the_document_comes_from_standard_input(flags, tmp_path):
    context = tmp_path / "user.json"
    context.write_text('{"email": "a@example.com"}')
    arguments = ["staff", "--format", "json", "--context"]
    result = weir.run("eval", "--flagd", "-", *arguments, f"@{context}", stdin=flags.read_bytes())
    assert result.json()["value"] is True, result
    missing = weir.run("eval", "--flagd", "-", "stuff", stdin=flags.read_bytes())
    assert missing.code == 1 and 'in "standard input"; did you mean "staff"?' in missing.err
    result = weir.run("eval", "--flagd", flags, *arguments, "-", stdin=context.read_bytes())
    assert result.json()["value"] is True, result


def test_definitions_answer_as_their_document_does(shop, tmp_path):
    document = tmp_path / "flags.json"
    assert weir.run("build", "--env", "production", shop, "-o", document).code == 0
    questions = [(flag, json.dumps({"email": email})) for flag in ("checkout-v2", "banner", "nowhere")
                 for email in ("a@example.com", "a@elsewhere.com")]
    answers = batch(document, [{"flag": flag, "context": json.loads(context)} for flag, context in questions])
    for (flag, context), answer in zip(questions, answers, strict=True):
        one = weir.run("eval", "--flagd", document, "--format", "json", flag, "-c", context)
        other = weir.run("eval", "--env", "production", "--format", "json", "-c", context, shop, flag)
        assert one.out == other.out and one.code == other.code and one.json() == answer


def test_the_generations_of_fractional(tmp_path):
    """The second draws strings only, so a number gets the default; the third draws it by its CBOR."""
    document = tmp_path / "flags.json"
    names = [f"bucket{i}" for i in range(1, 26)]
    document.write_text(json.dumps({"flags": {"draw": {
        "state": "ENABLED", "variants": {name: name for name in [*names, "fallback"]}, "defaultVariant": "fallback",
        "targeting": {"fractional": [{"var": "input"}, *([name, 4] for name in names)]}}}}))
    for options, expected in [([], "fallback"), (["--fractional", "v2"], "fallback"),
                              (["--fractional", "v3"], "bucket23")]:
        result = weir.run("eval", "--flagd", document, "--format", "json", "draw", "-c", '{"input": 1}', *options)
        assert result.json()["value"] == expected, (options, result)
        assert batch(document, [{"flag": "draw", "context": {"input": 1}}], *options)[0]["value"] == expected


# --- documents and contexts that are none -------------------------------------------------------------------------


@pytest.mark.parametrize("text, place, words", [
    ("", "1:1", "expected an object"),
    ("[]", "1:1", "expected an object"),
    ('{"flags": {\n  "a": nul\n}}', "2:8", "expected a value"),
    ('{"flags": {}} x', "1:15", "something stands after the document"),
    ('{"flag": {}}', "1:13", 'document has no "flags"'),
    ('{"flags": {\n "é": {"state": "ENABLED", "variants": {"on": 1}, "defaultVariant": "of"}}}', "2:7",
     "defaultVariant"),
    (b'{"flags": {"\xff": {}}}', "1:13", "UTF-8"),
])
def test_what_is_no_flagd_document(tmp_path, text, place, words):
    document = tmp_path / "flags.json"
    document.write_bytes(text if isinstance(text, bytes) else text.encode())
    for arguments, name, stdin in [([document, "a"], document, b""), ([document, "--batch"], document, b'{"flag":"a"}'),
                                   (["-", "a"], "standard input", document.read_bytes())]:
        result = weir.run("eval", "--flagd", *arguments, stdin=stdin)
        assert result.code == 1 and result.out == "", result
        first, *excerpt = result.err.splitlines()
        assert first.startswith(f"weir: {name}:{place}: ") and words in first
        if not isinstance(text, bytes):
            line, caret = excerpt
            number, column = map(int, place.split(":"))
            assert line == "  " + (text.split("\n")[number - 1]) or "…" in line
            assert caret == " " * (1 + column) + "^"


def test_a_document_that_cannot_be_read(tmp_path):
    for path, words in [(tmp_path / "no.json", "No such file"), (tmp_path, "Is a directory")]:
        for arguments in (["a"], ["--batch"]):
            result = weir.run("eval", "--flagd", path, *arguments)
            assert result.code == 2 and result.out == "" and words in result.err and str(path) in result.err, result


@pytest.mark.parametrize("context, words", [
    ("{", "context:1:2: "), ("[]", "object"), ('{"a":' * 100, "nested deeper than 64 levels"),
    ("@/no/such/file", "No such file"),
    ('{"a": "' + "x" * 100000 + '}', "unfinished string"),
])
def test_a_context_that_is_none(flags, context, words):
    result = weir.run("eval", "--flagd", flags, "plain", "--context", context)
    assert result.code == 2 and result.out == "" and words in result.err and len(result.err) < 1000, result


STRICT = '{"flags": {"a": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on", "note": "?"}}}'


def test_strict_refuses_what_is_else_taken(tmp_path, flags):
    document = tmp_path / "flags.json"
    document.write_text(STRICT)
    assert weir.run("eval", "--flagd", document, "a").code == 0
    for arguments in (["a"], ["--batch"]):
        result = weir.run("eval", "--flagd", document, "--strict", *arguments, stdin='{"flag":"a"}\n')
        assert result.code == 1 and result.out == "", result
        assert re.match(rf"{re.escape(str(document))}:1:\d+: error\[W\d+\]: ", result.err), result
    faults = json.loads(weir.run("eval", "--flagd", document, "--strict", "--format", "json", "a").err)
    assert faults["errors"] >= 1 and faults["diagnostics"][0]["path"] == str(document)
    good = tmp_path / "good.json"
    good.write_text(json.dumps({"flags": {"a": FLAGS["plain"]}}))
    result = weir.run("eval", "--flagd", good, "--strict", "--format", "json", "a")
    assert result.code == 0 and result.json()["value"] is True and result.err == "", result


# --- options ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments, message", [
    (["flag"], '"--env E" is missing: the environment to answer for; or "--flagd FILE": a flagd document'),
    (["--flagd", "F", "--env", "a", "x"], '"--env" is for definitions: leave it out, or leave out "--flagd"'),
    (["--flagd", "F", "--repo", ".", "x"], '"--repo" is for definitions: leave it out, or leave out "--flagd"'),
    (["--flagd", "F", "--rev", "HEAD", "x"], '"--rev" is for definitions: leave it out, or leave out "--flagd"'),
    (["--flagd", "F", "folder", "x"], '"--flagd" reads one file in the place of definitions: leave out "folder"'),
    (["--flagd", "F"], "FLAG is missing"),
    (["--flagd"], '"--flagd" needs a value: FILE'),
    (["--flagd", "-", "--context", "-", "x"], "standard input cannot be both the flagd document and the context"),
    (["--flagd", "-", "--batch"], "standard input cannot be both the flagd document and the batch"),
    (["--env", "a", "--strict", "x"], '"--strict" is for a flagd document: add "--flagd FILE"'),
    (["--env", "a", "--fractional", "v2", "x"], '"--fractional" is for a flagd document: add "--flagd FILE"'),
    (["--env", "a", "--batch"], '"--batch" is for a flagd document: add "--flagd FILE"'),
    (["--flagd", "F", "--fractional", "v1", "x"], '"--fractional" is one of v2|v3, not "v1"; did you mean'),
    (["--flagd", "F", "--batch", "x"], '"--batch" reads the flags from standard input: leave out "x"'),
    (["--flagd", "F", "--batch", "-c", "{}"],
     '"--batch" reads the contexts from standard input: leave out "--context"'),
    (["--flagd", "F", "--batch", "--format", "text"], '"--batch" writes JSON lines: leave out "--format text"'),
    (["--flagd", "F", "--flagd", "G", "x"], '"--flagd" is given twice'),
])
def test_wrong_usage(tmp_path, arguments, message):
    result = weir.run("eval", *arguments, cwd=tmp_path)
    assert result.code == 2 and result.out == "", result
    assert result.err.startswith("weir: " + message) and "usage: weir eval " in result.err, result


def test_help_and_completion_know_the_options():
    text = weir.run("help", "eval").out
    for option in ["--flagd FILE", "--strict", "--fractional", "--batch", "v2|v3", "(default: v2)"]:
        assert option in text, option
    for shell in ["bash", "zsh", "fish"]:
        script = weir.run("help", "--completion", shell).out
        assert all(word in script for word in ["flagd", "strict", "fractional", "batch"]), shell


# --- batches ------------------------------------------------------------------------------------------------------


def test_answers_come_in_the_order_of_the_questions(flags):
    numbers = [(i * 7919) % 10 for i in range(20000)]
    questions = [{"flag": "echo", "context": {"targetingKey": f"u{i}", "n": n}} for i, n in enumerate(numbers)]
    assert batch(flags, questions) == [
        {"flag": "echo", "value": n, "variant": str(n), "reason": "TARGETING_MATCH", **SET} for n in numbers]


def test_what_is_absent_is_absent(flags):
    questions = ["plain", "dark", "nothing", "owned", "missing", "lost", "broken"]
    answers = {answer["flag"]: answer for answer in batch(flags, [{"flag": flag} for flag in questions])}
    assert list(answers) == questions
    assert answers["plain"] == {"flag": "plain", "value": True, "variant": "on", "reason": "STATIC", **SET}
    assert answers["dark"] == {"flag": "dark", "reason": "DISABLED", **SET}
    assert answers["nothing"] == {"flag": "nothing", "reason": "DEFAULT", **SET}
    assert answers["owned"]["metadata"] == {"flagSetId": "here", "owner": "payments"}
    assert answers["missing"] == {"flag": "missing", "reason": "ERROR", "errorCode": "FLAG_NOT_FOUND",
                                  "errorDetails": "flag does not exist"}
    for flag, code in [("lost", "GENERAL"), ("broken", "PARSE_ERROR")]:
        assert set(answers[flag]) == {"flag", "reason", "errorCode", "errorDetails", "metadata"}
        assert (answers[flag]["reason"], answers[flag]["errorCode"]) == ("ERROR", code)


def test_how_a_line_may_be_written(flags):
    strange = "ключ \"é\"\n"
    answers = batch(flags, [
        '  {"context" : {"email":"a@example.com"} ,\t"flag":"staff" } \r',
        '{"flag":"plain","flag":"staff","context":{"email":"a@example.com"},"context":{}}',
        r'{"fl\u0061g":"st\u0061ff","c\u006fntext":{"em\u0061il":"a@ex\u0061mple.com"}}',
        '{"other":[1,{"flag":"no"}],"flag":"plain","more":null}',
        {"flag": strange}, json.dumps({"flag": strange}),
        '{"flag":"plain","context":{"targetingKey":5}}',
        '{"flag":""}',
        r'{"flag":"a\u0000b"}',
    ])
    assert [answer.get("value") for answer in answers] == [True, False, True, True, "said", "said", True, None, None]
    assert [answer["flag"] for answer in answers[4:6]] == [strange, strange]
    assert answers[7]["flag"] == "" and answers[8]["flag"] == "a\0b"
    assert {answer["errorCode"] for answer in answers[7:]} == {"FLAG_NOT_FOUND"}


def test_empty_lines_ask_nothing(flags):
    result = weir.run("eval", "--flagd", flags, "--batch", stdin='\n  \n{"flag":"plain"}\r\n\r\n\t\n{"flag":"dark"}')
    assert result.code == 0, result
    assert [json.loads(line)["flag"] for line in result.out.splitlines()] == ["plain", "dark"], result
    for nothing in ("", "\n", " "):
        result = weir.run("eval", "--flagd", flags, "--batch", stdin=nothing)
        assert (result.code, result.out, result.err) == (0, "", ""), result


FAULTS = [  # the line, the flag that the answer names, code, column, words
    ("nonsense", None, "PARSE_ERROR", 1, "expected a JSON object"),
    ("[]", None, "PARSE_ERROR", 1, "expected a JSON object"),
    ("{}", None, "PARSE_ERROR", 3, '"flag" is missing'),
    ('{"context":{}}', None, "PARSE_ERROR", 15, '"flag" is missing'),
    ('{"flag":1}', None, "PARSE_ERROR", 9, '"flag" must be a string'),
    ('{"flag":"plain","flag":1}', None, "PARSE_ERROR", 24, '"flag" must be a string'),
    ('{"flag":', None, "PARSE_ERROR", 9, "expected a value"),
    ('{"flag":"plain"', "plain", "PARSE_ERROR", 16, "unfinished object"),
    ('{"flag":"plain",}', "plain", "PARSE_ERROR", 17, "expected a key in quotes"),
    ('{"flag":"plain"}{}', "plain", "PARSE_ERROR", 17, "something stands after the object"),
    ('{"flag":"é","x":nul}', "é", "PARSE_ERROR", 17, "expected a value"),
    (r'{"flag":"\ud800"}', None, "PARSE_ERROR", 10, "malformed escape"),
    ('{"flag":"plain","context":[]}', "plain", "INVALID_CONTEXT", 27, '"context" must be an object'),
    ('{"context":null,"flag":"plain"}', "plain", "INVALID_CONTEXT", 12, '"context" must be an object'),
    ('{"flag":"plain","context":"{}"}', "plain", "INVALID_CONTEXT", 27, '"context" must be an object'),
    ('{"flag":"plain","context":{"a":tru}}', "plain", "PARSE_ERROR", 32, "expected a value"),
    ('{"flag":"plain","context":{"a":1e999}}', "plain", "PARSE_ERROR", 32, "not a number"),
    ('{"flag":"plain","context":{"a":' + "[" * 100 + "]" * 100 + "}}", "plain", "INVALID_CONTEXT", 95,
     "nested deeper than 64 levels"),
    ('{"flag":"plain","context":' + '{"a":' * 100000, "plain", "INVALID_CONTEXT", None,
     "nested deeper than 512 levels"),
    ('{"flag":"plain","x":' + "[" * 100000, "plain", "PARSE_ERROR", None, "nested deeper than 512 levels"),
    ('{"flag":"plain","type":"number"}', "plain", "PARSE_ERROR", 24, '"type" must be "boolean", "string", "integer", '
                                                                     '"float" or "object"'),
    ('{"flag":"plain","type":true}', "plain", "PARSE_ERROR", 24, '"type" must be'),
    (b'{"flag":"\xff"}', None, "PARSE_ERROR", 10, "UTF-8"),
    (b'{"flag":"plain"\0}', "plain", "PARSE_ERROR", 16, 'expected "," or "}"'),
]


def test_a_line_that_cannot_be_understood_is_answered_in_its_place(flags):
    good = b'{"flag":"plain"}\n'
    lines = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" + good + b"\n" for line, *_ in FAULTS)
    result = weir.run("eval", "--flagd", flags, "--batch", stdin=lines)
    assert result.code == 1, result.err
    assert result.err == (f"weir: {len(FAULTS)} of {2 * len(FAULTS)} lines could not be understood; "
                          '"errorDetails" in their answers says why\n')
    answers = [json.loads(line) for line in result.out.splitlines()]
    assert len(answers) == 2 * len(FAULTS)
    assert all(answer["value"] is True for answer in answers[1::2])
    for index, ((line, flag, code, column, words), answer) in enumerate(zip(FAULTS, answers[::2], strict=True)):
        known = {"flag"} if flag is not None else set()
        assert set(answer) == {"reason", "errorCode", "errorDetails"} | known, (line, answer)
        assert (answer.get("flag"), answer["reason"], answer["errorCode"]) == (flag, "ERROR", code), (line, answer)
        place = f"<standard input>:{3 * index + 1}:"
        assert answer["errorDetails"].startswith(place) and words in answer["errorDetails"], (line, answer)
        if column:
            assert answer["errorDetails"].startswith(f"{place}{column}: "), (line, answer)


TYPES = {  # which types a flag's value is of
    "plain": "boolean", "no": "boolean", "string": "string", "empty": "string", "whole": "integer float",
    "zero": "integer float", "negative": "integer float", "half": "float", "huge": "integer float", "object": "object",
}


def test_types(flags):
    wanted = ["boolean", "string", "integer", "float", "object"]
    questions = [{"flag": flag, "type": spell(kind)} for flag in TYPES for kind in wanted
                 for spell in (str, str.upper, str.capitalize)]
    for question, answer in zip(questions, batch(flags, questions), strict=True):
        flag, kind = question["flag"], question["type"].lower()
        if kind in TYPES[flag].split():
            assert answer["value"] == FLAGS[flag]["variants"][FLAGS[flag]["defaultVariant"]], question
            assert "errorCode" not in answer, question
        else:
            details = answer.pop("errorDetails")
            assert answer == {"flag": flag, "reason": "ERROR", "errorCode": "TYPE_MISMATCH", **SET}, question
            assert f'not of type "{kind}"' in details and f'of type "{TYPES[flag].split()[0]}"' in details


def test_whole_numbers_by_their_value(flags):
    """How it is spelled does not make it a fraction."""
    answers = batch(flags, [{"flag": "spelled", "type": "integer", "context": {"which": which}}
                            for which in ("one", "thousand", "tiny")])
    assert [answer.get("value") for answer in answers] == [1, 1000, None]
    assert answers[2]["errorCode"] == "TYPE_MISMATCH"


def test_a_type_changes_nothing_where_there_is_no_value(flags):
    for flag in ("dark", "nothing", "missing", "lost", "broken"):
        untyped, typed = batch(flags, [{"flag": flag}, {"flag": flag, "type": "object"}])
        assert untyped == typed and "value" not in typed


# --- batches: how they flow ---------------------------------------------------------------------------------------


class Conversation:
    """`weir eval --batch` at the other end of two pipes."""

    def __init__(self, flags):
        self.process = subprocess.Popen([weir.program(), "eval", "--flagd", flags, "--batch"], bufsize=0,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=weir.environment())
        self.rest = b""

    def write(self, data):
        left = memoryview(data.encode())
        while left:
            left = left[self.process.stdin.write(left):]

    def line(self):
        while b"\n" not in self.rest:
            assert select.select([self.process.stdout], [], [], weir.PATIENCE)[0], "no answer came"
            some = os.read(self.process.stdout.fileno(), 1 << 16)
            assert some, "it ended"
            self.rest += some
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def peak(self):
        """The most memory it has had, in MiB."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmHWM:\s+(\d+) kB", status.read()).group(1)) / 1024

    def finish(self):
        """Closes its input; returns (exit code, what else it said)."""
        out, err = self.process.communicate(timeout=weir.PATIENCE)
        return self.process.returncode, self.rest + out, err.decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def test_each_line_is_answered_before_the_next_is_asked(flags):
    with Conversation(flags) as talk:
        for n in range(200):
            talk.write(json.dumps({"flag": "echo", "context": {"n": n % 10}}) + "\n")
            assert talk.line()["value"] == n % 10
        talk.write("what?\n")
        assert talk.line()["errorCode"] == "PARSE_ERROR"
        talk.write('{"flag":"plain"}\n{"flag":"dark"}\n{"fl')  # two at once, and a part of the third
        assert [talk.line()["flag"], talk.line()["flag"]] == ["plain", "dark"]
        talk.write('ag":"no"}\n')
        assert talk.line()["value"] is False
        talk.write('{"flag":"plain"}')  # the end of the stream ends a line, too
        code, out, err = talk.finish()
        assert code == 1 and json.loads(out)["value"] is True, (code, out, err)
        assert err.startswith("weir: 1 of 205 lines "), err


def test_a_long_line_in_small_pieces(flags):
    """It crosses every boundary of the reader's blocks."""
    line = json.dumps({"flag": "staff", "context": {"pad": "x" * 700_000, "email": "a@example.com"}}) + "\n"
    with Conversation(flags) as talk:
        for _ in range(3):
            for start in range(0, len(line), 9973):
                talk.write(line[start:start + 9973])
            assert talk.line()["value"] is True
        assert talk.finish() == (0, b"", "")


def padded(length, **fields):
    """A line of exactly that many bytes, without its end."""
    line = json.dumps({**fields, "pad": ""})
    return line[:-2] + "x" * (length - len(line)) + line[-2:]


def test_the_longest_line(flags):
    lines = [padded(LINE, flag="plain"), padded(LINE + 1, flag="plain"), padded(10 * MIB, flag="plain"),
             '{"flag":"dark"}', padded(LINE - 1, flag="no"), "y" * (LINE + 1)]
    assert len(lines[0]) == LINE
    answers = batch(flags, lines, code=1)
    assert [answer.get("value") for answer in answers] == [True, None, None, None, False, None]
    assert answers[3]["reason"] == "DISABLED"
    for index in (1, 2, 5):
        assert answers[index] == {"reason": "ERROR", "errorCode": "PARSE_ERROR",
                                  "errorDetails": f"<standard input>:{index + 1}:1: the line is longer than 2 MiB"}
    # and without a line feed at the end of it
    result = weir.run("eval", "--flagd", flags, "--batch", stdin=padded(LINE + 1, flag="plain"))
    assert result.code == 1 and json.loads(result.out)["errorCode"] == "PARSE_ERROR"


def test_the_largest_context(flags):
    def context(length):
        return '{"a":"' + "x" * (length - 8) + '"}'

    questions = ['{"flag":"plain","context":' + context(length) + "}" for length in (CONTEXT, CONTEXT + 1)]
    answers = batch(flags, questions, code=1)
    assert answers[0]["value"] is True
    assert answers[1]["errorCode"] == "INVALID_CONTEXT"
    assert re.search(r":2:27: .*larger than the limit", answers[1]["errorDetails"])


def test_memory_does_not_grow_with_the_batch(tmp_path):
    """200 MB of answers to a few KB of questions, and then many questions: neither is kept."""
    document = tmp_path / "flags.json"
    document.write_text(json.dumps({"flags": {"fat": valued("x" * 100_000), "thin": valued(1)}}))
    with Conversation(document) as talk:
        talk.write('{"flag":"fat"}\n')
        talk.line()
        before = talk.peak()
        for flag, count in [("fat", 2000), ("thin", 200_000)]:
            line = json.dumps({"flag": flag, "context": {"targetingKey": "user"}}) + "\n"
            writer = threading.Thread(target=talk.write, args=(line * count,), daemon=True)
            writer.start()
            left = count
            while left:
                some = os.read(talk.process.stdout.fileno(), 1 << 20)
                assert some, "it ended"
                left -= some.count(b"\n")
            writer.join(weir.PATIENCE)
        assert talk.peak() - before < 16, (before, talk.peak())
        assert talk.finish() == (0, b"", "")


def test_nobody_reads_the_answers(flags, tmp_path):
    questions = tmp_path / "questions"
    questions.write_text('{"flag":"plain"}\n' * 100_000)
    with open("/dev/full", "wb") as full, open(questions, "rb") as stdin:
        done = subprocess.run([weir.program(), "eval", "--flagd", flags, "--batch"], stdin=stdin, stdout=full,
                              stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 2 and b"cannot write to standard output" in done.stderr and done.stderr.count(b"\n") == 1
    pipe = '"$0" eval --flagd "$1" --batch <"$2" | head -n 1'
    done = subprocess.run(["bash", "-c", pipe, weir.program(), flags, questions], capture_output=True, timeout=60,
                          check=False)
    assert json.loads(done.stdout)["value"] is True and done.stderr == b""


def test_nobody_asks(flags):
    closed = '"$0" eval --flagd "$1" --batch <&-'
    done = subprocess.run(["bash", "-c", closed, weir.program(), flags], capture_output=True, timeout=60, check=False)
    assert done.returncode == 2 and done.stdout == b"" and b"cannot read from standard input" in done.stderr
