"""Webhooks of GitHub, GitLab and Gitea at a running controller: what they cause, and what a storm of them does not."""
import base64
import hashlib
import hmac
import http.client
import json
import re
import threading
import time

import gitserver
import pytest
import weir

SECRET = "It's a Secret to Everybody"
TOKEN = "whsec_" + base64.b64encode(b"24 bytes that nobody has").decode()


def signed(forge, body, delivery, secret=SECRET):
    """The headers with which a forge would send `body`."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if forge == "github":
        return {"X-Hub-Signature-256": "sha256=" + digest, "X-GitHub-Event": "push", "X-GitHub-Delivery": delivery}
    if forge == "gitlab":
        return {"X-Gitlab-Token": secret, "X-Gitlab-Event": "Push Hook", "Idempotency-Key": delivery}
    if forge == "gitlab-signed":
        now = str(int(time.time()))
        key = base64.b64decode(TOKEN[len("whsec_"):])
        signature = hmac.new(key, f"{delivery}.{now}.".encode() + body, hashlib.sha256).digest()
        return {"webhook-id": delivery, "webhook-timestamp": now, "X-Gitlab-Event": "Push Hook",
                "webhook-signature": "v1," + base64.b64encode(signature).decode()}
    return {f"X-{forge.capitalize()}-Signature": digest, f"X-{forge.capitalize()}-Event": "push",
            f"X-{forge.capitalize()}-Delivery": delivery}


def push_body(branch="main"):
    return json.dumps({"ref": f"refs/heads/{branch}", "repository": {"full_name": "acme/flags"}}).encode()


def metric(running, name):
    match = re.search(rf"^{re.escape(name)} (\S+)$", running.get("/metrics").body.decode(), re.MULTILINE)
    return float(match.group(1)) if match else 0.0


def fetches(running):
    return sum(metric(running, f'weir_git_fetches_total{{result="{result}"}}')
               for result in ("changed", "unchanged", "failed"))


@pytest.fixture
def secret(tmp_path):
    (tmp_path / "hook-secret").write_text(SECRET + "\n")
    return tmp_path / "hook-secret"


@pytest.mark.parametrize("forge", ["github", "gitlab", "gitlab-signed", "gitea", "forgejo"])
def test_a_push_is_served_at_once(repository, tmp_path, forge, secret):
    path = "/hooks/" + forge.split("-", maxsplit=1)[0]
    name = {"forgejo": "gitea", "gitlab-signed": "gitlab"}.get(forge, forge)
    if forge == "gitlab-signed":
        secret.write_text(TOKEN + "\n")
    with weir.controller(repository.url, tmp_path / "data", "--hook-secret", f"{name}={secret}") as running:
        running.wait_ready()
        repository.commit({"flags/banner.yaml": weir.SHOP["flags/banner.yaml"].replace("default: plain",
                                                                                       "default: loud")})
        headers = signed(forge, push_body(), "1")
        answer = running.request("POST", path, push_body(), headers)
        assert (answer.status, answer.json()) == (202, {"result": "accepted"})
        weir.wait_until(lambda: running.value("banner", {}, "production") == "Grüße, all!", "the new commit")
        assert running.request("POST", path, push_body(), headers).json()["result"] == "duplicate"
        forged = running.request("POST", path, push_body() + b" ", signed(forge, push_body(), "2", "wrong"))
        assert forged.status == 401
        assert metric(running, f'weir_webhooks_total{{forge="{name}",result="accepted"}}') == 1
        assert metric(running, f'weir_webhooks_total{{forge="{name}",result="refused"}}') == 1


def test_without_a_secret_there_is_no_webhook(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        before = fetches(running)
        answer = running.request("POST", "/hooks/github", push_body(), signed("github", push_body(), "1"))
        assert answer.status == 404
        assert "--hook-secret github=FILE" in answer.json()["errorDetails"]
        assert running.get("/hooks/github").status == 405
        assert running.request("POST", "/hooks/svn", b"").status == 404
        assert fetches(running) == before


def test_a_configuration_file_names_secrets(repository, tmp_path, secret):
    config = tmp_path / "weir.yaml"
    config.write_text(f"branch: main\nlog-format: json\nlog-level: debug\n"
                      f"hooks:\n  github: {{secretFile: {secret}}}\n  gitea: {{secretEnv: HOOK}}\n")
    with weir.controller(repository.url, tmp_path / "data", "--config", config,
                         env=weir.environment(HOOK="other")) as running:
        running.wait_ready()

        def post(forge, body, delivery, secret=SECRET):
            return running.request("POST", f"/hooks/{forge}", body, signed(forge, body, delivery, secret)).json()

        assert post("github", push_body(), "1") == {"result": "accepted"}
        assert post("gitea", push_body(), "1", "other") == {"result": "accepted"}
        assert post("github", push_body("feature"), "2")["result"] == "ignored"
        assert "errorDetails" in post("gitea", push_body(), "2")
        # Rotation: the file is read again on SIGHUP, the variable stays.
        secret.write_text("rotated\n")
        running.fetch()
        weir.wait_until(lambda: post("github", push_body(), "3", "rotated") == {"result": "accepted"}, "the new secret")
        assert "errorDetails" in post("github", push_body(), "4")
        secret.unlink()
        running.fetch()
        weir.wait_until(lambda: "reload_failed" in running.log(), "a word of the secret that is gone")
        assert post("github", push_body(), "5", "rotated") == {"result": "accepted"}
    # Every line of the log is an object with the same first three members.
    lines = [json.loads(line) for line in running.log().splitlines()]
    assert all(list(line)[:3] == ["time", "level", "event"] for line in lines)
    assert {"served", "webhook", "webhook_refused", "reload_failed", "stopping"} <= {line["event"] for line in lines}
    served = next(line for line in lines if line["event"] == "served")
    assert served["commit"] == weir.git(repository.work, "rev-parse", "HEAD")


def test_levels(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data", "--log-level", "error") as running:
        running.wait_ready()
    assert running.log() == ""


@pytest.mark.parametrize("arguments, words", [
    (["--hook-secret", "svn=/x"], '"--hook-secret": "svn" is none of the forges github, gitlab and gitea'),
    (["--hook-secret", "/x"], '"--hook-secret": "/x" is not FORGE=FILE'),
    (["--hook-secret", "github=/x", "--hook-secret", "github=/y"], "the secret of github is given twice"),
    (["--hook-secret", "github=/nowhere/secret"], "secret 'hooks.github': cannot open '/nowhere/secret'"),
    (["--log-format", "xml"], '"--log-format": "xml" is neither logfmt nor json'),
    (["--log-level", "loud"], '"--log-level": "loud" is none of debug, info, warn and error'),
])
def test_what_is_refused_at_the_start(repository, tmp_path, arguments, words):
    done = weir.run("run", "--repo", repository.url, "--data", tmp_path / "data", "--listen", "127.0.0.1:0", *arguments)
    assert done.code == 2 and words in done.err, done


def storm(running, first, count, results):
    connection = http.client.HTTPConnection(running.host, running.port, timeout=weir.PATIENCE)
    for number in range(first, first + count):
        body = push_body()
        connection.request("POST", "/hooks/github", body, signed("github", body, str(number)))
        response = connection.getresponse()
        response.read()
        results.append(response.status)
    connection.close()


def test_a_storm_is_few_fetches(tmp_path, secret):
    """500 deliveries in a burst over smart HTTP: each is answered, and what they cause is one fetch at a time."""
    repository = weir.Repository(tmp_path / "git", weir.SHOP)
    with gitserver.HttpServer(repository.bare.parent) as server:
        with weir.controller(server.url("flags.git"), tmp_path / "data", "--hook-secret",
                             f"github={secret}") as running:
            running.wait_ready()
            before, start, results = fetches(running), time.monotonic(), []
            threads = [threading.Thread(target=storm, args=(running, 100 * i, 100, results)) for i in range(5)]
            for thread in threads:
                thread.start()
            commit = repository.commit({"README.md": "in the middle of it\n"})
            for thread in threads:
                thread.join()
            assert results == [202] * 500
            body = push_body()  # the last word, after the push
            running.request("POST", "/hooks/github", body, signed("github", body, "last"))
            weir.wait_until(lambda: running.status()["commit"] == commit, "the commit of the storm")
            assert metric(running, 'weir_webhooks_total{forge="github",result="accepted"}') == 501
            # At most one each 100 ms, one that ran already and one after the last word.
            most = (time.monotonic() - start) / 0.1 + 2
            assert 1 <= fetches(running) - before <= min(most, 250), (fetches(running) - before, most)


def test_polling_goes_on(repository, tmp_path, secret):
    running = weir.Controller("--repo", repository.url, "--data", tmp_path / "data", "--listen", "127.0.0.1:0",
                              "--poll", "100ms", "--hook-secret", f"github={secret}")
    try:
        running.wait_ready()
        body = push_body()
        assert running.request("POST", "/hooks/github", body, signed("github", body, "1")).status == 202
        commit = repository.commit({"README.md": "no hook for this one\n"})
        weir.wait_until(lambda: running.status()["commit"] == commit, "served by polling alone")
        assert running.stop() == 0
    finally:
        running.kill()
