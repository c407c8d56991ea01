"""`weir run` and a Git server that fails: through a proxy that breaks connections, and against servers that lie.

Whatever happens, what was served goes on being served, the fault is told, and what was missed comes once it is over.
"""
import contextlib
import os
import signal
import subprocess

import gitserver
import proxy as proxies
import pytest
import weir
from remotes import fails, following, reply, web

@pytest.fixture(autouse=True)
def leaks_of_libraries(monkeypatch):
    """libgit2 1.5 forgets the known hosts of each SSH connection, and some bytes for each proxy: not ours to find."""
    monkeypatch.setenv("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")


NEW = "Grüße, all!"
# Seconds for a fetch. One without a fault has to do with it, beside whatever else a machine is busy with.
LIMIT = 5 if weir.is_sanitized() else 2


def change(repository):
    """A commit that turns the banner loud, with enough beside it for a fault in the middle of its pack."""
    loud = weir.SHOP["flags/banner.yaml"].replace("default: plain", "default: loud")
    return repository.commit({"flags/banner.yaml": loud, "large": os.urandom(300_000)})


@pytest.fixture(params=["http", "ssh"])
def behind(request, repository, tmp_path):
    """(proxy, URL through it, options, environment) of a server of that kind."""
    if request.param == "http":
        with gitserver.HttpServer(repository.bare.parent) as server:
            with proxies.Proxy("127.0.0.1", server.port) as proxy:
                yield proxy, f"http://127.0.0.1:{proxy.port}/flags.git", [], None
        return
    with gitserver.SshServer(repository.bare.parent) as server:
        with proxies.Proxy("127.0.0.1", server.port) as proxy:
            hosts = tmp_path / "hosts"
            hosts.write_text(server.known_hosts_line().replace(f":{server.port} ", f":{proxy.port} "))
            url = server.url("flags.git").replace(f":{server.port}/", f":{proxy.port}/")
            yield proxy, url, ["--ssh-key", server.user_key, "--ssh-known-hosts", hosts], weir.environment()


FAULTS = {
    "silent from the start": lambda proxy: proxy.stall(),
    "silent in the middle of a pack": lambda proxy: proxy.stall(after=100_000),
    "cut at once": lambda proxy: proxy.cut(),
    "cut in the middle of a pack": lambda proxy: proxy.cut(after=100_000),
    "reset in the middle of a pack": lambda proxy: proxy.reset(after=100_000),
    "a byte of a pack changed": lambda proxy: proxy.corrupt(after=100_000),
    "a byte of the answer changed": lambda proxy: proxy.corrupt(after=10),
    "refused": lambda proxy: proxy.refuse(),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_connection_harms_nobody(repository, tmp_path, behind, fault):
    proxy, url, options, environment = behind
    with following(url, tmp_path / "data", "--git-timeout", f"{LIMIT}s", *options, env=environment) as running:
        running.wait_ready()
        FAULTS[fault](proxy)
        commit = change(repository)
        running.fetch()
        error = fails(running, url.split("@")[-1])
        if fault.startswith("silent"):
            assert f"took longer than {LIMIT} s" in error, error
        assert running.value("banner", {}, "production") == "Hello" and running.is_ready()
        proxy.heal()
        running.fetch()
        weir.wait_until(lambda: running.status()["commit"] == commit, f"the commit\n{running.log()}")
        assert running.value("banner", {}, "production") == NEW
        assert running.status()["lastFetch"]["error"] is None
    weir.git(tmp_path / "data" / "repository.git", "fsck", "--full")


def test_a_slow_connection_is_only_slow(repository, tmp_path, behind):
    proxy, url, options, environment = behind
    proxy.delay(0.03)
    with following(url, tmp_path / "data", *options, env=environment) as running:
        running.wait_ready()
        assert proxy.happened["delay"] >= 2


def test_it_ends_at_once_while_a_server_is_silent(repository, tmp_path, behind):
    proxy, url, options, environment = behind
    proxy.stall()
    with following(url, tmp_path / "data", *options, env=environment):
        proxy.wait_for("stall")
    # following() has seen it end with 0, within the patience of the tests.


# --- servers that lie ---------------------------------------------------------------------------------------------


def line(text):
    return f"{len(text) + 4:04x}{text}".encode()


def smart(handler, kind, body):
    handler.send_response(200)
    handler.send_header("Content-Type", f"application/x-git-upload-pack-{kind}")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def advertise(handler, commit):
    smart(handler, "advertisement", line("# service=git-upload-pack\n") + b"0000"
          + line(f"{commit} HEAD\0side-band-64k ofs-delta symref=HEAD:refs/heads/main\n")
          + line(f"{commit} refs/heads/main\n") + b"0000")


def packed(commit, pack):
    """A server that offers `commit` and sends `pack`, whatever it is asked for."""

    def answer(handler):
        if "info/refs" in handler.path:
            advertise(handler, commit)
            return
        body = line("NAK\n")
        for start in range(0, len(pack), 60000):
            piece = b"\1" + pack[start:start + 60000]
            body += f"{len(piece) + 4:04x}".encode() + piece
        smart(handler, "result", body + b"0000")

    return answer


def pack_of(folder, commit, *options):
    """Of that one object, or with --revs of all that it leads to."""
    done = subprocess.run(["git", "pack-objects", "--stdout", "-q", *options], cwd=folder, check=True,
                          capture_output=True, input=f"{commit}\n".encode())
    return done.stdout


def told(tmp_path, answer, *words):
    tmp_path.mkdir(exist_ok=True)
    with web(answer) as (port, seen):
        with following(f"http://127.0.0.1:{port}/flags.git", tmp_path / "data", "--git-timeout", "1m") as running:
            error = fails(running, *words)
            assert seen and not running.is_ready()
    return error


def test_errors_of_a_server_are_told(tmp_path):
    told(tmp_path, lambda handler: reply(handler, 500), "500")
    told(tmp_path / "2", lambda handler: reply(handler, 503), "503")
    told(tmp_path / "3", lambda handler: reply(handler, 200, Content_Type="text/html"), "cannot be fetched")
    told(tmp_path / "4", lambda handler: handler.wfile.write(b"\0\xff nonsense\r\n\r\n"), "cannot be fetched")


def test_a_pack_without_the_commit_is_not_taken(repository, tmp_path):
    pack = pack_of(repository.work, "HEAD", "--revs")
    missing = "0123456789012345678901234567890123456789"
    told(tmp_path, packed(missing, pack), "sent no commit")
    clone = tmp_path / "data" / "repository.git"
    assert "refs/weir" not in weir.git(clone, "for-each-ref"), "no ref leads to what is not there"


def test_a_pack_that_is_none_is_not_taken(repository, tmp_path):
    commit = weir.git(repository.work, "rev-parse", "HEAD")
    pack = pack_of(repository.work, "HEAD", "--revs")
    for number, bad in enumerate([b"", b"PACK", os.urandom(5000), pack[:-30], pack[:40] + b"\xff" + pack[41:],
                                  pack[:4] + b"\0\0\0\2\xff\xff\xff\xff" + pack[12:]]):
        told(tmp_path / str(number), packed(commit, bad), "127.0.0.1")


def test_a_commit_without_its_files_is_not_served(repository, tmp_path):
    """A pack with the commit and nothing that it leads to."""
    commit = weir.git(repository.work, "rev-parse", "HEAD")
    pack = pack_of(repository.work, commit)
    with web(packed(commit, pack)) as (port, seen):
        with following(f"http://127.0.0.1:{port}/flags.git", tmp_path / "data") as running:
            weir.wait_until(lambda: running.status()["lastFetch"]["tried"] and seen, "a fetch")
            weir.wait_until(lambda: "failed" in running.log(), f"it is told\n{running.log()}")
            assert not running.is_ready()


def test_a_list_of_branches_without_end_is_cut(tmp_path):
    commit = "0123456789012345678901234567890123456789"

    def endless(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(line("# service=git-upload-pack\n") + b"0000" + line(f"{commit} HEAD\0ofs-delta\n"))
        many = b"".join(line(f"{commit} refs/heads/{'b' * 400}{i:08}\n") for i in range(4000))
        with contextlib.suppress(OSError):
            while True:
                handler.wfile.write(many)

    told(tmp_path, endless, "sent more than 64 MiB")


# --- upkeep -------------------------------------------------------------------------------------------------------


def fill(repository, clone, count=60):
    """As many packs in the clone as so many fetches leave: a commit each, with what it has that its parent has not."""
    before = weir.git(repository.work, "rev-parse", "HEAD")
    commits = "".join(f"commit refs/heads/main\ncommitter A <a@example.com> {number} +0000\ndata 2\nx\n"
                      + (f"from {before}\n" if number == 0 else "")
                      + f"M 644 inline README.md\ndata <<END\n{number}\nEND\n"
                      for number in range(count))
    weir.git(repository.work, "fast-import", "--quiet", input=commits)
    weir.git(repository.work, "reset", "--quiet", "--hard", "main")
    weir.git(repository.work, "push", "--quiet", "origin", "main")
    for commit in weir.git(repository.work, "rev-list", "--reverse", f"{before}..main").splitlines():
        weir.git(repository.bare, "pack-objects", "--quiet", "--revs", clone / "objects/pack/pack",
                 input=f"{commit}\n^{before}\n")
        before = commit
    weir.git(clone, "update-ref", "refs/remotes/origin/main", before)
    return before


def packs(clone):
    return list((clone / "objects/pack").glob("*.pack"))


@pytest.fixture
def full(repository, tmp_path):
    """A data folder whose clone has more than 50 packs; (repository, data, clone, tip)."""
    data = tmp_path / "data"
    with weir.controller(repository.url, data) as running:
        running.wait_ready()
    clone = data / "repository.git"
    tip = fill(repository, clone)
    assert len(packs(clone)) > 50
    return repository, data, clone, tip


def test_a_clone_of_many_packs_is_packed_while_it_is_served(full):
    repository, data, clone, tip = full
    with weir.controller(repository.url, data) as running:
        weir.wait_until(lambda: running.status()["commit"] == tip, "the tip")
        weir.wait_until(lambda: running.status()["upkeep"]["ran"], f"upkeep\n{running.log()}")

        def swept():
            running.fetch()
            return running.status()["upkeep"]["packs"] < 5 and len(packs(clone)) < 5

        weir.wait_until(swept, "the old packs are gone")
        metrics = running.get("/metrics").body.decode()
        assert 'weir_git_upkeep_runs_total{result="ok"} 1\n' in metrics
        assert "weir_open_descriptors " in metrics
        commit = change(repository)
        running.fetch()
        weir.wait_until(lambda: running.status()["commit"] == commit, "a commit after it")
        assert "event=repacked" in running.log()
    weir.git(clone, "fsck", "--full")


def test_without_git_it_says_so_once_and_goes_on(full, tmp_path):
    repository, data, clone, tip = full
    (tmp_path / "empty").mkdir()
    with weir.controller(repository.url, data, env=weir.environment(PATH=str(tmp_path / "empty"))) as running:
        problem = weir.wait_until(lambda: running.status()["upkeep"]["problem"], "the problem")
        assert '"git" on PATH' in problem
        commit = change(repository)
        running.fetch()
        weir.wait_until(lambda: running.status()["commit"] == commit, "a commit")
        assert running.log().count("event=upkeep_failed") == 1
        assert 'weir_git_upkeep_runs_total{result="failed"} 1\n' in running.get("/metrics").body.decode()


@pytest.mark.parametrize("when", ["before git has begun", "while git writes", "after git has ended"])
def test_killed_in_the_middle_of_upkeep_it_starts_again(full, tmp_path, when):
    repository, data, clone, tip = full
    tools = tmp_path / "tools"
    tools.mkdir()
    written = f"touch {clone}/objects/pack/tmp_pack_Ab12Cd {clone}/objects/pack/tmp_idx_Ab12Cd\n"
    steps = {"before git has begun": "", "while git writes": written,
             "after git has ended": 'PATH=${PATH#*:} git "$@"\n'}[when]
    (tools / "git").write_text(f"#!/bin/sh\n{steps}echo $$ >{tmp_path}/pid.new && mv {tmp_path}/pid.new {tmp_path}/pid\n"
                               "exec sleep 600\n")
    (tools / "git").chmod(0o755)
    environment = weir.environment(PATH=f"{tools}:{os.environ['PATH']}")
    running = weir.Controller("--repo", repository.url, "--data", data, "--listen", "127.0.0.1:0", env=environment)
    try:
        pid = weir.wait_until((tmp_path / "pid").exists, f"upkeep\n{running.log()}") and int(
            (tmp_path / "pid").read_text())
        running.send(signal.SIGKILL)
        running.process.wait(weir.PATIENCE)
        os.kill(pid, signal.SIGKILL)
    finally:
        running.kill()
    (clone / "refs/remotes/origin/main.lock").touch()  # what a kill in the middle of a fetch leaves
    with weir.controller(repository.url, data) as running:
        weir.wait_until(lambda: running.status()["upkeep"]["ran"], f"upkeep\n{running.log()}")
        commit = change(repository)
        running.fetch()
        weir.wait_until(lambda: running.status()["commit"] == commit, f"a commit\n{running.log()}")
        assert "event=leftovers_removed" in running.log()
    assert not list(clone.rglob("tmp_*")) and not list(clone.rglob("*.lock"))
    weir.git(clone, "fsck", "--full")
