"""weir start, kill and the others through a controller: what is printed, and what stands afterwards."""
import contextlib
import http.server
import json
import re
import threading

import pytest
import weir
from rolling import ann, answered, folder, server  # noqa: F401  (fixtures)
from serving import tokens  # noqa: F401  (a fixture)
from test_status import Terminal

PLACE = "production/checkout-v2"


@pytest.fixture
def ask(server, ann, tmp_path):  # noqa: F811
    (tmp_path / "token").write_text(ann + "\n")

    def run(verb, *arguments, place=PLACE):
        return weir.run(verb, place, "--controller", server.url, "--token-file", tmp_path / "token", *arguments)
    return run


def words(text):
    return " ".join(text.split())


def test_from_start_to_unkill(server, ask):  # noqa: F811
    done = ask("start", "--reason", "it is time")
    assert done.code == 0 and done.err == "", done
    commit = server.rollouts()["commit"]
    assert done.out.startswith(f"recorded {commit[:12]} by http://127.0.0.1:{server.port}\n"), done
    lines = [line.split() for line in done.out.splitlines()]
    assert ["BEFORE", "AFTER"] in lines and ["status", "pending", "running"] in lines, done
    assert ["phase", "-", "canary", "1/3"] in lines and ["users", "0", "%", "5", "%"] in lines, done
    assert done.out.endswith("\nby ann\n") and "\x1b" not in done.out

    assert words(ask("start").out) == f"{PLACE} is so already: nothing to do"
    assert ask("approve").code == 0 and server.one("checkout-v2")["approvals"]["given"] == 1
    assert ask("halt", "--reason", "queue").code == 0
    assert server.one("checkout-v2")["holds"][0]["note"] == "queue"
    done = ask("resume", "--lift", "halt", "--lift", "pause", "--format", "json").json()
    assert done["result"] == "recorded" and done["action"] == "resume" and done["rollout"] == PLACE
    assert answered(json.dumps(done["request"]), "Request")["state"] == "recorded"
    for entry in (done["before"], done["after"]):
        answered(json.dumps(entry), "Rollout")
    assert (done["before"]["status"], done["after"]["status"]) == ("held", "running")
    lines = [line.split() for line in ask("kill").out.splitlines()]
    assert ["status", "running", "killed"] in lines and ["users", "5", "%", "0", "%,", "was", "5"] in lines, lines
    assert ask("unkill").code == 0 and server.one("checkout-v2")["status"] == "rolledBack"


def test_refused(server, ask):  # noqa: F811
    done = ask("unkill")
    assert done.code == 1 and done.out == "", done
    assert done.err == f"weir: unkill is refused for {PLACE}, which is pending: " \
                       "cannot unkill: the rollout is pending\n", done
    done = ask("unkill", "--format", "json")
    assert done.code == 1 and done.err == "" and done.json()["result"] == "refused", done
    done = ask("kill", place="production/nothing")
    assert done.code == 1 and done.err == "weir: kill is refused for production/nothing: no such rollout\n", done
    assert server.one("checkout-v2")["status"] == "pending"


def test_served_while_the_branch_is_away(server, ask):  # noqa: F811
    assert ask("start").code == 0
    server.branch("down")
    # It may take longer to be served; who asks again gets the same.
    done = weir.wait_until(lambda: (d := ask("kill", "--wait", "300ms")).code != 2 and d, "it is served")
    assert done.code == 0, done
    shown = words(done.out)
    assert shown.startswith("served, and Git does not say it yet: it is recorded as soon as the branch takes it"), done
    assert "serving control for everybody, Git says running, phase canary by ann" in shown, done
    waits = ask("pause", "--wait", "300ms")
    assert waits.code == 2 and waits.out == "", waits
    found = re.fullmatch(rf"weir: pause of {PLACE} still waits; what becomes of it is told at "
                         rf"http://127\.0\.0\.1:{server.port}(/requests/[0-9a-f]{{32}})\n", waits.err)
    assert found and server.ask(found[1])["state"] == "waiting", waits
    server.branch("up")
    assert server.one("checkout-v2")["status"] == "killed"


def test_progress_on_a_terminal(server, ann, tmp_path):  # noqa: F811
    (tmp_path / "token").write_text(ann)
    server.branch("down")
    terminal = Terminal(["start", PLACE, "-c", server.url, "--token-file", str(tmp_path / "token")])
    terminal.wait_until(lambda: re.search(rf"start of {PLACE}: waiting for \d+ s".encode(), terminal.shown), "progress")
    server.branch("up")
    terminal.wait_for(b"\x1b[1mrecorded\x1b[0m ")
    assert terminal.finish() == 0
    assert b"\r\x1b[K" in terminal.shown and b"\x1b[32mrunning" in terminal.shown


def test_without_the_right(server, tokens, tmp_path):  # noqa: F811
    none = weir.run("kill", PLACE, "--controller", server.url)
    assert none.code == 2 and 'refuses (401): give a token by "--token-file"' in none.err, none
    (tmp_path / "token").write_text(tokens.create("viewer", "production", name="bob"))
    weir.wait_until(lambda: "403" in weir.run("kill", PLACE, "--controller", server.url, "--token-file",
                                              tmp_path / "token").err, "the token is known")
    refused = weir.run("kill", PLACE, "--controller", server.url, "--token-file", tmp_path / "token")
    assert "refuses (403): the token's role is viewer; this needs operator" in refused.err and refused.code == 2
    assert server.one("checkout-v2")["status"] == "pending"


@pytest.mark.parametrize("verb, arguments, message", [
    ("kill", ["--repo", "x"], '"--repo" is of a repository'),
    ("kill", ["--dry-run"], '"--dry-run" is of a repository'),
    ("approve", ["--allowed-signers", "x"], '"--allowed-signers" is of a repository'),
    ("kill", ["--wait", "soon"], '"--wait": "soon" is not a duration up to 1h'),
    ("kill", ["--wait", "2h"], '"--wait": "2h" is not a duration up to 1h'),
    ("resume", ["--lift", "x"], '"--lift x" is no hold'),
    ("kill", ["--reason", "a\nb"], '"reason" is not one line of text'),
    ("kill", ["--reason", "x" * 301], '"reason" is longer than 300 bytes'),
])
def test_misuse(ask, verb, arguments, message):
    done = ask(verb, *arguments)
    assert done.code == 2 and message in done.err and done.out == "", done


# --- other controllers --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def answering(*answers):
    """A server that gives these (status, body) in turn, the last one for ever; yields its URL."""
    left = list(answers)

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            code, body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer

        def log_message(self, *arguments):
            pass

    running = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}"
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


ID = "0" * 32
SUBMITTED = (202, json.dumps({"id": ID, "state": "waiting"}).encode())
EVIL = "\x1b]0;x\x07\u202e"


@pytest.mark.parametrize("answers, code, message", [
    ([(200, b"{}"), (202, b"{}")], 2, "gives no id: is that a controller"),
    ([(200, b"{}"), (202, b'{"id":"../../../../../../../../../../../status"}')], 2, "gives no id"),
    ([(200, b"{}"), (202, b"[]")], 2, "does not answer with a JSON object"),
    ([(200, b"{}"), (200, b"{}")], 2, "answers 200"),
    ([(200, b"[]")], 2, "does not answer with a JSON object"),
    ([(404, b"")], 2, "answers 404: is that a controller"),
    ([(200, b"{}"), (503, b'{"errorDetails":"too many requests wait"}')], 2, "answers 503: too many requests wait"),
    ([(200, b"{}"), SUBMITTED, (404, b'{"errorDetails":"no such request"}')], 2, "answers 404: no such request"),
    ([(200, b"{}"), SUBMITTED, (500, b""), (200, b'{"state":"failed","words":"the branch says no"}')], 2,
     f"kill of {PLACE} has failed, and nothing was done: the branch says no"),
    ([(200, b"{}"), SUBMITTED, (200, json.dumps({"state": "refused", "words": EVIL}).encode())], 1,
     r"\u001b]0;x\u0007\u202e"),
])
def test_answers_that_are_none(answers, code, message):
    with answering(*answers) as url:
        done = weir.run("kill", PLACE, "--controller", url, "--wait", "20s")
    assert done.code == code and message in done.err and done.out == "", done
    assert "\x1b" not in done.err and "\u202e" not in done.err


def test_the_answer_does_not_steer_the_terminal():
    item = {"name": "checkout-v2", "environment": "production", "status": EVIL, "phase": EVIL, "seq": 1}
    rollouts = (200, json.dumps({"rollouts": [item]}).encode())
    request = (200, json.dumps({"state": "recorded", "commit": EVIL, "by": EVIL, "words": EVIL}).encode())
    after = (200, json.dumps({"rollouts": [{**item, "seq": 2}]}).encode())
    for form in ("text", "json"):
        with answering(rollouts, SUBMITTED, request, after) as url:
            done = weir.run("kill", PLACE, "--controller", url, "--format", form)
        assert done.code == 0 and not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", done.out), done
