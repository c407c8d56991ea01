"""Who is told of what happens: a running controller, a webhook's receiver and a mail server that are real, and restarts."""
import asyncio
import email
import email.policy
import http.server
import json
import threading

import pytest
import weir
from rolling import SHOP as ROLLOUT
from serving import Tokens

BAD_FLAG = weir.SHOP["flags/banner.yaml"].replace("default: plain", "default: nowhere")


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps the CloudEvents that it is sent; answers `status`."""

    daemon_threads = True
    allow_reuse_address = True

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments):
            pass

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.events.append(json.loads(body))
            self.send_response(self.server.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def __init__(self, port=0, status=202):
        super().__init__(("127.0.0.1", port), self.Handler)
        self.status, self.events = status, []
        self.url = f"http://127.0.0.1:{self.server_port}/news"

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,))
        self.thread.start()
        return self

    def __exit__(self, *arguments):
        self.shutdown()
        self.thread.join()
        self.server_close()


class MailServer:
    """aiosmtpd on a free port; `mails` are those that it took."""

    def __init__(self):
        smtp = pytest.importorskip("aiosmtpd.smtp", reason="needs Debian's python3-aiosmtpd")
        self.mails, self.loop = [], asyncio.new_event_loop()
        started = threading.Event()

        def run():
            asyncio.set_event_loop(self.loop)
            self.server = self.loop.run_until_complete(
                self.loop.create_server(lambda: smtp.SMTP(self, loop=self.loop), "127.0.0.1", 0))
            started.set()
            self.loop.run_forever()

        self.thread = threading.Thread(target=run)
        self.thread.start()
        assert started.wait(weir.PATIENCE), "no mail server"
        self.port = self.server.sockets[0].getsockname()[1]

    async def handle_DATA(self, server, session, envelope):
        self.mails.append((envelope.rcpt_tos, email.message_from_bytes(envelope.content, policy=email.policy.default)))
        return "250 OK"

    def __enter__(self):
        return self

    def __exit__(self, *arguments):
        async def end():
            self.server.close()
            self.loop.stop()

        asyncio.run_coroutine_threadsafe(end(), self.loop)
        self.thread.join()
        self.loop.close()


def configured(tmp_path, *channels, **more):
    (tmp_path / "weir.yaml").write_text(json.dumps({"notify": list(channels), **more}) + "\n")
    return "--config", tmp_path / "weir.yaml"


def webhook(url, **more):
    return {"name": "events", "webhook": {"url": url}, **more}


def channel(running, name="events"):
    return next(one for one in running.status()["notify"] if one["channel"] == name)


def test_a_quarantined_commit_is_told_once_to_everybody(repository, tmp_path):
    with Receiver() as receiver, MailServer() as mail:
        post = {"name": "post", "smtp": {"url": f"smtp://127.0.0.1:{mail.port}", "from": "weir@example.com",
                                         "to": ["ann@example.com"], "starttls": "none"}}
        arguments = configured(tmp_path, webhook(receiver.url), post)
        with weir.controller(repository.url, tmp_path / "data", *arguments) as running:
            running.wait_ready()
            bad = repository.commit({"flags/banner.yaml": BAD_FLAG})
            running.fetch()
            weir.wait_until(lambda: receiver.events and mail.mails, f"both are told\n{running.log()}")
            weir.wait_until(lambda: [channel(running, name)["waiting"] for name in ("events", "post")] == [0, 0],
                            "nothing waits")
        # A controller that starts anew judges the same tip, and that is no news.
        with weir.controller(repository.url, tmp_path / "data", *arguments) as running:
            running.wait_ready()
            weir.wait_until(lambda: running.status()["commit"] == bad, "the same commit")
            other = repository.commit({"flags/other.yaml": BAD_FLAG.replace("name: banner", "name: other")})
            running.fetch()
            weir.wait_until(lambda: len(receiver.events) >= 2 and len(mail.mails) >= 2, "the next one is told")
        first, second = receiver.events
        assert (first["type"], first["data"]["event"], first["data"]["commit"]) == (
            "dev.weir.commit.quarantined", "commit.quarantined", bad)
        assert first["data"]["reason"] == "1 error; 1 of 5 definitions stands as before"
        assert first["source"] == (repository.url if "://" in repository.url else f"file://{repository.url}")
        assert second["data"]["commit"] == other and first["id"] != second["id"]
        recipients, letter = mail.mails[0]
        assert recipients == ["ann@example.com"] and "commit.quarantined" in letter.get_content()
        assert len(mail.mails) == 2


def test_only_events_that_are_wanted(repository, tmp_path):
    with Receiver() as receiver:
        arguments = configured(tmp_path, webhook(receiver.url, events=["commit.refused"]))
        with weir.controller(repository.url, tmp_path / "data", *arguments) as running:
            running.wait_ready()
            bad = repository.commit({"flags/banner.yaml": BAD_FLAG})
            running.fetch()
            weir.wait_until(lambda: running.status()["commit"] == bad, "it is in force")
            # Another branch, in which nobody's history is: what was served before still is.
            weir.git(repository.work, "checkout", "--quiet", "--orphan", "rewritten")
            weir.git(repository.work, "commit", "--quiet", "--allow-empty", "-m", "rewritten")
            weir.git(repository.work, "push", "--quiet", "--force", "origin", "HEAD:main")
            rewritten = weir.git(repository.work, "rev-parse", "HEAD")
            running.fetch()
            weir.wait_until(lambda: receiver.events, f"it is told\n{running.log()}")
        (event,) = receiver.events
        assert (event["data"]["event"], event["data"]["commit"]) == ("commit.refused", rewritten)
        assert event["data"]["reason"].startswith("not served: ")


def test_what_people_gave_as_their_reason_is_told(tmp_path):
    """Of a verb that Git has first, and of one that is served first."""
    repository = weir.Repository(tmp_path / "git", {"flags/all.yaml": ROLLOUT})
    tokens = Tokens(tmp_path / "tokens")
    (tmp_path / "token").write_text(tokens.create("operator", "production", name="ann"))
    with Receiver() as receiver:
        arguments = configured(tmp_path, webhook(receiver.url))
        with weir.controller(repository.url, tmp_path / "data", "--tokens", tmp_path / "tokens", *arguments) as running:
            running.wait_ready()
            for verb, reason in (("start", "it is time"), ("kill", "orders are lost")):
                done = weir.run(verb, "production/checkout-v2", "--controller", f"http://127.0.0.1:{running.port}",
                                "--token-file", tmp_path / "token", "--reason", reason)
                assert done.code == 0, done
            weir.wait_until(lambda: any(event["type"] == "dev.weir.rollout.killed" for event in receiver.events),
                            "the kill is told")
    told = {event["data"]["event"]: event["data"] for event in receiver.events}
    for event, reason in (("rollout.started", "it is time"), ("rollout.killed", "orders are lost")):
        assert told[event]["reason"] == reason and f": {reason}, by ann" in told[event]["text"], told[event]


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_what_waits_is_sent_after_a_restart_and_once(repository, tmp_path, how):
    with Receiver(status=503) as away:
        port, url = away.server_port, away.url
        arguments = configured(tmp_path, webhook(url))
        running = weir.Controller("--repo", repository.url, "--data", tmp_path / "data", "--listen", "127.0.0.1:0",
                                  *arguments)
        try:
            running.wait_ready()
            bad = repository.commit({"flags/banner.yaml": BAD_FLAG})
            running.fetch()
            shown = weir.wait_until(lambda: channel(running)["problem"] and channel(running), "it is refused")
            assert shown == {"channel": "events", "problem": f"'{url}': answered 503 to POST",
                             "type": "webhook", "waiting": 1}
        finally:
            running.kill() if how == "kill" else running.stop()
        tried = {event["id"] for event in away.events}
    with Receiver(port) as receiver:
        for _ in range(2):  # the second finds nothing to send
            with weir.controller(repository.url, tmp_path / "data", *arguments) as running:
                running.wait_ready()
                weir.wait_until(lambda: running.status()["commit"] == bad, "the tip is judged again")
                weir.wait_until(lambda: channel(running)["waiting"] == 0, f"it is sent\n{running.log()}", 60)
        assert [event["id"] for event in receiver.events] == list(tried)
        assert receiver.events[0] == away.events[0]


def test_a_damaged_store_is_set_aside_aloud(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
    (tmp_path / "data" / "weir.db").write_bytes(b"no database" * 100)
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        assert "event=store_set_aside" in running.log() and running.status()["notify"] == []
    (kept,) = (tmp_path / "data").glob("weir.db.damaged-*")
    assert kept.read_bytes() == b"no database" * 100


@pytest.mark.parametrize("channels, words", [
    ([webhook("http://a.example/"), webhook("http://b.example/")], 'two channels are called "events"'),
    ([{"name": "chat", "slack": {"url": {"secret": "nowhere"}}}],
     'channel "chat" needs the secret "nowhere": name it under secrets'),
    ([{"name": "events", "webhook": {"url": "ftp://a.example/"}}], "ftp://a.example/"),
    ([{"name": "events"}], "weir.yaml:1:"),
])
def test_configurations_that_make_no_sense(repository, tmp_path, channels, words):
    done = weir.run("run", "--repo", repository.url, "--data", tmp_path / "data", *configured(tmp_path, *channels))
    assert done.code != 0 and words in done.err, done
