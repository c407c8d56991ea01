"""Many rollouts in one repository: what a turn over them costs in process, and what twelve weeks of them cost to play
ahead."""
import pathlib
import tempfile

import following
import inprocess

ROLLOUTS = 1_000
METRICS = 5


def metric(number, source, more=""):
    return following.head("Metric", f"metric-{number}") + f"""\
spec:
  role: guardrail
  {source}
  thresholdRange: {{max: 0.01}}
{more}"""


def rollout(number):
    """A flag, and its rollout: at 1 % from the start on, for longer than any bench takes."""
    return following.head("Flag", f"f{number:06d}") + """\
spec: {variants: {on: true, off: false}, default: off}
---
""" + following.head("Rollout", f"r{number:06d}") + f"""\
spec:
  flag: f{number:06d}
  environment: production
  variant: on
  control: off
  start: 2026-01-01T00:00:00Z
  calendar:
    timezone: Europe/Berlin
    freeze: [{{from: 2001-12-24, to: 2001-12-26, reason: Christmas}}]
  metrics: [{', '.join(f'metric-{i}' for i in range(METRICS))}]
  phases:
    - {{name: canary, percent: 1, bake: 1w}}
    - {{name: ten, percent: 10, bake: 2w}}
    - {{name: half, percent: 50, bake: 4w}}
    - {{name: most, percent: 90, bake: 5w}}
"""


def make_repository(path, count, metrics):
    """A bare repository: a file a rollout and its flag, and what `metrics` maps numbers to."""
    made = following.Importer(path)
    made.commit("first")
    made.put("environments/production.yaml", following.head("Environment", "production"))
    for number in range(METRICS):
        made.put(f"metrics/metric-{number}.yaml", metrics(number))
    for number in range(count):
        made.put(f"rollouts/{number // 500:03d}/r{number:06d}.yaml", rollout(number))
    made.finish()


TURN = {
    "rollouts.start.decide": ("all 1 000 rollouts start, 100 to a proposal: the turns of core, CPU time", "ms", None),
    "rollouts.start.record": ("  their 1 000 commits made and pushed, to the same disk", "ms", None),
    "rollouts.start.take": ("  the new tip in force", "ms", None),
    "rollouts.turn": ("a turn over 1 000 rollouts × 5 metrics, nothing to do", "ms", 20.0),
    "rollouts.verb": ("  one of them is paused: the turn that decides it", "ms", None),
    "rollouts.take": ("  its commit in force, and the turn after that", "ms", None),
    "rollouts.roster.cold": ("  the roster made from nothing", "ms", None),
    "rollouts.roster.one": ("  the roster anew, one state changed", "ms", 5.0),
    "rollouts.roster.same": ("  the roster found to be the same", "ms", None),
}


def bench_rollouts(build, table, quick):
    del quick  # it takes seconds
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as name:
        folder = pathlib.Path(name)
        make_repository(folder / "remote.git", ROLLOUTS,
                        lambda number: metric(number, "prometheus: {address: 'http://127.0.0.1:9', query: up}"))
        measured = inprocess.figures(
            [f"{build}/tests/bench/rollouts", folder / "remote.git", folder / "data", ROLLOUTS])
    for key, (what, unit, most) in TURN.items():
        table.add(key, what, measured[key], unit, most=most)


def bench_play(build, table, quick):
    del quick  # the program itself asks for it
    measured = inprocess.figures([f"{build}/tests/bench/play", ROLLOUTS])
    beside = f"{measured['play.commits']:,.0f} moves".replace(",", " ")
    table.add("play.plain", "twelve weeks of 1 000 rollouts × 5 metrics played ahead", measured["play.plain"], "ms",
              beside=beside)
    table.add("play.measured", "  the same, each metric measured every hour: 10 million measurements",
              measured["play.measured"], "ms", beside=beside)
