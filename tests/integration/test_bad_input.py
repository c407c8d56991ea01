"""Bad input to a running controller: each is told with its place, and what was served before still is."""
import json
import re
import socket

import pytest
import weir

HEAD = "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: bad}\nspec:\n"
VARIANTS = "  variants: {on: true, off: false}\n"
GOOD = HEAD + VARIANTS + "  default: on\n"


def named(name):
    return GOOD.replace("{name: bad}", f"{{name: {name}}}")


def segment(name, condition):
    return f"apiVersion: weir/v1\nkind: Segment\nmetadata: {{name: {name}}}\nspec: {{match: {condition}}}\n"


NOTHING = {path: None for path in weir.SHOP}
MANY = "---\n".join(named(f"flag-{i}") for i in range(10_000))
NAME = 'metadata.name: a name is 1 to 63 lower-case letters, digits and "-"'

TARGET = """\
apiVersion: weir/v1
kind: Target
metadata: {name: bad}
spec:
  environment: production
  file: {path: ../../out.json}
"""


MEAN = """\
apiVersion: weir/v1
kind: Metric
metadata: {name: slow}
spec:
  type: mean
  prometheus: {address: "http://prometheus:9090", query: up}
  thresholdRange: {max: 1}
"""


def flag(text, *fault):
    """A commit of one file; its fault is a code, a line, a column and words of the message."""
    return {"flags/bad.yaml": text}, "flags/bad.yaml", *fault


def other(path, text, *fault):
    return {path: text}, path, *fault


COMMITS = {
    "nothing left": (NOTHING, ".", "W101", 0, 0, "no definitions found"),
    "no definitions": ({**NOTHING, "README.md": "hello\n"}, ".", "W101", 0, 0, "no definitions found"),
    "not UTF-8": flag(GOOD.encode() + b"# \xe9t\xe9\n", "W102", 7, 3, "byte 0xe9 is not UTF-8"),
    "deep": flag("[" * 100_000, "W105", 1, 65, "nested deeper than 64 levels"),
    "large file": flag(b"#" + b"x" * 50_000_000, "W103", 0, 0, "file has more than 4194304 bytes"),
    "many documents": flag(MANY, "W107", 7000, 1, "more than 1000 documents"),
    "duplicate key": flag(GOOD + "  default: off\n", "W108", 7, 3, 'key "default" stands twice'),
    "anchor": flag(GOOD.replace("variants: ", "variants: &v "), "W109", 5, 13, "anchors are refused"),
    "alias": flag(GOOD.replace("default: on", "default: *v"), "W109", 6, 12, "aliases are refused"),
    "merge key": flag(GOOD + "  <<: {enabled: true}\n", "W109", 7, 3, "merge keys"),
    "tag": flag(GOOD.replace("on: true", "on: !!bool true"), "W110", 5, 18, "tags are refused"),
    "not YAML": flag(GOOD + "  rules: [\n", "W104", 8, 1, ""),
    "mean without a sum": other("metrics/bad.yaml", MEAN, "W217", 3, 18, 'metric "slow" is a mean, and has no sum'),
    "variants missing": flag(HEAD + "  default: on\n", "W202", 5, 3, '"spec.variants" is missing'),
    "variants empty": flag(HEAD + "  variants: {}\n  default: on\n", "W207", 5, 13,
                           "spec.variants: expected at least 1 entry"),
    "variants mixed": flag(GOOD.replace("off: false", "off: 0"), "W213", 5, 29,
                           'variant "off" is a number, but "on" is a boolean'),
    "default unknown": flag(GOOD.replace("default: on", "default: onn"), "W303", 6, 12, 'variant "onn" does not exist'),
    "environment unknown": flag(GOOD + "  environments: {moon: {enabled: false}}\n", "W304", 7, 18,
                                'environment "moon" does not exist'),
    "weights": flag(GOOD + "  rules: [{split: {on: 50, off: 49.5}}]\n", "W307", 7, 19, "sum to 99.5, not to 100"),
    "circle": other("segments/bad.yaml", segment("a", "{segment: b}") + "---\n" + segment("b", "{segment: a}"),
                    "W306", 3, 18, "a -> b -> a"),
    "name with /": flag(named("a/b"), "W205", 3, 18, NAME),
    "name is ..": flag(named(".."), "W205", 3, 18, NAME),
    "name with a control character": flag(named('"a\\u0007b"'), "W205", 3, 18, NAME),
    "file name with a control character": ({"flags/a\nb.yaml": GOOD}, "flags/a\\x0ab.yaml", "W117", 0, 0,
                                           "control characters"),
    "kind that does not work yet": flag("apiVersion: weir/v1\nkind: Program\n", "W211", 2, 7,
                                        "kind Program does not work yet"),
    "field that does not work yet": flag(GOOD + "  rules: [{when: {program: beta}, serve: on}]\n", "W212", 7, 19,
                                         "do not work yet"),
    "unknown field": flag(GOOD + "  defualt: on\n", "W203", 7, 3, "defualt"),
    "target outside, by ..": other("targets/bad.yaml", TARGET, "W205", 6, 16, 'a path has no ".." part'),
}


@pytest.fixture
def running(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data") as controller:
        yield controller.wait_ready()


def served(running):
    """All that users can see, and the commit that it comes from."""
    context = {"targetingKey": "u1", "email": "a@example.com"}
    body = [running.evaluate(None, context, name).json() for name in ("production", "staging")]
    return running.status()["commit"], body


def harmless(running, repository, before, commit):
    """Waits until `commit` is in force, as far as it can be, and returns its faults; users notice nothing."""
    running.fetch()
    weir.wait_until(lambda: running.status()["tip"] == commit, f"{commit} is judged\n{running.log()}")
    status = running.status()
    assert status["tipServed"] is True and status["tipWhole"] is False and status["errors"] >= 1, status
    assert served(running) == (commit, before[1])
    assert running.is_ready()
    assert re.search(f'level=warn event=served commit={commit} .*quarantined=', running.log())
    assert 'weir_commits_total{result="quarantined"} 1\n' in running.get("/metrics").body.decode()
    repository.commit({path: None for path in weir.git(repository.work, "ls-files", "-z").split("\0")
                       if path and path not in weir.SHOP} | weir.SHOP)
    running.fetch()
    weir.wait_until(lambda: running.status()["tipWhole"], f"mended\n{running.log()}")
    assert running.status()["faults"] == [] and served(running)[1] == before[1]
    return status["faults"]


@pytest.mark.parametrize("name", COMMITS)
def test_a_bad_commit_changes_nothing_for_users(name, repository, running):
    files, path, code, line, column, words = COMMITS[name]
    before = served(running)
    commit = repository.commit(files)
    local = weir.run("validate", "--format", "json", repository.work).json()["diagnostics"]
    (fault,) = harmless(running, repository, before, commit)
    assert (fault["code"], fault["path"], fault["line"], fault["column"]) == (code, path, line, column), fault
    assert words in fault["message"] and fault["severity"] == "error"
    assert local == [fault], "the check on one's own machine says the same"
    place = f"code={code} file={path} line={line} column={column}"
    assert place in running.log().replace('"', "").replace("\\\\", "\\"), running.log()


def test_two_documents_of_one_name_show_both_places(repository, running):
    before = served(running)
    commit = repository.commit({"flags/copy.yaml": weir.SHOP["flags/banner.yaml"]})
    (fault,) = harmless(running, repository, before, commit)
    assert fault["code"] == "W301" and fault["message"] == 'Flag "banner" is defined twice'
    places = {(p["path"], p["line"], p["column"]) for p in (fault, fault["other"])}
    assert places == {("flags/banner.yaml", 3, 18), ("flags/copy.yaml", 3, 18)}


def test_all_faults_of_a_commit_are_told_in_order(repository, running):
    before = served(running)
    faults = harmless(running, repository, before, repository.commit({
        "flags/b.yaml": named("b").replace("default: on", "default: no"), "flags/a.yaml": named("A"),
        "segments/staff.yaml": segment("staff", "{segment: stuff}")}))
    assert [(f["path"], f["line"], f["code"]) for f in faults] == [
        ("flags/a.yaml", 3, "W205"), ("flags/b.yaml", 6, "W303"), ("segments/staff.yaml", 4, "W302")]


def test_at_most_a_hundred_faults_are_shown_and_all_are_counted(repository, running):
    before = served(running)
    body = "---\n".join(named(f"f{i}").replace("default: on", "default: no") for i in range(150))
    commit = repository.commit({"flags/bad.yaml": body})
    printed = weir.run("validate", repository.work).out
    assert printed.count("error[W303]") == 100 and "150 errors, 0 warnings" in printed
    assert len(harmless(running, repository, before, commit)) == 100


def many(count, folder="flags"):
    return {f"{folder}/m{i}.yaml": named(f"m{i}") for i in range(count)}


def test_a_folder_with_many_entries_is_told_on_every_way_to_the_commit(repository, running, tmp_path):
    before = served(running)
    wide = {"code": "W119", "severity": "warning", "line": 0, "column": 0, "hint": "split it into several folders"}

    def expect(commit, *folders):
        expected = [{**wide, "path": path, "message": f"folder has {entries} entries, more than 1000: each commit that "
                     "changes something in it reads it whole"} for path, entries in folders]
        running.fetch()
        status = weir.wait_until(lambda: (s := running.status())["tip"] == commit and s, f"judged\n{running.log()}")
        assert status["faults"] == expected and status["warnings"] == len(expected), status["faults"][:3]
        assert status["tipWhole"] is True and served(running)[1]
        assert weir.run("validate", "--format", "json", repository.work).json()["diagnostics"] == expected
        local = weir.run("validate", "--format", "json", "--repo", repository.work, "--rev", commit)
        assert local.json()["diagnostics"] == expected and local.code == 0, local.err[:300]
        return status

    shop = len([path for path in weir.SHOP if path.startswith("flags/")])
    expect(repository.commit(many(1000 - shop)))
    expect(repository.commit({"flags/last.yaml": named("last")}), ("flags", 1001))
    expect(repository.commit({"README.md": "has nothing to do with it\n"}), ("flags", 1001))
    changed = named("last").replace("default: on", "default: off")
    expect(repository.commit({"flags/last.yaml": changed}), ("flags", 1001))
    tip = repository.commit({**{f"{i}.txt": "" for i in range(1000)}, **{f"state/{i}.yaml": "" for i in range(1001)}})
    entries = len(weir.git(repository.work, "ls-tree", "HEAD").splitlines())
    incremental = expect(tip, (".", entries), ("flags", 1001))
    with weir.controller(repository.url, tmp_path / "fresh") as fresh:
        judged = weir.wait_until(lambda: (s := fresh.status())["tip"] == tip and s, f"judged\n{fresh.log()}")
        assert judged["faults"] == incremental["faults"], "a fresh clone says the same"
    expect(repository.commit({"flags/last.yaml": None, **{f"{i}.txt": None for i in range(1000)}}))
    expect(repository.commit({path: None for path in many(1000 - shop)}))
    assert served(running)[1] == before[1]


# --- what a tree may hold besides files -----------------------------------------------------------


def test_a_symbolic_link_is_not_followed(repository, running, tmp_path):
    secret = tmp_path / "secret.yaml"
    secret.write_text(named("secret"))
    before = served(running)
    (repository.work / "flags" / "link.yaml").symlink_to(secret)
    (fault,) = harmless(running, repository, before, repository.commit({}))
    assert (fault["code"], fault["path"]) == ("W112", "flags/link.yaml"), fault


def test_a_folder_that_is_a_link_is_not_followed(repository, running, tmp_path):
    weir.write_files(tmp_path / "elsewhere", {"staff.yaml": weir.SHOP["segments/staff.yaml"]})
    before = served(running)
    weir.write_files(repository.work, {"segments/staff.yaml": None})
    (repository.work / "segments").rmdir()
    (repository.work / "segments").symlink_to(tmp_path / "elsewhere")
    commit = repository.commit({})
    running.fetch()
    weir.wait_until(lambda: running.status()["tip"] == commit, "judged")
    assert "W112" in {f["code"] for f in running.status()["faults"] if f["path"] == "segments"}, running.status()
    assert served(running) == (commit, before[1])


def test_a_submodule_is_told_and_not_followed(repository, running, tmp_path):
    other = weir.Repository(tmp_path / "other", {"flags/other.yaml": named("other")})
    before = served(running)
    weir.git(repository.work, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", other.url, "vendor")
    commit = repository.commit({})
    running.fetch()
    weir.wait_until(lambda: running.status()["tip"] == commit, "judged")
    status = running.status()
    assert status["tipServed"] is True and status["warnings"] == 1, status
    assert [(f["code"], f["severity"], f["path"]) for f in status["faults"]] == [("W113", "warning", "vendor")]
    assert served(running)[1] == before[1] and running.evaluate("other", {}, "production").status == 404


def raw_tree(repository, entries):
    """A commit of a tree that git itself would not make: [(mode, name, object id)]."""
    body = b"".join(f"{mode} {name}".encode() + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries)
    folder = repository.work / ".git"
    (folder / "tree").write_bytes(body)
    tree = weir.git(repository.work, "hash-object", "-t", "tree", "-w", "--literally", folder / "tree")
    head = weir.git(repository.work, "rev-parse", "HEAD")
    commit = weir.git(repository.work, "commit-tree", tree, "-p", head, "-m", "made by hand")
    weir.git(repository.work, "push", "--quiet", "origin", f"{commit}:refs/heads/main")
    return commit


def test_a_path_with_dots_made_by_hand(repository, running):
    before = served(running)
    entries = [(mode, name, oid) for mode, _, oid, name in (
        line.replace("\t", " ").split(" ", 3) for line in weir.git(repository.work, "ls-tree", "HEAD").splitlines())]
    flags = next(oid for mode, name, oid in entries if name == "flags")
    commit = raw_tree(repository, sorted([(m.lstrip("0"), n, o) for m, n, o in entries] + [("40000", "..", flags)],
                                         key=lambda e: e[1]))
    running.fetch()
    weir.wait_until(lambda: running.status()["tip"] == commit or running.status()["lastFetch"]["error"],
                    f"judged or not fetched\n{running.log()}")
    status = running.status()
    assert served(running)[1] == before[1]
    assert status["lastFetch"]["error"] or {(f["code"], f["path"].split("/")[0]) for f in status["faults"]} == {
        ("W117", "..")}, status


# --- repositories ---------------------------------------------------------------------------------


def test_not_a_repository(tmp_path):
    (tmp_path / "plain").mkdir()
    with weir.controller(tmp_path / "plain", tmp_path / "data") as running:
        error = weir.wait_until(lambda: running.status()["lastFetch"]["error"], "the fetch has failed")
        assert "plain" in error and "repository" in error, error
        assert running.get("/readyz").status == 503 and running.get("/healthz").status == 200
        weir.wait_until(lambda: "event=fetch_failed" in running.log(), "the log has it, which is told after /status")


def test_an_empty_repository_waits_for_its_first_commit(tmp_path):
    repository = weir.Repository(tmp_path / "git")
    with weir.controller(repository.url, tmp_path / "data") as running:
        error = weir.wait_until(lambda: running.status()["lastFetch"]["error"], "the fetch has failed")
        assert "empty" in error, error
        assert running.get("/readyz").status == 503
        answer = running.evaluate("banner", {}, "production")
        assert answer.status == 503 and answer.headers["Retry-After"] == "1", answer
        repository.commit(weir.SHOP)
        running.fetch()
        running.wait_ready()
        assert running.value("banner", {}, "production") == "Hello"


def test_a_branch_that_does_not_exist(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data", "--branch", "relase") as running:
        error = weir.wait_until(lambda: running.status()["lastFetch"]["error"], "the fetch has failed")
        assert error.endswith('has no branch "relase"; there is "main"'), error
        assert running.get("/readyz").status == 503


def test_a_first_commit_without_definitions_is_not_ready(tmp_path):
    repository = weir.Repository(tmp_path / "git", {"README.md": "nothing yet\n"})
    with weir.controller(repository.url, tmp_path / "data") as running:
        weir.wait_until(lambda: running.status()["tip"], "judged")
        assert [f["code"] for f in running.status()["faults"]] == ["W101"]
        assert running.get("/readyz").status == 503 and running.status()["commit"] is None


# --- how it is started ----------------------------------------------------------------------------


def test_a_port_in_use(repository, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = weir.run("run", "--repo", repository.url, "--data", tmp_path / "data", "--listen", f"127.0.0.1:{port}")
    assert result.code == 2 and result.out == "", result
    assert f"127.0.0.1:{port}" in result.err and "in use" in result.err, result


def test_a_data_folder_in_use(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        result = weir.run("run", "--repo", repository.url, "--data", tmp_path / "data", "--listen", "127.0.0.1:0")
        assert result.code == 2 and "in use by another weir" in result.err, result
        assert running.is_ready()


@pytest.mark.parametrize("make", [
    lambda path: path.write_text("a file"),
    lambda path: path.symlink_to("/proc/nowhere"),
], ids=["a file", "a dead link"])
def test_a_data_folder_that_cannot_be_made(repository, tmp_path, make):
    make(tmp_path / "data")
    result = weir.run("run", "--repo", repository.url, "--data", tmp_path / "data", "--listen", "127.0.0.1:0")
    assert result.code == 2 and result.out == "" and str(tmp_path / "data") in result.err, result


def test_a_data_folder_of_another_repository(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
    other = weir.Repository(tmp_path / "other", weir.SHOP)
    result = weir.run("run", "--repo", other.url, "--data", tmp_path / "data", "--listen", "127.0.0.1:0")
    assert result.code == 2 and "is a clone of" in result.err and "choose another folder" in result.err, result


def test_an_unknown_key_in_the_configuration_file(tmp_path):
    file = tmp_path / "weir.yaml"
    file.write_text("repo: .\nlisten: 127.0.0.1:0\npol: 5s\n")
    result = weir.run("run", "--config", file)
    assert result.code == 2 and result.out == "", result
    assert result.err.startswith(f"{file}:3:1: error[W203]: ") and '"pol"' in result.err
    assert 'did you mean "poll"?' in result.err


# --- OFREP: exact statuses and bodies -------------------------------------------------------------

JSON = {"Content-Type": "application/json"}
ONE = "/env/production/ofrep/v1/evaluate/flags/banner"
ALL = "/env/production/ofrep/v1/evaluate/flags"


def body(code, details, key="banner"):
    return {"errorCode": code, "errorDetails": details, **({"key": key} if key else {})}


REQUESTS = {
    "unknown flag": ("POST", ONE + "x", b'{"context":{}}', JSON, 404,
                     body("FLAG_NOT_FOUND", "flag 'bannerx' does not exist in environment 'production'", "bannerx")),
    "wrong method": ("GET", ONE, None, {}, 405, body("GENERAL", "method not allowed here; use POST")),
    "wrong method, all": ("DELETE", ALL, None, {}, 405, body("GENERAL", "method not allowed here; use POST", None)),
    "wrong content type": ("POST", ONE, b"<context/>", {"Content-Type": "text/xml"}, 415,
                           body("GENERAL", "content type is not supported; send application/json")),
    "no body": ("POST", ONE, b"", JSON, 400,
                body("PARSE_ERROR", 'request has no body; send {"context":{"targetingKey":"…"}}')),
    "no context": ("POST", ONE, b"{}", JSON, 400,
                   body("INVALID_CONTEXT", 'body has no object "context"; send {"context":{"targetingKey":"…"}}')),
    "targeting key is a number": ("POST", ONE, b'{"context":{"targetingKey":7}}', JSON, 400,
                                  body("INVALID_CONTEXT", "context.targetingKey is not a string")),
    "unknown environment": ("POST", "/env/moon/ofrep/v1/evaluate/flags/banner", b'{"context":{}}', JSON, 404,
                            body("GENERAL", "no such environment 'moon'; the names behind /env/ are those of the "
                                 "Environment definitions")),
    "no default environment": ("POST", "/ofrep/v1/evaluate/flags", b'{"context":{}}', JSON, 404,
                               body("GENERAL", "there is no default environment; put /env/ENVIRONMENT before the "
                                    "path, or start weir with --default-environment", None)),
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    with weir.controller(weir.Repository(folder / "git", weir.SHOP).url, folder / "data") as running:
        yield running.wait_ready()


@pytest.mark.parametrize("name", REQUESTS)
def test_ofrep_refusals(name, shared):
    method, path, content, headers, status, expected = REQUESTS[name]
    answer = shared.request(method, path, content, headers)
    assert (answer.status, answer.json()) == (status, expected)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Allow"] == ("POST" if status == 405 else None)


@pytest.mark.parametrize("content, line, words", [
    (b'{"context": {"a": nul}}', 1, ""),
    (b'{"context": {"a": 1},\n}', 2, ""),
    (b"hello", 1, ""),
    (b'{"context":{"a":"\xff"}}', 1, "UTF-8"),
    (b'{"context":{"a":' + b'{"b":' * 10_000 + b"1" + b"}" * 10_002, 1, "deep"),
    (b'{"context":{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}}", 1, "deep"),
], ids=["nul", "comma", "words", "not UTF-8", "deep maps", "deep lists"])
def test_a_context_that_is_no_json(shared, content, line, words):
    for path, key in [(ONE, "banner"), (ALL, None)]:
        answer = shared.request("POST", path, content, JSON)
        assert answer.status == 400, answer
        found = answer.json()
        assert found["errorCode"] == "PARSE_ERROR" and found.get("key") == key, found
        assert found["errorDetails"].startswith(f"body: line {line}, column ") and words in found["errorDetails"], found
    assert shared.value("banner", {}, "production") == "Hello"


def test_a_body_of_ten_megabytes(shared):
    content = json.dumps({"context": {"a": "x" * 10_000_000}}).encode()
    try:
        answer = shared.request("POST", ONE, content, JSON)
        assert answer.status == 413 and answer.json()["errorCode"] == "GENERAL", answer
        assert answer.json()["errorDetails"].startswith("body is over ")
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused while it was still being sent
    assert shared.value("banner", {}, "production") == "Hello"


def test_a_request_that_is_no_http(shared):
    with socket.create_connection((shared.host, shared.port), timeout=weir.PATIENCE) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        answer = connection.recv(4096)
        assert answer == b"" or answer.startswith(b"HTTP/1."), answer
    assert shared.value("banner", {}, "production") == "Hello"
