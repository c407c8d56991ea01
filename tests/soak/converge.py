#!/usr/bin/env python3
"""`make soak-converge`: tests/integration/test_converge.py for as many minutes as one likes; exits 1 when a target or
an edge goes backwards, or when all do not come together in time.

    python3 tests/soak/converge.py [--minutes 5] [--seed N]
"""
import argparse
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import converging  # noqa: E402  (after the path is set)


def main():
    parser = argparse.ArgumentParser(prog="converge.py", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    took = []

    def tell(episode, seconds):
        took.append(seconds)
        if episode % 10 == 0:
            print(f"{episode} episodes, {sorted(took)[len(took) // 2]:.2f} s in the middle", flush=True)

    with tempfile.TemporaryDirectory(prefix="weir-converge-") as folder:
        with converging.Everything(pathlib.Path(folder), options.minutes * 60, options.seed) as everything:
            print(everything.run(tell))
    if max(everything.took) >= converging.WITHIN:
        sys.exit(f"{max(everything.took):.2f} s after the last heal are more than {converging.WITHIN} s")


if __name__ == "__main__":
    main()
