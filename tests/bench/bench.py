#!/usr/bin/python3
"""make bench: runs the benches, prints one table and writes BUILD/bench.json. README.md tells what each row
means. Ends with 0 however slow things are; with 1 only when something could not be measured."""
import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import time

import serving

QUICK = os.environ.get("BENCH_QUICK", "") not in ("", "0")

# name: (what it is, unit, figure to reach or None, whether that is the most or the least)
MOST, LEAST = "≤", "≥"
ROWS = {
    "compile.whole": ("cold compile, 10 000 flags: files → document", "ms", None, None),
    "compile.scan": ("  libyaml alone, the same bytes", "ms", None, None),
    "compile.ratio": ("  ratio", "×", 2.0, MOST),
    "compile.part.yaml": ("  of it: YAML into nodes", "ms", None, None),
    "compile.part.schema": ("  schema", "ms", None, None),
    "compile.part.read": ("  nodes into definitions", "ms", None, None),
    "compile.part.link": ("  link", "ms", None, None),
    "compile.part.encode": ("  compile: definitions into JSON", "ms", None, None),
    "compile.part.fragments": ("  fragments: JSON into programs, hash", "ms", None, None),
    "compile.part.index": ("  index and digest", "ms", None, None),
    "evaluate.floor": ("one evaluation: an empty call", "ns", None, None),
    "evaluate.static": ("  static", "ns", None, None),
    "evaluate.three": ("  three-condition rule and a split", "ns", 100.0, MOST),
    "evaluate.split": ("  25 % split", "ns", None, None),
    "evaluate.list": ("  list of 1 000 values", "ns", None, None),
    "evaluate.segments": ("  ten segments", "ns", None, None),
    "evaluate.static.reading": ("  static, reading 409 bytes of context", "ns", None, None),
    "evaluate.three.reading": ("  three conditions and a split, reading", "ns", None, None),
    "evaluate.split.reading": ("  25 % split, reading", "ns", None, None),
    "evaluate.list.reading": ("  list of 1 000 values, reading", "ns", None, None),
    "evaluate.segments.reading": ("  ten segments, reading", "ns", None, None),
    "serve.rate": ("OFREP single flag, one core", "answers/s", None, None),
    "serve.fixed.rate": ("  libmicrohttpd, fixed answer of that size", "answers/s", None, None),
    "serve.ratio": ("  ratio", "%", 85.0, LEAST),
    "serve.cpu": ("  CPU of weir, a request", "µs", None, None),
    "serve.fixed.cpu": ("  CPU of libmicrohttpd, a request", "µs", None, None),
    "serve.cpu_ratio": ("  ratio by CPU", "%", 85.0, LEAST),
    "serve.busy": ("  weir's core in use (below 95: wrk was the limit)", "%", None, None),
    "serve.fixed.busy": ("  libmicrohttpd's core in use", "%", None, None),
    "bulk.rate": ("OFREP bulk, 350 flags, one core", "answers/s", 20000.0, LEAST),
    "bulk.fixed.rate": ("  libmicrohttpd, fixed answer of that size", "answers/s", None, None),
    "bulk.cpu": ("  CPU of weir, a request", "µs", None, None),
    "bulk.fixed.cpu": ("  CPU of libmicrohttpd, a request", "µs", None, None),
    "bulk.busy": ("  weir's core in use", "%", None, None),
    "push.p50": ("git push begins → first changed answer, p50", "ms", None, None),
    "push.p99": ("  p99", "ms", 250.0, MOST),
    "push.hup.p50": ("  of it from SIGHUP, push done: p50", "ms", None, None),
    "push.hup.p99": ("  p99", "ms", None, None),
}


def run_program(build, name):
    done = subprocess.run([f"{build}/tests/bench/{name}"], stdout=subprocess.PIPE, text=True, check=True)
    return {line["name"]: line["value"] for line in map(json.loads, done.stdout.splitlines())}


def bench_compile(build):
    return run_program(build, "compile")


def bench_evaluate(build):
    return run_program(build, "evaluate")


# --- requests a second ------------------------------------------------------------------------------------------


def compare(name, weir, fixed, paths, rounds, seconds):
    """Interleaved rounds of both servers; medians."""
    samples = {"": [], ".fixed": []}
    for _ in range(rounds):
        for key, server in (("", weir), (".fixed", fixed)):
            samples[key].append(serving.wrk(server, paths, seconds, core=1))
    result = {}
    for key, rounds_of in samples.items():
        for field, scale in (("rate", 1), ("cpu", 1), ("busy", 100)):
            result[f"{name}{key}.{field}"] = statistics.median(r[field] for r in rounds_of) * scale
    return result


def bench_serve(build):
    missing = [tool for tool in ("wrk", "taskset") if not shutil.which(tool)]
    if missing or os.cpu_count() < 2:
        print(f"bench: serving is left out: needs two cores and {', '.join(missing or ['wrk'])}", file=sys.stderr)
        return {}
    rounds, seconds = (3, 1) if QUICK else (5, 3)
    prefix = "/env/production/ofrep/v1/evaluate/flags"
    result = {}
    with serving.controller(build, threads=1, core=0) as (weir, _, client):
        for name, paths in (("serve", [f"{prefix}/flag-{i:03}" for i in range(serving.FLAGS)]), ("bulk", [prefix])):
            status, answer = client.post(paths[0], serving.body())
            parsed = json.loads(answer)
            flags = parsed.get("flags", [parsed])
            if status != 200 or any(flag.get("reason") != "TARGETING_MATCH" for flag in flags):
                raise RuntimeError(f"unexpected answer {status}: {answer[:300]!r}")
            fixed = serving.Server([f"{build}/tests/bench/fixed", str(len(answer))], os.devnull, core=0)
            try:
                result.update(compare(name, weir, fixed, paths, rounds, seconds))
            finally:
                fixed.stop()
            result[f"{name}.answer_bytes"] = len(answer)
    result["serve.ratio"] = result["serve.rate"] / result["serve.fixed.rate"] * 100
    result["serve.cpu_ratio"] = result["serve.fixed.cpu"] / result["serve.cpu"] * 100
    return result


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
        status, answer = client.post(path, serving.body())
        now = time.monotonic()
        if status == 200 and wanted in answer:
            return (now - begin) * 1e3, (now - pushed) * 1e3
        if now - begin > serving.PATIENCE:
            raise RuntimeError(f"push {i} never arrived: {status} {answer!r}")


def bench_push(build):
    path = "/env/production/ofrep/v1/evaluate/flags/pushed"
    with serving.controller(build) as (weir, repository, client):
        push_once(weir, repository, client, path, 0)
        times = [push_once(weir, repository, client, path, i) for i in range(1, (10 if QUICK else 30) + 1)]
    whole, signalled = zip(*times)
    return {"push.p50": percentile(whole, 50), "push.p99": percentile(whole, 99),
            "push.hup.p50": percentile(signalled, 50), "push.hup.p99": percentile(signalled, 99),
            "push.count": len(times)}


# --- the table --------------------------------------------------------------------------------------------------


def spell(value):
    if value >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def print_table(values):
    width = max(len(row[0]) for row in ROWS.values())
    print(f"{'':{width}} {'measured':>18}  {'to reach':>17}  ratio")
    for name, (what, unit, figure, sense) in ROWS.items():
        if name not in values:
            continue
        line = f"{what:{width}} {spell(values[name]) + ' ' + unit:>18}"
        if figure is not None:
            met = values[name] <= figure if sense == MOST else values[name] >= figure
            line += f"  {f'{sense} {spell(figure)} {unit}':>17}  {values[name] / figure:.2f}{'' if met else '  missed'}"
        print(line)


def write_json(path, values, load):
    rows = []
    for name, value in values.items():
        what, unit, figure, sense = ROWS.get(name, (name, None, None, None))
        row = {"name": name, "what": what.strip(), "value": value, "unit": unit}
        if figure is not None:
            row.update(figure=figure, sense="most" if sense == MOST else "least", ratio=value / figure,
                       reached=value <= figure if sense == MOST else value >= figure)
        rows.append(row)
    with open(path, "w", encoding="utf-8") as out:
        json.dump({"quick": QUICK, "machine": platform.machine(), "cores": os.cpu_count(), "load_before": load,
                   "rows": rows}, out, indent=1, ensure_ascii=False)
        out.write("\n")


BENCHES = {"compile": bench_compile, "evaluate": bench_evaluate, "serve": bench_serve, "push": bench_push}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("benches", nargs="*", metavar="|".join(BENCHES))
    arguments = parser.parse_args()
    unknown = set(arguments.benches) - set(BENCHES)
    if unknown:
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    values, failed, load = {}, False, os.getloadavg()[0]
    for name, bench in BENCHES.items():
        if arguments.benches and name not in arguments.benches:
            continue
        try:
            values.update(bench(arguments.build))
        except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
            print(f"bench: {name} could not be measured: {error}", file=sys.stderr)
            failed = True
    print_table(values)
    if load > 0.5:
        print(f"the load was {load:.1f} before the first bench: other work ran beside it, so only the ratios and the CPU "
              "per request say something")
    write_json(f"{arguments.build}/bench.json", values, load)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
