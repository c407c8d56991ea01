"""The document for those who evaluate by themselves; how old what is served is, and of which commit."""
import json
import os
import shutil
import socket
import subprocess

import gitserver
import pytest
import weir
from serving import Serving, tokens, when  # noqa: F401  (a fixture)


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
