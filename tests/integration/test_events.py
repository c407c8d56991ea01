"""Event streams of `weir run`: what a client is told, when, and what is left when it goes or the controller ends."""
import contextlib
import http.client
import json
import re
import resource
import urllib.parse

import pytest
import weir

SHORT = ("--event-heartbeat", "100ms")
EVENT = re.compile(r"id: ([0-9a-f]{32})\nevent: message\ndata: (\{.*\})")


class Stream:
    """A client of one stream: blocks as they come, without heartbeats."""

    def __init__(self, running, path, last_id=None):
        self.connection = http.client.HTTPConnection(running.host, running.port, timeout=weir.PATIENCE)
        self.connection.request("GET", path, headers={"Last-Event-ID": last_id} if last_id else {})
        self.response = self.connection.getresponse()
        self.status, self.headers = self.response.status, self.response.headers

    def block(self):
        """The next one, or None at an orderly end."""
        lines = []
        while line := self.response.readline().decode():
            if line != "\n":
                lines.append(line.rstrip("\n"))
            elif lines != [":"]:
                return "\n".join(lines)
            else:
                lines = []
        assert lines == []
        return None

    def greeting(self):
        """The first block where there is nothing to tell: the id."""
        found = re.fullmatch(r"retry: \d+\nid: ([0-9a-f]{32})", self.block())
        assert found
        return found[1]

    def event(self, first=False):
        """The next event: its id and its data."""
        block = self.block()
        if first:
            retry, block = block.split("\n", 1)
            assert re.fullmatch(r"retry: \d+", retry)
        found = EVENT.fullmatch(block)
        assert found, block
        data = json.loads(found[2])
        assert data.pop("lastModified") > 1_700_000_000
        assert data == {"type": "refetchEvaluation", "etag": f'"{found[1]}"'}
        return found[1]

    def close(self):
        self.connection.close()


@contextlib.contextmanager
def stream(running, path="/env/production/ofrep/v1/stream", last_id=None):
    opened = Stream(running, path, last_id)
    try:
        assert opened.status == 200, opened.response.read()
        assert opened.headers["Content-Type"] == "text/event-stream"
        yield opened
    finally:
        opened.close()


def banner(text):
    return {"flags/banner.yaml": weir.SHOP["flags/banner.yaml"].replace("Hello", text)}


def announced(running, environment):
    """The path of the stream, as a client finds it out; and what its values are now."""
    answer = running.evaluate(None, {"targetingKey": "u"}, environment).json()
    (entry,) = answer["eventStreams"]
    assert entry["type"] == "sse" and entry["inactivityDelaySec"] >= 1 and "url" not in entry
    return entry["endpoint"]["requestUri"], {flag["key"]: flag["value"] for flag in answer["flags"]}


def streams_open(running, environment="production"):
    line = f'weir_event_streams{{environment="{environment}"}} '
    text = running.get("/metrics").body.decode()
    return int(text.split(line)[1].split("\n")[0]) if line in text else 0


@pytest.mark.parametrize("environment", ["production", None])
def test_a_change_reaches_a_client(repository, tmp_path, environment):
    with weir.controller(repository.url, tmp_path / "data", "--default-environment", "production", *SHORT) as running:
        running.wait_ready()
        path, values = announced(running, environment)
        assert path == ("/env/production" if environment else "") + "/ofrep/v1/stream"
        assert values["banner"] == "Hello"
        with stream(running, path) as client:
            first = client.event(first=True)  # what is served is so young that the client may have missed it
            repository.commit(banner("Hi"))
            running.fetch()
            assert client.event() != first
            # What the event tells of is served by then.
            assert announced(running, environment)[1]["banner"] == "Hi"
            repository.commit(banner("Hello"))
            running.fetch()
            assert client.event() == first


def test_only_those_concerned_are_told(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data", *SHORT) as running:
        running.wait_ready()
        with stream(running) as production, stream(running, "/env/staging/ofrep/v1/stream") as staging:
            ids = production.event(first=True), staging.event(first=True)
            checkout = weir.SHOP["flags/checkout.yaml"].replace("staging: {default: on}", "staging: {default: off}")
            for change in ({"README.md": "Flags.\n"},
                           {"flags/checkout.yaml": checkout},
                           {"flags/broken.yaml": "apiVersion: weir/v1\nkind: Flag\n"},
                           {"flags/broken.yaml": None}):
                commit = repository.commit(change)
                running.fetch()
                weir.wait_until(lambda: commit in running.log(), "the commit is taken")
            told = staging.event()
            assert told != ids[1]
            # Of all these one was for staging, and none for production: so the next is the first for both.
            repository.commit(banner("Hi"))
            running.fetch()
            assert production.event() != ids[0]
            assert staging.event() != told
        sent = running.get("/metrics").body.decode()
        assert 'weir_events_sent_total{environment="production"} 2\n' in sent
        assert 'weir_events_sent_total{environment="staging"} 3\n' in sent


def test_a_client_comes_back(repository, tmp_path):
    data = tmp_path / "data"
    with weir.controller(repository.url, data, *SHORT) as running:
        running.wait_ready()
        with stream(running) as client:
            known = client.event(first=True)
    # Another process, and nothing missed.
    with weir.controller(repository.url, data, *SHORT) as running:
        running.wait_ready()
        with stream(running, last_id=known) as client:
            assert client.greeting() == known
            repository.commit(banner("Hi"))
            running.fetch()
            newer = client.event()
    with weir.controller(repository.url, data, *SHORT) as running:
        running.wait_ready()
        with stream(running, last_id=known) as client:
            assert client.event(first=True) == newer


def test_the_end_is_in_order(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data") as running, contextlib.ExitStack() as stack:
        running.wait_ready()
        clients = [stack.enter_context(stream(running)) for _ in range(50)]
        for client in clients:
            client.event(first=True)
        assert streams_open(running) == 50
        assert running.stop() == 0
        for client in clients:
            assert client.block() is None  # a stream that is cut raises IncompleteRead


def test_who_leaves_is_noticed(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data", *SHORT) as running:
        running.wait_ready()
        with contextlib.ExitStack() as stack:
            for _ in range(20):
                stack.enter_context(stream(running)).event(first=True)
            assert streams_open(running) == 20
        weir.wait_until(lambda: streams_open(running) == 0, "all streams are gone")


def test_as_many_as_are_allowed(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data", "--event-streams", "1", *SHORT) as running:
        running.wait_ready()
        with stream(running) as client:
            client.event(first=True)
            refused = running.get("/env/production/ofrep/v1/stream")
            assert refused.status == 503 and 15 <= int(refused.headers["Retry-After"]) <= 45
            assert refused.json()["errorDetails"].startswith("1 event streams are open, and no more are allowed")
            assert b"weir_event_streams_refused_total 1\n" in running.get("/metrics").body
            assert running.value("banner", {}, "production") == "Hello"


def test_none_are_offered(repository, tmp_path):
    config = tmp_path / "weir.yaml"
    config.write_text("event-streams: 0\n")
    with weir.controller(repository.url, tmp_path / "data", "--config", config) as running:
        running.wait_ready()
        assert "eventStreams" not in running.evaluate(None, {}, "production").json()
        assert running.get("/env/production/ofrep/v1/stream").status == 404


def test_the_announcement_is_that_of_the_specification(repository, tmp_path):
    """The path is joined to the origin of the base URL: so it must stand by itself."""
    with weir.controller(repository.url, tmp_path / "data", *SHORT) as running:
        running.wait_ready()
        path, _ = announced(running, "staging")
        url = urllib.parse.urljoin(f"http://{running.host}:{running.port}/env/staging/", path)
        assert url == f"http://{running.host}:{running.port}/env/staging/ofrep/v1/stream"
        with stream(running, urllib.parse.urlsplit(url).path) as client:
            client.event(first=True)


def test_as_many_descriptors_as_the_system_allows(repository, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
    try:
        with weir.controller(repository.url, tmp_path / "data") as running:
            assert resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
