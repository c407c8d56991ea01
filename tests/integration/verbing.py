"""What tests of people's verbs share: a rollout in a repository, verbs on it, and what Git and a document say then."""
import datetime
import hashlib
import json
import re
import subprocess

import weir

ADA = ("--author", "Ada Lovelace <ada@example.com>")
ROLLOUT = "production/checkout-v2"
STATE = f"state/{ROLLOUT}.yaml"
PHASES = """\
    - {name: staff, audience: {segment: staff}, bake: 5d}
    - {name: canary, percent: 1, bake: 6d}
    - {name: ten, percent: 10, bake: 7d}
    - {name: half, percent: 50, bake: 2w, approvals: 1}
    - {name: all, percent: 100, bake: 1d}
"""
# What a rollout in one file stands on.
CHECKOUT = """\
apiVersion: weir/v1
kind: Environment
metadata: {name: production}
---
apiVersion: weir/v1
kind: Flag
metadata: {name: checkout-v2}
spec: {variants: {on: true, off: false}, default: off}
---
apiVersion: weir/v1
kind: Segment
metadata: {name: staff}
spec: {match: {attribute: email, endsWith: '@example.com'}}
---
apiVersion: weir/v1
kind: Metric
metadata: {name: errors}
spec: {role: guardrail, prometheus: {address: 'http://p:9090', query: up}, thresholdRange: {max: 0.01}}
"""


def rollout(phases=PHASES, more=""):
    return f"""\
apiVersion: weir/v1
kind: Rollout
metadata: {{name: checkout-v2}}
spec:
  flag: checkout-v2
  environment: production
  variant: on
  control: off
  phases:
{phases}{more}"""


DEFINITIONS = {
    "all.yaml": """\
apiVersion: weir/v1
kind: Environment
metadata: {name: production}
---
apiVersion: weir/v1
kind: Flag
metadata: {name: checkout-v2}
spec:
  variants: {on: true, off: false}
  default: off
  rules:
    - {name: friends, when: {attribute: friend, is: true}, serve: on}
---
apiVersion: weir/v1
kind: Segment
metadata: {name: staff}
spec: {match: {attribute: email, endsWith: "@example.com"}}
---
apiVersion: weir/v1
kind: Metric
metadata: {name: errors}
spec: {role: guardrail, prometheus: {address: 'http://p:9090', query: up}, thresholdRange: {max: 0.01}}
""",
    "rollout.yaml": rollout(),
}


def tip(repository):
    return weir.git(repository.bare, "rev-parse", "main")


def verb(repository, name, *options, code=0, of=ROLLOUT, env=None, url=None):
    author = () if "--author" in options else ADA
    done = weir.run(name, of, "--repo", url or repository.bare, *author, *options, env=env)
    assert done.code == code, (name, options, done)
    return done


def subject(repository, revision="main"):
    return weir.git(repository.bare, "log", "-1", "--format=%s", revision)


def trailers(repository, revision="main"):
    """What git itself finds: a list of pairs."""
    message = weir.git(repository.bare, "log", "-1", "--format=%B", revision)
    found = weir.git(repository.bare, "interpret-trailers", "--parse", input=message + "\n")
    return [tuple(line.split(": ", 1)) for line in found.splitlines()]


def trailer(repository, key, revision="main"):
    return [value for name, value in trailers(repository, revision) if name == key]


def state(repository, revision="main"):
    return weir.git(repository.bare, "show", f"{revision}:{STATE}") + "\n"


def as_weir(text):
    """A state file that says what weir would have written next: behind what was, with its checksum."""
    body = re.sub(r"^  seq: (\d+)$", lambda match: f"  seq: {int(match[1]) + 1}", text[:text.index("  checksum:")],
                  flags=re.M)
    return body + f'  checksum: "sha256:{hashlib.sha256(body.encode()).hexdigest()}"\n'


def push(repository, files, message="change"):
    weir.git(repository.work, "fetch", "--quiet", "origin")
    weir.git(repository.work, "reset", "--quiet", "--hard", "origin/main")
    return repository.commit(files, message)


def let_pass(repository, hours):
    """The same as waiting for that long: all instants of the state are so much earlier."""
    def earlier(match):
        then = datetime.datetime.fromisoformat(match[0][:-1]) - datetime.timedelta(hours=hours)
        return then.isoformat() + "Z"

    push(repository, {STATE: as_weir(re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", earlier, state(repository)))})


def hook(repository, name, script):
    path = repository.bare / "hooks" / name
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)


class Served:
    """Who is on the variant by the document of a commit."""

    def __init__(self, repository, tmp_path, revision="main"):
        document = tmp_path / "document.json"
        built = weir.run("build", "--repo", repository.bare, "--rev", weir.git(repository.bare, "rev-parse", revision),
                         "--env", "production", "-o", document)
        assert built.code == 0, built
        self.bytes = document.read_bytes()
        people = [{"targetingKey": f"u{i}"} for i in range(1000)]
        people += [{"targetingKey": "s", "email": "s@example.com"}, {"targetingKey": "f", "friend": True}]
        asked = "".join(json.dumps({"flag": "checkout-v2", "context": context}) + "\n" for context in people)
        answers = weir.run("eval", "--flagd", document, "--batch", stdin=asked)
        assert answers.code == 0, answers
        on = [json.loads(line)["value"] for line in answers.out.splitlines()]
        assert len(on) == len(people)
        self.users, self.staff, self.friend = {i for i in range(1000) if on[i]}, on[1000], on[1001]

    def is_control(self):
        return not self.users and not self.staff and not self.friend


def keys(tmp_path, *names):
    """A signing key for each name, all of them allowed to sign; returns the file of allowed signers."""
    lines = []
    for name in names:
        file = tmp_path / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", file], check=True)
        lines.append(f"{name}@example.com {' '.join((tmp_path / f'{name}.pub').read_text().split()[:2])}\n")
    (tmp_path / "signers").write_text("".join(lines))
    return tmp_path / "signers"
