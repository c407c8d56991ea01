"""`make soak-events`: thousands of event streams, thousands of evaluations a second, and commits that land meanwhile.

Every client must get every event, no evaluation may fail, and when the clients have left, the controller has the memory
and the sockets that it had. Prints what it measured, and exits 1 where that does not hold; no figure of time fails it.

    python3 tests/soak/events.py [--streams 5000] [--rate 20000] [--commits 50]
"""
import argparse
import json
import math
import os
import pathlib
import resource
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import weir  # noqa: E402  (after the path is set)

STREAM = "/env/production/ofrep/v1/stream"
CONNECTIONS = 64  # of the load
MEBIBYTE = 1 << 20
# What the memory may grow by between an early commit and the last one, and what a stream may cost.
GROWTH, EACH = 16 * MEBIBYTE, 32 << 10
PATIENCE = 60.0

LOAD = """\
wrk.method = "POST"
wrk.path = "/env/production/ofrep/v1/evaluate/flags/checkout-v2"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"context":{"targetingKey":"user-17","email":"ann@example.com","country":"DE"}}'
function delay() return %d end
function done(summary, latency)
   local e = summary.errors
   io.write(string.format('{"requests":%%d,"seconds":%%.3f,"failed":%%d,"p50":%%.3f,"p99":%%.3f,"max":%%.3f}\\n',
      summary.requests, summary.duration / 1e6, e.status + e.connect + e.read + e.write + e.timeout,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
"""


class Streams:
    """So many clients on one epoll; counts the events that each has got."""

    def __init__(self, address, count):
        self.epoll, self.sockets, self.events, self.tails = select.epoll(), {}, {}, {}
        self.ended, self.begun = 0, set()
        request = f"GET {STREAM} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        for _ in range(count):
            stream = socket.create_connection(address, PATIENCE)
            stream.sendall(request)
            stream.setblocking(False)
            number = stream.fileno()
            self.sockets[number], self.events[number], self.tails[number] = stream, 0, b""
            self.epoll.register(number, select.EPOLLIN)

    def receive(self, seconds):
        """Reads what is there, waiting at most so long for the first of it."""
        for number, _ in self.epoll.poll(seconds):
            data = self.sockets[number].recv(65536)
            if not data:
                self.epoll.unregister(number)
                self.ended += 1
                continue
            whole = self.tails[number] + data
            self.events[number] += whole.count(b"\nevent: message\n") - self.tails[number].count(b"\nevent: message\n")
            self.tails[number] = whole[-40:]
            if number not in self.begun and b"\n\n" in whole:  # the first block, behind the head, has come
                self.begun.add(number)

    def wait(self, condition, what):
        """Reads until condition(); returns the seconds between the first that came and the last."""
        first, end = None, time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                raise SystemExit(f"waited {PATIENCE:.0f} s in vain: {what}")
            before = sum(self.events.values())
            self.receive(0.05)
            if first is None and sum(self.events.values()) > before:
                first = time.monotonic()
        return time.monotonic() - (first or time.monotonic())

    def least(self):
        return min(self.events.values())

    def close(self):
        for stream in self.sockets.values():
            stream.close()
        self.epoll.close()


def resident(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise SystemExit("the controller is gone")


def sockets(pid):
    """How many it has open: fetches keep descriptors of their own."""
    count = 0
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            count += os.readlink(entry.path).startswith("socket:")
        except FileNotFoundError:
            pass
    return count


def start_load(address, rate, seconds, folder):
    script = pathlib.Path(folder) / "load.lua"
    # Each connection rests so many milliseconds between two requests; a request itself takes some, too.
    script.write_text(LOAD % max(1, int(800 * CONNECTIONS / rate)))
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{math.ceil(seconds)}s", "--timeout", "10s", "-s", script]
    return subprocess.Popen([*command, "http://%s:%d/" % address], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def load_result(load):
    output = load.communicate(timeout=600)[0].decode()
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if not lines:
        raise SystemExit(f"wrk did not work:\n{output}")
    return json.loads(lines[-1])


def tell(result, what):
    print(f"{what:34} {result['requests'] / result['seconds']:8.0f}/s, failed {result['failed']}, "
          f"p50 {result['p50']:.2f} ms, p99 {result['p99']:.2f} ms, longest {result['max']:.1f} ms", flush=True)


def commit(repository, number):
    repository.commit({"flags/banner.yaml": weir.SHOP["flags/banner.yaml"].replace("Hello", f"Hello {number}")})


def soak(running, repository, options, folder):
    """Returns what is wrong, in words."""
    address, pid = (running.host, running.port), running.process.pid
    quiet = start_load(address, options.rate, 5, folder)
    quiet = load_result(quiet)
    tell(quiet, "evaluations, no streams")
    before, sockets_before = resident(pid), sockets(pid)

    begun = time.monotonic()
    streams = Streams(address, options.streams)
    streams.wait(lambda: len(streams.begun) == options.streams, "every stream has begun")
    print(f"{options.streams} streams opened in {time.monotonic() - begun:.2f} s, "
          f"{(resident(pid) - before) / options.streams / 1024:.1f} KiB each", flush=True)

    # A first answer may be an event, for the state is young: so each is waited for from here.
    spreads, early = [], 0
    load = start_load(address, options.rate, options.commits * options.pause + 5, folder)
    for number in range(options.commits):
        commit(repository, number)
        wanted = {key: count + 1 for key, count in streams.events.items()}
        running.fetch()
        begun = time.monotonic()
        spreads.append(streams.wait(lambda: all(streams.events[key] >= wanted[key] for key in wanted),
                                    f"every client has event {number + 1}"))
        if number == options.commits // 5:
            early = resident(pid)
        while time.monotonic() < begun + options.pause:
            streams.receive(max(0.0, begun + options.pause - time.monotonic()))
        if streams.events != wanted:
            return ["a client got an event twice"]
    late = resident(pid)
    streams.receive(0)
    busy = load_result(load)
    tell(busy, f"evaluations, {options.streams} streams")
    spreads.sort()
    print(f"{options.commits} commits; from the first client that has an event to the last, as one Python process reads: "
          f"median {1e3 * spreads[len(spreads) // 2]:.0f} ms, longest {1e3 * spreads[-1]:.0f} ms")

    wrong = []
    if busy["failed"] or quiet["failed"]:
        wrong.append("evaluations failed")
    if streams.ended:
        wrong.append(f"{streams.ended} streams were ended")
    print(f"resident: {before / MEBIBYTE:.1f} MiB before, {early / MEBIBYTE:.1f} MiB after {options.commits // 5 + 1} "
          f"commits, {late / MEBIBYTE:.1f} MiB after {options.commits}")
    if late > early + GROWTH:
        wrong.append("the memory grows")
    if early - before > options.streams * EACH + GROWTH:
        wrong.append("a stream costs more memory than it may")
    streams.close()
    gone = weir.wait_until(lambda: sockets(pid) <= sockets_before, "the sockets are closed", PATIENCE)
    print(f"sockets: {sockets_before} before, {sockets(pid)} after all clients left")
    if not gone or 'weir_event_streams{environment="production"} 0' not in running.get("/metrics").body.decode():
        wrong.append("streams are left over")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=5000)
    parser.add_argument("--rate", type=int, default=20000, help="evaluations a second")
    parser.add_argument("--commits", type=int, default=50)
    parser.add_argument("--pause", type=float, default=0.5, help="seconds from one commit to the next")
    options = parser.parse_args()
    if not shutil.which("wrk"):
        print("skipped: there is no wrk on this machine")
        return 0
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < options.streams + 200:
        print(f"skipped: a process may open only {hard} files here")
        return 0
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        repository = weir.Repository(pathlib.Path(folder) / "git", weir.SHOP)
        with weir.controller(repository.url, pathlib.Path(folder) / "data", "--event-heartbeat", "5s") as running:
            running.wait_ready()
            wrong = soak(running, repository, options, folder)
    for fault in wrong:
        print(f"WRONG: {fault}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
