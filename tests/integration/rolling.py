"""What tests of the control API share: its document, and rollouts that nobody measures, over
tests/conformance/rollout_server.c."""
import json
import pathlib
import re
import subprocess

import jsonschema
import pytest
import weir
import yaml
from serving import bearer, tokens  # noqa: F401  (a fixture)
from verbing import CHECKOUT, rollout

API = yaml.safe_load((weir.ROOT / "schemas" / "control.yaml").read_text())
VERBS = ["start", "pause", "resume", "advance", "approve", "halt", "step-back", "rollback", "kill", "unkill",
         "unpin"]
SHOP = CHECKOUT + """\
---
apiVersion: weir/v1
kind: Environment
metadata: {name: staging}
---
apiVersion: weir/v1
kind: Flag
metadata: {name: search}
spec: {variants: {on: true, off: false}, default: off}
---
""" + rollout("""\
    - {name: canary, percent: 5}
    - {name: half, percent: 50, bake: 1w, approvals: 1}
    - {name: all, percent: 100}
""") + """\
---
apiVersion: weir/v1
kind: Rollout
metadata: {name: search}
spec:
  flag: search
  environment: staging
  variant: on
  control: off
  metrics: [errors]
  phases:
    - {name: staff, audience: {segment: staff}, bake: 5d}
    - {name: all, percent: 100}
"""


def answered(body, name):
    """The JSON of a body, which has to be what the document says of `name`."""
    value = json.loads(body)
    schema = {"$ref": f"#/components/schemas/{name}", "components": API["components"]}
    jsonschema.Draft202012Validator(schema).validate(value)
    return value


class Server(weir.Client):
    def __init__(self, tokens_path, folder):
        build = pathlib.Path(weir.program()).resolve().parent
        program = build / "tests" / "conformance" / "rollout_server"
        assert program.is_file(), f"{program} is not there: run make conformance-programs"
        self.process = subprocess.Popen([program, tokens_path, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        line = self.process.stdout.readline()
        found = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n", line)
        assert found, f"the first line is {line!r}"
        super().__init__("127.0.0.1", int(found[1]))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def branch(self, word):
        """Takes the branch "down", or brings it back "up"."""
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def rollouts(self, query="", **headers):
        answer = self.get("/rollouts" + query, headers)
        assert answer.status == 200, answer
        return answered(answer.body, "Rollouts")

    def one(self, name):
        return next(item for item in self.rollouts()["rollouts"] if item["name"] == name)

    def post(self, token, place, verb, body=None, **headers):
        environment, rollout = place.split("/")
        return self.request("POST", f"/env/{environment}/rollouts/{rollout}/{verb}",
                            json.dumps(body) if body is not None else None,
                            {**bearer(token), "Content-Type": "application/json", **headers})

    def ask(self, location):
        answer = self.get(location)
        assert answer.status == 200, answer
        return answered(answer.body, "Request")

    def do(self, token, place, verb, state, body=None):
        """Posts a verb and returns what became of it, which has to be `state`."""
        answer = self.post(token, place, verb, body)
        assert answer.status == 202, answer
        submitted, location = answered(answer.body, "Submitted"), answer.headers["Location"]
        assert location == f"/requests/{submitted['id']}"
        weir.wait_until(lambda: self.ask(location)["state"] != "waiting" or state == "waiting", f"{verb} of {place}")
        found = self.ask(location)
        assert found["state"] == state, found
        return found

    def stop(self):
        try:
            self.process.stdin.close()
            code = self.process.wait(weir.PATIENCE)
            assert code == 0, f"rollout_server ended with {code}"
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()


@pytest.fixture
def folder(tmp_path):
    return weir.write_files(tmp_path / "shop", {"flags/all.yaml": SHOP})


@pytest.fixture
def ann(tokens):  # noqa: F811
    return tokens.create("operator", "production", "staging", name="ann")


@pytest.fixture
def server(tmp_path, folder, tokens, ann):  # noqa: F811
    running = Server(tmp_path / "tokens", folder)
    yield running
    running.stop()
