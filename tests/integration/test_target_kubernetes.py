"""The kubernetes target against a real kube-apiserver: skipped, aloud, where there is none (`make kubernetes-server`).

What needs no cluster stands in tests/unit/test_kubernetes_stand_in.c.
"""
import contextlib
import json

import kubeserver
import pytest
import weir
from test_target_http import failing, many_flags
from test_targets import change, document, in_sync, refused, target

MERGE = "application/merge-patch+json"
# What JSON and YAML do not read alike, unless it is escaped.
ODD = "a\u2028b\u2029c\u0085d\u007fe\ufefff\u009fg\ufffeh\U0001f600 \"\\ \t: - # {x}"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if not kubeserver.programs():
        pytest.skip("there is no kube-apiserver: make kubernetes-server builds one (needs Go), or set WEIR_KUBERNETES")
    running = kubeserver.ApiServer(tmp_path_factory.mktemp("kubernetes") / "server")
    try:
        running.define_feature_flags()
        yield running
    finally:
        running.stop()


def kubernetes_target(server, kind, name, target_name="cluster", namespace="default"):
    where = f"server: \"{server.url}\", " if server else ""
    credentials = "  credentials: {secret: cluster}\n" if server else ""
    return (f"apiVersion: weir/v1\nkind: Target\nmetadata: {{name: {target_name}}}\nspec:\n  environment: production\n"
            f"  kubernetes: {{{where}namespace: {namespace}, {kind}: {name}}}\n{credentials}")


@contextlib.contextmanager
def connected(repository, tmp_path, server, data="data", token="weir"):
    (tmp_path / "token").write_text(server.tokens[token])
    config = tmp_path / "weir.yaml"
    config.write_text(f"ca-file: {server.certificate}\nallow-host: [\"127.0.0.1\"]\n"
                      f"secrets:\n  cluster: {{file: {tmp_path / 'token'}, hosts: [\"127.0.0.1:{server.port}\"]}}\n")
    with weir.controller(repository.url, tmp_path / data, "--config", config) as running:
        yield running


def path_of(kind, name):
    if kind == "configMap":
        return f"/api/v1/namespaces/default/configmaps/{name}"
    return f"/apis/core.openfeature.dev/v1beta1/namespaces/default/featureflags/{name}"


def held_flags(kind, held):
    return json.loads(held["data"]["flags.json"]) if kind == "configMap" else held["spec"]["flagSpec"]


@pytest.fixture(params=["configMap", "featureFlag"])
def kind(request):
    return request.param


def assert_holds(server, kind, name, repository, running, commit):
    held = server.ask("GET", path_of(kind, name))
    expected, status = document(repository, commit), running.status()
    if kind == "configMap":
        assert held["data"]["flags.json"] == expected
    else:
        assert held["spec"]["flagSpec"]["flags"] == json.loads(expected)["flags"]
    digest = next(e["digest"] for e in status["environments"] if e["name"] == "production")
    annotations = {key: value for key, value in held["metadata"]["annotations"].items() if key.startswith("weir/")}
    assert annotations == {"weir/commit": commit, "weir/digest": digest, "weir/environment": "production",
                           "weir/generation": status["generation"]}
    return held


def test_an_object_holds_the_document(repository, tmp_path, server, kind):
    name = f"holds-{kind.lower()}"
    written = json.dumps(ODD).replace("\\ud83d\\ude00", "\\U0001f600")  # YAML knows no surrogates
    odd = weir.SHOP["flags/banner.yaml"].replace('"Hello"', written)
    repository.commit({"flags/banner.yaml": odd})
    commit = repository.commit({"targets/cluster.yaml": kubernetes_target(server, kind, name)})
    with connected(repository, tmp_path, server) as running:
        in_sync(running, "cluster", commit)
        held = assert_holds(server, kind, name, repository, running, commit)
        assert held_flags(kind, held)["flags"]["banner"]["variants"]["plain"] == ODD
        assert [(m["manager"], m["operation"]) for m in held["metadata"]["managedFields"]] == [("weir", "Apply")]
        assert held["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "weir"
        # A flag that goes is gone there, too.
        commit = repository.commit({"flags/banner.yaml": None})
        running.fetch()
        in_sync(running, "cluster", commit)
        held = assert_holds(server, kind, name, repository, running, commit)
        assert list(held_flags(kind, held)["flags"]) == ["checkout-v2"]


def test_what_others_wrote_into_the_object_stays_and_what_is_weirs_is_put_right(repository, tmp_path, server, kind):
    name = f"shared-{kind.lower()}"
    commit = repository.commit({"targets/cluster.yaml": kubernetes_target(server, kind, name)})
    path = path_of(kind, name)
    with connected(repository, tmp_path, server) as running:
        in_sync(running, "cluster", commit)
        first = server.ask("GET", path)
    spoiled = ({"data": {"flags.json": "spoiled", "mine": "stays"}} if kind == "configMap" else
               {"spec": {"flagSpec": {"flags": {"banner": {"defaultVariant": "spoiled"}}}}})
    annotations = {"mine": "stays", "weir/commit": "spoiled"}
    server.ask("PATCH", path, {"metadata": {"annotations": annotations}, **spoiled}, MERGE)
    with connected(repository, tmp_path, server) as running:
        in_sync(running, "cluster", commit)
        held = assert_holds(server, kind, name, repository, running, commit)
        assert held["metadata"]["annotations"]["mine"] == "stays"
        assert kind != "configMap" or held["data"]["mine"] == "stays"
        assert held["metadata"]["uid"] == first["metadata"]["uid"]
    # Where nothing is wrong nothing is written: the version stays.
    with connected(repository, tmp_path, server) as running:
        in_sync(running, "cluster", commit)
        assert server.ask("GET", path)["metadata"]["resourceVersion"] == held["metadata"]["resourceVersion"]


def test_the_check_puts_right_what_somebody_else_changed(repository, tmp_path, server):
    """Nobody commits: the check alone, every half minute, finds it, in both kinds of object and when one is gone."""
    names = {"configMap": "check-map", "featureFlag": "check-flag"}
    commit = repository.commit({f"targets/{name}.yaml": kubernetes_target(server, kind, name, target_name=name)
                                for kind, name in (*names.items(), ("configMap", "check-gone"))})
    with connected(repository, tmp_path, server) as running:
        for name in (*names.values(), "check-gone"):
            in_sync(running, name, commit)
        server.ask("PATCH", path_of("configMap", "check-map"), {"data": {"flags.json": "spoiled"}}, MERGE)
        server.ask("PATCH", path_of("featureFlag", "check-flag"), {
            "metadata": {"annotations": {"weir/digest": "spoiled"}},
            "spec": {"flagSpec": {"flags": {"banner": {"defaultVariant": "spoiled"}}}}}, MERGE)
        server.ask("DELETE", path_of("configMap", "check-gone"))

        def is_right():
            held = server.ask("GET", path_of("featureFlag", "check-flag"))
            return (server.ask("GET", path_of("configMap", "check-gone")) and "spoiled" not in json.dumps(held) and
                    server.ask("GET", path_of("configMap", "check-map"))["data"]["flags.json"] != "spoiled")
        weir.wait_until(is_right, "all is right again", 3 * weir.PATIENCE)
        for kind, name in names.items():
            assert_holds(server, kind, name, repository, running, commit)
        assert_holds(server, "configMap", "check-gone", repository, running, commit)


def test_an_object_that_is_deleted_comes_back(repository, tmp_path, server, kind):
    name = f"deleted-{kind.lower()}"
    repository.commit({"targets/cluster.yaml": kubernetes_target(server, kind, name)})
    with connected(repository, tmp_path, server) as running:
        weir.wait_until(lambda: server.ask("GET", path_of(kind, name)), "the object")
        server.ask("DELETE", path_of(kind, name))
        commit = change(repository)
        running.fetch()
        in_sync(running, "cluster", commit)
        assert_holds(server, kind, name, repository, running, commit)


def test_a_newer_generation_is_not_set_back(repository, tmp_path, server, kind):
    name = f"newer-{kind.lower()}"
    repository.commit({"targets/cluster.yaml": kubernetes_target(server, kind, name)})
    newer = change(repository)
    with connected(repository, tmp_path, server) as running:
        in_sync(running, "cluster", newer)
    before = server.ask("GET", path_of(kind, name))
    weir.git(repository.work, "push", "--quiet", "--force", "origin", "HEAD~1:main")
    with connected(repository, tmp_path, server, "other") as running:
        found = refused(running, "cluster")
        generation = before["metadata"]["annotations"]["weir/generation"]
        shown = "ConfigMap" if kind == "configMap" else "FeatureFlag"
        assert found["state"] == "refused" and found["fault"]["message"] == (
            f"{shown} 'default/{name}' holds a newer generation ({generation}): another controller is ahead; "
            f"this one's is lower ({running.status()['generation']}), and it has waited since {found['held']['since']}")
        assert found["held"]["generation"] == generation
        assert server.ask("GET", path_of(kind, name)) == before


def test_two_controllers_at_different_commits_never_go_back(tmp_path, server, repository):
    """Both make the object at once; the generation seen by a watcher only rises, and ends at the newer one."""
    name = "race"
    repository.commit({"targets/cluster.yaml": kubernetes_target(server, "configMap", name)})
    older = weir.Repository(tmp_path / "older")
    commits = [change(repository, variant) for variant in ("loud", "plain", "loud")]
    weir.git(repository.work, "push", "--quiet", older.bare, "HEAD~2:refs/heads/main")
    start = server.ask("GET", "/api/v1/namespaces/default/configmaps")["metadata"]["resourceVersion"]
    with connected(older, tmp_path, server, "a") as first, connected(repository, tmp_path, server, "b") as second:
        in_sync(second, "cluster", commits[-1])
        weir.wait_until(lambda: (t := target(first, "cluster")) and t["state"] in ("refused", "inSync"), "the older")
    held = server.ask("GET", path_of("configMap", name))["metadata"]["annotations"]

    def watch():
        """What its generations were, once the last of them is told."""
        watched = server.ask("GET", "/api/v1/namespaces/default/configmaps?watch=true&timeoutSeconds=1"
                             f"&resourceVersion={start}", raw=True)
        events = [json.loads(line)["object"]["metadata"] for line in watched.splitlines()]
        seen = [m["annotations"]["weir/generation"] for m in events if m["name"] == name]
        return seen and held["weir/generation"] in seen and seen

    seen = weir.wait_until(watch, "what was written")
    assert seen == sorted(seen), seen
    assert held["weir/commit"] == commits[-1]


def test_what_the_fence_relies_on(server):
    """The server applies to an object of the version that is named, or makes one, and does nothing else."""
    def apply(version, content):
        return server.ask("PATCH", path_of("configMap", "fence") + "?fieldManager=weir&force=true", {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "fence", "resourceVersion": version},
            "data": {"flags.json": content}}, "application/apply-patch+yaml", token="weir")
    made = apply("1", "a")["metadata"]["resourceVersion"]
    with pytest.raises(AssertionError, match="409"):
        apply("1", "b")
    assert apply(made, "a")["metadata"]["resourceVersion"] == made, "the same again changes nothing"
    changed = apply(made, "c")["metadata"]["resourceVersion"]
    with pytest.raises(AssertionError, match="409"):
        apply(made, "d")
    assert changed != made and server.ask("GET", path_of("configMap", "fence"))["data"] == {"flags.json": "c"}


def test_a_config_map_that_somebody_else_made_is_joined(repository, tmp_path, server):
    server.ask("POST", "/api/v1/namespaces/default/configmaps",
               {"metadata": {"name": "theirs"}, "data": {"theirs": "x", "flags.json": "old"}})
    commit = repository.commit({"targets/cluster.yaml": kubernetes_target(server, "configMap", "theirs")})
    with connected(repository, tmp_path, server) as running:
        in_sync(running, "cluster", commit)
        assert assert_holds(server, "configMap", "theirs", repository, running, commit)["data"]["theirs"] == "x"


def test_too_large_for_a_config_map(repository, tmp_path, server):
    repository.commit({**many_flags(1000), "targets/cluster.yaml": kubernetes_target(server, "configMap", "large")})
    with connected(repository, tmp_path, server) as running:
        found = refused(running, "cluster")
        size = -(-len(document(repository).encode()) // 1024)
        assert found["state"] == "refused" and found["fault"]["message"] == (
            f"ConfigMap 'default/large' would hold {size} KiB, more than the 900 KiB that fit: "
            "use a target of another kind")
    assert server.ask("GET", path_of("configMap", "large")) is None


@pytest.mark.parametrize("kind,count", [("configMap", 850), ("featureFlag", 300)])
def test_large_objects_that_fit(repository, tmp_path, server, kind, count):
    name = f"fits-{kind.lower()}"
    commit = repository.commit({**many_flags(count), "targets/cluster.yaml": kubernetes_target(server, kind, name)})
    with connected(repository, tmp_path, server) as running:
        in_sync(running, "cluster", commit)
        assert_holds(server, kind, name, repository, running, commit)


def test_whom_the_server_does_not_know_or_does_not_let(repository, tmp_path, server):
    repository.commit({"targets/cluster.yaml": kubernetes_target(server, "configMap", "nobodys")})
    with connected(repository, tmp_path, server, token="nobody") as running:
        message = failing(running, "cluster")["fault"]["message"]
        assert message.startswith(f"'{server.url}': answered 403 to GET: configmaps \"nobodys\" is forbidden: ")
    server.tokens["wrong"] = "wrong"
    with connected(repository, tmp_path, server, token="wrong") as running:
        assert failing(running, "cluster")["fault"]["message"] == (
            f"'{server.url}': answered 401: it does not take the token of secret 'cluster'")
        assert target(running, "cluster")["state"] == "retrying"
        # A token that is renewed is taken from the next push on.
        (tmp_path / "token").write_text(server.tokens["weir"])
        commit = change(repository)
        running.fetch()
        in_sync(running, "cluster", commit)


def test_a_namespace_that_is_not_there(repository, tmp_path, server):
    repository.commit({"targets/cluster.yaml": kubernetes_target(server, "configMap", "x", namespace="nowhere")})
    with connected(repository, tmp_path, server) as running:
        message = failing(running, "cluster")["fault"]["message"]
        assert message == f"'{server.url}': answered 404 to PATCH: namespaces \"nowhere\" not found"


def test_in_the_cluster_it_is_its_service_account(repository, tmp_path, server):
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text(server.tokens["weir"] + "\n")
    (account / "ca.crt").write_bytes(server.certificate.read_bytes())
    commit = repository.commit({"targets/cluster.yaml": kubernetes_target(None, "configMap", "inside")})
    env = weir.environment(KUBERNETES_SERVICE_HOST="127.0.0.1", KUBERNETES_SERVICE_PORT=str(server.port),
                           WEIR_SERVICE_ACCOUNT=str(account))
    with weir.controller(repository.url, tmp_path / "closed", env=env) as running:
        fault = refused(running, "cluster")["fault"]
        assert (fault["code"], fault["path"], fault["line"]) == ("W502", "targets/cluster.yaml", 6), fault
    allowed = "--allow-host", f"127.0.0.1:{server.port}"
    with weir.controller(repository.url, tmp_path / "data", *allowed, env=env) as running:
        in_sync(running, "cluster", commit)
        assert_holds(server, "configMap", "inside", repository, running, commit)


@pytest.mark.parametrize("older", [False, True])
def test_a_set_s_metadata_where_feature_flags_have_a_place_for_it(repository, tmp_path, server, older):
    """The operator's older FeatureFlags know no metadata, and the server refuses to apply what it does not know."""
    server.define_feature_flags(metadata=not older)
    name = f"metadata-{'older' if older else 'newer'}"
    commit = repository.commit({"targets/cluster.yaml": kubernetes_target(server, "featureFlag", name)})
    try:
        with connected(repository, tmp_path, server) as running:
            in_sync(running, "cluster", commit)
            held = assert_holds(server, "featureFlag", name, repository, running, commit)
            assert held["spec"]["flagSpec"].get("metadata") == (None if older else {"flagSetId": "production"})
    finally:
        server.define_feature_flags()
