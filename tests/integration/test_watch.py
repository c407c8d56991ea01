"""Watched flags with a real controller and a metric over HTTP: a person's commit breaks the metric, users have what was
before at once, and the branch gets the revert; what is killed without a rollout is so before Git says it."""
import http.server
import json
import os
import subprocess
import threading
import time

import pytest
import weir
from rolling import answered
from serving import Serving, bearer, tokens  # noqa: F401 (a fixture)

FLAG = """\
apiVersion: weir/v1
kind: Flag
metadata: {{name: {name}}}
spec: {{variants: {{on: true, off: false}}, default: {default}{more}}}
"""
WATCH = ", watch: {metrics: [errors], bake: 1h}"
METRIC = """\
apiVersion: weir/v1
kind: Metric
metadata: {{name: errors}}
spec: {{role: guardrail, http: {{url: "http://127.0.0.1:{port}/errors?flag={{{{flag}}}}", query: /rate}},
  thresholdRange: {{max: 0.05}}, interval: 1s}}
"""
ENVIRONMENT = "apiVersion: weir/v1\nkind: Environment\nmetadata: {name: production}\n"


class Source:
    """Answers with the rate that a test sets, and knows for which flags it was asked."""

    def __init__(self):
        self.rate, self.asked = 0.0, []
        source = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                source.asked.append(self.path)
                body = json.dumps({"rate": source.rate_of(self.path)}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def rate_of(self, _path):
        return self.rate


@pytest.fixture(name="source")
def make_source():
    source = Source()
    yield source
    source.server.shutdown()
    source.server.server_close()


@pytest.fixture(name="repository")
def make_repository(tmp_path, source):
    """Its first commit finished its bake long ago."""
    repository = weir.Repository(tmp_path)
    weir.write_files(repository.work, {
        "environment.yaml": ENVIRONMENT, "metric.yaml": METRIC.format(port=source.port),
        "flags/shop.yaml": FLAG.format(name="shop", default="off", more=WATCH),
        "flags/other.yaml": FLAG.format(name="other", default="off", more="")})
    weir.git(repository.work, "add", "--all")
    date = f"{int(time.time()) - 86400} +0000"
    subprocess.run(["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "--quiet", "-m",
                    "first"], cwd=repository.work, check=True,
                   env=weir.environment(GIT_COMMITTER_DATE=date, GIT_AUTHOR_DATE=date))
    weir.git(repository.work, "push", "--quiet", "origin", "HEAD")
    return repository


def log(repository):
    return weir.git(repository.bare, "log", "--format=%s")


def serve(repository, source, folder, *arguments):
    return Serving(repository, folder / "data", "--allow-host", f"127.0.0.1:{source.port}", *arguments, poll="200ms")


def rollouts(controller, headers=None):
    weir.wait_until(lambda: controller.get("/rollouts", headers).status != 503, "rollouts were looked at")
    answer = controller.get("/rollouts", headers)
    assert answer.status == 200, answer
    return answered(answer.body, "Rollouts")


def flags(controller, wanted, headers=None):
    """The watched and the pinned flags, once they are as they are wanted: they are looked at after what is served."""
    return weir.wait_until(lambda: wanted(found := rollouts(controller, headers)["flags"]) and [found],
                           lambda: controller.log())[0]


def verdicts(found):
    return [gate["verdict"] for gate in (found[0]["gates"] or [])] if found else []


def test_a_commit_that_breaks_a_watched_flag_is_taken_back(repository, source, tmp_path):
    with serve(repository, source, tmp_path) as controller:
        weir.wait_until(lambda: controller.is_ready() and controller.value("shop") is False, "served")
        assert rollouts(controller)["flags"] == [] and source.asked == []
        bad = repository.commit({"flags/shop.yaml": FLAG.format(name="shop", default="on", more=WATCH)}, "Shop for all")
        weir.wait_until(lambda: controller.value("shop") is True, "served to all")
        weir.wait_until(lambda: source.asked, lambda: controller.log())
        assert source.asked[0] == "/errors?flag=shop"
        (one,) = flags(controller, lambda found: verdicts(found) == ["success"])
        assert (one["environment"], one["flag"], one["status"]) == ("production", "shop", "watched")

        def shown():
            """Of a moment in which no answer of the metric is late."""
            found = weir.run("rollouts", "--controller", f"http://127.0.0.1:{controller.port}")
            assert found.code == 0 and "flag production/shop is watched since" in found.out, found
            return "✓ errors" in found.out

        weir.wait_until(shown, "the metric is good")

        source.rate = 0.3
        weir.wait_until(lambda: controller.value("shop") is False, lambda: controller.log())
        weir.wait_until(lambda: 'Revert "Shop for all"' in log(repository), lambda: controller.log())
        body = weir.git(repository.bare, "log", "-1", "--format=%b")
        assert f"This reverts commit {bad}." in body and "errors: 0.3 > 0.05" in body, body
        weir.wait_until(lambda: controller.status()["overrides"] == [], lambda: controller.log())
        assert controller.value("shop") is False
        flags(controller, lambda found: found == [])
    assert log(repository).count("Revert") == 1
    with serve(repository, source, tmp_path) as controller:
        weir.wait_until(lambda: controller.is_ready() and controller.value("shop") is False, "served")
    assert log(repository).count("Revert") == 1


def test_a_flag_that_was_none_before_is_none_again_while_the_branch_is_away(repository, source, tmp_path):
    away = repository.bare.with_name("away.git")

    def status(controller):
        return controller.evaluate("fresh", {"targetingKey": "u"}).status

    with serve(repository, source, tmp_path) as controller:
        weir.wait_until(lambda: controller.is_ready() and status(controller) == 404, "served")
        repository.commit({"flags/fresh.yaml": FLAG.format(name="fresh", default="on", more=WATCH)}, "A fresh one")
        weir.wait_until(lambda: status(controller) == 200, "served to all")
        os.rename(repository.bare, away)
        source.rate = 0.3
        weir.wait_until(lambda: status(controller) == 404, lambda: controller.log())
        assert json.loads(controller.evaluate("fresh", {"targetingKey": "u"}).body)["errorCode"] == "FLAG_NOT_FOUND"
        assert controller.value("shop") is False  # and the others are as they were
        source.rate = 0
        os.rename(away, repository.bare)
        weir.wait_until(lambda: 'Revert "A fresh one"' in log(repository), lambda: controller.log())
        weir.wait_until(lambda: controller.status()["overrides"] == [], lambda: controller.log())
        assert status(controller) == 404
    assert "fresh" not in weir.git(repository.bare, "ls-tree", "-r", "--name-only", "HEAD", "flags/")


def test_what_a_commit_shares_is_pinned_and_a_restart_knows_what_bakes(repository, source, tmp_path,
                                                                       tokens):  # noqa: F811
    token = tmp_path / "token"
    token.write_text(tokens.create("operator", "production", name="ada"))
    with serve(repository, source, tmp_path) as controller:
        weir.wait_until(lambda: controller.is_ready() and controller.value("shop") is False, "served")
        repository.commit({"flags/shop.yaml": FLAG.format(name="shop", default="on", more=WATCH),
                           "flags/other.yaml": FLAG.format(name="other", default="on", more="")}, "Both for all")
        weir.wait_until(lambda: controller.value("shop") is True, "served to all")
    with serve(repository, source, tmp_path, "--tokens", tokens.path) as controller:
        source.rate = 0.3
        weir.wait_until(lambda: controller.value("shop") is False, lambda: controller.log())
        weir.wait_until(lambda: "Pin flag production/shop" in log(repository), lambda: controller.log())
        weir.wait_until(lambda: controller.status()["pins"] == 1, lambda: controller.log())
        assert controller.value("shop") is False and controller.value("other") is True
        (one,) = flags(controller, lambda found: found and found[0]["status"] == "pinned")
        assert one["asOf"] and "0.3 > 0.05" in one["reason"]
        branches = weir.git(repository.bare, "branch", "--list", "weir/revert/*").split()
        assert len(branches) == 1
        shown = weir.run("rollouts", "--controller", f"http://127.0.0.1:{controller.port}")
        assert shown.code == 1 and "flag production/shop is pinned as of" in shown.out, shown
        source.rate = 0
        arguments = ("--controller", f"http://127.0.0.1:{controller.port}", "--token-file", token)
        done = weir.run("unpin", "production/shop", *arguments)
        assert done.code == 0, done
        weir.wait_until(lambda: controller.value("shop") is True, lambda: controller.log())
        assert "Unpin flag production/shop" in log(repository)
        assert weir.git(repository.bare, "log", "-1", "--format=%an") == "ada"
        done = weir.run("unpin", "production/shop", *arguments)
        assert done.code == 0 and "is so already" in done.out, (done, log(repository))
        done = weir.run("unpin", "production/none", *arguments)
        assert done.code == 1 and "no such flag" in done.err, done


def test_a_flag_without_a_rollout_is_killed_while_the_branch_is_away(repository, source, tmp_path,
                                                                     tokens):  # noqa: F811
    ada = bearer(tokens.create("operator", "production", name="ada"))
    away = repository.bare.with_name("away.git")

    def ask(verb):
        answer = controller.request("POST", f"/env/production/rollouts/other/{verb}", b'{"reason":"it burns"}',
                                    {"Content-Type": "application/json", **ada})
        assert answer.status == 202, answer
        return "/requests/" + answer.json()["id"]

    def state(key):
        return controller.get(key, ada).json()["state"]

    repository.commit({"flags/other.yaml": FLAG.format(
        name="other", default="off", more=", rules: [{when: {attribute: country, is: FR}, serve: on}]")})
    french = {"targetingKey": "u", "country": "FR"}
    with serve(repository, source, tmp_path, "--tokens", tokens.path) as controller:
        weir.wait_until(lambda: controller.is_ready() and controller.value("other", french) is True, "served")
        os.rename(repository.bare, away)
        key = ask("kill")
        weir.wait_until(lambda: controller.value("other", french) is False, lambda: controller.log())
        weir.wait_until(lambda: state(key) == "served", lambda: controller.log())
        flags(controller, lambda found: found and found[0]["status"] == "killed", ada)
        os.rename(away, repository.bare)
        weir.wait_until(lambda: state(key) == "recorded", lambda: controller.log())
        assert "Kill flag production/other" in log(repository)
        assert controller.value("other", french) is False
        key = ask("unkill")
        weir.wait_until(lambda: state(key) == "recorded", lambda: controller.log())
        weir.wait_until(lambda: controller.value("other", french) is True, lambda: controller.log())
