"""How `weir run` reaches a Git server: tokens, SSH keys and hosts, proxies, certificates, redirects, owners."""
import contextlib
import http.client
import os
import pathlib
import select
import shutil
import socket
import subprocess
import threading

import gitserver
import pytest
import weir
from remotes import TOKEN, fails, following, reply, web


@pytest.fixture(autouse=True)
def leaks_of_libraries(monkeypatch):
    """libgit2 1.5 forgets the known hosts of each SSH connection, and some bytes for each proxy: not ours to find."""
    monkeypatch.setenv("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")


def refused(*options, env=None):
    done = weir.run("run", *options, env=env)
    assert done.code == 2, done
    return done.err


# --- tokens -------------------------------------------------------------------------------------------------------


@pytest.fixture
def locked(repository):
    """A server that takes the user "git" with TOKEN."""
    with gitserver.HttpServer(repository.bare.parent, "git", TOKEN) as server:
        yield server.url("flags.git", credentials=False)


def test_a_token_from_a_file_is_read_at_each_fetch(locked, tmp_path):
    token = tmp_path / "token"
    token.write_text("an-old-one\n")
    with following(locked, tmp_path / "data", "--git-token-file", token) as running:
        fails(running, "does not take the token")
        token.write_text(TOKEN + "\n")
        running.fetch()
        running.wait_ready()
        token.unlink()
        running.fetch()
        fails(running, "git-token", str(token))
        assert running.value("banner", {}, "production") == "Hello"


def test_a_token_from_the_environment(locked, tmp_path):
    environment = weir.environment(FLAGS_TOKEN=TOKEN)
    with following(locked, tmp_path / "data", "--git-token-env", "FLAGS_TOKEN", env=environment) as running:
        running.wait_ready()
    with following(locked, tmp_path / "other", "--git-token-env", "FLAGS_TOKEN") as running:
        fails(running, "FLAGS_TOKEN", "not set")


def test_the_user_beside_the_token(repository, tmp_path):
    (tmp_path / "token").write_text(TOKEN)
    with gitserver.HttpServer(repository.bare.parent, "robot", TOKEN) as server:
        url = server.url("flags.git", credentials=False)
        with following(url, tmp_path / "data", "--git-token-file", tmp_path / "token") as running:
            fails(running, "does not take the token")
        options = ("--git-token-file", tmp_path / "token", "--git-user", "robot")
        with following(url, tmp_path / "data", *options) as running:
            running.wait_ready()


def test_without_a_token_it_says_how_to_give_one(locked, tmp_path):
    with following(locked, tmp_path / "data") as running:
        fails(running, "--git-token-file")


@pytest.mark.parametrize("url, options, words", [
    ("https://example.com/x.git", ["--git-token-file", "/t", "--git-token-env", "T"], "use one"),
    ("https://example.com/x.git", ["--git-user", "me"], "goes with a token"),
    ("ssh://git@example.com/x.git", ["--git-token-file", "/t"], "https://"),
    ("https://me:pass@example.com/x.git", ["--git-token-file", "/t"], "out of the URL"),
    ("https://example.com/x.git", ["--ssh-key", "/k"], "ssh://"),
    ("git@example.com:x.git", ["--ssh-passphrase-file", "/p"], "ssh-key"),
    ("git@example.com:x.git", ["--git-proxy", "http://p:1"], "http://"),
    ("https://example.com/x.git", ["--git-proxy", "socks5://me:pa55@p:1"], "HOST:PORT"),
    ("https://example.com/x.git", ["--git-timeout", "10ms"], "at least a second"),
    ("https://example.com/x.git", ["--git-ca", "/nothing.pem"], "no certificates"),
])
def test_what_does_not_belong_together_is_refused(tmp_path, url, options, words):
    said = refused("--repo", url, "--data", tmp_path / "data", "--listen", "127.0.0.1:0", *options)
    assert words in said and "pa55" not in said, said


def test_the_configuration_file_says_the_same(locked, tmp_path):
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "weir.yaml").write_text(f"repo: {locked}\ngit-token-file: {tmp_path}/token\ngit-user: git\n"
                                        "git-timeout: 30s\nsafe-directory: ['*']\n")
    running = weir.Controller("--config", tmp_path / "weir.yaml", "--data", tmp_path / "data",
                              "--listen", "127.0.0.1:0")
    try:
        running.wait_ready()
    finally:
        running.kill()


# --- redirects ----------------------------------------------------------------------------------------------------


def wants_a_token(handler):
    reply(handler, 401, WWW_Authenticate='Basic realm="git"')


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"], ids=["another host", "another port"])
@pytest.mark.parametrize("when", ["first", "after the token"])
def test_a_token_goes_to_no_other_server(tmp_path, host, when):
    (tmp_path / "token").write_text(TOKEN)
    with web(wants_a_token) as (thief, stolen):

        def redirect(handler):
            if when == "first" or "Authorization" in handler.headers:
                reply(handler, 302, Location=f"http://{host}:{thief}{handler.path}")
            else:
                wants_a_token(handler)

        with web(redirect) as (port, seen):
            url = f"http://127.0.0.1:{port}/flags.git"
            with following(url, tmp_path / "data", "--git-token-file", tmp_path / "token") as running:
                assert "redirect" in fails(running, "not follow")
        assert seen and not stolen


def test_a_redirect_on_the_same_server_is_followed(repository, tmp_path):
    (tmp_path / "token").write_text(TOKEN)
    moved = tmp_path / "git" / "moved.git"
    repository.bare.rename(moved)
    with gitserver.HttpServer(moved.parent, "git", TOKEN) as server:

        def front(handler):
            """Another path of this server leads to the real one, byte by byte: it plays both."""
            if not handler.path.startswith("/moved.git"):
                reply(handler, 301, Location=f"http://127.0.0.1:{port}"
                      + handler.path.replace("flags.git", "moved.git"))
                return
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=weir.PATIENCE)
            names = ("Authorization", "Content-Type", "Accept")
            connection.request("GET", handler.path, headers={n: handler.headers[n] for n in names
                                                             if n in handler.headers})
            response = connection.getresponse()
            body = response.read()
            handler.send_response(response.status)
            for name in ("Content-Type", "WWW-Authenticate"):
                if response.headers[name]:
                    handler.send_header(name, response.headers[name])
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        with web(front) as (port, seen):
            url = f"http://127.0.0.1:{port}/flags.git"
            with following(url, tmp_path / "data", "--git-token-file", tmp_path / "token") as running:
                weir.wait_until(lambda: any(path.startswith("/moved.git/info/refs") and "Authorization" in headers
                                            for path, headers in seen), f"the new path is asked\n{running.log()}")


# --- SSH ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def ssh(repository, tmp_path):
    """sshd, its URL, a key with a passphrase that it takes, and a home without any."""
    home = tmp_path / "home"
    home.mkdir()
    with gitserver.SshServer(repository.bare.parent) as server:
        key = tmp_path / "key"
        shutil.copy(server.user_key, key)
        key.chmod(0o600)
        subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", key], check=True)
        (tmp_path / "passphrase").write_text("open sesame\n")
        (tmp_path / "hosts").write_text(server.known_hosts_line())
        environment = weir.environment(HOME=str(home))
        environment.pop("SSH_AUTH_SOCK", None)
        server.options = {"--ssh-key": key, "--ssh-passphrase-file": tmp_path / "passphrase",
                          "--ssh-known-hosts": tmp_path / "hosts"}
        server.environment = environment
        yield server


def over_ssh(server, data, **changes):
    options = {**server.options, **{"--" + name.replace("_", "-"): value for name, value in changes.items()}}
    flat = [word for name, value in options.items() if value is not None for word in (name, value)]
    return following(server.url("flags.git"), data, *flat, env=server.environment)


def test_a_key_with_a_passphrase_and_a_file_of_hosts(ssh, tmp_path):
    with over_ssh(ssh, tmp_path / "data") as running:
        running.wait_ready()


def test_a_key_that_cannot_be_used_is_named(ssh, tmp_path):
    (tmp_path / "wrong").write_text("close sesame\n")
    with over_ssh(ssh, tmp_path / "data", ssh_passphrase_file=tmp_path / "wrong") as running:
        fails(running, "passphrase")
    with over_ssh(ssh, tmp_path / "data", ssh_key=tmp_path / "nothing") as running:
        fails(running, str(tmp_path / "nothing"), "cannot be read")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "stranger"], check=True)
    with over_ssh(ssh, tmp_path / "data", ssh_key=tmp_path / "stranger", ssh_passphrase_file=None) as running:
        fails(running, "does not take the key", "stranger")


def other_key(folder, kind):
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", folder / kind], check=True)
    return " ".join((folder / f"{kind}.pub").read_text().split()[:2])


def test_a_host_is_trusted_by_its_key_alone(ssh, tmp_path):
    hosts, line = tmp_path / "hosts", ssh.known_hosts_line()
    name, _, key = line.split()
    fingerprint = subprocess.run(["ssh-keygen", "-l", "-f", hosts], check=True, capture_output=True,
                                 text=True).stdout.split()[1]
    cases = [
        ("", ["not in", fingerprint]),
        (None, ["cannot be read"]),
        (f"{name} {other_key(tmp_path, 'ed25519')}\n", ["changed to", fingerprint]),
        (f"{name} {other_key(tmp_path, 'ecdsa')}\n", ["no ED25519 key", fingerprint]),
        (f"{line}@revoked * ssh-ed25519 {key}\n", ["is revoked", fingerprint]),
    ]
    for content, words in cases:
        hosts.unlink(missing_ok=True)
        if content is not None:
            hosts.write_text(content)
        with over_ssh(ssh, tmp_path / "data") as running:
            fails(running, "is not trusted", *words)
            assert not running.is_ready()
    # A comment, hashed names and another host's line do no harm.
    hosts.write_text(f"# hosts\nother.example.com {other_key(tmp_path / 'data', 'ed25519')}\n{line}")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", hosts], check=True, capture_output=True)
    with over_ssh(ssh, tmp_path / "data") as running:
        running.wait_ready()


# --- proxies ------------------------------------------------------------------------------------------------------


@pytest.fixture
def forward():
    """An HTTP proxy; yields its port and the first lines that it was sent."""
    listening = socket.create_server(("127.0.0.1", 0))
    lines = []

    def pipe(one, other):
        ends = {one: other, other: one}
        while True:
            for ready in select.select(list(ends), [], [], weir.PATIENCE)[0]:
                piece = ready.recv(65536)
                if not piece:
                    return
                ends[ready].sendall(piece)

    def serve(client):
        with client, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(65536)
            line = head.split(b"\r\n", 1)[0].decode()
            lines.append(line)
            method, place, _ = line.split()
            host, port = (place if method == "CONNECT" else place.split("/")[2]).rsplit(":", 1)
            with socket.create_connection((host, int(port))) as far:
                if method == "CONNECT":
                    client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                else:
                    far.sendall(head)
                pipe(client, far)

    def accept():
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield listening.getsockname()[1], lines
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join(10)


def test_a_proxy_by_option_and_by_environment(repository, tmp_path, forward):
    port, lines = forward
    with gitserver.HttpServer(repository.bare.parent) as server:
        url = server.url("flags.git")
        dead = weir.environment(http_proxy="http://127.0.0.1:1")
        with following(url, tmp_path / "1", "--git-proxy", f"http://127.0.0.1:{port}", env=dead) as running:
            running.wait_ready()
        assert lines and url in lines[0]
        lines.clear()
        with following(url, tmp_path / "2", env=weir.environment(http_proxy=f"127.0.0.1:{port}")) as running:
            running.wait_ready()
        assert lines
        lines.clear()
        for spared in ("*", "127.0.0.1", "x,127.0.0.1", f"127.0.0.1:{server.port}"):
            with following(url, tmp_path / "3", env=dict(dead, no_proxy=spared)) as running:
                running.wait_ready()
            shutil.rmtree(tmp_path / "3")
        with following(url, tmp_path / "4", env=dict(dead, no_proxy="27.0.0.1,127.0.0.1:9")) as running:
            fails(running, "127.0.0.1")
        assert not lines


def test_a_proxy_to_https_and_certificates_of_ones_own(repository, tmp_path, forward):
    port, lines = forward
    with gitserver.HttpServer(repository.bare.parent, tls=True) as server:
        url = server.url("flags.git").replace("127.0.0.1", "localhost")
        with following(url, tmp_path / "1") as running:
            fails(running, "is not trusted")
        with following(url, tmp_path / "2", "--git-ca", server.certificate) as running:
            running.wait_ready()
        assert not lines
        environment = weir.environment(https_proxy=f"http://127.0.0.1:{port}")
        with following(url, tmp_path / "3", "--git-ca", server.certificate, env=environment) as running:
            running.wait_ready()
        assert lines[0].startswith(f"CONNECT localhost:{server.port} ")


# --- owners -------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository away")
def test_another_owners_repository_is_read_only_when_allowed(repository, tmp_path):
    for path in [repository.bare, *repository.bare.rglob("*")]:
        os.chown(path, 12345, 12345)
    home = tmp_path / "home"
    home.mkdir()
    environment = weir.environment(HOME=str(home))
    for url in (repository.url, repository.bare):
        data = tmp_path / f"data-{pathlib.Path(str(url)).name}-{str(url)[:4].strip('/')}"
        with following(url, data, env=environment) as running:
            fails(running, "belongs to another user", "--safe-directory")
        with following(url, data, "--safe-directory", tmp_path, env=environment) as running:
            fails(running, "belongs to another user")
        with following(url, data, "--safe-directory", repository.bare, env=environment) as running:
            running.wait_ready()
        with following(url, data, "--safe-directory", "*", env=environment) as running:
            weir.wait_until(lambda running=running: running.status()["lastFetch"]["succeeded"], "a fetch")
