"""The http target: a receiver holds what is served, nothing older replaces it, and a bad one harms nobody."""
import contextlib
import json
import socket
import ssl
import time

import ports
import pytest
import weir
from kubeserver import certificate
from receiver import Misbehaving, Receiver
from test_targets import change, document, in_sync, refused, target

KEY = "a key of the operator's"


def http_target(url, name="http", secret=None):
    credentials = f"  credentials: {{secret: {secret}}}\n" if secret else ""
    return (f"apiVersion: weir/v1\nkind: Target\nmetadata: {{name: {name}}}\nspec:\n  environment: production\n"
            f"  http: {{url: \"{url}\"}}\n{credentials}")


def configuration(tmp_path, hosts, more=""):
    """A configuration file that lets the secret `edge` go to `hosts`."""
    (tmp_path / "key").write_text(KEY + "\n")
    listed = ", ".join(f'"{host}"' for host in hosts)
    path = tmp_path / "weir.yaml"
    path.write_text(f"secrets:\n  edge: {{file: {tmp_path / 'key'}, hosts: [{listed}]}}\n{more}")
    return path


@contextlib.contextmanager
def allowed(repository, tmp_path, port, *arguments, name="data"):
    with weir.controller(repository.url, tmp_path / name, "--allow-host", f"127.0.0.1:{port}", *arguments) as running:
        yield running


def many_flags(count):
    """Files with `count` flags of nearly a kilobyte each."""
    return {f"flags/many/f{i}.yaml": f"apiVersion: weir/v1\nkind: Flag\nmetadata: {{name: f{i}}}\nspec:\n"
            f"  variants: {{on: \"{'x' * 900}\", off: b}}\n  default: on\n" for i in range(count)}


def failing(running, name="http"):
    """The target's status once it has failed."""
    return weir.wait_until(lambda: (t := target(running, name)) and t.get("fault") and t,
                           f"{name} fails\n{running.log()}")


# --- what it holds --------------------------------------------------------------------------------


@pytest.mark.parametrize("tells", [True, False])
def test_a_receiver_holds_the_document_and_what_it_is(repository, tmp_path, tells):
    with Receiver(tmp_path, tells=tells) as receiver:
        commit = repository.commit({"targets/http.yaml": http_target(receiver.url)})
        with allowed(repository, tmp_path, receiver.port) as running:
            for _ in range(2):
                in_sync(running, "http", commit)
                assert receiver.document().decode() == document(repository, commit)
                status = running.status()
                digest = next(e["digest"] for e in status["environments"] if e["name"] == "production")
                assert receiver.held == {"commit": commit, "digest": digest, "environment": "production",
                                         "generation": status["generation"]}
                sent = receiver.headers[-1]
                assert sent["Content-Type"] == "application/json"
                assert abs(int(sent["Weir-Timestamp"]) - time.time()) < 60
                assert "Weir-Signature" not in sent and sent["User-Agent"].startswith("weir/")
                commit = change(repository)
                running.fetch()
            in_sync(running, "http", commit)
            assert 'weir_target_pushes_total{target="http",result="ok"} 3\n' in running.get("/metrics").body.decode()


def test_after_a_restart_it_is_asked_before_it_is_sent_again(repository, tmp_path):
    with Receiver(tmp_path) as receiver:
        commit = repository.commit({"targets/http.yaml": http_target(receiver.url)})
        for _ in range(2):
            with allowed(repository, tmp_path, receiver.port) as running:
                in_sync(running, "http", commit)
        assert receiver.seen == ["HEAD", "PUT", "HEAD"]


def test_what_somebody_else_changed_is_put_right_after_a_restart(repository, tmp_path):
    with Receiver(tmp_path) as receiver:
        commit = repository.commit({"targets/http.yaml": http_target(receiver.url)})
        with allowed(repository, tmp_path, receiver.port) as running:
            in_sync(running, "http", commit)
            held = receiver.held
        receiver.store({**held, "digest": "sha256:0", "generation": "0" * 32}, b"{}")
        with allowed(repository, tmp_path, receiver.port) as running:
            in_sync(running, "http", commit)
        assert receiver.held == held and receiver.document().decode() == document(repository)


def test_a_receiver_with_a_newer_generation_is_not_set_back(repository, tmp_path):
    """Whether it tells by HEAD, or only by refusing the PUT."""
    with Receiver(tmp_path) as receiver:
        repository.commit({"targets/http.yaml": http_target(receiver.url)})
        newer = change(repository)
        with allowed(repository, tmp_path, receiver.port) as running:
            in_sync(running, "http", newer)
        before = receiver.held, receiver.document()
        weir.git(repository.work, "push", "--quiet", "--force", "origin", "HEAD~1:main")
        for answers_head in (True, False):
            if not answers_head:
                receiver.RequestHandlerClass = type("NoHead", (receiver.RequestHandlerClass,),
                                                    {"do_HEAD": lambda self: self.answer(405)})
            with allowed(repository, tmp_path, receiver.port, name=f"other-{answers_head}") as running:
                running.wait_ready()
                assert running.value("banner", {}, "production") == "Hello", "it serves the older commit itself"
                found = refused(running, "http")
                assert found["state"] == "refused" and found["fault"]["code"] is None
                generation = before[0]["generation"]
                own, since = running.status()["generation"], found["held"]["since"]
                assert own < generation and found["held"]["generation"] == generation
                assert found["fault"]["message"] == (f"'{receiver.url}' holds a newer generation ({generation}): "
                                                     f"another controller is ahead; this one's is lower ({own}), "
                                                     f"and it has waited since {since}")
                assert (receiver.held, receiver.document()) == before
        assert receiver.seen.count("PUT") == 2, "the first's, and the one that was refused"


@pytest.mark.skipif(weir.is_sanitized(), reason="it waits half a minute for the check; it is run without a sanitizer")
def test_a_receiver_that_was_emptied_is_filled_again_by_the_check(repository, tmp_path):
    """Nobody commits: the check alone, every half minute, finds it."""
    with Receiver(tmp_path) as receiver:
        commit = repository.commit({"targets/http.yaml": http_target(receiver.url)})
        with allowed(repository, tmp_path, receiver.port) as running:
            in_sync(running, "http", commit)
            receiver.path.unlink()
            weir.wait_until(lambda: receiver.held, "it is filled again", 3 * weir.PATIENCE)
            assert receiver.held["commit"] == commit and receiver.document().decode() == document(repository)
            assert receiver.seen == ["HEAD", "PUT", "HEAD", "PUT"]
            in_sync(running, "http", commit)


def test_another_document_of_the_same_generation_is_not_overwritten(repository, tmp_path):
    with Receiver(tmp_path, tells=True) as receiver:
        commit = repository.commit({"targets/http.yaml": http_target(receiver.url)})
        with allowed(repository, tmp_path, receiver.port) as running:
            in_sync(running, "http", commit)
        other = {**receiver.held, "digest": "sha256:other"}
        receiver.store(other, b"{}")
        with allowed(repository, tmp_path, receiver.port) as running:
            found = refused(running, "http")
            assert found["state"] == "refused"
            assert "another document of this generation (sha256:other)" in found["fault"]["message"]
        assert receiver.held == other


# --- secrets, hosts, certificates -----------------------------------------------------------------


def test_it_is_signed(repository, tmp_path):
    with Receiver(tmp_path, key=KEY.encode()) as receiver:
        commit = repository.commit({"targets/http.yaml": http_target(receiver.url, secret="edge")})
        config = configuration(tmp_path, ["127.0.0.1"])
        with allowed(repository, tmp_path, receiver.port, "--config", config) as running:
            in_sync(running, "http", commit)
            receiver.key = b"another"
            change(repository)
            running.fetch()
            assert failing(running)["fault"]["message"] == (
                f"'{receiver.url}': answered 401: it does not take the signature by secret 'edge'")
            assert KEY not in running.log()
        assert receiver.held["commit"] == commit


def test_a_receiver_that_wants_a_signature_is_told_apart(repository, tmp_path):
    with Receiver(tmp_path, key=KEY.encode()) as receiver:
        repository.commit({"targets/http.yaml": http_target(receiver.url)})
        with allowed(repository, tmp_path, receiver.port) as running:
            assert failing(running)["fault"]["message"] == (
                f"'{receiver.url}': answered 401: it may want a signature: name a secret in the target's 'credentials'")


@pytest.mark.parametrize("secret,hosts,words", [
    ("edge", ["127.0.0.2"], "secret 'edge' may not be sent to '127.0.0.1:"),
    ("edge", ["127.0.0.1:1"], "secret 'edge' may not be sent to '127.0.0.1:"),
    ("other", ["127.0.0.1"], "secret 'other' is not known"),
])
def test_a_secret_goes_nowhere_else(repository, tmp_path, secret, hosts, words):
    with Receiver(tmp_path) as receiver:
        repository.commit({"targets/http.yaml": http_target(receiver.url, secret=secret)})
        with allowed(repository, tmp_path, receiver.port, "--config", configuration(tmp_path, hosts)) as running:
            found = refused(running, "http")
            fault = found["fault"]
            assert (fault["code"], fault["path"], fault["line"]) == ("W503", "targets/http.yaml", 6), fault
            assert words in fault["message"] and found["state"] == "refused"
        assert receiver.seen == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "127.1"])
def test_a_host_that_is_not_allowed_is_never_contacted(repository, tmp_path, host):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        repository.commit({"targets/http.yaml": http_target(f"http://{host}:{port}/flags")})
        with weir.controller(repository.url, tmp_path / "data", "--allow-host", "127.0.0.2") as running:
            found = refused(running, "http")
            fault = found["fault"]
            place = fault["code"], fault["path"], fault["line"], fault["column"]
            assert place == ("W502", "targets/http.yaml", 6, 15), fault
            assert "--allow-host" in fault["message"] and found["state"] == "refused"
            assert running.value("banner", {}, "production") == "Hello"
            listener.setblocking(False)
            with pytest.raises(BlockingIOError):
                listener.accept()


def test_a_mapped_address_of_an_allowed_host_is_that_host(repository, tmp_path):
    with Receiver(tmp_path) as receiver:
        url = f"http://[::ffff:127.0.0.1]:{receiver.port}/flags"
        commit = repository.commit({"targets/http.yaml": http_target(url)})
        with allowed(repository, tmp_path, receiver.port) as running:
            in_sync(running, "http", commit)


@pytest.mark.parametrize("address", ["169.254.169.254", "[fd00:ec2::254]"])
def test_the_metadata_address_of_a_cloud_is_not_contacted(repository, tmp_path, address):
    repository.commit({"targets/http.yaml": http_target(f"http://{address}/latest/meta-data/")})
    with weir.controller(repository.url, tmp_path / "data", "--allow-host", "127.0.0.1") as running:
        fault = refused(running, "http")["fault"]
        assert fault["code"] == "W502" and f"'{address}:80'" in fault["message"], fault


def test_a_proxy_of_the_environment_is_not_used(repository, tmp_path):
    with Receiver(tmp_path) as receiver, socket.create_server(("127.0.0.1", 0)) as proxy:
        commit = repository.commit({"targets/http.yaml": http_target(receiver.url)})
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        env = weir.environment(http_proxy=address, HTTP_PROXY=address, ALL_PROXY=address, all_proxy=address)
        with weir.controller(repository.url, tmp_path / "data", "--allow-host", "127.0.0.1", env=env) as running:
            in_sync(running, "http", commit)


def test_certificates_are_checked(repository, tmp_path):
    trusted, key = certificate(tmp_path, "trusted")
    other, _ = certificate(tmp_path, "other")
    with Receiver(tmp_path) as receiver:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(trusted, key)
        receiver.socket = context.wrap_socket(receiver.socket, server_side=True, do_handshake_on_connect=False)
        url = receiver.url.replace("http://", "https://")
        commit = repository.commit({"targets/http.yaml": http_target(url)})
        for ca_file in ([], ["--ca-file", other]):
            with allowed(repository, tmp_path, receiver.port, *ca_file) as running:
                message = failing(running)["fault"]["message"]
                assert f"'{url}': certificate is not trusted (" in message and "--ca-file" in message
        assert receiver.seen == []
        with allowed(repository, tmp_path, receiver.port, "--ca-file", trusted) as running:
            in_sync(running, "http", commit)
        config = configuration(tmp_path, ["127.0.0.1"], f"ca-file: {trusted}\n")
        with allowed(repository, tmp_path, receiver.port, "--config", config, name="again") as running:
            in_sync(running, "http", commit)


# --- receivers that misbehave ---------------------------------------------------------------------


def say(*pieces):
    def act(connection, server):
        for piece in pieces:
            connection.sendall(piece)
    return act


def hang(connection, server):
    server.hang(connection)


def drip(connection, server):
    """One byte of an endless header every now and then."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not server.closing.wait(0.1):
        connection.sendall(b"x")


def flood(connection, server):
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not server.closing.is_set():
        connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")


def many_fields(connection, server):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not server.closing.is_set():
        connection.sendall(b"X: " + b"x" * 1000 + b"\r\n")


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"


@pytest.mark.parametrize("act,words", [
    (hang, "no answer within 5 s"),
    (drip, "no whole answer within 5 s"),
    (say(), "connection was closed without an answer"),
    (say(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"), "connection was closed in the middle of the answer"),
    (say(b"HTTP/1.1 500 Oops\r\nContent-Length: 12\r\n\r\nout of\x1b[1m!\n"), "answered 500 to PUT: out of?[1m!"),
    (say(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"), "answered 404 to PUT"),
    (say(b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n"), "answered 409 to PUT"),
    (say(b"220 smtp.example ESMTP ready\r\n"), "answers something that is not HTTP"),
    (flood, "body of the answer is larger than 64 KiB"),
    (many_fields, "header of the answer is larger than 64 KiB"),
    (say(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"), "redirects without saying where"),
    (say(b"HTTP/1.1 307 Moved\r\nLocation: /flags\r\nContent-Length: 0\r\n\r\n"), "redirects in a circle"),
    (say(OK + b"Weir-Digest: sha256:other\r\n\r\n"), "acknowledged another document (sha256:other)"),
], ids=["hangs", "drips", "closes", "cuts", "500", "404", "409", "garbage", "body", "header", "nowhere", "circle",
        "digest"])
def test_a_receiver_that_misbehaves(repository, tmp_path, act, words):
    """HEAD is answered as by one that does not know it, so that the fault is the PUT's."""
    def head_first(connection, server):
        if server.requests[-1].startswith("HEAD"):
            connection.sendall(b"HTTP/1.1 405 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        else:
            act(connection, server)
    with Misbehaving(head_first) as server:
        repository.commit({"targets/http.yaml": http_target(server.url)})
        with allowed(repository, tmp_path, server.port) as running:
            found = failing(running)
            assert found["fault"]["message"] == f"'{server.url}': {words}" and found["state"] == "retrying"
            assert found["fault"]["code"] is None and found["generation"] is None
            assert running.value("banner", {}, "production") == "Hello"
            assert 'weir_target_behind{target="http"} 1\n' in running.get("/metrics").body.decode()


@pytest.mark.parametrize("location", ["http://127.0.0.1:1/flags", "https://127.0.0.1:{port}/flags", "//127.0.0.2/flags",
                                      "http://127.0.0.1:{port}@127.0.0.2/x", "ftp://127.0.0.1/", "file:///etc/passwd"])
def test_a_redirect_to_another_server_is_not_followed(repository, tmp_path, location):
    with Misbehaving(lambda connection, server: connection.sendall(
            b"HTTP/1.1 307 Moved\r\nLocation: " + location.format(port=server.port).encode()
            + b"\r\nContent-Length: 0\r\n\r\n")) as server:
        repository.commit({"targets/http.yaml": http_target(server.url)})
        with weir.controller(repository.url, tmp_path / "data", "--allow-host", "127.0.0.1", "--allow-host",
                             "127.0.0.2") as running:
            found = refused(running, "http")
            fault = found["fault"]
            assert (fault["code"], fault["path"], fault["line"]) == ("W502", "targets/http.yaml", 6), fault
            assert "which is another server and not followed" in fault["message"] and found["state"] == "refused"


def test_a_redirect_to_the_same_server_is_followed(repository, tmp_path):
    with Receiver(tmp_path) as receiver:
        def redirect(self):
            if self.path != "/there":
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(308)
                self.send_header("Location", "/there")
                self.send_header("Content-Length", "0")
                return self.end_headers()
            return super(moved, self).do_PUT() if self.command == "PUT" else super(moved, self).do_GET()
        moved = type("Moved", (receiver.RequestHandlerClass,), {"do_PUT": redirect, "do_HEAD": redirect})
        receiver.RequestHandlerClass = moved
        commit = repository.commit({"targets/http.yaml": http_target(receiver.url)})
        with allowed(repository, tmp_path, receiver.port) as running:
            in_sync(running, "http", commit)
        assert receiver.document().decode() == document(repository)


def test_a_receiver_that_hangs_does_not_delay_the_end(repository, tmp_path):
    with Misbehaving(hang) as server:
        repository.commit({"targets/http.yaml": http_target(server.url)})

        def end(number):
            """How long it takes."""
            with allowed(repository, tmp_path, server.port, name=f"data-{number}") as running:
                weir.wait_until(lambda: len(server.requests) > number, "a request")
                began = time.monotonic()
                assert running.stop() == 0
                return time.monotonic() - began

        # The request alone would have taken 5 s. A machine that is busy may need as long, but not each time.
        assert any(end(number) < 4 for number in range(5))


def test_a_dead_receiver_is_caught_up(repository, tmp_path):
    kept = ports.keep()
    port = ports.number(kept)
    repository.commit({"targets/http.yaml": http_target(f"http://127.0.0.1:{port}/flags")})
    with kept, allowed(repository, tmp_path, port) as running:
        found = failing(running)
        assert found["fault"]["message"] == f"'http://127.0.0.1:{port}/flags': cannot connect: Connection refused"
        with Receiver(tmp_path, port=port):
            commit = change(repository)
            running.fetch()
            in_sync(running, "http", commit)
        assert target(running, "http")["failures"] == 0 and "fault" not in target(running, "http")


def test_a_large_document_goes_through(repository, tmp_path):
    with Receiver(tmp_path) as receiver:
        commit = repository.commit({**many_flags(3000), "targets/http.yaml": http_target(receiver.url)})
        with allowed(repository, tmp_path, receiver.port) as running:
            in_sync(running, "http", commit)
        assert len(json.loads(receiver.document())["flags"]) == 3002


@pytest.mark.parametrize("url", ["ftp://h/x", "http://u:p@h/x", "http://h:123456/", "http://h/a b", "http://h/x#y",
                                 "http://", "redis://h"])
def test_a_url_that_makes_no_sense_is_refused_in_the_repository(shop, url):
    weir.write_files(shop, {"targets/http.yaml": http_target(url)})
    result = weir.run("validate", "--format", "json", shop)
    assert result.code == 1
    fault = result.json()["diagnostics"][0]
    assert (fault["path"], fault["line"], fault["column"]) == ("targets/http.yaml", 6, 15), result
