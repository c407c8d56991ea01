"""weir under systemd: what it says on NOTIFY_SOCKET, and that the unit of examples/deploy is sound."""
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import time

import pytest
import weir

UNIT = weir.ROOT / "examples" / "deploy" / "weir.service"


class Manager:
    """Listens on a datagram socket, as systemd does."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(("\0" + name[1:]) if name.startswith("@") else name)
        self.name, self.heard = name, []

    def hear(self, seconds):
        """The next message, or None."""
        if not select.select([self.socket], [], [], max(0, seconds))[0]:
            return None
        self.heard.append(self.socket.recv(4096).decode())
        return self.heard[-1]

    def hear_until(self, start, within=""):
        """The next message that begins so, and says this."""
        end = time.monotonic() + weir.PATIENCE
        while time.monotonic() < end:
            message = self.hear(end - time.monotonic())
            if message and message.startswith(start) and within in message:
                return message
        raise AssertionError(f"{start!r} {within!r} was not said, but {self.heard}")


@pytest.fixture(params=["abstract", "path"])
def manager(request, tmp_path):
    made = Manager(f"@weir-test-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify"))
    yield made
    made.socket.close()


def supervised(manager, repository, tmp_path, **environment):
    return weir.controller(repository.url, tmp_path / "data",
                           env=weir.environment(NOTIFY_SOCKET=manager.name, **environment))


def test_from_start_to_stop(repository, tmp_path, manager):
    with supervised(manager, repository, tmp_path, WATCHDOG_USEC="400000") as running:
        assert manager.hear_until("READY=1") == "READY=1"
        assert running.is_ready(), "ready before anything was served"
        commit = weir.git(repository.work, "rev-parse", "HEAD")
        weir.wait_until(lambda: any(f"STATUS=serving commit {commit[:12]}, 2 environments" == said
                                    for said in manager.heard) or manager.hear(0.1) and False, "what is served")
        manager.hear_until("WATCHDOG=1")
        manager.hear_until("WATCHDOG=1")
        manager.heard.clear()
        running.send(signal.SIGHUP)
        assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", manager.hear_until("RELOADING=1"))
        assert manager.hear_until("READY=1") == "READY=1"
        # A mistake in the next commit is told, by what `systemctl status` shows.
        repository.commit({"flags/broken.yaml": "apiVersion: weir/v1\nkind: Flag\n"})
        running.fetch()
        manager.hear_until("STATUS=", "; errors in the newest commit: ")
        running.send(signal.SIGTERM)
        manager.hear_until("STOPPING=1")
        assert running.process.wait(weir.PATIENCE) == 0
    assert manager.hear(0.1) is None, "it speaks after its end"


def test_not_ready_before_the_first_commit(tmp_path):
    repository = weir.Repository(tmp_path / "git", {"flags/broken.yaml": "apiVersion: weir/v1\nkind: Flag\n"})
    manager = Manager(f"@weir-test-first-{os.getpid()}")
    with supervised(manager, repository, tmp_path, WATCHDOG_USEC="200000") as running:
        for _ in range(3):
            manager.hear_until("EXTEND_TIMEOUT_USEC=")
        assert not any(said.startswith("READY") for said in manager.heard)
        assert any(said.startswith("STATUS=waiting for the first valid commit") for said in manager.heard)
        repository.commit({"flags/broken.yaml": None, **weir.SHOP})
        running.fetch()
        manager.hear_until("READY=1")
    manager.socket.close()


def test_a_socket_that_is_none(repository, tmp_path):
    done = weir.run("run", "--repo", repository.url, "--data", tmp_path / "data", "--listen", "127.0.0.1:0",
                    env=weir.environment(NOTIFY_SOCKET="vsock:2:1"))
    assert done.code == 2 and 'NOTIFY_SOCKET="vsock:2:1" is neither a path nor "@NAME"' in done.err


def test_nobody_listens(repository, tmp_path):
    with weir.controller(repository.url, tmp_path / "data",
                         env=weir.environment(NOTIFY_SOCKET="@nobody-is-here", WATCHDOG_USEC="100000")) as running:
        running.wait_ready()


# --- the unit -----------------------------------------------------------------------------------------------------


@pytest.fixture
def unit(tmp_path):
    """The example, but for what is not installed on this machine."""
    text = UNIT.read_text().replace("/usr/local/bin/weir", weir.program()).replace("Documentation=man:weir(1)\n", "")
    (tmp_path / "weir.service").write_text(text)
    return tmp_path / "weir.service"


def analyze(*arguments):
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd-analyze on this machine")
    return subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          check=False)


def test_the_unit_is_valid(unit):
    done = analyze("verify", unit)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done


def test_the_unit_is_hardened(unit):
    done = analyze("security", "--offline=true", "--threshold=15", "--no-pager", unit)
    assert done.returncode == 0, done.stdout[-2000:]


def test_the_unit_names_options_that_exist():
    line = next(line for line in UNIT.read_text().splitlines() if line.startswith("ExecStart="))
    help_text = weir.run("help", "run").out
    options = re.findall(r"--[a-z-]+", line)
    assert options and all(option in help_text for option in options), line
