"""`weir status` against a running controller, and against others that only say they are one."""
import contextlib
import fcntl
import http.server
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time

import pytest
import weir

TARGET = """\
apiVersion: weir/v1
kind: Target
metadata: {name: files}
spec: {environment: production, file: {path: flags.json}}
"""
BROKEN = "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: x}\nspec:\n  variants: {on: true}\n  default: off\n"


def url(running):
    return f"http://{running.host}:{running.port}"


def status(address, *arguments, **keywords):
    return weir.run("status", "--controller", address, *arguments, **keywords)


def test_good_then_degraded_then_unreachable(repository, tmp_path):
    commit = repository.commit({"targets/files.yaml": TARGET})
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        weir.wait_until(lambda: [target["state"] for target in running.status()["targets"]] == ["inSync"], "the target")
        good = status(url(running))
        assert good.code == 0, good
        assert re.search(rf"^production +{commit[:12]} +0\.2\.0\.0 +2 +.*\(\d{{4}}-.*Z\)$", good.out, re.MULTILINE), good
        assert re.search(r"^files +file +production +in sync +0\.2\.0\.0 +no ", good.out, re.MULTILINE), good
        assert f"✓ all good: commit {commit[:12]} is served" in good.out
        assert "\x1b" not in good.out and good.err == ""

        found = status(url(running) + "/", "--format", "json")
        assert found.code == 0 and found.json() == running.status()

        broken = repository.commit({"flags/broken.yaml": BROKEN})
        running.fetch()
        weir.wait_until(lambda: running.status()["errors"], "the fault")
        bad = status(url(running))
        assert bad.code == 1, bad
        words = " ".join(bad.out.split())
        assert f"✗ commit {broken[:12]}, the newest, is served without what is wrong in it: 1 error, 0 warnings" in words
        assert "Flag x is not there yet" in bad.out
        assert "flags/broken.yaml:6:12: error[W303]:" in bad.out
        assert "all good" not in bad.out
        assert status(url(running), "--format", "json").code == 1
    gone = status(url(running))
    assert gone.code == 2 and gone.out == "" and "cannot be reached" in gone.err


def test_colours(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        assert "\x1b[32m✓\x1b[0m" in status(url(running), "--color", "always").out
        assert "\x1b" not in status(url(running), "--color", "never").out
        code, shown = on_terminal(["status", "-c", url(running)])
        assert code == 0 and b"\x1b[32m" in shown
        code, shown = on_terminal(["status", "-c", url(running)], NO_COLOR="1")
        assert code == 0 and b"\x1b" not in shown


@pytest.mark.parametrize("arguments, words", [
    (["-c", "ftp://host"], '"ftp://host" is not the URL of a controller'),
    (["-c", "nonsense nonsense"], "is not the URL of a controller"),
    (["-c", "http://ann:secret@host"], 'a user does not belong into the URL; use "--token-file"'),
    (["--token-file", "/nowhere/token"], "cannot open '/nowhere/token'"),
    (["--interval", "soon"], '"--interval": "soon" is not a duration from 100ms to 1h'),
    (["--interval", "1ms"], '"--interval": "1ms" is not a duration from 100ms to 1h'),
])
def test_misuse(arguments, words):
    done = weir.run("status", *arguments)
    assert done.code == 2 and words in done.err and done.out == "", done
    assert "secret@" not in done.err


# --- other controllers --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def serving(answer):
    """An HTTP server whose GET handler is answer(handler); yields its URL and what was asked of it."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            asked.append((self.path, dict(self.headers)))
            answer(self)

        def log_message(self, *arguments):
            pass

        def reply(self, code, body=b"", **headers):
            self.send_response(code)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_token_goes_to_the_controller_alone(tmp_path):
    (tmp_path / "token").write_text("abc.DEF-123\nsecond line\n")
    with serving(lambda handler: handler.reply(200, b"{}")) as (elsewhere, elsewhere_asked):
        def redirect(handler):
            handler.reply(302, Location=elsewhere + "/status")
        with serving(redirect) as (address, asked):
            done = status(address, "--token-file", tmp_path / "token")
    assert done.code == 2 and "answers 302" in done.err
    assert asked[0][0] == "/status" and asked[0][1]["Authorization"] == "Bearer abc.DEF-123"
    assert elsewhere_asked == []
    (tmp_path / "token").write_text("a\rX-Evil: b\n")
    done = status("http://127.0.0.1:1", "--token-file", tmp_path / "token")
    assert done.code == 2 and "holds spaces or control characters" in done.err


@pytest.mark.parametrize("code, body, words", [
    (401, b"", "refuses (401): give a token by \"--token-file\""),
    (403, b"", "refuses (403)"),
    (503, b"{}", "answers 503: is that a controller"),
    (200, b"<html>", "does not answer with a JSON object"),
    (200, b"[]", "does not answer with a JSON object"),
    (200, b"", "does not answer with a JSON object"),
    (200, b'{"a":"\xff"}', "does not answer with a JSON object"),
    (200, b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", "does not answer with a JSON object"),
    (200, b" " * (65 << 20), "answers more than 64 MiB"),
], ids=["401", "403", "503", "html", "list", "empty", "no-utf8", "deep", "large"])
def test_answers_that_are_none(code, body, words):
    with serving(lambda handler: handler.reply(code, body)) as (address, _):
        done = status(address)
        assert done.code == 2 and words in done.err and done.out == "", done


def test_nothing_steers_the_terminal():
    evil = "\x1b]0;owned\x07\x9b2J\u202e\r\n\x7f"
    body = json.dumps({"commit": evil, "tip": evil, "tipServed": False, "version": evil, "errors": 1,
                       "faults": [{"message": evil, "path": evil}], "lastFetch": {"failures": 1, "error": evil},
                       "targets": [{"name": evil, "state": evil, "fault": {"message": evil}}]}).encode()
    with serving(lambda handler: handler.reply(200, body)) as (address, _):
        for form in ("text", "json"):
            done = status(address, "--format", form)
            assert done.code == 1
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", done.out), done.out
            if form == "json":
                assert done.json() == json.loads(body), "what is escaped is the same JSON"


def test_ages_are_by_the_clock_of_the_controller():
    body = json.dumps({"commit": "a" * 40, "since": "2001-02-03T04:05:06Z",
                       "environments": [{"name": "only", "flags": 1}]}).encode()

    def answer(handler):
        handler.date_time_string = lambda timestamp=None: "Sat, 03 Feb 2001 04:10:06 GMT"
        handler.reply(200, body)
    with serving(answer) as (address, _):
        assert "5 min ago (2001-02-03T04:05:06Z)" in status(address).out


# --- on a terminal ------------------------------------------------------------------------------------------------


class Terminal:
    """The program on a pseudo-terminal."""

    def __init__(self, arguments, rows=24, columns=80, **environment):
        self.end, other = pty.openpty()
        self.resize(rows, columns)
        env = weir.environment(TERM="xterm", **environment)
        self.process = subprocess.Popen([weir.program(), *arguments], stdin=other, stdout=other, stderr=other, env=env,
                                        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(other)
        self.shown = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds):
        """Reads what comes; False at the end."""
        if not select.select([self.end], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.end, 65536)
        except OSError:  # how a pseudo-terminal says that the other end is gone
            return False
        self.shown += data
        return bool(data)

    def wait_until(self, seen, what="it"):
        end = time.monotonic() + weir.PATIENCE
        while not seen():
            assert self.read(0.1) or seen(), (what, self.shown)
            assert time.monotonic() < end, f"waited in vain for {what}: {self.shown!r}"

    def wait_for(self, words, count=1):
        self.wait_until(lambda: self.shown.count(words) >= count, repr(words))

    def whole(self):
        """What was shown without the newest frame, of which a part may not have come."""
        begins = [found.start() for found in re.finditer(rb"\x1b\[(\d+A\r\x1b\[J|H\x1b\[2J)", self.shown)]
        return self.shown[:begins[-1]]

    def finish(self):
        end = time.monotonic() + weir.PATIENCE
        while self.read(0.1) and time.monotonic() < end:
            pass
        code = self.process.wait(weir.PATIENCE)
        os.close(self.end)
        return code


def on_terminal(arguments, **environment):
    terminal = Terminal(arguments, **environment)
    return terminal.finish(), terminal.shown


def screen(data, rows, columns):
    """What a terminal shows after `data`: enough of one for what weir writes."""
    lines, row, column = [""] * rows, 0, 0
    for part in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|\r|\n|[^\x1b\r\n]", data.decode()):
        if part == "\r":
            column = 0
        elif part == "\n":
            row += 1
        elif part.startswith("\x1b["):
            kind, number = part[-1], part[2:-1]
            if kind == "A":
                row = max(0, row - int(number or 1))
            elif kind == "J":
                first = 0 if number == "2" else row
                lines[first:] = [lines[row][:column] if i == row and number != "2" else ""
                                 for i in range(first, rows)]
            elif kind == "H":
                row = column = 0
            else:
                assert kind == "m", part
        else:
            assert column < columns, f"a line is too wide: {lines[row]!r}"
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + 1:]
            column += 1
        if row == rows:  # it scrolls
            lines, row = lines[1:] + [""], row - 1
    return lines


def test_watching_draws_in_place(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        terminal = Terminal(["status", "--watch", "--interval", "100ms", "--controller", url(running)])
        terminal.wait_for(b"all good", 3)
        broken = repository.commit({"flags/broken.yaml": BROKEN})
        running.fetch()
        terminal.wait_for(f"commit {broken[:12]}, the newest, is served without".encode())
        terminal.wait_for(b"weir 0.1.0 at", terminal.shown.count(b"weir 0.1.0 at") + 1)
        os.write(terminal.end, b"\x03")  # Ctrl-C
        assert terminal.finish() == 1
        # On a real terminal the echo of ^C may stand on the last line.
        lines = [line for line in screen(terminal.shown, 24, 80) if line.strip() not in ("", "^C")]
        assert lines[0].startswith("ENVIRONMENT") and lines[1].startswith("production"), lines
        assert sum(line.startswith("ENVIRONMENT") for line in lines) == 1, lines
        assert lines[-1].startswith("weir 0.1.0 at "), lines


def test_watching_goes_on_while_the_controller_is_away(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        address = url(running)
        terminal = Terminal(["status", "-w", "--interval", "100ms", "-c", address])
        terminal.wait_for(b"all good")
    terminal.wait_for(b"cannot be reached", 2)
    lines = screen(terminal.whole(), 24, 80)
    assert any("✗ " in line and "cannot be reached" in line for line in lines), lines
    again = weir.Controller("--repo", repository.url, "--data", tmp_path / "data", "--listen", address[len("http://"):])
    try:
        # What was known before stands below "cannot be reached": the next one is an answer.
        terminal.wait_until(lambda: terminal.shown.rpartition(b"cannot be reached")[2].count(b"all good") > 1)
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.finish() == 0
    finally:
        again.kill()


def test_watching_a_terminal_that_is_small_and_changes(repository, tmp_path):
    targets = "---\n".join(TARGET.replace("files", f"files-{i}").replace("flags.json", f"{i}.json") for i in range(40))
    repository.commit({"targets/files.yaml": targets})
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        terminal = Terminal(["status", "-w", "--interval", "100ms", "-c", url(running)], rows=12, columns=44)
        terminal.wait_for(b"ENVIRO", 4)
        lines = screen(terminal.whole(), 12, 44)
        assert lines[0].startswith("ENVIRO"), lines
        terminal.resize(30, 100)
        terminal.wait_for(b"LAST SUCCESS")
        terminal.wait_for(b"ENVIRONMENT", terminal.shown.count(b"ENVIRONMENT") + 2)
        shown = terminal.whole()
        after = screen(shown[shown.rindex(b"\x1b[2J") - 3:], 30, 100)
        assert after[0].startswith("ENVIRONMENT"), after
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.finish() in (0, 1)


def test_watching_into_a_pipe(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        process = subprocess.Popen([weir.program(), "status", "--watch", "--interval", "100ms", "--format", "json",
                                    "--controller", url(running)], stdout=subprocess.PIPE, env=weir.environment())
        lines = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        process.stdout.close()
        assert process.wait(weir.PATIENCE) == 0
        assert all(line["commit"] == running.status()["commit"] for line in lines)
