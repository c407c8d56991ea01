"""The rollout of examples/acme-shop at each of its stages: what is served there must be read alike by every engine.

The repository is the example as it stands, but for the rollout's calendar: when this is run must not matter. `weir
start` writes the state; the later ones are that file with another place in it, and the checksum of weir's.
"""
import dataclasses
import datetime
import json
import subprocess
import sys
from pathlib import Path

import definitions
import engines

sys.path.insert(0, str(engines.ROOT / "tests/integration"))
import verbing  # noqa: E402
import weir  # noqa: E402

FLAG, ENVIRONMENT = "checkout-v2", "staging"
DEFINITION, STATE = f"rollouts/{FLAG}.yaml", f"state/{ENVIRONMENT}/{FLAG}.yaml"
ON = "on"
# While a ramp is open its share grows by the second. Users whose turn comes this soon are left out, so that it does not
# matter when an engine is asked.
SOON = 2 * engines.PATIENCE


@dataclasses.dataclass
class Stage:
    name: str
    lines: str  # of the state, in the place of its course and phase
    share: float  # whom it gives the variant, of all
    staff: bool = True  # has it too


def stages(now):
    """In the order of a life; `share` never falls until the end. The ramp goes from 1 to 10 % in a day."""
    def text(seconds):
        return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def running(phase, ramp=""):
        return f"  course: running\n  phase: {phase}\n  since: {text(now - 86400)}\n{ramp}"

    def ended(course, phase):
        return f"  course: {course}\n  phase: {phase}\n  since: {text(now - 60)}\n"

    window = f"from: {text(now - 6 * 3600)}, length: 12h"
    return [Stage("staff", running("staff"), 0), Stage("canary", running("canary"), 0.01),
            Stage("ramp-not-open", running("ten"), 0.01),
            Stage("ramp-in-its-middle", running("ten", f"  ramp: {{done: 6h, {window}}}\n"), 0.055),
            Stage("ramp-behind", running("ten", f"  ramp: {{done: 1d, {window}}}\n"), 0.1),
            Stage("half", running("half"), 0.5), Stage("all", running("all"), 1),
            Stage("completed", ended("completed", "all"), 1),
            Stage("rolled-back", ended("rolledBack", "half"), 0, False),
            Stage("killed", ended("killed", "half"), 0, False)]


class Shop:
    """The repository in its folder, which is taken from stage to stage, and from one list of evaluators to another."""

    def __init__(self, build, folder):
        self.build = build
        source = engines.ROOT / "examples/acme-shop"
        files = {str(path.relative_to(source)): path.read_text(encoding="utf-8") for path in source.rglob("*.yaml")}
        lines = files[DEFINITION].splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith(("  calendar:", "    "))]
        assert len(kept) < len(lines)
        repository = weir.Repository(folder / "shop", {**files, DEFINITION: "".join(kept)})
        start = [build / "weir", "start", f"{ENVIRONMENT}/{FLAG}", "--repo", repository.bare, *verbing.ADA]
        done = subprocess.run(start, capture_output=True, text=True, env=weir.environment(), check=False)
        assert done.returncode == 0, done.stderr
        self.started = weir.git(repository.bare, "show", f"main:{STATE}") + "\n"
        self.folder = repository.work

    def stand(self, stage):
        before, rest = self.started[:self.started.index("  course:")], self.started[self.started.index("  intents:"):]
        weir.write_files(self.folder, {STATE: verbing.as_weir(before + stage.lines + rest)})

    def compile(self, evaluators, path):
        document = {"apiVersion": "weir/v1", "kind": "Environment", "metadata": {"name": ENVIRONMENT},
                    "spec": {"evaluators": list(evaluators)}}
        weir.write_files(self.folder, {f"environments/{ENVIRONMENT}.yaml": json.dumps(document)})
        done = subprocess.run([self.build / "weir", "build", "--env", ENVIRONMENT, self.folder, "-o", path],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"weir build for {evaluators}: {done.stderr[:3000]}"


def contexts(keys):
    """Users, and whom the segment staff takes in or leaves out."""
    users = [{"targetingKey": key} for key in keys]
    staff = [{**user, "email": f"{index}@acme.example"} for index, user in enumerate(users[::20])]
    others = [{"targetingKey": "test-account"}, {"targetingKey": "departed-dora", "email": "dora@acme.example"}, {},
              {"email": "nobody@acme.example"}, {"targetingKey": "mail", "email": 7}, {"targetingKey": ""},
              {"targetingKey": 10}, {"targetingKey": None}]
    return users, staff, others


class Rollouts:
    """`documents`: a list of evaluators at a stage each, those that came out the same only once; `cases`: the rollout's
    flag, and the one that asks for it."""

    def __init__(self, build, folder, lists, keys, now, document):
        """`document` makes one of (path, build); its `lists` are filled in here."""
        self.now, self.documents, self.stages = now, [], stages(now)
        self.of = {}  # (list, stage's name): document
        shop, found = Shop(build, folder), {}
        for stage in self.stages:
            shop.stand(stage)
            for evaluators in lists:
                path = folder / f"{stage.name}-{'-'.join(evaluators)}.json"
                shop.compile(evaluators, path)
                text = json.dumps(json.loads(path.read_bytes())["flags"])
                if text not in found:
                    found[text] = document(path, build)
                    self.documents.append(found[text])
                found[text].lists.append(evaluators)
                self.of[evaluators, stage.name] = found[text]
        self.users, self.staff, others = contexts(self.steady(keys))
        everybody, few = self.users + self.staff + others, self.users[::10] + self.staff + others
        self.cases = [definitions.Case(flag, "rollout", f"{flag} of acme-shop", variants, asked, lambda given: None)
                      for flag, variants, asked in ((FLAG, {"on": True, "off": False}, everybody), ("banner", {}, few))]

    def steady(self, keys):
        """Those of the keys whose turn does not come soon."""
        ramps = {document.forms[FLAG]: document for (_, name), document in self.of.items() if name.startswith("ramp")}
        left = [key for key in keys
                if all(self.has(document, {"targetingKey": key}, self.now) ==
                       self.has(document, {"targetingKey": key}, self.now + SOON) for document in ramps.values())]
        assert len(left) > 0.95 * len(keys)
        return left

    @staticmethod
    def has(document, context, now):
        return document.weir.answers(context, [FLAG], now)[0][1] == ON

    def faults(self):
        """Each stage gives the variant to as many as its phase says, keeps those who had it, and to all or no staff."""
        lives = {tuple(self.of[evaluators, stage.name].forms[FLAG] for stage in self.stages): evaluators
                 for evaluators, _ in self.of}  # most lists are served the same
        for evaluators in lives.values():
            before, named = set(), "-".join(evaluators)
            for stage in self.stages:
                document = self.of[evaluators, stage.name]
                users = {user["targetingKey"] for user in self.users if self.has(document, user, self.now)}
                wanted = stage.share * len(self.users)
                if abs(len(users) - wanted) > 4 * (wanted * (1 - stage.share)) ** 0.5:
                    yield f"{stage.name} ({named}): {len(users)} of {len(self.users)} users, not about {wanted:.0f}"
                if stage.staff and not before <= users:
                    yield f"{stage.name} ({named}): {len(before - users)} users were moved out"
                if any(self.has(document, user, self.now) != stage.staff for user in self.staff):
                    yield f"{stage.name} ({named}): not {'all' if stage.staff else 'none'} of the staff"
                before = users
