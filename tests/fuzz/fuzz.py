#!/usr/bin/env python3
"""Runs the fuzz targets one after the other and prints one table: `make fuzz` calls it when they are built.

Each begins with tests/fuzz/corpus/TARGET and with what earlier runs kept in BUILD/corpus/TARGET. What stops a target is
kept in BUILD/findings/TARGET and tried again first by later runs, until it is mended. Exit status 1 when there is a
finding.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tests/fuzz"
INPUT_SECONDS = 10  # one input that takes longer is a finding
SETTINGS = {"ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1",
            "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}


def count_files(folder):
    return sum(1 for _ in folder.iterdir())


class Target:
    def __init__(self, name, build):
        self.name = name
        self.program = build / "tests/fuzz" / name
        self.seeds = HERE / "corpus" / name
        self.corpus = build / "corpus" / name
        self.findings = build / "findings" / name
        self.log = build / "logs" / f"{name}.log"
        for folder in (self.corpus, self.findings, self.log.parent):
            folder.mkdir(parents=True, exist_ok=True)
        self.executions = self.rate = self.coverage = self.new = 0

    def execute(self, *arguments):
        """Appends what the program says to the log; its exit status."""
        with self.log.open("ab") as log:
            return subprocess.run([self.program, *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=log, env={**os.environ, **SETTINGS}, check=False).returncode

    def forget_what_is_mended(self):
        for path in sorted(self.findings.iterdir()):
            if self.execute(f"-timeout={INPUT_SECONDS}", path) == 0:
                path.unlink()

    def run(self, seconds):
        self.log.write_bytes(b"")
        self.forget_what_is_mended()
        options = [f"-max_total_time={seconds}", f"-timeout={INPUT_SECONDS}", "-max_len=8192", "-rss_limit_mb=2048",
                   "-print_final_stats=1", "-verbosity=1", f"-artifact_prefix={self.findings}/"]
        dictionary = HERE / "dictionaries" / f"{self.name}.dict"
        if dictionary.exists():
            options.append(f"-dict={dictionary}")
        before, start = count_files(self.corpus), time.monotonic()
        code = self.execute(*options, self.corpus, self.seeds)
        taken = time.monotonic() - start
        said = self.log.read_text(errors="replace")
        if code != 0 and count_files(self.findings) == 0:  # it did not even start, or lost its mind otherwise
            (self.findings / "ended-without-input").write_text(said[-4000:])
        self.executions = max(map(int, re.findall(r"^(?:stat::number_of_executed_units: |#)(\d+)", said, re.M)),
                              default=0)
        self.rate = self.executions / max(taken, 0.001)
        self.coverage = max(map(int, re.findall(r" cov: (\d+)", said)), default=0)
        self.new = count_files(self.corpus) - before

    def tell(self):
        """How to see a finding again, and where to keep it."""
        for path in sorted(self.findings.iterdir()):
            shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
            program = self.program.relative_to(ROOT) if self.program.is_relative_to(ROOT) else self.program
            print(f"\n  {self.name}: {shown}")
            print(f"    see it again:  {program} {shown}")
            print(f"    make it small: {program} -minimize_crash=1 -max_total_time=60"
                  f" -exact_artifact_path=build/smallest {shown}")
            print(f"    keep it:       cp {shown} tests/fuzz/corpus/{self.name}/WHAT-IT-IS, then mend it;")
            print(f"                   make test TESTS=fuzz/{self.name}")
            print(f"    what was said: {self.log.relative_to(ROOT) if self.log.is_relative_to(ROOT) else self.log}")


def main():
    parser = argparse.ArgumentParser(prog="tests/fuzz/fuzz.py", description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default="build/fuzz", help="the folder of what was built")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("target", nargs="+")
    options = parser.parse_args()
    build = (ROOT / options.build).resolve()
    targets = [Target(name, build) for name in dict.fromkeys(options.target)]
    width = max(len(target.name) for target in targets)
    for target in targets:
        print(f"  FUZZ  {target.name}, {options.seconds} s", flush=True)
        target.run(options.seconds)

    print(f"\n  {'target':{width}} {'executions':>12} {'exec/s':>9} {'coverage':>9} {'new units':>10} {'findings':>9}")
    found = 0
    for target in targets:
        count = count_files(target.findings)
        found += count
        print(f"  {target.name:{width}} {target.executions:12} {target.rate:9.0f} {target.coverage:9} {target.new:10}"
              f" {count:9}")
    for target in targets:
        target.tell()
    print(f"\n{len(targets)} targets, {found} findings")
    return 1 if found else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nfuzz: interrupted")
