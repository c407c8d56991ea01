"""What is measured without a server: evaluations, counted instructions and loading, each beside npm's flagd-core."""
import json
import pathlib
import platform
import shutil
import statistics
import subprocess
import tempfile

import flags

HERE = pathlib.Path(__file__).resolve().parent
NPM = "npm flagd-core 4.0.1"
STORED = HERE / "instructions.json"


def lines(command, **options):
    """The objects that a program prints, one a line."""
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True, check=True, **options)
    return [json.loads(line) for line in done.stdout.splitlines()]


def figures(command):
    return {line["name"]: line["value"] for line in lines(command) if "value" in line}


def compile_definitions(build, folder, out):
    subprocess.run([f"{build}/weir", "build", "--env", "production", "--output", str(out), str(folder)], check=True)


def npm_folder(build):
    """Where npm's packages and the programs that use them are; None, and why not, where they cannot be had."""
    missing = [tool for tool in ("node", "npm") if not shutil.which(tool)]
    if missing:
        return None, f"not found: {missing[0]}"
    folder = pathlib.Path(build) / "tests/bench/npm"
    shutil.copytree(HERE / "npm", folder, dirs_exist_ok=True)
    installed = folder / "node_modules/@openfeature/flagd-core/package.json"
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]["@openfeature/flagd-core"]
    if not installed.exists() or json.loads(installed.read_text())["version"] != wanted:
        done = subprocess.run(["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"],
                              cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            return None, "not found: npm cannot install flagd-core"
    return folder, ""


# --- evaluations ----------------------------------------------------------------------------------------------------


def check_answers(who, printed):
    """No figure for something else: each flag answers as it should. Returns what was answered, to compare."""
    given = {line["name"].removeprefix("answers."): (line["reason"], line["values"]) for line in printed
             if line["name"].startswith("answers.")}
    for name, (_, wanted, least, most) in flags.CASES.items():
        reason, values = given[name]
        if reason != wanted or not least <= values.count("t") <= most or len(values) != flags.KEYS:
            raise RuntimeError(f"{who} answers flag '{name}' with {reason} {values}")
    return given


def take_turns(commands, turns):
    """Runs the commands in turn, `turns` times: the medians of what each reports."""
    rounds, answers = {who: [] for who in commands}, {}
    for _ in range(turns):
        for who, command in commands.items():
            printed = lines(command)
            answers[who] = check_answers(who, printed)
            rounds[who].append({line["name"]: line["value"] for line in printed if "value" in line})
    if len(set(map(str, answers.values()))) > 1:
        raise RuntimeError(f"the evaluators do not answer alike: {answers}")
    return {who: {name: statistics.median(one[name] for one in each) for name in each[0]}
            for who, each in rounds.items()}


def bench_evaluate(build, table, quick):
    npm, why = npm_folder(build)
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as name:
        folder = pathlib.Path(name)
        document, contexts = folder / "document.json", folder / "contexts"
        flags.write_cases(folder / "definitions")
        flags.write_contexts(contexts)
        compile_definitions(build, folder / "definitions", document)
        commands = {"weir": [f"{build}/tests/bench/evaluate", "time", document, contexts, *flags.CASES]}
        if npm:
            commands["npm"] = ["node", npm / "evaluate.mjs", document, contexts, *flags.CASES]
        measured = take_turns(commands, 1 if quick else 5)
    table.add("evaluate.floor", "one evaluation: an empty call", measured["weir"]["floor"], "ns")
    for suffix, more in (("", ""), (".reading", f", reading {flags.CONTEXT_BYTES} bytes of context")):
        for case, (what, *_) in flags.CASES.items():
            name, limit = case + suffix, 100.0 if case + suffix == "three" else None
            table.add(f"evaluate.{name}", f"  {what}{more}", measured["weir"][name], "ns", most=limit)
            if not npm:
                continue
            table.add(f"evaluate.{name}.npm", f"    {NPM}", measured["npm"][name], "ns")
            table.add(f"evaluate.{name}.faster", "    times faster", measured["npm"][name] / measured["weir"][name],
                      "×", least=10.0 if limit else None)
    if not npm:
        table.miss("evaluate.npm", f"    {NPM}", why)


# --- instructions ---------------------------------------------------------------------------------------------------

CALLS = 6400  # 100 for each user
COUNTED = {**{case: ("weir_evaluate", "evaluations", case) for case in flags.CASES},
           "context": ("weir_context_read", "readings", "three")}


def first_line(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def built_by():
    """What the counts depend on besides the source."""
    return {"machine": platform.machine(), "libc": " ".join(platform.libc_ver()),
            "compiler": first_line("cc", "--version"), "valgrind": first_line("valgrind", "--version")}


def count(build, document, contexts, folder, function, calls, case):
    """Instructions inside of `function` and what it calls, for one call."""
    out = folder / "callgrind"
    printed = figures(["valgrind", "--quiet", "--tool=callgrind", f"--toggle-collect={function}",
                       f"--callgrind-out-file={out}", f"{build}/tests/bench/evaluate", "count", document, contexts,
                       case, CALLS])
    totals = [line for line in out.read_text().splitlines() if line.startswith("totals:")]
    instructions = int(totals[0].split()[1]) if totals else 0
    if instructions < printed[calls]:
        raise RuntimeError(f"callgrind saw nothing of {function}()")
    return round(instructions / printed[calls], 1)


def count_all(build):
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as name:
        folder = pathlib.Path(name)
        document, contexts = folder / "document.json", folder / "contexts"
        flags.write_cases(folder / "definitions")
        flags.write_contexts(contexts)
        compile_definitions(build, folder / "definitions", document)
        return {case: count(build, document, contexts, folder, *how) for case, how in COUNTED.items()}


def bench_instructions(build, table, update=False):
    """Beside those stored; `update` stores the new ones."""
    what = {case: f"  {about}" for case, (about, *_) in flags.CASES.items()}
    what["context"] = f"  reading {flags.CONTEXT_BYTES} bytes of context"
    if not shutil.which("valgrind"):
        table.miss("instructions", "instructions of one evaluation", "not found: valgrind")
        return
    stored = json.loads(STORED.read_text()) if STORED.exists() else {"built_by": {}, "instructions": {}}
    counted, by = count_all(build), built_by()
    differs = [key for key, value in stored["built_by"].items() if value != by.get(key)]
    table.heading("instructions, counted by callgrind, a call"
                  + (f" (stored ones: other {', '.join(differs)})" if differs else ""))
    for case, value in counted.items():
        old = stored["instructions"].get(case)
        change = f"stored {old:.1f}, {(value / old - 1) * 100:+.1f} %" if old else "none stored"
        table.add(f"instructions.{case}", what[case], value, "", beside=change)
    if update:
        STORED.write_text(json.dumps({"built_by": by, "instructions": counted}, indent=1) + "\n")


# --- loading --------------------------------------------------------------------------------------------------------


def bench_load(build, table, quick):
    npm, why = npm_folder(build)
    wanted = 10_000 if quick else 100_000
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as name:
        folder = pathlib.Path(name)
        document = folder / "document.json"
        flags.write_definitions(folder / "definitions", wanted, a_file=200)
        compile_definitions(build, folder / "definitions", document)
        commands = {"weir": [f"{build}/tests/bench/load", "weir", document],
                    "scan": [f"{build}/tests/bench/load", "scan", document]}
        if npm:
            commands["npm"] = ["node", npm / "load.mjs", "core", document]
            commands["parse"] = ["node", npm / "load.mjs", "parse", document]
        # npm's takes a minute, so it gets one round.
        rounds = {who: [figures(command)] for who, command in commands.items()}
        for who in () if quick else ("weir", "scan") * 4:
            rounds[who].append(figures(commands[who]))
        size = document.stat().st_size
    taken = {who: {key: statistics.median(one[key] for one in each) for key in each[0]}
             for who, each in rounds.items()}
    if any(one.get("flags", wanted) != wanted for one in taken.values()):
        raise RuntimeError(f"not all of {wanted} flags were loaded: {taken}")

    def rows(who, what, key):
        table.add(f"load.{key}ms", what, taken[who]["ms"], "ms")
        table.add(f"load.{key}peak", "    peak memory", taken[who]["peak"] / 1e6, "MB")
    table.add("load.bytes", f"loading a document of {wanted:,} flags: its size".replace(",", " "), size / 1e6, "MB")
    rows("weir", "  weir, in process", "")
    table.add("load.resident", "    memory afterwards", taken["weir"]["resident"] / 1e6, "MB", most=None if quick else 200.0)
    rows("scan", "  JSON checked, nothing kept", "scan.")
    if not npm:
        table.miss("load.npm", f"  {NPM}", why)
        return
    rows("npm", f"  {NPM}", "npm.")
    rows("parse", "  JSON.parse() alone", "parse.")
    table.add("load.faster", "  weir: times faster than npm", taken["npm"]["ms"] / taken["weir"]["ms"], "×")
