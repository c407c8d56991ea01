"""The official OpenFeature SDKs, from the registries, as clients of `weir run`; see README.md in this folder.

The definitions are the files below flags/, pushed into a bare Git repository. What each SDK must answer is in table.py,
how the SDKs are installed and run in clients.py.
"""
import pathlib
import re

import pytest

import clients
import table
import weir

HERE = pathlib.Path(__file__).resolve().parent
FLAGS = {str(path.relative_to(HERE / "flags")): path.read_text() for path in (HERE / "flags").rglob("*.yaml")}
ROWS = [pytest.param(sdk, case, id=f"{sdk}-{case.name}")
        for sdk in clients.SDKS for case in table.cases_of(sdk)]


def same(left, right):
    """Equal as JSON is: 2 and 2.0 are one number, 1 and true are not."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


def start(sdk, place, *more):
    try:
        return clients.Client(sdk, place, *more)
    except clients.Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def production_document(tmp_path_factory):
    """What `weir build` writes for production."""
    path = tmp_path_factory.mktemp("document") / "production.json"
    built = weir.run("build", "--env", "production", "-o", path, HERE / "flags")
    assert built.code == 0, built
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    with weir.controller(weir.Repository(folder, FLAGS).url, folder / "data") as running:
        yield running.wait_ready()


@pytest.fixture(scope="module")
def running(server, production_document):
    """running(sdk, environment) is a client; each is started once, and at the end all must end well."""
    started = {}

    def get(sdk, environment):
        if (sdk, environment) not in started:
            place = production_document if sdk in table.IN_PROCESS else base_url(server, environment)
            started[sdk, environment] = start(sdk, place)
        return started[sdk, environment]

    yield get
    for client in started.values():
        client.close()


def base_url(server, environment):
    return f"http://{server.host}:{server.port}/env/{environment}"


# --- the table ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sdk, case", ROWS)
def test_every_answer(running, sdk, case):
    answer = running(sdk, case.environment).ask(*case.request)
    wanted, reasons = table.expected(sdk, case)
    assert same(answer, wanted), f"got {answer}\nnot {wanted}" + "".join(f"\nknown: {reason}" for reason in reasons)


def test_every_fault_in_the_table_is_one():
    """A row that changes nothing says something of a provider that nobody has seen."""
    for fault in table.FAULTS:
        for sdk in fault.sdks:
            hit = [case for case in table.cases_of(sdk) if fault.applies(case)]
            assert hit, f"{sdk}: {fault.why}"
            assert any(getattr(case.answer, name) != value
                       for case in hit for name, value in fault.changes.items()), fault


@pytest.mark.parametrize("sdk", table.IN_PROCESS)
def test_flagd_draws_the_same_buckets_from_the_document(server, running, sdk):
    """Python's core 1 hashes by flagd's second generation, core 2 by the third: the document must be read alike."""
    client, on = running(sdk, "production"), 0
    for number in range(500):
        context = {"targetingKey": f"bucket-{number}", "country": "DE"}
        value = server.value("checkout", context, "production")
        assert client.ask("checkout", "boolean", None, context)["value"] is value, context
        on += value
    assert 75 < on < 175, f"{on} of 500 are in a quarter"


# --- a change -----------------------------------------------------------------------------------------------------


def pushed(folder):
    """A repository, a controller over it, and a function that pushes another greeting and waits until it is served."""
    repository = weir.Repository(folder, FLAGS)

    def push(running, old, new):
        path = "flags/types.yaml"
        text = (repository.work / path).read_text()
        assert text.count(f"default: {old}\n") == 1, text
        commit = repository.commit({path: text.replace(f"default: {old}\n", f"default: {new}\n")})
        running.fetch()
        weir.wait_until(lambda: running.status()["commit"] == commit, f"{commit} is served")

    return repository, push


def greeting(client):
    answer = client.ask("greeting", "string", "?", table.ANN)
    return answer["value"], answer["variant"]


@pytest.mark.parametrize("sdk", [sdk for sdk in table.OVER_OFREP if sdk != "js-web"])
def test_a_change_is_seen(tmp_path, sdk):
    """The next answer after the commit is served is the new one: nothing on the way keeps the old."""
    repository, push = pushed(tmp_path)
    with weir.controller(repository.url, tmp_path / "data") as server:
        server.wait_ready()
        client = start(sdk, base_url(server, "production"))
        try:
            assert greeting(client) == ("Grüß Gott 😀", "formal")
            push(server, "formal", "quoted")
            assert greeting(client) == ('say "hello"\n\\ twice', "quoted")
            client.close()
        finally:
            client.kill()


@pytest.mark.parametrize("sdk", table.IN_PROCESS)
def test_a_changed_document_is_seen(tmp_path, sdk):
    folder, document = weir.write_files(tmp_path / "flags", FLAGS), tmp_path / "document.json"
    assert weir.run("build", "--env", "production", "-o", document, folder).code == 0
    client = start(sdk, document)
    try:
        assert greeting(client) == ("Grüß Gott 😀", "formal")
        text = (folder / "flags/types.yaml").read_text().replace("default: formal\n", "default: quoted\n")
        weir.write_files(folder, {"flags/types.yaml": text})
        assert weir.run("build", "--env", "production", "-o", document, folder).code == 0
        weir.wait_until(lambda: greeting(client) == ('say "hello"\n\\ twice', "quoted"), "the provider reads it again")
        client.close()
    finally:
        client.kill()


# --- the web: all flags at once -------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path):
    """(client, server, push) of a page that is looked at."""
    repository, push = pushed(tmp_path)
    with weir.controller(repository.url, tmp_path / "data") as server:
        server.wait_ready()
        client = start("js-web", base_url(server, "production"))
        try:
            yield client, server, push
            client.close()
        finally:
            client.kill()


def only(told):
    assert len(told["requests"]) == 1, told
    return told["requests"][0]


def test_web_asks_once_for_all_flags(site):
    client, server, _ = site
    request = only(client.do("requests"))
    assert request["path"] == "/env/production/ofrep/v1/evaluate/flags"
    assert (request["status"], request["condition"]) == (200, None)
    assert request["etag"] == server.evaluate(None, {}, "production").headers["ETag"]
    for flag, kind, default, value in (("release", "boolean", False, True), ("limit", "integer", 7, 25),
                                       ("silence", "string", "?", "")):
        assert client.ask(flag, kind, default, {})["value"] == value
    assert client.ask("nowhere", "string", "?", {})["errorCode"] == "FLAG_NOT_FOUND"
    assert client.do("requests")["requests"] == [], "one request has answered all"


def test_web_is_told_when_nothing_has_changed(site):
    client, server, push = site
    assert greeting(client) == ("Grüß Gott 😀", "formal")
    etag = client.do("requests")["requests"][-1]["etag"]
    seen = client.do("look")
    assert only(seen) == {"path": "/env/production/ofrep/v1/evaluate/flags", "condition": etag, "status": 304,
                          "etag": etag, "query": ""}
    assert seen["changed"] == []

    push(server, "formal", "quoted")
    assert greeting(client) == ("Grüß Gott 😀", "formal"), "without a request nothing changes"
    seen = client.do("look")
    assert (only(seen)["condition"], only(seen)["status"]) == (etag, 200)
    assert only(seen)["etag"] not in (etag, None)
    assert seen["changed"] == ["greeting"]
    assert greeting(client) == ('say "hello"\n\\ twice', "quoted")

    push(server, "quoted", "formal")
    assert only(client.do("look"))["etag"] == etag, "the same answer again has the same tag"
    assert greeting(client) == ("Grüß Gott 😀", "formal")


def test_web_asks_again_for_another_context(site):
    client, _, _ = site
    client.do("requests")

    def banner(**context):
        value = client.ask("staff-banner", "string", "?", context)["value"]
        return value, only(client.do("requests"))

    hello, first = banner(targetingKey="ann")
    assert hello == "Hello"
    # The provider keeps its tag as long as the key is the same; another answer must all the same not be a 304.
    hello, second = banner(targetingKey="ann", email="ann@acme.example")
    assert (hello, second["condition"], second["status"]) == ("Hello, colleague", first["etag"], 200)
    hello, third = banner(targetingKey="ann", email="ann@mail.example")
    assert (hello, third["condition"], third["status"]) == ("Hello", second["etag"], 200)
    assert third["etag"] == first["etag"], "the same answers have the same tag"
    hello, fourth = banner(targetingKey="ann", email="ann@other.example")
    assert (hello, fourth["condition"], fourth["status"]) == ("Hello", third["etag"], 304)
    hello, fifth = banner(targetingKey="bob")
    assert (hello, fifth["condition"], fifth["status"]) == ("Hello", None, 200)


def test_web_polls(tmp_path):
    repository, push = pushed(tmp_path)
    with weir.controller(repository.url, tmp_path / "data") as server:
        server.wait_ready()
        client = start("js-web", base_url(server, "production"), "50")
        try:
            assert greeting(client) == ("Grüß Gott 😀", "formal")
            told = []

            def statuses():
                told.extend(client.do("requests")["requests"])
                return [request["status"] for request in told]

            weir.wait_until(lambda: 304 in statuses(), "a poll that finds nothing new")
            push(server, "formal", "quoted")
            weir.wait_until(lambda: greeting(client) == ('say "hello"\n\\ twice', "quoted"), "a poll that finds it")
            before = len(statuses())
            weir.wait_until(lambda: 304 in statuses()[before:], "polls that find nothing new again")
            client.close()
        finally:
            client.kill()


def test_web_is_told_by_events(tmp_path):
    """The provider opens the stream that the answer announces, and asks again when told, also after a restart."""
    repository, push = pushed(tmp_path)
    stream = "/env/production/ofrep/v1/stream"
    configuration = re.compile(r"\?flagConfigEtag=%22[0-9a-f]{32}%22&flagConfigLastModified=\d+")
    with weir.controller(repository.url, tmp_path / "data") as server:
        server.wait_ready()
        address = f"{server.host}:{server.port}"
        client = start("js-web", base_url(server, "production"), "0", "events")
        told = []

        def statuses():
            """Of what it has asked because of an event; a context is new only once."""
            told.extend(request for request in client.do("requests")["requests"] if request["query"])
            return [request["status"] for request in told]

        try:
            weir.wait_until(lambda: client.do("opened") == [stream], "the provider opens the stream")
            # What is served is young: the client is told at once, and finds that it has it.
            weir.wait_until(lambda: statuses() == [304], "it asks again")
            assert greeting(client) == ("Grüß Gott 😀", "formal")
            push(server, "formal", "quoted")
            weir.wait_until(lambda: statuses() == [304, 200], "it is told of the change")
            assert configuration.fullmatch(told[-1]["query"]), told
            weir.wait_until(lambda: greeting(client) == ('say "hello"\n\\ twice', "quoted"), "it has the change")
            assert server.stop() == 0
            again = weir.Controller("--repo", repository.url, "--data", tmp_path / "data", "--listen", address)
            try:
                again.wait_ready()
                weir.wait_until(lambda: client.do("opened") == [stream] * 2, "the provider comes back")
                push(again, "quoted", "formal")
                weir.wait_until(lambda: greeting(client) == ("Grüß Gott 😀", "formal"), "it is told again")
                # Coming back it had missed nothing, and so has asked for nothing.
                assert statuses() == [304, 200, 200]
                assert again.stop() == 0
            finally:
                again.kill()
            client.close()
        finally:
            client.kill()
