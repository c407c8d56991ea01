"""A real kube-apiserver over a real etcd, on loopback ports of their own, for the tests of the kubernetes target.

`make kubernetes-server` builds both with Go from the versions pinned in tests/integration/kubernetes_server/go.mod; or
$WEIR_KUBERNETES names a folder with kube-apiserver and etcd. Nothing else of a cluster runs: objects are kept, checked
and merged as in any cluster, and that is what the target speaks to.
"""
import json
import os
import pathlib
import secrets
import ssl
import subprocess
import urllib.error
import urllib.request

import ports
import weir

ADMIN = "system:masters"
FEATURE_FLAGS = "featureflags.core.openfeature.dev"


def programs():
    """The folder that has both, or None."""
    for folder in (os.environ.get("WEIR_KUBERNETES"), weir.ROOT / "build" / "kubernetes"):
        if folder and all(os.access(pathlib.Path(folder) / name, os.X_OK) for name in ("kube-apiserver", "etcd")):
            return pathlib.Path(folder)
    return None


def certificate(folder, name="server"):
    """A certificate that is its own authority, for 127.0.0.1; returns the paths of it and of its key."""
    made = pathlib.Path(folder) / f"{name}.pem", pathlib.Path(folder) / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=weir-test", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-addext", "basicConstraints=critical,CA:TRUE", "-out", str(made[0]), "-keyout", str(made[1])],
                   check=True, capture_output=True, timeout=60)
    return made


class ApiServer:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.kept, self.started, self.logs = [ports.keep() for _ in range(3)], [], []
        self.port, self.client_port, self.peer_port = map(ports.number, self.kept)
        self.certificate, key = certificate(self.folder)
        self.tokens = {name: secrets.token_hex(16) for name in ("admin", "weir", "nobody")}
        (self.folder / "tokens").write_text(
            f"{self.tokens['admin']},admin,1,{ADMIN}\n{self.tokens['weir']},weir,2\n{self.tokens['nobody']},nobody,3\n")
        try:
            self._start(programs(), key)
            self._grant()
        except BaseException:
            self.stop()
            raise

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def _run(self, program, *arguments):
        log = (self.folder / f"{program.name}.log").open("wb")
        self.logs.append(log)
        self.started.append(subprocess.Popen([str(program), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=log,
                                             stderr=log, cwd=self.folder))

    def _start(self, programs_folder, key):
        client, peer = self.client_port, self.peer_port
        self._run(programs_folder / "etcd", "--data-dir", self.folder / "etcd", "--unsafe-no-fsync",
                  "--listen-client-urls", f"http://127.0.0.1:{client}",
                  "--advertise-client-urls", f"http://127.0.0.1:{client}",
                  "--listen-peer-urls", f"http://127.0.0.1:{peer}",
                  "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
                  "--initial-cluster", f"default=http://127.0.0.1:{peer}")
        self._run(programs_folder / "kube-apiserver", "--etcd-servers", f"http://127.0.0.1:{client}",
                  "--bind-address", "127.0.0.1", "--secure-port", self.port, "--tls-cert-file", self.certificate,
                  "--tls-private-key-file", key, "--service-account-key-file", self.certificate,
                  "--service-account-signing-key-file", key, "--service-account-issuer", self.url,
                  "--token-auth-file", self.folder / "tokens", "--authorization-mode", "RBAC",
                  "--service-cluster-ip-range", "10.0.0.0/24", "--disable-admission-plugins", "ServiceAccount",
                  "--cert-dir", self.folder / "certificates")
        weir.wait_until(self._ready, f"kube-apiserver is ready; see {self.folder}", 120)

    def _ready(self):
        for process in self.started:
            assert process.poll() is None, f"{process.args[0]} ended; see {self.folder}"
        try:
            return self.ask("GET", "/readyz", raw=True) == b"ok"
        except (OSError, AssertionError):
            return False

    def stop(self):
        for process in reversed(self.started):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(weir.PATIENCE)
        for each in (*self.logs, *self.kept):
            each.close()

    def ask(self, method, path, body=None, content_type="application/json", token="admin", raw=False):
        """One request as an administrator; the answer's JSON, None for 404."""
        request = urllib.request.Request(self.url + path, method=method,
                                         data=None if body is None else json.dumps(body).encode())
        request.add_header("Authorization", f"Bearer {self.tokens[token]}")
        request.add_header("Content-Type", content_type)
        context = ssl.create_default_context(cafile=str(self.certificate))
        try:
            with urllib.request.urlopen(request, timeout=weir.PATIENCE, context=context) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise AssertionError(f"{method} {path}: {error.code} {error.read()[:500]!r}") from error
        return content if raw else json.loads(content)

    def _grant(self):
        """What the documentation tells an operator to allow weir, and nothing more."""
        self.ask("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", {
            "metadata": {"name": "weir"},
            "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create", "patch"]},
                      {"apiGroups": ["core.openfeature.dev"], "resources": ["featureflags"],
                       "verbs": ["get", "create", "patch"]}]})
        self.ask("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
            "metadata": {"name": "weir"}, "subjects": [{"kind": "User", "name": "weir"}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "weir"}})
        weir.wait_until(lambda: self.ask("GET", "/api/v1/namespaces/default"), "the namespace default", 60)

    def define_feature_flags(self, metadata=True):
        """The OpenFeature operator's definition of a FeatureFlag, as far as flagSpec goes; old ones lack metadata."""
        anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        more = {"metadata": anything} if metadata else {}
        spec = {"type": "object", "properties": {
            "flagSpec": {"type": "object", "required": ["flags"], "properties": {
                "$evaluators": anything, **more,
                "flags": {"type": "object", "additionalProperties": {
                    "type": "object", "required": ["state", "variants", "defaultVariant"], "properties": {
                        "state": {"type": "string", "enum": ["ENABLED", "DISABLED"]},
                        "defaultVariant": {"type": "string"}, "variants": anything, "targeting": anything, **more}}}}}}}
        self.ask("PATCH", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{FEATURE_FLAGS}"
                 "?fieldManager=operator&force=true", {
                     "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                     "metadata": {"name": FEATURE_FLAGS},
                     "spec": {"group": "core.openfeature.dev", "scope": "Namespaced",
                              "names": {"kind": "FeatureFlag", "plural": "featureflags", "singular": "featureflag"},
                              "versions": [{"name": "v1beta1", "served": True, "storage": True, "schema": {
                                  "openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}}]}},
                 "application/apply-patch+yaml")
        weir.wait_until(lambda: self._takes_feature_flags(metadata), "FeatureFlags are served", 60)

    def _takes_feature_flags(self, metadata):
        """Whether the server goes by the definition that was made last, which takes it a moment."""
        path = "/apis/core.openfeature.dev/v1beta1/namespaces/default/featureflags"
        body = {"apiVersion": "core.openfeature.dev/v1beta1", "kind": "FeatureFlag", "metadata": {"name": "probe"},
                "spec": {"flagSpec": {"flags": {}, "metadata": {"x": "y"}}}}
        try:
            taken = self.ask("PATCH", f"{path}/probe?fieldManager=probe&dryRun=All", body,
                             "application/apply-patch+yaml")
        except AssertionError as error:
            return not metadata and "field not declared in schema" in str(error)
        return metadata and taken
