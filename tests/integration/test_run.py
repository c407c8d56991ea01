"""`weir run` from the first commit to the last request: what it follows, serves, tells and survives."""
import http.client
import json
import os
import re
import signal
import socket
import threading
import time

import gitserver
import pytest
import weir

ENVIRONMENT = "apiVersion: weir/v1\nkind: Environment\nmetadata: {name: only}\n"


def number_flag(name, number):
    """A flag that answers a number, so that an answer tells which commit it comes from."""
    return (f"apiVersion: weir/v1\nkind: Flag\nmetadata: {{name: {name}}}\n"
            f"spec:\n  variants: {{v: {number}}}\n  default: v\n")


def numbered(number):
    flags = {f"flags/{name}.yaml": number_flag(name, number) for name in ("a", "b", "c")}
    return {"environments/only.yaml": ENVIRONMENT, **flags}


def change(repository, old="default: plain", new="default: loud"):
    return repository.commit({"flags/banner.yaml": weir.SHOP["flags/banner.yaml"].replace(old, new)})


def becomes(running, value, flag="banner", environment="production"):
    weir.wait_until(lambda: running.value(flag, {}, environment) == value, f"{flag} is {value!r}\n{running.log()}")


# --- following a repository -----------------------------------------------------------------------


@pytest.mark.parametrize("address", ["url", "bare", "work"])
def test_a_repository_by_url_or_path(repository, tmp_path, address):
    with weir.controller(getattr(repository, address), tmp_path / "data") as running:
        running.wait_ready()
        assert running.status()["commit"] == weir.git(repository.work, "rev-parse", "HEAD")
        change(repository)
        running.fetch()
        becomes(running, "Grüße, all!")


def test_a_repository_over_http(tmp_path):
    repository = weir.Repository(tmp_path / "git", weir.SHOP)
    with gitserver.HttpServer(repository.bare.parent) as server:
        with weir.controller(server.url("flags.git"), tmp_path / "data") as running:
            running.wait_ready()
            change(repository)
            running.fetch()
            becomes(running, "Grüße, all!")
            server.stop()
            running.fetch()
            weir.wait_until(lambda: running.status()["lastFetch"]["failures"], "a failed fetch")
            assert running.status()["lastFetch"]["error"]
            assert running.value("banner", {}, "production") == "Grüße, all!"
            server.start()
            change(repository, "default: plain", "default: plain")
            running.fetch()
            becomes(running, "Hello")
            assert running.status()["lastFetch"]["error"] is None
        assert "event=fetch_failed" in running.log() and "event=fetch_works_again" in running.log()


def test_a_branch(repository, tmp_path):
    weir.git(repository.work, "checkout", "--quiet", "-b", "release")
    change(repository)
    weir.git(repository.work, "checkout", "--quiet", "main")
    with weir.controller(repository.url, tmp_path / "data", "--branch", "release") as running:
        running.wait_ready()
        assert running.value("banner", {}, "production") == "Grüße, all!"
        repository.commit({"flags/banner.yaml": None})
        running.fetch()
        unchanged = b'weir_git_fetches_total{result="unchanged"}'
        weir.wait_until(lambda: unchanged in running.get("/metrics").body, "a fetch")
        assert running.evaluate("banner", {}, "production").status == 200, "main is not followed"


def test_polling_needs_no_signal(repository, tmp_path):
    running = weir.Controller("--repo", repository.url, "--data", tmp_path / "data", "--listen", "127.0.0.1:0",
                              "--poll", "200ms")
    try:
        running.wait_ready()
        change(repository)
        becomes(running, "Grüße, all!")
        assert running.stop() == 0
    finally:
        running.kill()


def test_a_commit_that_changes_no_definition_changes_no_digest(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data") as running:
        before = running.wait_ready().status()
        commit = repository.commit({"README.md": "hello\n"})
        running.fetch()
        weir.wait_until(lambda: running.status()["commit"] == commit, "served")
        after = running.status()
        assert after["environments"] == before["environments"] and after["generation"] > before["generation"]


def test_environments_and_flags_come_and_go(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        assert running.evaluate("banner", {}, "lab").status == 404
        commit = repository.commit({"environments/lab.yaml": ENVIRONMENT.replace("only", "lab"),
                                    "flags/banner.yaml": None})
        running.fetch()
        weir.wait_until(lambda: running.status()["commit"] == commit, "served")
        assert [e["name"] for e in running.status()["environments"]] == ["lab", "production", "staging"]
        assert running.value("checkout-v2", {}, "lab") is False
        assert running.evaluate("banner", {}, "lab").json()["errorCode"] == "FLAG_NOT_FOUND"


def test_what_is_swapped_in_under_load_is_whole(tmp_path):
    """Clients ask for three flags at once while commits come in: never a mix of two commits, never an older one."""
    repository = weir.Repository(tmp_path / "git", numbered(0))
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        done, wrong, counts = threading.Event(), [], []

        def ask():
            connection = http.client.HTTPConnection(running.host, running.port, timeout=weir.PATIENCE)
            last = count = 0
            # Whoever is late asks until it has seen the last: none of them is to wait for that in vain.
            while not done.is_set() or (last < 10 or count <= 10) and time.monotonic() < done.end:
                connection.request("POST", "/ofrep/v1/evaluate/flags", b'{"context":{}}',
                                   {"Content-Type": "application/json"})
                response = connection.getresponse()
                values = [flag["value"] for flag in json.loads(response.read())["flags"]]
                if response.status != 200 or len(values) != 3 or len(set(values)) != 1 or values[0] < last:
                    wrong.append((last, response.status, values))
                    break
                last, count = values[0], count + 1
            connection.close()
            counts.append((last, count))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for number in range(1, 11):
                repository.commit(numbered(number))
                running.fetch()
                becomes(running, number, "a", "only")
        finally:
            done.end = time.monotonic() + weir.PATIENCE
            done.set()
            for thread in threads:
                thread.join(weir.PATIENCE)
        assert not wrong, wrong
        assert len(counts) == 4 and all(last == 10 and count > 10 for last, count in counts), counts


# --- what it remembers ----------------------------------------------------------------------------


def test_a_restart_serves_without_the_remote(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data") as running:
        commit = running.wait_ready().status()["commit"]
    repository.bare.rename(tmp_path / "gone.git")
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        assert running.status()["commit"] == commit and running.value("banner", {}, "production") == "Hello"
        weir.wait_until(lambda: running.status()["lastFetch"]["error"], "the failed fetch is told")


@pytest.mark.parametrize("fresh", [False, True], ids=["same data folder", "new data folder"])
def test_a_restart_on_a_faulty_tip_serves_what_was_good(repository, tmp_path, fresh):
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
    change(repository, "default: plain", "default: plan")
    bad = change(repository, "default: plain", "default: palin")
    with weir.controller(repository.url, tmp_path / ("other" if fresh else "data")) as running:
        running.wait_ready()
        weir.wait_until(lambda: running.status()["tip"] == bad, "the tip is judged")
        status = running.status()
        assert status["commit"] == bad and status["tipServed"] is True and status["tipWhole"] is False
        assert [f["code"] for f in status["faults"]] == ["W303"]
        assert status["quarantined"] == [{"kind": "Flag", "name": "banner", "served": "flags/banner.yaml"}]
        assert running.value("banner", {}, "production") == "Hello"


def test_a_rewritten_branch_is_not_followed(repository, tmp_path):
    change(repository)
    with weir.controller(repository.url, tmp_path / "data") as running:
        good = running.wait_ready().status()["commit"]
        weir.git(repository.work, "reset", "--quiet", "--hard", "HEAD~1")
        repository.commit({"README.md": "another history\n"}, push=False)
        weir.git(repository.work, "push", "--quiet", "--force", "origin", "HEAD")
        running.fetch()
        weir.wait_until(lambda: running.status()["faults"], "the fault is told")
        assert [f["code"] for f in running.status()["faults"]] == ["W601"]
        assert running.status()["commit"] == good and running.value("banner", {}, "production") == "Grüße, all!"
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        assert running.status()["commit"] == good and running.value("banner", {}, "production") == "Grüße, all!"


def test_killed_at_any_moment_it_starts_again(repository, tmp_path):
    arguments = ("--repo", repository.url, "--data", tmp_path / "data", "--listen", "127.0.0.1:0", "--poll", "1h")
    for _ in range(5):
        weir.Controller(*arguments).kill()
    with weir.controller(repository.url, tmp_path / "data") as running:
        assert running.wait_ready().value("banner", {}, "production") == "Hello"


# --- what it serves -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    repository = weir.Repository(folder / "git", weir.SHOP)
    with weir.controller(repository.url, folder / "data", "--default-environment", "staging") as running:
        yield running.wait_ready()


def test_ofrep_single(shared):
    answer = shared.evaluate("checkout-v2", {"targetingKey": "u1", "email": "a@example.com"}, "production")
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {"key": "checkout-v2", "value": True, "variant": "on", "reason": "TARGETING_MATCH",
                             "metadata": {"flagSetId": "production"}}
    assert shared.evaluate("banner", {}, "production").json()["reason"] == "STATIC"


def test_ofrep_bulk_and_its_etag(shared):
    answer = shared.evaluate(None, {"targetingKey": "u1"}, "production")
    assert answer.status == 200
    assert {f["key"]: f["value"] for f in answer.json()["flags"]} == {"banner": "Hello", "checkout-v2": False}
    again = shared.evaluate(None, {"targetingKey": "u1"}, "production", {"If-None-Match": answer.headers["ETag"]})
    assert again.status == 304 and again.body == b""
    other = shared.evaluate(None, {"email": "a@example.com"}, "production", {"If-None-Match": answer.headers["ETag"]})
    assert other.status == 200 and other.headers["ETag"] != answer.headers["ETag"]


def test_the_bare_path_answers_for_the_default_environment(shared):
    assert shared.value("checkout-v2") is True, "staging"
    assert shared.value("checkout-v2", {}, "staging") is True
    assert shared.value("checkout-v2", {}, "production") is False


def test_the_bare_path_answers_for_the_only_environment(tmp_path):
    with weir.controller(weir.Repository(tmp_path / "git", numbered(7)).url, tmp_path / "data") as running:
        assert running.wait_ready().value("a") == 7
        assert running.status()["environments"][0]["default"] is True


def test_answers_are_those_of_the_command_line(shared, shop):
    for context in ({}, {"email": "a@example.com"}, {"email": "a@example.org", "targetingKey": "x"}):
        body = weir.run("eval", "--env", "production", "--format", "json", "-c", json.dumps(context), shop,
                        "checkout-v2").json()
        answer = shared.evaluate("checkout-v2", context, "production").json()
        assert [answer[k] for k in ("value", "variant", "reason")] == [body[k] for k in ("value", "variant", "reason")]


def test_status(shared, shop):
    status = shared.status()
    assert re.fullmatch("[0-9a-f]{40}", status["commit"])
    assert status["tip"] == status["commit"] and status["tipServed"] is True
    assert status["generation"] == "00000000" + "00000001" + "00000000" * 2
    assert [(e["name"], e["flags"], e["default"]) for e in status["environments"]] == [
        ("production", 2, False), ("staging", 2, True)]
    for environment in status["environments"]:
        digest = weir.run("build", "--env", environment["name"], "--digest", shop).out.strip()
        assert environment["digest"] == digest
    assert status["faults"] == [] and status["targets"] == [] and status["errors"] == status["warnings"] == 0
    assert status["lastFetch"]["error"] is None and status["lastFetch"]["failures"] == 0
    for moment in (status["since"], status["lastFetch"]["succeeded"], status["lastFetch"]["tried"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment)


def test_metrics_are_prometheus_text(shared):
    shared.evaluate("banner", {}, "production")
    answer = shared.get("/metrics")
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/plain; version=0.0.4"
    types, samples = {}, {}
    for line in answer.body.decode().splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types, "one family stands together"
            types[name] = kind
        elif not line.startswith("#"):
            name, labels, value = re.fullmatch(r'([a-z_]+)(\{(?:[a-z]+="[^"]*",?)+\})? (\S+)', line).groups()
            assert name in types, line
            samples[name + (labels or "")] = float(value)
    assert samples['weir_flags{environment="production"}'] == 2
    assert samples['weir_commits_total{result="served"}'] == 1
    assert samples['weir_evaluations_total{environment="production",reason="STATIC"}'] >= 1
    assert all(name.endswith("_total") for name, kind in types.items() if kind == "counter")


def test_health(shared):
    assert shared.get("/healthz").json() == {"status": "ok"}
    assert shared.get("/readyz").json() == {"status": "ready"}
    missing = shared.get("/nothing")
    assert missing.status == 404 and "GET /status" in missing.json()["errorDetails"]


# --- its end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_flight_is_finished(repository, tmp_path, number):
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        body = b'{"context":{}}'
        with socket.create_connection((running.host, running.port), timeout=weir.PATIENCE) as connection:
            connection.sendall(b"POST /env/production/ofrep/v1/evaluate/flags/banner HTTP/1.1\r\nHost: localhost\r\n"
                               b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:5])
            # An answer on another connection: the half request has been taken by then as well.
            weir.wait_until(lambda: running.value("banner", {}, "production") == "Hello", "an answer")
            running.send(number)
            weir.wait_until(lambda: "event=stopping" in running.log(), "it is stopping")
            connection.sendall(body[5:])
            answer = b""
            while part := connection.recv(65536):
                answer += part
        assert answer.startswith(b"HTTP/1.1 200 ") and b'"value":"Hello"' in answer, answer
        assert running.process.wait(weir.PATIENCE) == 0


def test_the_end_does_not_wait_for_a_silent_remote(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with weir.controller(f"http://127.0.0.1:{silent.getsockname()[1]}/flags.git", tmp_path / "data") as running:
            silent.settimeout(weir.PATIENCE)
            connection, _ = silent.accept()
            with connection:
                assert running.get("/healthz").status == 200
                assert running.stop() == 0


def test_the_address_is_all_that_is_printed(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        running.send(signal.SIGTERM)
        assert running.process.wait(weir.PATIENCE) == 0
        assert os.read(running.process.stdout.fileno(), 4096) == b""
        assert all(re.match(r"time=\S+ level=(info|warn|error) event=\w+", line) for line in running.log().splitlines())


# --- a configuration file -------------------------------------------------------------------------


def test_all_from_a_configuration_file(repository, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    repository.commit({"targets/out.yaml": "apiVersion: weir/v1\nkind: Target\nmetadata: {name: out}\nspec:\n"
                       f"  environment: staging\n  file: {{path: {outside}/flags.json}}\n"})
    file = tmp_path / "weir.yaml"
    file.write_text(f"repo: {repository.url}\nbranch: main\nlisten: 127.0.0.1:0\ndata: {tmp_path}/data\npoll: 300ms\n"
                    f"default-environment: staging\nallow-path: [{outside}]\nhttp-threads: 1\n")
    running = weir.Controller("--config", file)
    try:
        running.wait_ready()
        assert running.value("checkout-v2") is True, "staging's default"
        weir.wait_until((outside / "flags.json.meta.json").exists, "the target")
        change(repository)
        becomes(running, "Grüße, all!")
        assert running.stop() == 0
    finally:
        running.kill()
