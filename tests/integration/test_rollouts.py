"""The control API against its own document (schemas/control.yaml), and `weir rollouts`: over real rollouts of
tests/conformance/rollout_server.c, whose branch a test can take away."""
import re
import socket

import jsonschema
import pytest
import weir
from rolling import API, SHOP, VERBS, ann, answered, folder, server  # noqa: F401  (fixtures)
from serving import bearer, tokens  # noqa: F401  (a fixture)
from test_status import Terminal, screen


def rollouts(*arguments, **keywords):
    return weir.run("rollouts", *arguments, **keywords)


# --- the document -------------------------------------------------------------------------------------------------


def test_the_document_and_the_routes_are_the_same(server):
    """What is there is told by the answer to a path that is not."""
    details = server.get("/nowhere").json()["errorDetails"]
    routes = set()
    for method, path in re.findall(r"(GET|POST) (\S+?)(?:,|$)", details):
        path = path.replace("[/env/ENVIRONMENT]", "")
        path = path.replace("/env/ENVIRONMENT/rollouts/ROLLOUT/", "/env/{environment}/rollouts/{rollout}/")
        path = path.replace("/VERB", "/{verb}")
        path = re.sub("^/hooks/.*", "/hooks/{forge}", path).replace("/requests/KEY", "/requests/{id}")
        routes.add((method.lower(), path))
    assert ("post", "/ofrep/v1/evaluate/flags") in routes
    others = {route for route in routes if route[1].startswith("/ofrep/") or route[1] == "/flagd.json"}
    documented = {(method, path) for path, item in API["paths"].items() for method in item}
    assert routes - others == documented


def test_the_document_is_one():
    def references(value):
        if isinstance(value, dict):
            for key, item in value.items():
                yield from [item] if key == "$ref" else references(item)
        elif isinstance(value, list):
            for item in value:
                yield from references(item)

    assert API["openapi"].startswith("3.1.")
    for reference in references(API):
        place = API
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
    for schema in API["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    assert API["components"]["schemas"]["Verb"]["enum"] == VERBS


def test_what_the_document_lists_is_what_is_understood(server, ann):
    details = server.post(ann, "production/checkout-v2", "explode").json()["errorDetails"]
    assert details == "unknown verb 'explode'; there are " + ", ".join(VERBS)
    details = server.post(ann, "production/checkout-v2", "resume", {"lift": ["x"]}).json()["errorDetails"]
    assert details.endswith("there are: " + ", ".join(API["components"]["schemas"]["Hold"]["enum"]))


# --- verbs --------------------------------------------------------------------------------------------------------


def test_verbs_move_a_rollout(server, ann):
    place = "production/checkout-v2"
    assert server.one("checkout-v2")["status"] == "pending"
    done = server.do(ann, place, "start", "recorded", {"reason": "it is time"})
    assert (done["by"], done["reason"], done["verb"]) == ("ann", "it is time", "start")
    assert done["environment"] == "production" and done["rollout"] == "checkout-v2"
    assert done["commit"] == server.rollouts()["commit"] and done["words"] is None
    one = server.one("checkout-v2")
    assert (one["status"], one["phase"], one["configured"], one["now"]) == ("running", "canary", 5, 5)
    assert one["approvals"] == {"given": 0, "needed": 1}
    assert [wait["words"] for wait in one["waits"] if wait["cause"] == "approvals"] == ["approvals 0 of 1"]
    server.do(ann, place, "approve", "recorded")
    assert server.one("checkout-v2")["approvals"] == {"given": 1, "needed": 1}
    assert server.do(ann, place, "approve", "nothing")["words"]
    server.do(ann, place, "pause", "recorded", {"reason": "lunch"})
    one = server.one("checkout-v2")
    assert one["status"] == "paused" and one["holds"][0]["by"] == "ann" and one["holds"][0]["note"] == "lunch"
    server.do(ann, place, "start", "nothing")
    refused = server.do(ann, place, "unkill", "refused")
    assert "cannot unkill" in refused["words"] and refused["commit"] is None
    server.do(ann, place, "resume", "recorded", {"lift": ["pause"]})
    server.do(ann, place, "kill", "recorded")
    assert server.one("checkout-v2")["status"] == "killed" and server.one("checkout-v2")["now"] == 0
    assert server.do(ann, "production/nothing", "kill", "refused")["words"] == "no such rollout"


def test_a_kill_is_served_before_git_takes_it(server, ann):
    place = "production/checkout-v2"
    server.do(ann, place, "start", "recorded")
    server.branch("down")
    paused = server.do(ann, place, "pause", "waiting")
    served = server.do(ann, place, "kill", "served", {"reason": "it burns"})
    one = server.one("checkout-v2")
    assert one["status"] == "running" and one["override"]["serving"] == "control for everybody"
    assert one["override"]["git"] == "running, phase canary" and one["override"]["by"] == "ann"

    shown = rollouts("--controller", server.url)
    assert shown.code == 1
    assert re.search(r"✗ production/checkout-v2: serving control for everybody, Git says running, phase canary, since "
                     r".*\(20\d\d-.*Z\); kill by ann: it burns", " ".join(shown.out.split())), shown

    server.branch("up")
    found = server.ask(f"/requests/{served['id']}")
    assert found["state"] == "recorded" and found["commit"]
    assert server.ask(f"/requests/{paused['id']}")["state"] in ("refused", "recorded")
    assert server.one("checkout-v2")["override"] is None


# --- who may ------------------------------------------------------------------------------------------------------


def test_who_may_ask_for_a_verb(server, ann, tokens):  # noqa: F811
    place, path = "production/checkout-v2", "/env/production/rollouts/checkout-v2/kill"
    bob, eve = tokens.create("viewer", "production", name="bob"), tokens.create("operator", "staging", name="eve")
    assert server.request("POST", path).status == 401  # on a loopback address too
    weir.wait_until(lambda: server.post(bob, place, "kill").status == 403, "the token of bob is known")
    assert server.post(eve, place, "kill").status == 403
    assert server.post(ann, place, "kill", Host="evil.example").status == 421
    assert server.post(ann, place, "kill", Origin="http://evil.example").status == 403
    for answer in (server.request("POST", path), server.post(bob, place, "kill")):
        answered(answer.body, "Failure")
    assert server.one("checkout-v2")["status"] == "pending"
    # An environment that is none of his.
    assert [item["environment"] for item in server.rollouts(**bearer(bob))["rollouts"]] == ["production"]
    found = server.do(ann, place, "start", "recorded")
    location = f"/requests/{found['id']}"
    assert server.get(location, bearer(bob)).status == 200
    assert server.get(location, bearer(eve)).status == 404


def test_rollouts_of_one_environment(server):
    assert len(server.rollouts()["rollouts"]) == 2
    assert [item["name"] for item in server.rollouts("?environment=staging")["rollouts"]] == ["search"]
    assert server.rollouts("?environment=nowhere")["rollouts"] == []
    for query in ("?environment=", "?environment=a%20b", "?environment=%0a"):
        assert server.get("/rollouts" + query).status == 400


def test_bodies_in_pieces_and_too_large(server, ann):
    head = ("POST /env/production/rollouts/checkout-v2/pause HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {ann}\r\n").encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=weir.PATIENCE) as connection:
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n8\r\n{\"reason\r\n6\r\n\":\"x\"}\r\n0\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 202 ")
    with socket.create_connection(("127.0.0.1", server.port), timeout=weir.PATIENCE) as connection:
        connection.sendall(head + b"Content-Length: 17000\r\n\r\n" + b" " * 17000)
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


# --- weir rollouts ------------------------------------------------------------------------------------------------


def test_a_line_for_each_rollout(server, ann):
    server.do(ann, "production/checkout-v2", "start", "recorded")
    weir.wait_until(lambda: len(server.one("checkout-v2")["waits"]) == 1, "it has not just begun any more")
    shown = rollouts("-c", server.url)
    assert shown.code == 0 and shown.err == "", shown
    lines = shown.out.splitlines()
    assert lines[0].split() == ["ROLLOUT", "STATUS", "PHASE", "NOW", "→", "CONFIGURED", "NEXT", "GATES", "WAITS", "FOR"]
    assert re.fullmatch(r"production/checkout-v2 +running +canary 1/3 +5 % +- +- +approvals 0 of 1", lines[1]), lines
    assert re.fullmatch(r"staging/search +pending +- +0 % +- +- +start: no date, a person starts it", lines[2]), lines
    assert lines[-1].startswith("2 rollouts at commit 000000000000, of http://127.0.0.1:"), lines
    assert "\x1b" not in shown.out and "█" not in shown.out
    shown = rollouts("-c", server.url, "--format", "json")
    assert answered(shown.out, "Rollouts") == server.rollouts()
    shown = rollouts("-c", server.url, "--environment", "staging", "--color", "always")
    assert "checkout-v2" not in shown.out and "1 rollout at" in shown.out and "\x1b[2mpending\x1b[0m" in shown.out


def test_what_was_stopped(server, ann):
    server.do(ann, "production/checkout-v2", "start", "recorded")
    server.do(ann, "production/checkout-v2", "rollback", "recorded", {"reason": "orders are lost"})
    shown = rollouts("-c", server.url)
    assert shown.code == 1, shown
    assert re.search(r"^production/checkout-v2 +rolledBack +canary 1/3 +0 %, was 5 ", shown.out, re.MULTILINE), shown
    assert re.search(r"✗ production/checkout-v2 was rolled back: rollback by ann .* \(20\d\d-\S+Z\): orders are lost",
                     " ".join(shown.out.split())), shown


def test_tokens_and_answers_that_are_none(server, tmp_path, tokens):  # noqa: F811
    (tmp_path / "token").write_text(tokens.create("viewer", "staging", name="sue") + "\n")
    weir.wait_until(lambda: rollouts("-c", server.url, "--token-file", tmp_path / "token").code == 0, "it is known")
    shown = rollouts("-c", server.url, "--token-file", tmp_path / "token")
    assert "staging/search" in shown.out and "checkout-v2" not in shown.out, shown
    refused = rollouts("-c", server.url, "--token-file", tmp_path / "token", "--environment", "production")
    assert refused.code == 2 and "refuses (403): the token is not for environment 'production'" in refused.err, refused
    gone = rollouts("-c", "http://127.0.0.1:1")
    assert gone.code == 2 and "cannot be reached" in gone.err


def test_watching_on_a_terminal(server, ann):
    server.do(ann, "production/checkout-v2", "start", "recorded")
    terminal = Terminal(["rollouts", "--watch", "--interval", "100ms", "-c", server.url], rows=24, columns=120)
    terminal.wait_for(b"canary 1/3", 2)
    assert "█░░░░".encode() in terminal.shown and b"\x1b[32mrunning\x1b[0m" in terminal.shown
    server.do(ann, "production/checkout-v2", "kill", "recorded")
    terminal.wait_for(b"was killed")
    terminal.wait_for(b"2 rollouts at", terminal.shown.count(b"2 rollouts at") + 1)
    terminal.process.terminate()
    assert terminal.finish() == 1
    lines = [line for line in screen(terminal.shown, 24, 120) if line.strip()]
    assert sum(line.startswith("ROLLOUT") for line in lines) == 1, lines


@pytest.mark.parametrize("arguments, words", [
    ([".", "--controller", "http://127.0.0.1:1"], "a controller, or a repository: give one of them"),
    ([".", "--watch"], '"--watch" is for a controller'),
    (["--environment", "a b"], '"--environment a b" is no name of an environment'),
    (["--environment", ""], "is no name of an environment"),
    (["--repo", "x", "."], "give one of them"),
    (["--interval", "1ms"], '"--interval": "1ms" is not a duration'),
])
def test_misuse(arguments, words, tmp_path):
    done = rollouts(*arguments, cwd=tmp_path)
    assert done.code == 2 and words in done.err and done.out == "", done


# --- of a repository ----------------------------------------------------------------------------------------------


def test_of_a_folder(folder):
    shown = rollouts(folder)
    assert shown.code == 0 and shown.err == "", shown
    assert re.search(r"^production/checkout-v2 +pending +- +0 % +- +- +start: ", shown.out, re.MULTILINE), shown
    assert "2 rollouts, of " in shown.out
    assert "gates are measured by a running controller" in " ".join(shown.out.split())
    found = answered(rollouts(folder, "--format", "json").out, "Rollouts")
    assert found["commit"] is None and [item["gates"] for item in found["rollouts"]] == [None, None]
    only = answered(rollouts(folder, "--format", "json", "--environment", "staging").out, "Rollouts")
    assert [item["name"] for item in only["rollouts"]] == ["search"]


def test_of_a_commit_with_a_fault_elsewhere(tmp_path):
    """What is in force is shown, as a controller would have it."""
    repository = weir.Repository(tmp_path / "git", {"flags/all.yaml": SHOP})
    good = repository.commit({"README.md": "x"})
    fault = "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: x}\nspec: {}\n"
    broken = repository.commit({"flags/broken.yaml": fault})
    for where in (repository.bare, f"file://{repository.bare}"):
        shown = rollouts("--repo", where, "--format", "json")
        assert shown.code == 1 and "flags/broken.yaml" in shown.err, shown
        found = answered(shown.out, "Rollouts")
        assert found["commit"] == broken and len(found["rollouts"]) == 2
    shown = rollouts("--repo", repository.bare, "--rev", good)
    assert shown.code == 0 and f"at commit {good[:12]}" in shown.out, shown


def test_no_rollouts(tmp_path):
    shown = rollouts(weir.write_files(tmp_path / "shop", weir.SHOP))
    assert shown.code == 0 and shown.out.startswith("no rollouts, of "), shown
    assert rollouts(tmp_path / "nowhere").code == 2

