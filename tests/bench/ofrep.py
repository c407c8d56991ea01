"""Answers a second on one core, for one flag and for all: weir, the HTTP library by itself, and other flag servers."""
import contextlib
import json
import math
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

import flags
import peers
import serving
from table import LIMITED

COUNTS = (5, 350, 2000)
PREFIX = "/env/production"
SERVERS, CLIENT = 0, 1  # cores
CONNECTIONS = 32


class Weir(peers.Peer):
    name = "weir"
    one, all = PREFIX + peers.Peer.one, PREFIX + peers.Peer.all


def check(peer, targets, count):
    """No figure for errors or for flags whose conditions nobody looks at: all are there, a quarter is on for the user
    that the benches ask for (each flag draws by itself), and none for one from another country."""
    status, answer = targets["one"].ask()
    if status != 200 or "errorCode" in json.loads(answer):
        raise RuntimeError(f"{peer.name} answers {status}: {answer[:300]!r}")
    shares = []
    for country in (flags.CONTEXT["country"], "nowhere"):
        status, answer = targets["all"].ask(peer.body(country))
        on = [peer.is_on(entry) for entry in peers.entries(answer)] if status == 200 else []
        if len(on) != count or b"errorCode" in answer:
            raise RuntimeError(f"{peer.name} answers {status} for {len(on)} flags of {count}: {answer[:300]!r}")
        shares.append(sum(on) / count)
    if shares[1] != 0 or count >= 350 and not 0.15 < shares[0] < 0.35:
        raise RuntimeError(f"{peer.name} has {shares[0]:.1%} of {count} flags on, and {shares[1]:.1%} elsewhere")


def patience(target):
    """Seconds for one answer, alone: the best of three."""
    def once():
        start = time.monotonic()
        target.ask()
        return time.monotonic() - start
    return min(once() for _ in range(3))


class Contenders:
    """Servers of the same flags, all running, on one core; asked in turn."""

    def __init__(self, stack, build, count):
        self.targets, self.missing = {}, []
        self.stack, self.count = stack, count
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weir-bench-")))
        weir, _, _ = stack.enter_context(serving.controller(build, count, core=SERVERS))
        self._take(Weir(), weir)
        for kind, target in list(self.targets["weir"].items()):
            _, answer = target.ask()
            command = [f"{build}/tests/bench/fixed", len(answer)]
            fixed = stack.enter_context(serving.Server(command, folder / kind, SERVERS))
            self.targets.setdefault("fixed", {})[kind] = serving.Target(fixed, target.paths, target.body)
        for peer in peers.ALL:
            self._start(peer, folder)

    def _start(self, peer, folder):
        program = peers.find(peer.program)
        if not program:
            self.missing.append((peer, "not found"))
            return
        try:
            server = peer.start(program, folder / peer.program, self.count, SERVERS)
            self.stack.callback(server.stop)
            self._take(peer, server)
        except (OSError, RuntimeError, ValueError) as error:
            # Its fault or its version's: the others are measured all the same.
            print(f"bench: {peer.name} is left out: {error}", file=sys.stderr)
            self.missing.append((peer, "failed, see above"))

    def _take(self, peer, server):
        targets = peer.targets(server, self.count)
        check(peer, targets, self.count)
        self.targets[peer.name] = targets

    def measure(self, kind, rounds, seconds):
        """Medians of interleaved rounds, by name. Where answers are slow a round lasts longer, so that every connection
        has had some."""
        samples = {name: [] for name in self.targets}
        lasting = {name: max(seconds, min(10 * seconds, math.ceil(2 * CONNECTIONS * patience(targets[kind]))))
                   for name, targets in self.targets.items()}
        for _ in range(rounds):
            for name, of in samples.items():
                of.append(serving.wrk(self.targets[name][kind], lasting[name], CLIENT, CONNECTIONS))
        return {name: {key: statistics.median(one[key] for one in of) for key in of[0]} for name, of in samples.items()}


def add_rows(table, name, what, measured, missing, bulk_figure):
    weir, fixed = measured.pop("weir"), measured.pop("fixed")

    def limited(one):
        return "" if one["busy"] * 100 >= LIMITED else f"only {one['busy']:.0%} of the core in use"
    table.add(f"{name}.rate", what, weir["rate"], "answers/s", least=bulk_figure, beside=limited(weir))
    table.add(f"{name}.fixed.rate", "  libmicrohttpd, fixed answer of that size", fixed["rate"], "answers/s",
              beside=limited(fixed))
    least = None if ".all" in name else 85.0
    table.add(f"{name}.ratio", "  ratio", weir["rate"] / fixed["rate"] * 100, "%", least=least)
    table.add(f"{name}.cpu", "  CPU of weir, a request", weir["cpu"], "µs")
    table.add(f"{name}.fixed.cpu", "  CPU of libmicrohttpd, a request", fixed["cpu"], "µs")
    table.add(f"{name}.cpu_ratio", "  ratio by CPU", fixed["cpu"] / weir["cpu"] * 100, "%", least=least)
    for peer in peers.ALL:
        for other, why in missing:
            if other is peer:
                table.miss(f"{name}.{peer.program}.rate", f"  {peer.name}", why)
        if peer.name in measured:
            rate, cpu = measured[peer.name]["rate"], measured[peer.name]["cpu"]
            table.add(f"{name}.{peer.program}.rate", f"  {peer.name}", rate, "answers/s",
                      beside=f"weir: {weir['rate'] / rate:.1f} times as many; by CPU {cpu / weir['cpu']:.1f}")


def bench_serve(build, table, quick):
    missing = [tool for tool in ("wrk", "taskset") if not shutil.which(tool)]
    if missing or os.cpu_count() < 2:
        table.miss("ofrep", "OFREP", f"not found: {', '.join(missing) or 'a second core'}")
        return
    for count in COUNTS:
        with contextlib.ExitStack() as stack:
            contenders = Contenders(stack, build, count)
            for kind, what in (("one", f"OFREP one flag of {count}, one core"), ("all", f"OFREP all {count} flags")):
                measured = contenders.measure(kind, *((1, 1) if quick else (5, 2)))
                add_rows(table, f"ofrep.{count}.{kind}", what, measured, contenders.missing,
                         20000.0 if (count, kind) == (350, "all") else None)
