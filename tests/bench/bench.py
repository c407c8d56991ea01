#!/usr/bin/python3
"""make bench: runs the benches, prints one table and writes BUILD/bench.json. README.md tells what each row
means. Ends with 0 however slow things are; with 1 only when something could not be measured."""
import argparse
import os
import signal
import subprocess
import sys
import time

import breaching
import following
import inprocess
import ofrep
import serving
import walking
import webhook
from table import Table

QUICK = os.environ.get("BENCH_QUICK", "") not in ("", "0")

# --- a cold compile ---------------------------------------------------------------------------------------------

COMPILE = {
    "compile.crew.elapsed": ("cold compile, 10 000 flags: files → document, as weir starts", "ms", None),
    "compile.crew.ratio": ("  libyaml alone, the same bytes, on one processor: ratio", "×", 2.0),
    "compile.crew.size": ("  processors used", "", None),
    "compile.crew.faster": ("  times faster than with one", "×", None),
    "compile.whole": ("the same on one processor, CPU time", "ms", None),
    "compile.scan": ("  libyaml alone, the same bytes", "ms", None),
    "compile.ratio": ("  ratio", "×", None),
    "compile.part.yaml": ("  of it: YAML into nodes", "ms", None),
    "compile.part.schema": ("  schema", "ms", None),
    "compile.part.read": ("  nodes into definitions", "ms", None),
    "compile.part.link": ("  link", "ms", None),
    "compile.part.encode": ("  compile: definitions into JSON", "ms", None),
    "compile.part.fragments": ("  fragments: JSON into programs, hash", "ms", None),
    "compile.part.index": ("  index and digest", "ms", None),
}


def bench_compile(build, table, quick):
    del quick  # the program itself asks for it
    measured = inprocess.figures([f"{build}/tests/bench/compile"])
    for name, (what, unit, most) in COMPILE.items():
        table.add(name, what, measured[name], unit, most=most)


# --- from a push to an answer -----------------------------------------------------------------------------------


def percentile(values, share):
    """The smallest value that at least `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]


def push_once(weir, repository, client, path, i):
    """Changes what a flag's default is called; returns milliseconds from the push and from the signal."""
    wanted = f'"variant":"v{i}"'.encode()
    repository.write("flags/pushed.yaml", "apiVersion: weir/v1\nkind: Flag\nmetadata: {name: pushed}\nspec:\n"
                     f"  variants: {{v{i}: {i}}}\n  default: v{i}\n")
    repository.commit(f"Change {i}")
    begin = time.monotonic()
    repository.push()
    pushed = time.monotonic()
    os.kill(weir.pid, signal.SIGHUP)
    while True:
        status, answer = client.post(path, '{"context":{"targetingKey":"user-1"}}')
        now = time.monotonic()
        if status == 200 and wanted in answer:
            return (now - begin) * 1e3, (now - pushed) * 1e3
        if now - begin > serving.PATIENCE:
            raise RuntimeError(f"push {i} never arrived: {status} {answer!r}")


def bench_push(build, table, quick):
    path = "/env/production/ofrep/v1/evaluate/flags/pushed"
    with serving.controller(build, 350) as (weir, repository, client):
        push_once(weir, repository, client, path, 0)
        times = [push_once(weir, repository, client, path, i) for i in range(1, (10 if quick else 30) + 1)]
    whole, signalled = zip(*times)
    table.add("push.p50", "git push begins → first changed answer, p50", percentile(whole, 50), "ms")
    table.add("push.p99", "  p99", percentile(whole, 99), "ms", most=250.0)
    table.add("push.hup.p50", "  of it from SIGHUP, push done: p50", percentile(signalled, 50), "ms")
    table.add("push.hup.p99", "  p99", percentile(signalled, 99), "ms")


# --- all of them ------------------------------------------------------------------------------------------------


def bench_instructions(build, table, quick):
    del quick  # counts are the same at any length
    inprocess.bench_instructions(build, table, os.environ.get("UPDATE", "") not in ("", "0"))


BENCHES = {"compile": bench_compile, "load": inprocess.bench_load, "evaluate": inprocess.bench_evaluate,
           "instructions": bench_instructions, "serve": ofrep.bench_serve, "push": bench_push,
           "follow": following.bench_follow, "webhook": webhook.bench_webhook, "rollouts": walking.bench_rollouts,
           "play": walking.bench_play, "breach": breaching.bench_breach,
           "watch": breaching.bench_watch}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("benches", nargs="*", metavar="|".join(BENCHES))
    arguments = parser.parse_args()
    unknown = set(arguments.benches) - set(BENCHES)
    if unknown:
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    table, failed, load = Table(), False, os.getloadavg()[0]
    for name, bench in BENCHES.items():
        if arguments.benches and name not in arguments.benches:
            continue
        try:
            bench(arguments.build, table, QUICK)
        except (OSError, RuntimeError, ValueError, KeyError, subprocess.SubprocessError) as error:
            print(f"bench: {name} could not be measured: {error}", file=sys.stderr)
            table.miss(name, name, "could not be measured")
            failed = True
    table.print()
    if load > 0.5:
        print(f"the load was {load:.1f} before the first bench: other work ran beside it, so only the ratios and the "
              "CPU per request say something")
    table.write(f"{arguments.build}/bench.json", QUICK, load)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
