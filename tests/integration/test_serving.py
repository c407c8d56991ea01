"""Who may ask for what: by tokens, by the name of the server, from which pages; and what the operator may say wrong."""
import json
import re
import signal
import socket
import threading

import pytest
import weir
from serving import BANNER, JSON, Serving, bearer, tokens  # noqa: F401  (a fixture)


# --- tokens: the command --------------------------------------------------------------------------


def test_a_token_is_shown_once_and_kept_as_a_hash(tokens):
    token = tokens.create("sdk", "production", "staging", name="shop")
    assert re.fullmatch(r"weir_[A-Za-z0-9_-]{43}", token)
    text = tokens.path.read_text()
    assert token not in text and token[5:] not in text
    assert re.search(r"^sha256:[0-9a-f]{64} sdk production,staging \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ shop$", text, re.M)
    assert tokens.path.stat().st_mode & 0o777 == 0o600
    listed = weir.run("token", "list", "--tokens", tokens.path, "--format", "json").json()["tokens"]
    assert [(t["name"], t["role"], t["environments"]) for t in listed] == [("shop", "sdk", "production,staging")]
    text = weir.run("token", "list", "--tokens", tokens.path).out.splitlines()
    assert text[0].split() == ["NAME", "ROLE", "CREATED", "ENVIRONMENTS"] and text[1].split()[:2] == ["shop", "sdk"]


def test_many_tokens_at_once_are_all_kept(tokens):
    threads = [threading.Thread(target=tokens.create, args=("viewer",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(weir.run("token", "list", "--tokens", tokens.path, "--format", "json").json()["tokens"]) == 8


@pytest.mark.parametrize("arguments, words", [
    (["create", "--role", "sdk"], "needs an environment"),
    (["create"], "needs a role"),
    (["create", "--role", "king"], "king"),
    (["create", "--role", "sdk", "--env", "No Such"], '"No Such" cannot be the name'),
    (["create", "--role", "viewer", "--name", "a b"], '"a b" is not letters'),
    (["create", "--role", "viewer", "--name", "taken"], "the name stands there twice"),
    (["revoke"], "which token"),
    (["revoke", "nobody"], 'there is no token "nobody"'),
    (["revoke", "sdk production"], 'there is no token "sdk production"'),
    (["burn"], '"burn" is not known'),
])
def test_token_faults_change_nothing(tokens, arguments, words):
    tokens.create("viewer", name="taken")
    before = tokens.path.read_bytes()
    result = weir.run("token", *arguments, "--tokens", tokens.path)
    assert result.code == 2 and words in result.err, result
    assert tokens.path.read_bytes() == before


# --- tokens: who may ask for what -----------------------------------------------------------------


def test_on_a_loopback_address_nobody_needs_a_token(repository, tmp_path, tokens):
    token = tokens.create("sdk", "staging")
    with Serving(repository, tmp_path / "data", "--tokens", tokens.path) as running:
        running.wait_ready()
        assert running.evaluate("banner", {}, "production").status == 200
        assert running.get("/status").status == running.get("/metrics").status == 200
        wrong = running.evaluate("banner", {}, "production", bearer("weir_" + "x" * 43))
        assert wrong.status == 401, "a token that is sent is checked"
        assert wrong.json()["errorCode"] == "GENERAL" and wrong.json()["key"] == "banner"
        assert 'error="invalid_token"' in wrong.headers["WWW-Authenticate"]
        # The bare path answers for the token's environment.
        assert running.evaluate("checkout-v2", {}).status == 404
        assert running.evaluate("checkout-v2", {}, None, bearer(token)).json()["value"] is True


@pytest.mark.parametrize("how", ["--require-token", "0.0.0.0:0"])
def test_evaluation_needs_a_token(repository, tmp_path, tokens, how):
    sdk, viewer = tokens.create("sdk", "production"), tokens.create("viewer", "staging")
    both = tokens.create("sdk", "production", "staging")
    arguments = ["--tokens", tokens.path, *([how] if how.startswith("-") else [])]
    listen = "127.0.0.1:0" if how.startswith("-") else how
    with Serving(repository, tmp_path / "data", *arguments, listen=listen) as running:
        running.wait_ready()
        assert running.get("/healthz").status == 200

        def status(path, headers=None):
            method = "GET" if path.endswith(("json", "status", "metrics", "measurements")) else "POST"
            return running.request(method, path, b'{"context":{}}' if method == "POST" else None,
                                   {**JSON, **(headers or {})}).status

        single = running.evaluate("banner", {}, "production")
        assert single.status == 401 and single.headers["WWW-Authenticate"] == 'Bearer realm="weir"'
        assert single.json()["errorCode"] == "GENERAL" and "token is needed" in single.json()["errorDetails"]
        every = "/env/production/ofrep/v1/evaluate/flags"
        assert status(every) == status("/env/production/flagd.json") == status(every, {"Authorization": "Basic eA=="}) \
            == status(every, bearer(sdk[:-1])) == status(every, bearer(sdk + "A")) == status(every, bearer("")) == 401
        for headers in (bearer(sdk), {"X-API-Key": sdk}, {"authorization": f"bearer  {sdk}"}, bearer(both)):
            assert status(BANNER, headers) == status(every, headers) == 200
            assert status("/env/production/flagd.json", headers) == 200
        # A higher role does what a lower one may, in its own environments.
        assert status(BANNER.replace("production", "staging"), bearer(viewer)) == 200
        forbidden = running.evaluate("banner", {}, "production", bearer(viewer))
        assert forbidden.status == 403 and forbidden.json()["errorCode"] == "GENERAL"
        assert "not for environment 'production'" in forbidden.json()["errorDetails"]
        assert 'error="insufficient_scope"' in forbidden.headers["WWW-Authenticate"]
        assert status("/env/production/flagd.json", bearer(viewer)) == 403
        assert status("/env/nowhere/flagd.json", bearer(sdk)) == 403, "nor is it told which ones there are"
        # The bare path is the token's environment; for two there is none.
        assert status("/ofrep/v1/evaluate/flags/banner", bearer(sdk)) == 200
        assert status("/ofrep/v1/evaluate/flags/banner", bearer(both)) == 404
        assert running.get("/flagd.json", bearer(sdk)).headers["ETag"] == \
            running.get("/env/production/flagd.json", bearer(sdk)).headers["ETag"]
        measured = "/env/staging/rollouts/any/measurements"
        if listen.startswith("0"):
            assert status("/status") == status("/metrics") == 401
            assert status("/status", bearer(sdk)) == status("/metrics", bearer(sdk)) == 403
            assert status("/status", bearer(viewer)) == status("/metrics", bearer(viewer)) == 200
            assert status(measured) == 401 and status(measured, bearer(sdk)) == 403
        else:
            assert status("/status") == status("/metrics") == status(measured) == 200
        assert status(measured, bearer(viewer)) == 200
        assert status(measured.replace("staging", "production"), bearer(viewer)) == 403


def test_the_default_environment_and_tokens(repository, tmp_path, tokens):
    production, staging = tokens.create("sdk", "production"), tokens.create("sdk", "staging")
    everywhere, other = tokens.create("admin"), tokens.create("sdk", "staging", "lab")
    with Serving(repository, tmp_path / "data", "--tokens", tokens.path, "--require-token",
                 "--default-environment", "production") as running:
        running.wait_ready()
        assert running.evaluate("checkout-v2", {}, None, bearer(production)).json()["value"] is False
        assert running.evaluate("checkout-v2", {}, None, bearer(staging)).json()["value"] is True
        assert running.evaluate("checkout-v2", {}, None, bearer(everywhere)).json()["value"] is False
        assert running.evaluate("checkout-v2", {}, None, bearer(other)).status == 403


def test_tokens_change_while_it_runs(repository, tmp_path, tokens):
    tokens.create("sdk", "production", name="first")
    with Serving(repository, tmp_path / "data", "--tokens", tokens.path, "--require-token") as running:
        running.wait_ready()
        second = tokens.create("sdk", "production", name="second")
        evaluate = lambda: running.evaluate("banner", {}, "production", bearer(second)).status
        weir.wait_until(lambda: evaluate() == 200, "the new token is known")
        tokens.revoke("second")
        weir.wait_until(lambda: evaluate() == 401, "the token is revoked")
        third = tokens.create("sdk", "production", name="third")
        running.send(signal.SIGHUP)
        weir.wait_until(lambda: "event=tokens_read" in running.log(), "told")
        use = lambda: running.evaluate("banner", {}, "production", bearer(third)).status
        weir.wait_until(lambda: use() == 200, "the new token is known")
        good = tokens.path.read_text()

        def replace(text):  # at once: half a file is another fault
            new = tmp_path / "new"
            new.write_text(text)
            new.chmod(0o600)
            new.rename(tokens.path)

        replace(good + "nonsense\n")
        weir.wait_until(lambda: use() == 200 and "event=tokens_kept" in running.log(), "the fault is told")
        assert "line 4: a token is HASH ROLE" in running.log() and use() == 200
        replace(good)
        tokens.path.chmod(0o622)
        weir.wait_until(lambda: use() == 200 and "chmod 600" in running.log(), "the fault is told")
        assert use() == 200


def test_no_tokens_or_bad_ones_at_the_start(repository, tmp_path, tokens):
    result = weir.run("run", "--repo", repository.url, "--data", tmp_path / "data", "--tokens", tokens.path)
    assert result.code == 2 and "make it by 'weir token create'" in result.err
    with Serving(repository, tmp_path / "data", listen="0.0.0.0:0") as running:
        running.wait_ready()
        assert "event=no_tokens" in running.log()
        assert running.evaluate("banner", {}, "production").status == 401


# --- names ----------------------------------------------------------------------------------------


def test_a_foreign_host_is_refused_where_no_token_is_needed(repository, tmp_path, tokens):
    """A page of any name can make its name resolve to 127.0.0.1, and then ask us as if we were its own server."""
    token = tokens.create("sdk", "production")
    with Serving(repository, tmp_path / "data", "--tokens", tokens.path,
                 "--server-name", "flags.example.com") as running:
        running.wait_ready()

        def status(host, path="/status", **headers):
            return running.get(path, {"Host": host, **headers}).status

        for host in ("localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:80", "10.1.2.3:99", "flags.example.com:443",
                     "Flags.Example.Com."):
            assert status(host) == 200, host
        for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example",
                     "flags.example.com.evil.example", "[::1", "weir", "127.1"):
            assert status(host) == 421, host
            assert status(host, "/healthz") == 200, "probes come by any name"
            assert status(host, "/env/production/flagd.json") == 421
            assert status(host, "/env/production/flagd.json", **bearer(token)) == 200, "no page has a token"
        answer = running.request("POST", BANNER, b'{"context":{}}', {**JSON, "Host": "evil.example"})
        assert answer.status == 421 and answer.json()["errorCode"] == "GENERAL"
        with socket.create_connection((running.host, running.port), timeout=weir.PATIENCE) as connection:
            connection.sendall(b"GET /status HTTP/1.1\r\nHost: evil.example\r\nHost: localhost\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 400 ")


# --- pages of other origins -----------------------------------------------------------------------


def preflight(running, origin, path=BANNER, method="POST"):
    return running.request("OPTIONS", path, None, {"Origin": origin, "Access-Control-Request-Method": method,
                                                   "Access-Control-Request-Headers": "content-type,if-none-match"})


def test_no_page_may_ask_by_default(repository, tmp_path):
    with Serving(repository, tmp_path / "data") as running:
        running.wait_ready()
        assert preflight(running, "https://shop.example").status == 405
        answer = running.evaluate("banner", {}, "production", {"Origin": "https://shop.example"})
        assert answer.status == 200 and answer.headers["Access-Control-Allow-Origin"] is None


def test_pages_of_allowed_origins_may_ask(repository, tmp_path, tokens):
    token = tokens.create("sdk", "production")
    with Serving(repository, tmp_path / "data", "--tokens", tokens.path, "--require-token",
                 "--cors-origin", "https://shop.example", "--cors-origin", "http://localhost:3000") as running:
        running.wait_ready()
        for origin in ("https://shop.example", "http://localhost:3000"):
            asked = preflight(running, origin)
            assert asked.status == 204 and asked.body == b"", asked
            assert asked.headers["Access-Control-Allow-Origin"] == origin
            assert asked.headers["Access-Control-Allow-Methods"] == "POST"
            allowed = asked.headers["Access-Control-Allow-Headers"].lower().split(", ")
            assert {"authorization", "content-type", "if-none-match", "x-api-key"} == set(allowed)
            assert asked.headers["Vary"] == "Origin"
            answer = running.evaluate(None, {}, "production", {"Origin": origin, **bearer(token)})
            assert answer.status == 200 and answer.headers["Access-Control-Allow-Origin"] == origin
            assert {"ETag", "Retry-After"} <= set(answer.headers["Access-Control-Expose-Headers"].split(", "))
            refused = running.evaluate(None, {}, "production", {"Origin": origin})
            assert refused.status == 401 and refused.headers["Access-Control-Allow-Origin"] == origin, \
                "the page gets to see why"
        for origin in ("https://evil.example", "https://shop.example.evil", "https://shop.example:8443", "null"):
            asked = preflight(running, origin)
            assert asked.status == 403 and asked.headers["Access-Control-Allow-Origin"] is None
            answer = running.evaluate(None, {}, "production", {"Origin": origin, **bearer(token)})
            assert answer.headers["Access-Control-Allow-Origin"] is None and answer.headers["Vary"] == "Origin"
        # Only what applications ask for.
        assert preflight(running, "https://shop.example", "/status", "GET").status == 405
        assert running.get("/status", {"Origin": "https://shop.example"}).headers["Access-Control-Allow-Origin"] is None


def test_pages_of_all_origins(repository, tmp_path):
    with Serving(repository, tmp_path / "data", "--cors-origin", "*") as running:
        running.wait_ready()
        assert preflight(running, "https://any.example").headers["Access-Control-Allow-Origin"] == "*"
        answer = running.evaluate("banner", {}, "production", {"Origin": "https://any.example"})
        assert answer.headers["Access-Control-Allow-Origin"] == "*" and answer.headers["Vary"] is None


# --- the configuration ----------------------------------------------------------------------------


def test_the_same_from_a_file(repository, tmp_path, tokens):
    token = tokens.create("sdk", "production")
    file = tmp_path / "weir.yaml"
    file.write_text(f"tokens: {tokens.path}\nrequire-token: true\ncors-origin: ['https://shop.example']\n"
                    "server-name: [flags.example.com]\nmax-connections: 100\nmax-connections-per-address: 50\n"
                    "rate-limit: 1000/s\nrequest-timeout: 5s\nmax-state-age: 1h\nanswer-commit: true\n")
    with Serving(repository, tmp_path / "data", "--config", file) as running:
        running.wait_ready()
        assert running.evaluate("banner", {}, "production").status == 401
        answer = running.evaluate("banner", {}, "production",
                                  {**bearer(token), "Host": "flags.example.com", "Origin": "https://shop.example"})
        assert answer.status == 200 and answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        assert "weir.commit" in answer.json()["metadata"]


@pytest.mark.parametrize("option, value, words", [
    ("rate-limit", "0/s", '"0/s" is not a whole number from 1'),
    ("rate-limit", "5/m", '"5/m" is not a whole number'),
    ("max-connections", "none", '"none" is not a whole number'),
    ("request-timeout", "11m", "is not between 100ms and 10m"),
    ("max-state-age", "10", '"10" is not a duration'),
    ("cors-origin", "shop.example", "is not an origin"),
    ("cors-origin", "https://shop.example/", "is not an origin"),
    ("server-name", "a:80", "without a port"),
])
def test_faults_of_options(repository, tmp_path, option, value, words):
    result = weir.run("run", "--repo", repository.url, "--data", tmp_path / "data", f"--{option}", value)
    assert result.code == 2 and f'"--{option}": ' in result.err and words in result.err, result
    file = tmp_path / "weir.yaml"
    file.write_text(f"{option}: {json.dumps([value] if option in ('cors-origin', 'server-name') else value)}\n")
    result = weir.run("run", "--repo", repository.url, "--data", tmp_path / "data", "--config", file)
    assert result.code == 2 and f"{file}:1:" in result.err, result
