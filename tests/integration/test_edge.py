"""An edge serves what a controller, a file or a Redis says, and goes on when that is away."""
import contextlib
import http.server
import json
import os
import resource
import subprocess
import threading

import overrides
import pytest
import weir
from proxy import Proxy
from serving import bearer, tokens  # noqa: F401  (a fixture)
from test_targets import change, file_target, in_sync, redis, redis_target, with_redis  # noqa: F401  (a fixture)

LOUD = "Grüße, all!"


class Edge(weir.Controller):
    """`weir edge`, started by the constructor."""

    command = "edge"


@contextlib.contextmanager
def edge(source, data, *arguments, poll="100ms"):
    running = Edge("--from", source, "--data", data, "--listen", "127.0.0.1:0", "--poll", poll, *arguments)
    try:
        yield running
        code = running.stop()
        assert code == 0, f"it ended with {code}\n{running.log()}"
    finally:
        running.kill()


def url(controller):
    return f"http://{controller.host}:{controller.port}"


def has(running, commit):
    weir.wait_until(lambda: running.status()["commit"] == commit, f"commit {commit}\n{running.log()}")


def metric(running, name):
    lines = running.get("/metrics").body.decode().splitlines()
    return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + " ")), None)


def same_answers(left, right, environment="production"):
    for context in ({"targetingKey": "u1"}, {"targetingKey": "u2", "email": "a@example.com"}):
        assert left.evaluate(None, context, environment).json() == right.evaluate(None, context, environment).json()
    a, b = (one.get(f"/env/{environment}/flagd.json") for one in (left, right))
    assert a.body == b.body
    for header in ("ETag", "Weir-Commit", "Weir-Digest", "Weir-Generation"):
        assert a.headers[header] == b.headers[header]


# --- a controller -------------------------------------------------------------------------------------------------


def test_it_follows_a_controller(repository, tmp_path):
    both = ("-e", "production", "-e", "staging")
    with weir.controller(repository.url, tmp_path / "data") as source:
        source.wait_ready()
        with edge(url(source), tmp_path / "edge", *both) as running:
            running.wait_ready()
            for variant in ("loud", "plain"):
                commit = change(repository, variant)
                source.fetch()
                has(running, commit)
                same_answers(source, running)
                same_answers(source, running, "staging")
            status = running.status()
            assert (status["source"], status["from"], status["lastFetch"]["error"]) == ("controller", url(source), None)
            assert status["generation"] == source.status()["generation"]
            weir.wait_until(lambda: running.status()["age"] < 5, "it has just asked")
            assert metric(running, 'weir_edge_polls_total{result="changed"}') >= 2
            weir.wait_until(lambda: metric(running, 'weir_edge_polls_total{result="unchanged"}'), "an unchanged poll")
            weir.wait_until(lambda: metric(running, "weir_state_age_seconds") < 5, "and says so to Prometheus")
            assert metric(running, 'weir_flags{environment="production"}') == 2


def test_a_commit_that_changes_no_flag_is_followed(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data") as source:
        source.wait_ready()
        with edge(url(source), tmp_path / "edge", "-e", "production") as running:
            running.wait_ready()
            before = running.get("/env/production/flagd.json").headers["ETag"]
            commit = repository.commit({"README": "nothing"})
            source.fetch()
            has(running, commit)
            assert running.get("/env/production/flagd.json").headers["ETag"] == before


def hears(running):
    weir.wait_until(lambda: running.status()["listening"], f"it hears its source\n{running.log()}")


def test_a_controller_tells_of_changes(repository, tmp_path):
    """With a poll of an hour, by the event streams of both environments, and once more after they broke."""
    with weir.controller(repository.url, tmp_path / "data") as source, Proxy("127.0.0.1", source.port) as way:
        source.wait_ready()
        address = f"http://127.0.0.1:{way.port}"
        with edge(address, tmp_path / "edge", "-e", "production", "-e", "staging", poll="1h") as running:
            hears(running)
            commit = change(repository, "loud")
            source.fetch()
            has(running, commit)
            commit = repository.commit({"flags/checkout.yaml": weir.SHOP["flags/checkout.yaml"].replace(
                "staging: {default: on}", "staging: {default: off}")})
            source.fetch()
            has(running, commit)  # only staging has changed
            way.refuse()
            way.drop()
            weir.wait_until(lambda: not running.status()["listening"], "it noticed that")
            commit = change(repository, "plain")
            source.fetch()
            has(source, commit)
            assert running.status()["commit"] != commit
            way.heal()
            has(running, commit)
            same_answers(source, running)


def test_without_event_streams_it_polls(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data", "--event-streams", "0") as source:
        source.wait_ready()
        with edge(url(source), tmp_path / "edge", "-e", "production") as running:
            running.wait_ready()
            commit = change(repository, "loud")
            source.fetch()
            has(running, commit)
            assert not running.status()["listening"] and "source_is_heard" not in running.log()


def test_what_was_served_is_on_disk_whenever_it_is_killed(repository, tmp_path):
    data = tmp_path / "edge"
    with weir.controller(repository.url, tmp_path / "data") as source, Proxy("127.0.0.1", source.port) as way:
        source.wait_ready()
        for turn in range(8):
            way.heal()
            running = Edge("--from", f"http://127.0.0.1:{way.port}", "-e", "production", "--data", data,
                           "--listen", "127.0.0.1:0")
            try:
                running.wait_ready()
                hears(running)
                commit = change(repository, "loud" if turn % 2 else "plain")
                source.fetch()
                while running.get("/env/production/flagd.json").headers["Weir-Commit"] != commit:
                    assert running.process.poll() is None
            finally:
                running.kill()  # by SIGKILL, at the first sight of it
            way.refuse()
            with edge(f"http://127.0.0.1:{way.port}", data, "-e", "production") as again:
                assert (again.status()["commit"], again.status()["source"]) == (commit, "disk")


def test_a_disk_that_is_full_stops_no_one(repository, tmp_path):
    """A file stands where the folder of the state is to be; once that is gone the state is written."""
    data = tmp_path / "edge"
    data.mkdir()
    (data / "served").write_text("in the way")
    with weir.controller(repository.url, tmp_path / "data") as source:
        source.wait_ready()
        with edge(url(source), data, "-e", "production") as running:
            running.wait_ready()
            commit = change(repository, "loud")
            source.fetch()
            has(running, commit)
            assert running.log().count("keep_state_failed") == 1, running.log()
            (data / "served").unlink()
            weir.wait_until(lambda: (data / "served" / "state.json").exists(), "the state is written")
            assert commit in (data / "served" / "state.json").read_text()


def test_files_that_may_not_grow_harm_nobody(repository, tmp_path):
    """As in test_world_faults: the kernel sends a signal, which ends whoever does not expect it."""
    data = tmp_path / "edge"
    with weir.controller(repository.url, tmp_path / "data") as source:
        source.wait_ready()
        with edge(url(source), data, "-e", "production") as running:
            running.wait_ready()
            before = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))
            flag = {"apiVersion": "weir/v1", "kind": "Flag", "metadata": {"name": "large"},
                    "spec": {"variants": {"on": "x" * 40_000}, "default": "on"}}
            commit = repository.commit({"flags/large.yaml": json.dumps(flag)})
            source.fetch()
            has(running, commit)
            assert "keep_state_failed" in running.log(), running.log()
            resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, before)
            weir.wait_until(lambda: commit in (data / "served/state.json").read_text(), "the state is written")


def test_it_goes_on_when_the_source_is_killed(repository, tmp_path):
    arguments = ("--repo", repository.url, "--data", tmp_path / "data", "--poll", "1h")
    source = weir.Controller(*arguments, "--listen", "127.0.0.1:0")
    try:
        source.wait_ready()
        with edge(url(source), tmp_path / "edge", "-e", "production") as running:
            running.wait_ready()
            source.kill()
            weir.wait_until(lambda: running.status()["lastFetch"]["error"], "a failed look")
            weir.wait_until(lambda: running.status()["age"] >= 1, "age")
            assert running.is_ready()
            assert running.value("banner", environment="production") == "Hello"
            assert int(running.get("/env/production/flagd.json").headers["Weir-Age"]) >= 1
            assert metric(running, 'weir_edge_polls_total{result="failed"}') >= 1
            commit = change(repository, "loud")
            source = weir.Controller(*arguments, "--listen", f"127.0.0.1:{source.port}")
            has(running, commit)
            assert running.value("banner", environment="production") == LOUD
            weir.wait_until(lambda: running.status()["lastFetch"]["error"] is None, "well again")
    finally:
        source.kill()


def test_it_starts_without_its_source(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data") as source:
        source.wait_ready()
        address = url(source)
        with edge(address, tmp_path / "edge", "-e", "production") as running:
            running.wait_ready()
            before = running.status()
    with edge(address, tmp_path / "edge", "-e", "production") as running:
        assert running.is_ready()
        assert running.value("banner") == "Hello"
        status = running.status()
        assert status["source"] == "disk"
        assert (status["commit"], status["generation"]) == (before["commit"], before["generation"])
    os.utime(tmp_path / "edge" / "lock", (1, 1))
    with edge(address, tmp_path / "edge", "-e", "production", "--max-state-age", "1h") as running:
        answer = running.get("/readyz")
        assert answer.status == 503 and "the source was last read" in answer.body.decode()
        assert running.value("banner") == "Hello"
    with edge(address, tmp_path / "other", "-e", "production") as running:
        assert not running.is_ready()
        assert running.evaluate("banner", environment="production").status == 503
        assert running.status()["age"] is None and running.status()["source"] is None


def test_an_older_generation_is_not_believed(repository, tmp_path):
    old = weir.git(repository.work, "rev-parse", "HEAD")
    new = change(repository, "loud")
    with weir.controller(repository.url, tmp_path / "data") as source:
        source.wait_ready()
        with edge(url(source), tmp_path / "edge", "-e", "production") as running:
            has(running, new)
    weir.git(repository.work, "reset", "--hard", "--quiet", old)
    weir.git(repository.work, "push", "--quiet", "--force", "origin", "HEAD")
    with weir.controller(repository.url, tmp_path / "data2") as source:
        has(source, old)
        with edge(url(source), tmp_path / "edge", "-e", "production") as running:
            weir.wait_until(lambda: metric(running, 'weir_edge_polls_total{result="older"}'), "an older generation")
            status = running.status()
            assert status["commit"] == new and "older" in status["lastFetch"]["error"]
            assert running.value("banner", environment="production") == LOUD


def test_an_edge_of_an_edge_tells_the_age_of_the_first(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data") as source:
        source.wait_ready()
        with edge(url(source), tmp_path / "one", "-e", "production") as first:
            first.wait_ready()
            source.stop()
            with edge(url(first), tmp_path / "two", "-e", "production") as second:
                second.wait_ready()
                same_answers(first, second)
                weir.wait_until(lambda: second.status()["age"] >= 2, "the age of the first")
                assert second.status()["lastFetch"]["error"] is None


def test_a_token_is_sent(repository, tmp_path, tokens):  # noqa: F811
    token = tokens.create("sdk", "production")
    secret = tmp_path / "secret"
    secret.write_text("weir_wrong\n")
    arguments = ("--tokens", tokens.path, "--require-token")
    with weir.controller(repository.url, tmp_path / "data", *arguments) as source:
        source.wait_ready()
        with edge(url(source), tmp_path / "edge", "-e", "production", "--token-file", secret) as running:
            weir.wait_until(lambda: running.status()["lastFetch"]["error"], "a refusal")
            assert "401" in running.status()["lastFetch"]["error"]
            secret.write_text(token + "\n")
            running.wait_ready()
            assert token not in running.log() and token not in json.dumps(running.status())
        with edge(url(source), tmp_path / "edge", "-e", "production", "--token-file", secret, *arguments) as running:
            assert running.evaluate("banner", environment="production").status == 401
            assert running.evaluate("banner", environment="production", headers=bearer(token)).status == 200


def test_an_environment_that_is_not_there(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data") as source:
        source.wait_ready()
        with edge(url(source), tmp_path / "edge", "-e", "nowhere") as running:
            weir.wait_until(lambda: "404" in (running.status()["lastFetch"]["error"] or ""), "404")
            assert not running.is_ready()


class Liar:
    """A server that answers every GET with what it is told to."""

    def __init__(self, source):
        good = source.get("/env/production/flagd.json")
        self.good = {name: good.headers[name] for name in ("Weir-Commit", "Weir-Generation", "Weir-Digest")}
        self.body = good.body
        self.tell()
        liar = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                liar.asked += 1
                self.send_response(liar.status)
                for name, value in liar.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(liar.answer)))
                self.end_headers()
                if liar.status != 304:
                    self.wfile.write(liar.answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def tell(self, status=200, body=None, **headers):
        self.headers = {**self.good, **{f"Weir-{name.title()}": value for name, value in headers.items()}}
        self.status, self.answer, self.asked = status, self.body if body is None else body, 0

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def test_a_source_that_lies_is_not_believed(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data") as source:
        source.wait_ready()
        liar = Liar(source)
    other = "sha256:" + "0" * 64
    lies = [
        ({"body": liar.body.replace(b"Hello", b"Jello"), "digest": other}, "does not have the digest"),
        ({"body": liar.body[:-30], "digest": other}, "cannot be read"),
        ({"body": b"<html>", "digest": ""}, "does not name a digest"),
        ({"generation": "f" * 31}, "generation"),
        ({"generation": "0" * 32}, "older"),
        ({"commit": "../../etc"}, "commit"),
        ({"status": 304, "digest": other}, "nothing has changed"),
        ({"status": 500, "body": b"\x1b[31mforged\nline"}, "500"),
        ({"status": 302}, "redirects without saying where"),
    ]
    try:
        with edge(liar.url, tmp_path / "edge", "-e", "production") as running:
            running.wait_ready()
            before = running.get("/env/production/flagd.json")
            for lie, words in lies:
                liar.tell(**lie)
                weir.wait_until(lambda w=words: w in (running.status()["lastFetch"]["error"] or ""), f"{lie}: {words}")
                assert running.get("/env/production/flagd.json").body == before.body
                liar.tell()
                running.fetch()
                weir.wait_until(lambda: running.status()["lastFetch"]["error"] is None, "the truth")
            assert "\x1b" not in running.log()
            assert running.value("banner") == "Hello"
    finally:
        liar.close()


# --- a file -------------------------------------------------------------------------------------------------------


@pytest.fixture
def written(repository, tmp_path):
    """What a file target wrote, with a function that commits and waits for it."""
    repository.commit({"targets/file.yaml": file_target("flags.json")})
    with weir.controller(repository.url, tmp_path / "data") as source:
        def next_commit(variant):
            commit = change(repository, variant)
            source.fetch()
            in_sync(source, "file", commit)
            return commit
        next_commit("plain")
        yield source, tmp_path / "data" / "targets" / "flags.json", next_commit


def test_it_follows_a_file(written, tmp_path):
    source, path, next_commit = written
    # A poll of an hour: it is the change of the file that is noticed.
    with edge(path, tmp_path / "edge", poll="1h") as running:
        running.wait_ready()
        for variant in ("loud", "plain"):
            has(running, next_commit(variant))
            same_answers(source, running)
        assert running.status()["source"] == "file"
        path.unlink()
        weir.wait_until(lambda: running.status()["lastFetch"]["error"], "a missing file")
        assert running.value("banner") == "Hello"
        has(running, next_commit("loud"))
        assert running.value("banner") == LOUD


def test_half_of_a_file_is_not_served(written, tmp_path):
    _, path, next_commit = written
    whole, meta = path.read_text(), path.with_name("flags.json.meta.json")
    copy = tmp_path / "copy.json"
    copy_meta = tmp_path / "copy.json.meta.json"
    copy.write_text(whole)
    copy_meta.write_text(meta.read_text())
    with edge(copy, tmp_path / "edge") as running:
        running.wait_ready()
        commit = next_commit("loud")
        copy.write_text(path.read_text())
        weir.wait_until(lambda: "digest" in (running.status()["lastFetch"]["error"] or ""), "half of it")
        assert running.value("banner") == "Hello"
        copy_meta.write_text(meta.read_text())
        has(running, commit)
        assert running.value("banner") == LOUD
        copy.write_text(path.read_text()[:-40])
        weir.wait_until(lambda: running.status()["lastFetch"]["error"], "a cut document")
        assert running.value("banner") == LOUD


def test_a_file_that_goes_back_is_not_followed(written, tmp_path):
    _, path, next_commit = written
    meta = path.with_name("flags.json.meta.json")
    old, old_meta = path.read_text(), meta.read_text()
    new = next_commit("loud")
    copy, copy_meta = tmp_path / "copy.json", tmp_path / "copy.json.meta.json"
    copy.write_text(path.read_text())
    copy_meta.write_text(meta.read_text())
    with edge(copy, tmp_path / "edge") as running:
        has(running, new)
        copy.write_text(old)
        copy_meta.write_text(old_meta)
        weir.wait_until(lambda: "older" in (running.status()["lastFetch"]["error"] or ""), "older")
        assert running.status()["commit"] == new and running.value("banner") == LOUD
    with edge(copy, tmp_path / "edge") as running:
        weir.wait_until(lambda: "older" in (running.status()["lastFetch"]["error"] or ""), "older after a restart")
        assert running.value("banner") == LOUD


def test_a_file_of_another_environment(written, tmp_path):
    _, path, _ = written
    with edge(path, tmp_path / "edge", "-e", "staging") as running:
        weir.wait_until(lambda: running.status()["lastFetch"]["error"], "another environment")
        assert '"production"' in running.status()["lastFetch"]["error"]
        assert not running.is_ready()


# --- redis --------------------------------------------------------------------------------------------------------


@pytest.fixture
def pushed(repository, tmp_path, redis):  # noqa: F811
    """What a Redis target holds, with a function that commits and waits for it."""
    repository.commit({"targets/redis.yaml": redis_target(redis.port)})
    with with_redis(repository, tmp_path, redis) as source:
        def next_commit(variant):
            commit = change(repository, variant)
            source.fetch()
            in_sync(source, "redis", commit)
            return commit
        next_commit("plain")
        yield source, f"redis://127.0.0.1:{redis.port}#weir:production", next_commit


def test_it_follows_a_redis(pushed, redis, tmp_path):  # noqa: F811
    source, address, next_commit = pushed
    with edge(address, tmp_path / "edge") as running:
        running.wait_ready()
        for variant in ("loud", "plain"):
            has(running, next_commit(variant))
            same_answers(source, running)
        assert running.status()["source"] == "redis"
        redis.stop()
        weir.wait_until(lambda: running.status()["lastFetch"]["error"], "a Redis that is away")
        assert running.value("banner") == "Hello"
        redis.start()  # empty, until the controller notices
        has(running, next_commit("loud"))
        assert running.value("banner") == LOUD
    redis.stop()
    with edge(address, tmp_path / "edge") as running:
        assert running.is_ready() and running.status()["source"] == "disk"
        assert running.value("banner") == LOUD
    redis.start()


def test_a_redis_tells_of_changes(pushed, redis, tmp_path):  # noqa: F811
    """With a poll of an hour, by the channel of the target, and once more after the connections broke."""
    source, _, next_commit = pushed
    with Proxy("127.0.0.1", redis.port) as way:
        with edge(f"redis://127.0.0.1:{way.port}#weir:production", tmp_path / "edge", poll="1h") as running:
            hears(running)
            for variant in ("loud", "plain"):
                has(running, next_commit(variant))
            same_answers(source, running)
            way.refuse()
            way.drop()
            weir.wait_until(lambda: not running.status()["listening"], "it noticed that")
            commit = next_commit("loud")
            assert running.status()["commit"] != commit
            way.heal()
            has(running, commit)
            assert running.value("banner") == LOUD


def test_a_channel_that_babbles_is_given_up(pushed, redis, tmp_path):  # noqa: F811
    """Megabytes in one message: not kept, and what is polled is served all the same."""
    _, address, next_commit = pushed
    with edge(address, tmp_path / "edge") as running:
        hears(running)
        junk = tmp_path / "junk"
        junk.write_bytes(b"x" * (8 << 20))
        with junk.open("rb") as message:
            subprocess.run(["redis-cli", "-p", str(redis.port), "-x", "PUBLISH", "{weir:production}:changed"],
                           check=True, stdin=message, capture_output=True, timeout=60)
        weir.wait_until(lambda: "more than was subscribed to" in running.log(), "it is given up")
        has(running, next_commit("loud"))
        hears(running)


def test_a_redis_that_somebody_changed_is_not_believed(pushed, redis, tmp_path):  # noqa: F811
    _, address, _ = pushed
    redis.ask("HSET", "{weir:production}:doc", "banner", '{"state":"DISABLED"}')
    with edge(address, tmp_path / "edge") as running:
        weir.wait_until(lambda: "digest" in (running.status()["lastFetch"]["error"] or "")
                        or "cannot be read" in (running.status()["lastFetch"]["error"] or ""), "a wrong digest")
        assert not running.is_ready()


def test_a_redis_with_an_override(repository, pushed, redis, tmp_path):  # noqa: F811
    """Another controller's, over what this one pushes: this one takes it in, and an edge has what both come to."""
    source, address, next_commit = pushed
    hook = repository.bare / "hooks" / "pre-receive"  # once it is on the branch, it stands at Redis no more
    hook.write_text("#!/bin/sh\nwhile read old new ref; do "
                    "test \"$(git log -1 --format=%cn $new)\" != weir || exit 1; done\n")
    hook.chmod(0o755)
    banner = json.loads(redis.hash("{weir:production}:doc")["banner"])
    banner["variants"]["planted"] = "x"
    intent, override = overrides.planted("kill", "banner", json.dumps(banner))
    redis.ask("HSET", "{weir:production}:overrides", intent, override)
    with edge(address, tmp_path / "edge") as running:
        has(running, next_commit("quiet"))
        weir.wait_until(lambda: intent in redis.hash("{weir:production}:overrides")
                        and "planted" not in redis.hash("{weir:production}:doc")["banner"], "it is compiled anew")
        weir.wait_until(lambda: redis.hash("{weir:production}:meta")["digest"].startswith("sha256:"), "a digest of all that")
        weir.wait_until(lambda: running.status()["generation"] == source.status()["generation"], "the edge has that")
        same_answers(source, running)


def test_a_redis_with_an_override_that_is_none(pushed, redis, tmp_path):  # noqa: F811
    source, address, next_commit = pushed
    redis.ask("HSET", "{weir:production}:overrides", "banner", '{"intent": "x", "fragment": "{}"}')
    with edge(address, tmp_path / "edge") as running:
        has(running, next_commit("loud"))
        same_answers(source, running)
    status = next(t for t in source.status()["targets"] if t["name"] == "redis")
    assert not status["merged"] and status["overrides"]["unservable"] == 1, status
    assert "override under 'banner' is not served" in status["overrides"]["message"]
    assert "override_unservable" in source.log()


@pytest.mark.parametrize("key, value", [("generation", "junk"), ("digest", ""), ("commit", "x"), ("environment", "../x")])
def test_a_redis_that_holds_nonsense(pushed, redis, tmp_path, key, value):  # noqa: F811
    _, address, _ = pushed
    redis.ask("HSET", "{weir:production}:meta", key, value)
    with edge(address, tmp_path / "edge") as running:
        weir.wait_until(lambda: running.status()["lastFetch"]["error"], "nonsense")
        assert not running.is_ready() and running.get("/healthz").status == 200


# --- options ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments, words", [
    ([], "--from"),
    (["--from", "http://127.0.0.1:1"], "--environment"),
    (["--from", "ftp://127.0.0.1:1/x"], "a source is"),
    (["--from", "redis://127.0.0.1:1"], "#KEY"),
    (["--from", "flags.json", "-e", "A/../B"], "not the name of an environment"),
    (["--from", "flags.json", "-e", "a", "-e", "b"], "one environment"),
    (["--from", "http://user:secret@127.0.0.1:1", "-e", "a"], "--token-file"),
])
def test_what_makes_no_sense_is_refused(tmp_path, arguments, words):
    result = weir.run("edge", *arguments, "--listen", "127.0.0.1:0", cwd=tmp_path)
    assert result.code == 2 and words in result.err and "secret@" not in result.err, result


def test_two_edges_do_not_share_a_folder(tmp_path):
    with edge(tmp_path / "flags.json", tmp_path / "edge"):
        result = weir.run("edge", "--from", tmp_path / "flags.json", "--data", tmp_path / "edge")
        assert result.code == 2 and "in use by another weir" in result.err, result
