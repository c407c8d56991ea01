"""Serving over TLS, and how often, how many and how slowly clients may ask."""
import concurrent.futures
import http.client
import json
import re
import select
import shutil
import signal
import socket
import ssl
import time

import pytest
import weir
from serving import (BANNER, JSON, Secure, Serving, ask, bearer, certificate, dripping, needs_openssl,
                     tokens, when)  # noqa: F401  (a fixture)


PROMPT = "2s"  # for a request that is none of the slow ones, on a machine that is busy


# --- TLS ------------------------------------------------------------------------------------------


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
                "--request-timeout", PROMPT) as running:
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", running.port), timeout=weir.PATIENCE) as slow:
            slow.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a client's greeting
            dripping(slow, b"\x00", began)
        assert running.status(pair[0]) == 200


# --- limits ---------------------------------------------------------------------------------------


def test_the_rate_of_one_caller(repository, tmp_path, tokens):
    first, second = tokens.create("sdk", "production"), tokens.create("sdk", "production")
    with Serving(repository, tmp_path / "data", "--tokens", tokens.path, "--rate-limit", "5/s") as running:
        weir.wait_until(running.is_ready, "ready")  # which is no request that counts

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
    with Serving(repository, tmp_path / "data", "--request-timeout", PROMPT) as running:
        running.wait_ready()
        head = f"POST {BANNER} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n".encode()

        def send_slowly(start):
            began = time.monotonic()
            with socket.create_connection((running.host, running.port), timeout=weir.PATIENCE) as slow:
                slow.sendall(start)
                dripping(slow, b"{" if start else b"G", began)

        with concurrent.futures.ThreadPoolExecutor() as senders:
            list(senders.map(send_slowly, (b"", b"POST /", head)))
        counted = rb'weir_http_connections_cut_total{reason="slow"} [3-9]\n'
        weir.wait_until(lambda: re.search(counted, running.get("/metrics").body), "they are counted")
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
