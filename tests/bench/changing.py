"""One flag of many is changed at the source: how long until a server answers anew. weir beside other flag servers,
which hold the same flags in their own formats, one server at a time."""
import contextlib
import copy
import hashlib
import hmac
import json
import pathlib
import random
import secrets
import statistics
import sys
import tempfile
import time

import flags
import peers
import serving

FLAGS = 10_000
POLL = 1  # seconds: the least that GO Feature Flag and Flipt allow
ASK = 0.005  # seconds between questions: what is asked more often is measured answering, not following
PATIENCE = 300.0  # seconds: some read 10 000 flags for half a minute
ENOUGH = 60.0  # seconds of waiting after which three rounds will do
FOLLOWERS = [peer for peer in peers.ALL if peer.follows]


class Weir(peers.Peer):
    """Git, a file a flag; it polls, or is nudged by a webhook once the push is done."""
    name = "weir"
    one, all = "/env/production" + peers.Peer.one, "/env/production" + peers.Peer.all

    def __init__(self, build, by_webhook):
        self.program, self.secret = f"{build}/weir", secrets.token_hex(16) if by_webhook else None

    def start(self, program, folder, count, core):
        folder.mkdir()
        repository = serving.Repository(folder)
        flags.write_definitions(repository.work, count)
        repository.commit("Flags")
        repository.push()
        command = [program, "run", "--repo", repository.bare, "--listen", "127.0.0.1:0", "--data", folder / "data",
                   "--poll", "1h" if self.secret else f"{POLL}s", "--http-threads", 1]
        if self.secret:
            (folder / "secret").write_text(self.secret + "\n")
            command += ["--hook-secret", f"github={folder / 'secret'}"]
        server = serving.Server(command, folder / "log", core)
        end = time.monotonic() + serving.PATIENCE
        while serving.Client(server.address).get("/readyz")[0] != 200:
            if time.monotonic() > end:
                server.stop()
                server.fail("is never ready")
            time.sleep(0.02)
        return server

    def change(self, folder, count, fixed):
        repository = serving.Repository(folder, made=True)
        repository.write(f"flags/{flags.name_of(0)}.yaml", flags.weir_yaml(0, fixed))
        repository.commit(f"Serve {fixed}")
        repository.push()

    def nudge(self, server):
        """What a forge does after a push."""
        if not self.secret:
            return
        body = json.dumps({"ref": "refs/heads/main"})
        signature = hmac.new(self.secret.encode(), body.encode(), hashlib.sha256).hexdigest()
        status, answer = serving.Client(server.address).ask("POST", "/hooks/github", body, {
            "Content-Type": "application/json", "X-GitHub-Event": "push", "X-GitHub-Delivery": secrets.token_hex(8),
            "X-Hub-Signature-256": f"sha256={signature}"})
        if status not in (200, 202, 204):
            raise RuntimeError(f"the webhook was answered {status} {answer!r}")


def await_answer(peer, server, target, wanted):
    """Asks for the first flag over one connection until it is that."""
    client, end = serving.Client(server.address), time.monotonic() + PATIENCE
    while True:
        status, answer = client.ask("POST", target.paths[0], target.body, target.headers)
        now = time.monotonic()
        if status == 200 and peer.is_on(json.loads(answer)) == wanted:
            return now
        if now > end:
            server.fail(f"never answers anew: {status} {answer[:300]!r}")
        time.sleep(ASK)


def measure(peer, program, rounds):
    """Milliseconds from the change, complete at the source, to the first answer that shows it, of each round."""
    peer = copy.copy(peer)
    peer.poll, peer.variables, peer.patience = POLL, {}, PATIENCE  # all processors, like weir
    times = []
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name) / "peer"
        server = peer.start(program, folder, FLAGS, None)
        stack.callback(server.stop)
        target = peer.targets(server, 1)["one"]
        for i in range(rounds + 1):  # the first is from a quarter of everybody to nobody, perhaps no change
            time.sleep(random.uniform(0, POLL))  # or changes would keep step with polls
            peer.change(folder, FLAGS, "on" if i % 2 else "off")
            begin = time.monotonic()
            if isinstance(peer, Weir):
                peer.nudge(server)
            times.append((await_answer(peer, server, target, bool(i % 2)) - begin) * 1e3)
            if i >= 3 and sum(times) > ENOUGH * 1e3:
                break
    return times[1:]


_others = {}  # by name: times, or why there are none; two benches in one run share them


def others(quick):
    for peer in FOLLOWERS:
        if peer.name in _others:
            continue
        program = peers.find(peer.program)
        if not program:
            _others[peer.name] = "not found"
            continue
        try:
            _others[peer.name] = measure(peer, program, 3 if quick else 10)
        except (OSError, RuntimeError, ValueError) as error:
            # Its fault or its version's: the others are measured all the same.
            print(f"bench: {peer.name} is left out: {error}", file=sys.stderr)
            _others[peer.name] = "failed, see above"
    return _others


def compare(table, name, build, by_webhook, quick):
    """Rows of weir, by polling like the others or by webhook, and beside them those that are found."""
    weir = Weir(build, by_webhook)
    times = measure(weir, weir.program, 3 if quick else 10)
    middle = statistics.median(times)
    how = "webhook after the push" if by_webhook else f"polls Git every {POLL} s"
    table.add(f"{name}.answer", f"one flag of {FLAGS} changed → answered anew: weir, {how}, p50", middle, "ms",
              beside=f"slowest of {len(times)}: {max(times):.0f} ms")
    for peer in FOLLOWERS:
        follows = f"{peer.follows} every {POLL} s" if "polls" in peer.follows else peer.follows
        what, result = f"  {peer.name}, {follows}", others(quick)[peer.name]
        if isinstance(result, str):
            table.miss(f"{name}.{peer.program}.answer", what, result)
            continue
        theirs = statistics.median(result)
        table.add(f"{name}.{peer.program}.answer", what, theirs, "ms",
                  beside=f"weir: {theirs / middle:.1f} times as fast; slowest of {len(result)}: {max(result):.0f} ms")
