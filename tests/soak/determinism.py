#!/usr/bin/env python3
"""`make soak-determinism`: tests/integration/test_determinism.py with as many commits as one likes; exits 1 when two
ways to a commit lead to different digests.

    python3 tests/soak/determinism.py [--commits 200] [--seed N]
"""
import argparse
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import determining  # noqa: E402  (after the path is set)


def main():
    parser = argparse.ArgumentParser(prog="determinism.py", description=__doc__.splitlines()[0])
    parser.add_argument("--commits", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="weir-determinism-") as folder:
        outcome = determining.determine(pathlib.Path(folder), options.commits, options.seed)
    print(f"{options.commits} commits in {time.monotonic() - begun:.0f} s: {outcome}")


if __name__ == "__main__":
    main()
