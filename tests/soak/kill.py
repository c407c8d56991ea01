#!/usr/bin/env python3
"""`make soak-kill`: tests/integration/test_kill.py for as many rounds as one likes; exits 1 when anything goes
backwards.

    python3 tests/soak/kill.py [--rounds 500] [--seed N]
"""
import argparse
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import killing  # noqa: E402  (after the path is set)


def main():
    parser = argparse.ArgumentParser(prog="kill.py", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="weir-kill-") as folder:
        rounds = killing.Rounds(pathlib.Path(folder), options.seed, options.rounds)
        begun = time.monotonic()

        def tell(number):
            if number % 100 == 0:
                print(f"{number} kills after {time.monotonic() - begun:.0f} s", flush=True)

        print(rounds.run(tell))


if __name__ == "__main__":
    main()
