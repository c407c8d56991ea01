"""What a forge is told of commits by a running controller, and what a forge that misbehaves does not."""
import json
import re

import forge
import pytest
import weir

BAD_FLAG = weir.SHOP["flags/banner.yaml"].replace("default: plain", "default: nowhere")


def metric(running, result):
    match = re.search(rf'^weir_commit_statuses_total{{result="{result}"}} (\S+)$',
                      running.get("/metrics").body.decode(), re.MULTILINE)
    return int(match.group(1))


def commit(repository, server, files):
    """Commits, and lets the forge know of it before anybody can ask."""
    made = repository.commit(files, push=False)
    server.commits.add(made)
    weir.git(repository.work, "push", "--quiet", "origin", "HEAD")
    return made


def configured(tmp_path, server, **more):
    """Arguments: a configuration that names the server."""
    (tmp_path / "token").write_text(forge.TOKEN + "\n")
    settings = {"forge": server.kind, "api": server.api, "project": server.project,
                "token-file": str(tmp_path / "token"), **more}
    settings = {key: value for key, value in settings.items() if value}
    (tmp_path / "weir.yaml").write_text("commit-status: " + json.dumps(settings) + "\n")
    return "--config", tmp_path / "weir.yaml"


@pytest.fixture
def head(repository):
    return weir.git(repository.work, "rev-parse", "HEAD")


def wait_told(running, server, commit_id, count=1):
    return weir.wait_until(lambda: len(server.of(commit_id)) >= count and server.of(commit_id)[-1],
                           f"a status of {commit_id}\n{server.requests}\n{running.log()}")


@pytest.mark.parametrize("kind, project, failure", [
    ("github", "acme/flags", "failure"), ("gitea", "acme/flags", "failure"), ("gitlab", "shop/web/flags", "failed")])
def test_each_forge_is_told(repository, head, tmp_path, kind, project, failure):
    with forge.Forge(kind, project) as server:
        server.commits.add(head)
        arguments = configured(tmp_path, server, context="weir/eu", **{"target-url": "https://weir.example.com/"})
        with weir.controller(repository.url, tmp_path / "data", *arguments) as running:
            told = wait_told(running, server, head)
            assert told.items() >= {"state": "success", "context": "weir/eu",
                                    "target_url": "https://weir.example.com/"}.items()
            since = running.status()["since"]
            assert told["description"] == f"valid, served since {since}"
            bad = commit(repository, server, {"flags/banner.yaml": BAD_FLAG})
            running.fetch()
            told = wait_told(running, server, bad)
            assert (told["state"], told["description"]) == (failure, "1 error; 1 of 5 definitions stands as before")
            shown = weir.wait_until(lambda: running.status()["commitStatus"]["waiting"] == 0
                                    and running.status()["commitStatus"], "nothing to wait")
            assert shown["forge"] == kind and shown["project"] == project
            assert shown["last"].items() >= {"commit": bad, "state": "failure", "result": "told", "error": None}.items()
            # The same tip again says nothing new.
            running.fetch()
            unchanged = 'weir_git_fetches_total{result="unchanged"} 1'
            weir.wait_until(lambda: unchanged in running.get("/metrics").body.decode(), "a fetch")
            good = commit(repository, server, {"flags/banner.yaml": weir.SHOP["flags/banner.yaml"]})
            running.fetch()
            assert wait_told(running, server, good)["state"] == "success"
            assert [len(server.of(one)) for one in (head, bad, good)] == [1, 1, 1]
            weir.wait_until(lambda: metric(running, "told") == 3, "the third is counted")
            assert metric(running, "failed") == 0
        assert forge.TOKEN not in running.log()


def test_a_rewritten_branch_is_a_failure(repository, head, tmp_path):
    with forge.Forge("gitea") as server:
        server.commits.add(head)
        with weir.controller(repository.url, tmp_path / "data", *configured(tmp_path, server)) as running:
            wait_told(running, server, head)
            weir.git(repository.work, "commit", "--quiet", "--amend", "-m", "another past")
            other = weir.git(repository.work, "rev-parse", "HEAD")
            server.commits.add(other)
            weir.git(repository.work, "push", "--quiet", "--force", "origin", "HEAD")
            running.fetch()
            told = wait_told(running, server, other)
            assert told["state"] == "failure" and told["context"] == "weir"
            assert told["description"] == \
                f"not served: commit {other[:12]} does not descend from {head[:12]}, which is served"


@pytest.mark.parametrize("script, result, words", [
    ([(500, {})], "failed", "answered 500"),
    ([(502, {}), (503, {})], "failed", "answered 503"),
    ([(401, {})], "failed", "a token that may write commit statuses"),
    ([(404, {})], "failed", "no such project or commit"),
    (["cut"], "failed", "connection was closed"),
    ([(429, {"Retry-After": "1"})], "limited", "left alone for 1 s"),
    ([(403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"})], "limited", "left alone for 1 s"),
])
def test_it_is_told_in_the_end(repository, head, tmp_path, script, result, words):
    with forge.Forge("github") as server:
        server.commits.add(head)
        server.script = list(script)
        with weir.controller(repository.url, tmp_path / "data", *configured(tmp_path, server)) as running:
            running.wait_ready()
            assert wait_told(running, server, head)["state"] == "success"
            weir.wait_until(lambda: metric(running, "told") == 1, "the count")
            assert metric(running, result) == len(script)
            assert words in running.log() and "event=commit_status_works_again" in running.log()


def test_what_is_refused_is_not_sent_again(repository, head, tmp_path):
    with forge.Forge("github") as server:  # which does not know the commit: 422
        with weir.controller(repository.url, tmp_path / "data", *configured(tmp_path, server)) as running:
            weir.wait_until(lambda: metric(running, "refused") == 1, f"a refusal\n{running.log()}")
            shown = running.status()["commitStatus"]
            assert shown["waiting"] == 0 and shown["last"]["result"] == "refused"
            assert "No commit found for SHA" in shown["last"]["error"]
            second = commit(repository, server, {"README": "x"})
            running.fetch()
            wait_told(running, server, second)
            assert sum(head in path for path, _ in server.requests) == 1


def test_a_forge_that_hangs_holds_up_nobody(repository, head, tmp_path):
    with forge.Forge("gitea") as server:
        server.script = ["hang"]
        server.commits.add(head)
        with weir.controller(repository.url, tmp_path / "data", *configured(tmp_path, server)) as running:
            running.wait_ready()
            weir.wait_until(lambda: server.requests, "the request that hangs")
            weir.git(repository.work, "pull", "--quiet", "origin", "HEAD")
            commit(repository, server, {"flags/banner.yaml": weir.SHOP["flags/banner.yaml"].replace(
                "default: plain", "default: loud")})
            running.fetch()
            weir.wait_until(lambda: running.value("banner", {}, "production") == "Grüße, all!", "the new commit")
            assert running.stop() == 0  # within the patience of tests, not the minute that the forge would take


def test_a_redirect_does_not_carry_the_token_away(repository, head, tmp_path):
    with forge.Forge("github") as server, forge.Forge("github") as thief:
        server.commits.add(head)
        server.script = [(307, {"Location": thief.api + "/x"})]
        with weir.controller(repository.url, tmp_path / "data", *configured(tmp_path, server)) as running:
            wait_told(running, server, head)
            assert "another server and not followed" in running.log()
            assert thief.requests == []


def test_a_token_is_read_at_each_try(repository, head, tmp_path):
    with forge.Forge("gitlab", "a/b") as server:
        server.commits.add(head)
        arguments = configured(tmp_path, server)
        (tmp_path / "token").write_text("old\n")
        with weir.controller(repository.url, tmp_path / "data", *arguments) as running:
            weir.wait_until(lambda: metric(running, "failed") >= 1, "a refused token")
            (tmp_path / "token").write_text(forge.TOKEN + "\n")
            wait_told(running, server, head)


def test_the_token_from_a_variable(repository, head, tmp_path):
    with forge.Forge("gitea") as server:
        server.commits.add(head)
        arguments = configured(tmp_path, server, **{"token-file": None, "token-variable": "FORGE_TOKEN"})
        with weir.controller(repository.url, tmp_path / "data", *arguments,
                             env=weir.environment(FORGE_TOKEN=forge.TOKEN)) as running:
            wait_told(running, server, head)


def test_without_configuration_nobody_is_told(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        assert running.status()["commitStatus"] is None


@pytest.mark.parametrize("text, words", [
    ("commit-status: {forge: svn, token-file: t}", "commit-status.forge"),
    ("commit-status: {forge: github}", "exactly one of token-file and token-variable"),
    ("commit-status: {forge: github, token-file: t, token-variable: T}", "exactly one of token-file"),
    ("commit-status: {forge: github, token-file: t, api: 'https://u:p@h/'}", "URL holds credentials"),
    ("commit-status: {forge: github, token-file: t}", 'set "api" of commit-status'),
    ("commit-status: {forge: github, token-file: t, api: 'https://h/api', project: x}", "OWNER/NAME"),
    ("commit-status: {forge: github, token-file: t, target-url: 'javascript:x'}", "URL does not begin with http"),
    ("commit-status: {forge: github, token-file: t, context: 'a\u00e9'}", "a context is at most 90"),
])
def test_configurations_that_make_no_sense(repository, tmp_path, text, words):
    (tmp_path / "weir.yaml").write_text(text + "\n")
    result = weir.run("run", "--config", tmp_path / "weir.yaml", "--repo", repository.url, "--data", tmp_path / "data")
    assert result.code != 0 and words in result.err, result


@pytest.mark.parametrize("value, words", [("svn=/x", "is none of the forges github, gitlab and gitea"),
                                          ("github", "is not FORGE=FILE"), ("github=", "an empty path")])
def test_options_that_make_no_sense(repository, tmp_path, value, words):
    result = weir.run("run", "--repo", repository.url, "--data", tmp_path / "data", "--commit-status", value)
    assert result.code != 0 and words in result.err, result
