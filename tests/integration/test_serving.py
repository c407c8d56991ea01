"""Serving, secured: who may ask for what, over TLS, from which pages, how often and how slowly; the document for those
who evaluate by themselves."""
import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import gitserver
import pytest
import weir

JSON = {"Content-Type": "application/json"}
BANNER = "/env/production/ofrep/v1/evaluate/flags/banner"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def when(request, status):
    """The first answer with this status."""
    answers = []
    weir.wait_until(lambda: answers.append(request()) or answers[-1].status == status, f"an answer {status}")
    return answers[-1]


class Serving(weir.Controller):
    """A controller that listens where it is told, with or without TLS."""

    def __init__(self, repository, data, *arguments, listen="127.0.0.1:0", poll="1h"):
        super().__init__("--repo", repository.url, "--data", data, "--listen", listen, "--poll", poll, *arguments)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                code = self.stop()
                assert code == 0, f"it ended with {code}\n{self.log()}"
        finally:
            self.kill()


class Tokens:
    def __init__(self, path):
        self.path = path

    def create(self, role, *environments, name=None):
        result = weir.run("token", "create", "--role", role, "--tokens", self.path,
                          *[word for one in environments for word in ("--env", one)],
                          *(["--name", name] if name else []))
        assert result.code == 0, result
        return result.out.strip()

    def revoke(self, name):
        assert weir.run("token", "revoke", name, "--tokens", self.path).code == 0


@pytest.fixture
def tokens(tmp_path):
    return Tokens(tmp_path / "tokens")


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
            method = "GET" if path.endswith(("json", "status", "metrics")) else "POST"
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
        if listen.startswith("0"):
            assert status("/status") == status("/metrics") == 401
            assert status("/status", bearer(sdk)) == status("/metrics", bearer(sdk)) == 403
            assert status("/status", bearer(viewer)) == status("/metrics", bearer(viewer)) == 200
        else:
            assert status("/status") == status("/metrics") == 200


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
        tokens.path.write_text(good + "nonsense\n")
        weir.wait_until(lambda: use() == 200 and "event=tokens_kept" in running.log(), "the fault is told")
        assert "line 4: a token is HASH ROLE" in running.log() and use() == 200
        tokens.path.write_text(good)
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


# --- TLS ------------------------------------------------------------------------------------------


def certificate(folder, name):
    """A self-signed certificate for 127.0.0.1, whose common name is `name`."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"],
                   check=True, capture_output=True, timeout=60)
    return folder / f"{name}.pem", folder / f"{name}.key"


class Secure:
    """A controller with TLS, and connections to it that trust exactly what they are told to."""

    def __init__(self, repository, data, *arguments):
        self.process = subprocess.Popen(
            [weir.program(), "run", "--repo", repository.url, "--data", data, "--listen", "127.0.0.1:0", "--poll", "1h",
             *map(str, arguments)], stdout=subprocess.PIPE, stderr=open(data.parent / "log", "wb"),
            env=weir.environment())
        self.log_file = data.parent / "log"
        line = self.process.stdout.readline().decode()
        assert line.startswith("listening on https://127.0.0.1:"), f"{line!r}\n{self.log()}"
        self.port = int(line.rsplit(":", 1)[1])

    def log(self):
        return self.log_file.read_text()

    def connect(self, trusted):
        context = ssl.create_default_context(cafile=str(trusted))
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=weir.PATIENCE, context=context)

    def status(self, trusted):
        connection = self.connect(trusted)
        try:
            return ask(connection)
        except ssl.SSLCertVerificationError:
            return None
        finally:
            connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            assert self.process.wait(weir.PATIENCE) == 0, self.log()
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


def ask(connection, path="/healthz"):
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def dripping(connection, byte):
    """Sends a byte every 50 ms until the other side has had enough, which must not be at once."""
    began, cut = time.monotonic(), False
    while not cut and time.monotonic() < began + weir.PATIENCE:
        try:
            connection.sendall(byte)
            connection.settimeout(0.05)
            cut = connection.recv(100) == b""
        except (BrokenPipeError, ConnectionResetError):
            cut = True
        except TimeoutError:
            pass
    assert cut and time.monotonic() - began > 0.4


needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")


@needs_openssl
def test_a_certificate_is_replaced_without_dropping_connections(repository, tmp_path):
    first, second = certificate(tmp_path, "first"), certificate(tmp_path, "second")
    current = tmp_path / "current.pem", tmp_path / "current.key"

    def use(pair):
        for source, target in zip(pair, current):
            shutil.copy(source, target)

    use(first)
    with Secure(repository, tmp_path / "data", "--tls-cert", current[0], "--tls-key", current[1]) as running:
        assert running.status(first[0]) == 200 and running.status(second[0]) is None
        held = running.connect(first[0])
        assert ask(held) == 200
        socket_before = held.sock
        use(second)
        running.process.send_signal(signal.SIGHUP)
        weir.wait_until(lambda: running.status(second[0]) == 200, f"the second certificate\n{running.log()}")
        assert running.status(first[0]) is None
        assert ask(held) == 200 and held.sock is socket_before, "an open connection goes on"
        # A bad one changes nothing, and is told.
        for fault, words in [(lambda: current[0].write_text("nonsense"), "is not a chain of PEM certificates"),
                             (lambda: use((second[0], first[1])), "is not the key of the certificate"),
                             (lambda: current[1].write_text("nonsense"), "is not a PEM private key"),
                             (current[0].unlink, "No such file")]:
            use(second)
            fault()
            running.process.send_signal(signal.SIGHUP)
            weir.wait_until(lambda: re.search(f"event=certificate_kept.*{words}", running.log()), words)
            assert running.status(second[0]) == 200
        assert ask(held) == 200
        held.close()


@needs_openssl
def test_what_tls_refuses(repository, tmp_path):
    pair, other = certificate(tmp_path, "a"), certificate(tmp_path, "b")
    base = ["run", "--repo", repository.url, "--data", tmp_path / "data", "--listen", "127.0.0.1:0"]
    for arguments, words in [(["--tls-cert", pair[0]], "belong together"),
                             (["--tls-key", pair[1]], "belong together"),
                             (["--tls-cert", pair[0], "--tls-key", other[1]], "is not the key"),
                             (["--tls-cert", pair[0], "--tls-key", tmp_path / "none"], "No such file")]:
        result = weir.run(*base, *arguments)
        assert result.code == 2 and words in result.err, result
    with Secure(repository, tmp_path / "data", "--tls-cert", pair[0], "--tls-key", pair[1]) as running:
        old = ssl.create_default_context(cafile=str(pair[0]))
        with pytest.warns(DeprecationWarning):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
            old.minimum_version = ssl.TLSVersion.TLSv1
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            with socket.create_connection(("127.0.0.1", running.port), timeout=weir.PATIENCE) as plain:
                old.wrap_socket(plain, server_hostname="127.0.0.1")
        with socket.create_connection(("127.0.0.1", running.port), timeout=weir.PATIENCE) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200" not in plain.recv(100), "plain HTTP is not answered"
        assert running.status(pair[0]) == 200, "and it goes on"


@needs_openssl
def test_large_requests_and_answers_over_tls(tmp_path):
    """More than fits into a record of TLS, both ways, several times on one connection."""
    pair = certificate(tmp_path, "a")
    text = "x" * 300_000
    banner = weir.SHOP["flags/banner.yaml"].replace('"Hello"', f'"{text}"')
    repository = weir.Repository(tmp_path / "git", {**weir.SHOP, "flags/banner.yaml": banner})
    with Secure(repository, tmp_path / "data", "--tls-cert", pair[0], "--tls-key", pair[1]) as running:
        connection = running.connect(pair[0])
        weir.wait_until(lambda: ask(connection, "/readyz") == 200, "ready")
        for size in (10, 16_000, 17_000, 70_000, 1_000_000):
            connection.request("POST", BANNER, json.dumps({"context": {"filler": "y" * size}}), JSON)
            answer = connection.getresponse()
            assert answer.status == 200 and json.loads(answer.read())["value"] == text
        connection.request("GET", "/env/production/flagd.json")
        assert text.encode() in connection.getresponse().read()
        connection.close()


@needs_openssl
def test_a_slow_handshake_is_cut(repository, tmp_path):
    pair = certificate(tmp_path, "a")
    with Secure(repository, tmp_path / "data", "--tls-cert", pair[0], "--tls-key", pair[1],
                "--request-timeout", "500ms") as running:
        with socket.create_connection(("127.0.0.1", running.port), timeout=weir.PATIENCE) as slow:
            slow.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a client's greeting
            dripping(slow, b"\x00")
        assert running.status(pair[0]) == 200


# --- limits ---------------------------------------------------------------------------------------


def test_the_rate_of_one_caller(repository, tmp_path, tokens):
    first, second = tokens.create("sdk", "production"), tokens.create("sdk", "production")
    with Serving(repository, tmp_path / "data", "--tokens", tokens.path, "--rate-limit", "5/s") as running:
        running.wait_ready()

        def refused(headers):
            """Asks until it is refused; more than a second's worth must be enough."""
            for _ in range(2000):
                answer = running.evaluate("banner", {}, "production", headers)
                if answer.status != 200:
                    return answer
            raise AssertionError("never refused")

        answer = refused(bearer(first))
        assert answer.status == 429 and int(answer.headers["Retry-After"]) == 1
        assert answer.json() == {"errorCode": "GENERAL", "errorDetails": "more than 5 requests a second",
                                 "key": "banner"}
        assert running.evaluate("banner", {}, "production", bearer(second)).status == 200, "others are not held up"
        assert running.evaluate("banner", {}, "production").status == 200
        weir.wait_until(lambda: running.evaluate("banner", {}, "production", bearer(first)).status == 200, "a second")
        guesses = [running.evaluate("banner", {}, "production", bearer(f"weir_{i:043}")).status for i in range(200)]
        assert 429 in guesses and set(guesses) == {401, 429}, "whoever guesses is slowed down"
        assert running.get("/healthz").status == 200 and running.is_ready(), "probes are not counted"
        metrics = when(lambda: running.get("/metrics", bearer(first)), 200).body
        assert b'weir_http_requests_total{route="evaluate_flag",code="429"}' in metrics


def test_a_slow_sender_is_cut(repository, tmp_path):
    """A byte now and then keeps any idle time-out away; the whole request has one too."""
    with Serving(repository, tmp_path / "data", "--request-timeout", "500ms") as running:
        running.wait_ready()
        head = f"POST {BANNER} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n".encode()
        for start in (b"", b"POST /", head):
            with socket.create_connection((running.host, running.port), timeout=weir.PATIENCE) as slow:
                slow.sendall(start)
                dripping(slow, b"{" if start else b"G")
        assert b'weir_http_connections_cut_total{reason="slow"} 3\n' in running.get("/metrics").body
        assert running.value("banner", {}, "production") == "Hello"


def test_connections_of_one_address(repository, tmp_path):
    with Serving(repository, tmp_path / "data", "--max-connections-per-address", "3") as running:
        running.wait_ready()
        held = [http.client.HTTPConnection(running.host, running.port, timeout=weir.PATIENCE) for _ in range(3)]

        def is_in(connection):
            try:
                return ask(connection) == 200
            except (http.client.RemoteDisconnected, ConnectionError):
                connection.close()
                return False

        for connection in held:
            weir.wait_until(lambda: is_in(connection), "a connection")  # that of wait_ready() may not have ended yet
        fourth = http.client.HTTPConnection(running.host, running.port, timeout=weir.PATIENCE)
        assert not is_in(fourth), "one too many"
        assert all(ask(connection) == 200 for connection in held)
        held[0].close()
        weir.wait_until(lambda: is_in(fourth), "its place")
        for connection in [*held, fourth]:
            connection.close()
        weir.wait_until(lambda: is_in(fourth), "a connection")
        assert re.search(rb'connections_cut_total{reason="crowded"} [1-9]', running.get("/metrics").body)
        fourth.close()


def test_connections_in_all(repository, tmp_path):
    with Serving(repository, tmp_path / "data", "--max-connections", "2", "--http-threads", "1") as running:
        running.wait_ready()
        held = [http.client.HTTPConnection(running.host, running.port, timeout=weir.PATIENCE) for _ in range(2)]
        assert all(ask(connection) == 200 for connection in held)
        with socket.create_connection((running.host, running.port), timeout=weir.PATIENCE) as third:
            third.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert not select.select([third], [], [], 0.3)[0], "it waits for its turn"
            held[0].close()
            assert third.recv(100).startswith(b"HTTP/1.1 200 ")
        held[1].close()


# --- the document ---------------------------------------------------------------------------------


def test_the_document_over_http(repository, tmp_path):
    path = "/env/production/flagd.json"
    with Serving(repository, tmp_path / "data", "--default-environment", "staging") as running:
        status = running.wait_ready().status()
        answer = running.get(path)
        built = weir.run("build", "--env", "production", "--repo", repository.bare, "--rev", status["commit"])
        assert answer.status == 200 and answer.body == built.out.encode(), "the bytes of weir build"
        assert answer.headers["Content-Type"] == "application/json"
        digest = next(e["digest"] for e in status["environments"] if e["name"] == "production")
        etag = answer.headers["ETag"]
        assert etag == f'"{digest}"' and answer.headers["Weir-Digest"] == digest
        assert answer.headers["Weir-Commit"] == status["commit"]
        assert answer.headers["Weir-Generation"] == status["generation"]
        head = running.request("HEAD", path)
        assert (head.status, head.body, head.headers["ETag"]) == (200, b"", etag)
        assert head.headers["Content-Length"] == str(len(answer.body))
        for header in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            again = running.get(path, {"If-None-Match": header})
            assert (again.status, again.body, again.headers["ETag"]) == (304, b"", etag)
            assert again.headers["Weir-Commit"] == status["commit"]
        assert running.get(path, {"If-None-Match": '"other"'}).status == 200
        assert running.get("/flagd.json").body == running.get("/env/staging/flagd.json").body != answer.body
        assert running.get("/env/nowhere/flagd.json").status == 404
        assert running.request("POST", path, b"{}").status == 405
        # A commit that changes nothing keeps the tag, and is told all the same.
        commit = repository.commit({"README.md": "hello\n"})
        running.fetch()
        weir.wait_until(lambda: running.status()["commit"] == commit, "served")
        same = running.get(path, {"If-None-Match": etag})
        assert same.status == 304 and same.headers["Weir-Commit"] == commit
        repository.commit(
            {"flags/banner.yaml": weir.SHOP["flags/banner.yaml"].replace("default: plain", "default: loud")})
        running.fetch()
        changed = when(lambda: running.get(path, {"If-None-Match": etag}), 200)
        assert json.loads(changed.body)["flags"]["banner"]["defaultVariant"] == "loud"


def test_the_document_before_the_first_commit(tmp_path):
    empty = weir.Repository(tmp_path / "git")
    with Serving(empty, tmp_path / "data") as running:
        assert running.get("/flagd.json").status == 503


def find_flagd():
    folder = os.environ.get("WEIR_PEERS")
    if folder:
        for path in (os.path.join(folder, "flagd"), os.path.join(folder, "bin", "flagd")):
            if os.access(path, os.X_OK):
                return path
    return shutil.which("flagd")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.skipif(not find_flagd(), reason="there is no flagd on PATH or in $WEIR_PEERS")
@pytest.mark.parametrize("guarded", [True, False])
def test_a_stock_flagd_polls_the_document(repository, tmp_path, tokens, guarded):
    token = tokens.create("sdk", "production")
    arguments = ["--tokens", tokens.path, "--require-token"] if guarded else []
    with Serving(repository, tmp_path / "data", *arguments) as running:
        running.wait_ready()
        uri = f"http://127.0.0.1:{running.port}/env/production/flagd.json"
        source = ["--uri", uri]  # every 5 s
        if guarded:
            source = ["--sources", json.dumps([{"uri": uri, "provider": "http", "authHeader": f"Bearer {token}",
                                                "interval": 1}])]
        ports = {name: free_port() for name in ("port", "management-port", "sync-port", "ofrep-port")}
        flagd = subprocess.Popen([find_flagd(), "start", *source,
                                  *[word for name, port in ports.items() for word in (f"--{name}", str(port))]],
                                 stdout=open(tmp_path / "flagd.log", "wb"), stderr=subprocess.STDOUT)
        try:
            peer = weir.Client("127.0.0.1", ports["ofrep-port"])

            def value():
                try:
                    answer = peer.evaluate("banner", {"targetingKey": "ann"})
                except OSError:
                    return None
                return answer.status == 200 and answer.json().get("value")

            weir.wait_until(lambda: value() == "Hello", f"flagd answers\n{(tmp_path / 'flagd.log').read_text()}")
            repository.commit(
                {"flags/banner.yaml": weir.SHOP["flags/banner.yaml"].replace("default: plain", "default: loud")})
            running.fetch()
            weir.wait_until(lambda: value() == "Grüße, all!", "flagd follows")
            counted = b'weir_http_requests_total{route="document",code="304"}'
            weir.wait_until(lambda: counted in running.get("/metrics").body, "it asks with the tag that it was given")
        finally:
            flagd.terminate()
            flagd.wait(weir.PATIENCE)


# --- age and origin of answers --------------------------------------------------------------------


def test_readiness_turns_false_when_the_state_is_old(tmp_path):
    repository = weir.Repository(tmp_path / "git", weir.SHOP)
    with gitserver.HttpServer(repository.bare.parent) as server:
        repository_there = type("There", (), {"url": server.url("flags.git")})
        with Serving(repository_there, tmp_path / "data", "--max-state-age", "1s", poll="100ms") as running:
            running.wait_ready()
            server.stop()
            answer = when(lambda: running.get("/readyz"), 503)
            assert "was last fetched" in answer.json()["errorDetails"] and answer.headers["Retry-After"] == "1"
            assert running.value("banner", {}, "production") == "Hello", "it goes on answering"
            assert running.get("/healthz").status == 200
        # The age outlives a restart.
        with Serving(repository_there, tmp_path / "data", "--max-state-age", "1s", poll="100ms") as running:
            when(lambda: running.evaluate("banner", {}, "production"), 200)
            assert "was last fetched" in running.get("/readyz").json()["errorDetails"]
            server.start()
            weir.wait_until(running.is_ready, "fresh again")
        server.stop()
        with Serving(repository_there, tmp_path / "data", "--max-state-age", "1h") as running:
            running.wait_ready()


def test_answers_tell_their_commit(repository, tmp_path):
    with Serving(repository, tmp_path / "data", "--answer-commit") as running:
        commit = running.wait_ready().status()["commit"]
        for flag in ("banner", "checkout-v2"):
            metadata = running.evaluate(flag, {}, "production").json()["metadata"]
            assert metadata["weir.commit"] == commit
        assert running.evaluate("nowhere", {}, "production").json()["metadata"] == {"weir.commit": commit}
        every = running.evaluate(None, {}, "production").json()
        assert every["metadata"]["weir.commit"] == commit
        assert {flag["metadata"]["weir.commit"] for flag in every["flags"]} == {commit} and len(every["flags"]) == 2
        newer = repository.commit({"README.md": "hello\n"})
        running.fetch()
        tell = lambda: running.evaluate("banner", {}, "production").json()["metadata"]["weir.commit"]
        weir.wait_until(lambda: tell() == newer, "the newer commit")
    with Serving(repository, tmp_path / "data") as running:
        running.wait_ready()
        assert running.evaluate("banner", {}, "production").json()["metadata"] == {"flagSetId": "production"}


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
