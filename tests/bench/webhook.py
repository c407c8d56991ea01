"""From a webhook to every target: a branch of 10 000 flags over smart HTTP, pushed to one commit at a time."""
import contextlib
import hashlib
import hmac
import json
import pathlib
import secrets
import socket
import subprocess
import sys
import tempfile
import time

import changing
import following
import serving

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
import gitserver  # noqa: E402

FLAGS = 10_000


class Redis:
    """A redis-server, and one connection to it."""

    def __init__(self, folder):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                                         "--dir", str(folder)], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        end = time.monotonic() + serving.PATIENCE
        while True:
            with contextlib.suppress(OSError):
                self.connection = socket.create_connection(("127.0.0.1", self.port))
                break
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError("redis-server does not start")
            time.sleep(0.02)
        self.file = self.connection.makefile("rb")

    def commit(self, key):
        """What the target's meta says; None before there is one."""
        return self.ask("HGET", f"{{{key}}}:meta", "commit")

    def ask(self, *command):
        """A command whose answer is one string, or nothing."""
        self.connection.sendall((" ".join(command) + "\r\n").encode())
        length = int(self.file.readline()[1:])
        return self.file.read(length + 2)[:-2].decode() if length >= 0 else None

    def close(self):
        self.file.close()
        self.connection.close()
        self.process.terminate()
        self.process.wait(serving.PATIENCE)


def targets(redis):
    head = following.head
    return {"targets/file.yaml": head("Target", "file") + "spec: {environment: production, file: {path: flags.json}}\n",
            "targets/redis.yaml": head("Target", "redis") +
            f'spec: {{environment: production, redis: {{url: "redis://127.0.0.1:{redis.port}", key: bench}}}}\n'}


def has(meta, redis, commit):
    try:
        return json.loads(meta.read_text())["commit"] == commit and redis.commit("bench") == commit
    except (OSError, ValueError, KeyError):
        return False


def await_targets(server, meta, redis, commit):
    end = time.monotonic() + serving.PATIENCE
    while not has(meta, redis, commit):
        if time.monotonic() > end:
            server.fail(f"has not brought {commit} to its targets")
        time.sleep(0.0005)


def bench_webhook(build, table, quick):
    secret = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        redis = Redis(folder)
        stack.callback(redis.close)
        commits = following.make_repository(folder / "source.git", FLAGS, 1_000, targets(redis))
        (folder / "root").mkdir()
        gitserver.make_bare(folder / "root" / "flags.git")
        remote = stack.enter_context(gitserver.HttpServer(folder / "root"))

        def push(commit):
            serving.git("push", "-q", remote.url("flags.git"), f"{commit}:refs/heads/main", cwd=folder / "source.git")

        push(commits[0])
        (folder / "secret").write_text(secret + "\n")
        server = stack.enter_context(serving.Server(
            [f"{build}/weir", "run", "--repo", remote.url("flags.git"), "--branch", "main", "--listen", "127.0.0.1:0",
             "--data", folder / "data", "--poll", "1h", "--allow-host", f"127.0.0.1:{redis.port}", "--hook-secret",
             f"github={folder / 'secret'}"], folder / "log"))
        meta = folder / "data/targets/flags.json.meta.json"
        await_targets(server, meta, redis, commits[0])
        client, times = serving.Client(server.address), []
        for commit in commits[1:21 if quick else None]:
            push(commit)
            body = json.dumps({"ref": "refs/heads/main", "after": commit})
            signature = hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
            begin = time.monotonic()
            status, answer = client.ask("POST", "/hooks/github", body, {
                "Content-Type": "application/json", "X-GitHub-Event": "push", "X-GitHub-Delivery": secrets.token_hex(8),
                "X-Hub-Signature-256": f"sha256={signature}"})
            if status not in (200, 202, 204):
                raise RuntimeError(f"the webhook was answered {status} {answer!r}")
            await_targets(server, meta, redis, commit)
            times.append((time.monotonic() - begin) * 1e3)
    table.add("webhook.p50", "webhook → file and Redis have it, 10 000 flags, smart HTTP, p50",
              following.percentile(times, 50), "ms")
    table.add("webhook.p99", "  p99", following.percentile(times, 99), "ms", most=250.0)
    changing.compare(table, "webhook", build, True, quick)
