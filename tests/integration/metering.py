"""Measuring as `weir run` does, without Git: a driver that watches one rollout with the metrics that a test gives it."""
import contextlib
import json
import pathlib
import subprocess
import time

import weir

DRIVER = pathlib.Path(weir.program()).parent / "tests" / "integration" / "metrics_driver"
DEFINITIONS = """\
apiVersion: weir/v1
kind: Environment
metadata: {{name: production}}
---
apiVersion: weir/v1
kind: Flag
metadata: {{name: shop}}
spec: {{variants: {{on: true, off: false}}, default: off}}
---
apiVersion: weir/v1
kind: Rollout
metadata: {{name: shop}}
spec:
  flag: shop
  environment: production
  variant: on
  control: off
  phases: [{{name: half, percent: 50, bake: 1h}}, {{name: most, percent: 90, bake: 1h}}]
  metrics: [{names}]
"""
METRIC = """\
---
apiVersion: weir/v1
kind: Metric
metadata: {{name: {name}}}
spec:
  role: {role}
  {source}
  {judge}
  interval: 1s
  window: 20s
  {more}
"""


class Driver:
    def __init__(self, folder, secret=()):
        self.folder = folder
        self.process = subprocess.Popen([DRIVER, folder, "1", *secret], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=open(folder / "driver.log", "ab"), text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, (self.folder / "driver.log").read_text()
        return json.loads(answer)

    def watch(self, path, since, run=1, phase=0):
        assert self.ask(f"watch {path} {run} {phase} {since}") == {"watched": True}

    def play(self, since, wanted):
        """What `weir simulate` makes of what was measured, once a line of it has `wanted`."""
        def lines():
            found = [json.loads(line) for line in self.ask("lines").splitlines()]
            return any(wanted in line for line in found) and found
        lines = weir.wait_until(lines, f"a measurement with {wanted}")
        file = self.folder / "measurements.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(since))
        played = weir.run("simulate", "shop", self.folder / "definitions.yaml", "--from", start, "--for", "10m",
                          "--measurements", file, "--format", "json")
        assert played.code == 0, played
        return lines, played.json()["timeline"][-1]

    def gate(self, name):
        return next((gate for gate in self.ask("view")["gates"] if gate["metric"] == name), None)

    def wait(self, name, **wanted):
        """Waits for a gate that is as wanted, and never lets a success pass that is not."""
        seen = {}

        def matches():
            gate = self.gate(name)
            if gate:
                seen.update(gate)
            return gate and all(gate[key] == value for key, value in wanted.items()) and gate
        try:
            return weir.wait_until(matches, f"{name}: {wanted}")
        except AssertionError as error:
            raise AssertionError(f"{error}; last seen {seen}") from None

    def wait_covered(self, name, seconds):
        """Waits until so many seconds or more are covered: whoever looks late does not see each number."""
        return weir.wait_until(lambda: (gate := self.gate(name)) and gate["covered"] >= seconds and gate,
                               lambda: f"{seconds} s of {name}; last seen {self.gate(name)}")

    def close(self):
        self.process.stdin.write("quit\n")
        self.process.stdin.close()
        code = self.process.wait(30)
        assert code == 0, (self.folder / "driver.log").read_text()


@contextlib.contextmanager
def measuring(folder, *metrics, since=None, secret=(), others=""):
    """A driver that watches a rollout with these metrics, each (name, source, judge, more), and other definitions."""
    text = DEFINITIONS.format(names=", ".join(metric[0] for metric in metrics))
    for name, source, judge, *more in metrics:
        role = more.pop(0) if more else "guardrail"
        text += METRIC.format(name=name, source=source, judge=judge, role=role, more="\n  ".join(more))
    path = folder / "definitions.yaml"
    path.write_text(text + others)
    driver = Driver(folder, secret)
    try:
        driver.watch(path, int(time.time()) if since is None else since)
        yield driver
    finally:
        driver.close()
