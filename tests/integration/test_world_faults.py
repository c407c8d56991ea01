"""`weir run` and a machine that fails: a full disk, a folder that cannot be written, a clock that jumps; a Redis that
lost everything or says nothing; a branch that is rewritten, or moved 200 times in a second.

Whatever happens, what was served goes on being served, the fault is told, and what was missed comes once it is over.
"""
import contextlib
import json
import os
import random
import resource
import shutil
import struct
import subprocess
import time

import proxy as proxies
import pytest
import weir
from remotes import fails
from test_targets import (Redis, assert_holds, document, file_target, in_sync, redis_target, target)
from watching import FileWatcher, Line, RedisWatcher

LOUD = "Grüße, all!"
MIB = 1 << 20


def change(repository, **more):
    """A commit that turns the banner loud."""
    loud = weir.SHOP["flags/banner.yaml"].replace("default: plain", "default: loud")
    return repository.commit({"flags/banner.yaml": loud, **more})


def banner(running):
    return running.value("banner", {}, "production")


def arrives(running, commit):
    weir.wait_until(lambda: running.status()["commit"] == commit, f"{commit} is served\n{running.log()}")


# --- a disk that is full, or cannot be written ----------------------------------------------------------------------


class Disk:
    """A file system of so many bytes, at `path`; skips where none may be mounted."""

    def __init__(self, path, size):
        path.mkdir()
        self.path, self.ballast = path, path / "ballast"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", path], check=False,
                              capture_output=True)
        if done.returncode != 0:
            pytest.skip(f"no file system may be mounted here: {done.stderr.decode().strip()}")

    def fill(self):
        with open(self.ballast, "wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(bytes(4096))
        about = os.statvfs(self.path)
        assert about.f_bavail == 0

    def free(self):
        self.ballast.unlink()

    def gone(self):
        subprocess.run(["umount", "--lazy", self.path], check=False, capture_output=True)


@pytest.fixture
def disk(tmp_path):
    mounted = Disk(tmp_path / "disk", 4 * MIB)
    yield mounted
    mounted.gone()


def test_a_full_disk_harms_nobody(repository, disk):
    """The clone and the targets' files are on it."""
    repository.commit({"targets/file.yaml": file_target("flags.json")})
    with weir.controller(repository.url, disk.path / "data") as running:
        before = weir.git(repository.work, "rev-parse", "HEAD")
        in_sync(running, "file", before)
        disk.fill()
        commit = change(repository, large=os.urandom(100_000))
        running.fetch()
        fails(running, "repository")
        assert banner(running) == "Hello" and running.is_ready() and running.status()["commit"] == before
        written = disk.path / "data/targets/flags.json"
        assert written.read_text() == document(repository, before)
        disk.free()
        running.fetch()
        in_sync(running, "file", commit)
        assert banner(running) == LOUD and written.read_text() == document(repository, commit)
        assert running.status()["lastFetch"]["error"] is None
    weir.git(disk.path / "data/repository.git", "fsck", "--full")


def test_a_file_target_on_a_full_disk_keeps_what_it_holds(repository, tmp_path, disk):
    wide = {f"flags/wide{n}.yaml": weir.SHOP["flags/banner.yaml"].replace("banner", f"wide{n}") for n in range(20)}
    first = repository.commit({**wide, "targets/file.yaml": file_target(disk.path / "flags.json")})
    with weir.controller(repository.url, tmp_path / "data", "--allow-path", disk.path) as running:
        in_sync(running, "file", first)
        held = (disk.path / "flags.json").read_text()
        disk.fill()
        commit = change(repository)
        running.fetch()
        arrives(running, commit)
        found = weir.wait_until(lambda: (t := target(running, "file"))["state"] == "retrying" and t, "it is told")
        assert "No space left" in found["fault"]["message"] and found["commit"] == first
        assert banner(running) == LOUD, "answers do not wait for targets"
        assert (disk.path / "flags.json").read_text() == held == document(repository, first)
        assert json.loads((disk.path / "flags.json.meta.json").read_text())["commit"] == first
        disk.free()
        in_sync(running, "file", commit)
        assert (disk.path / "flags.json").read_text() == document(repository, commit)
        assert sorted(os.listdir(disk.path)) == ["flags.json", "flags.json.meta.json"], "no half of a file is left"


def test_files_that_may_not_grow_harm_nobody(repository, tmp_path):
    """A limit on the size of files (`ulimit -f`) is a disk that is full for large files only, with a signal."""
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        before = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
        commit = change(repository, large=os.urandom(300_000))
        running.fetch()
        fails(running, "repository")
        assert banner(running) == "Hello" and running.is_ready()
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, before)
        running.fetch()
        arrives(running, commit)
        assert banner(running) == LOUD


def test_a_clone_that_is_damaged_is_told(repository, tmp_path):
    """What was served is served on, from the disk; but nobody is told that it is all there is."""
    data = tmp_path / "data"
    with weir.controller(repository.url, data) as running:
        running.wait_ready()
        commit = repository.commit({"README.md": "a pack of its own"})
        running.fetch()
        arrives(running, commit)
    pack = max((data / "repository.git/objects/pack").glob("*.pack"), key=lambda path: path.stat().st_size)
    pack.chmod(0o600)
    pack.write_bytes(b"")
    os.utime(data / "lock", (1, 1))  # the last fetch was long ago
    running = weir.Controller("--repo", repository.url, "--data", data, "--listen", "127.0.0.1:0", "--poll", "100ms",
                              "--max-state-age", "1h")
    try:
        fault = weir.wait_until(lambda: [one for one in running.status()["faults"] if one["code"] == "W603"],
                                f"it is told\n{running.log()}")
        assert "remove repository.git" in fault[0]["hint"], fault
        assert banner(running) == "Hello" and not running.status()["tipServed"], running.status()
        weir.wait_until(lambda: running.status()["lastFetch"]["succeeded"], "a fetch succeeds")
        assert not running.is_ready(), running.status()
    finally:
        running.kill()


@contextlib.contextmanager
def read_only(disk):
    """Seen by paths, that is: what somebody has open for writing keeps a file system from being remounted."""
    subprocess.run(["mount", "--bind", disk.path, disk.path], check=True, capture_output=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", disk.path], check=True, capture_output=True)
        with pytest.raises(OSError, match="Read-only"):
            (disk.path / "probe").touch()
        yield
    finally:
        disk.gone()


def test_a_disk_that_turns_read_only_harms_nobody(repository, disk):
    before = weir.git(repository.work, "rev-parse", "HEAD")
    data = disk.path / "data"
    # libgit2 1.5 forgets 40 bytes when it cannot make the file of a pack (pack_backend__writepack).
    forgetful = weir.environment(ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")
    with weir.controller(repository.url, data, env=forgetful) as running:
        arrives(running, before)
        with read_only(disk):
            commit = change(repository, large=os.urandom(100_000))
            running.fetch()
            fails(running, "repository")
            assert banner(running) == "Hello" and running.is_ready()
        running.fetch()
        arrives(running, commit)
        assert banner(running) == LOUD
    with read_only(disk):
        result = weir.run("run", "--repo", repository.url, "--data", data, "--listen", "127.0.0.1:0")
        assert result.code == 2 and f"{data} is not writable: Read-only file system" in result.err, result


# --- a clock that jumps ---------------------------------------------------------------------------------------------

JUMPING = """\
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
static const volatile long *offset; /* seconds, in a file that the test writes to */
static int (*real)(clockid_t, struct timespec *);
__attribute__((constructor)) static void begin(void) /* or sooner: other libraries have constructors, too */
{
    if (offset)
        return;
    int file = open(getenv("JUMP"), O_RDONLY);
    real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    offset = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
    if (offset == MAP_FAILED)
        abort();
}
int clock_gettime(clockid_t clock, struct timespec *out)
{
    begin();
    int result = real(clock, out);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        out->tv_sec += *offset;
    return result;
}
int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *out = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}
time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}
"""


class Clock:
    """The wall clock of a program: jump(seconds) moves it, at once, from what it really is."""

    def __init__(self, folder):
        self.offset, library = folder / "offset", folder / "jumping.so"
        self.offset.write_bytes(struct.pack("l", 0))
        (folder / "jumping.c").write_text(JUMPING)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, folder / "jumping.c", "-ldl"], check=True)
        self.environment = weir.environment(LD_PRELOAD=str(library), JUMP=str(self.offset))

    def jump(self, seconds):
        with open(self.offset, "r+b") as file:
            file.write(struct.pack("l", seconds))


@pytest.mark.skipif(not shutil.which("cc"), reason="cc is not installed")
@pytest.mark.skipif(weir.is_sanitized(), reason="a sanitizer's runtime and a replaced clock do not go together")
@pytest.mark.parametrize("seconds", [86400 * 400, -86400 * 400], ids=["forwards", "backwards"])
def test_a_clock_that_jumps_changes_nothing_but_the_time(repository, tmp_path, seconds):
    clock = Clock(tmp_path)
    first = repository.commit({"targets/file.yaml": file_target("flags.json")})
    running = weir.Controller("--repo", repository.url, "--data", tmp_path / "data", "--listen", "127.0.0.1:0",
                              "--poll", "200ms", "--max-state-age", "1h", env=clock.environment)
    try:
        running.wait_ready()
        in_sync(running, "file", first)
        for place, offset in enumerate((seconds, 0)):
            clock.jump(offset)
            expected = time.time() + offset
            commit = change(repository, **{"README.md": f"{place}"})
            in_sync(running, "file", commit)  # polling goes on, by the clock that does not jump
            weir.wait_until(running.is_ready, f"ready\n{running.log()}")
            assert (tmp_path / "data/targets/flags.json").read_text() == document(repository, commit)
            shown = running.get("/metrics").body.decode()
            fetched = float(shown.split('weir_git_last_fetch_timestamp_seconds{result="succeeded"} ')[1].split()[0])
            assert abs(fetched - expected) < 60, "the program does see the jump"
        assert running.stop() == 0, running.log()
    finally:
        running.kill()


# --- a Redis that lost everything, or says nothing ------------------------------------------------------------------


@pytest.fixture
def redis(tmp_path):
    server = Redis(tmp_path)
    yield server
    server.stop()


@pytest.mark.skipif(weir.is_sanitized(), reason="it waits half a minute for the check; it is run without a sanitizer")
def test_a_redis_restarted_empty_is_filled_again(repository, tmp_path, redis):
    """Without a commit: it is looked at from time to time. A minute is what an operator may have to wait."""
    commit = repository.commit({"targets/redis.yaml": redis_target(redis.port)})
    with weir.controller(repository.url, tmp_path / "data", "--allow-host", f"127.0.0.1:{redis.port}") as running:
        in_sync(running, "redis", commit)
        redis.stop()
        redis.start()
        assert redis.ask("DBSIZE") == "0"
        weir.wait_until(lambda: redis.hash("{weir:production}:meta").get("commit") == commit, "it is filled", 60)
        assert_holds(redis, repository, running, commit)
        assert banner(running) == "Hello"


def test_a_redis_that_falls_silent_in_the_middle_is_caught_up(repository, tmp_path, redis):
    """It accepts, takes what is sent, and never answers; then it does again."""
    with proxies.Proxy("127.0.0.1", redis.port) as proxy:
        first = repository.commit({"targets/redis.yaml": redis_target(proxy.port),
                                   "targets/file.yaml": file_target("flags.json")})
        with weir.controller(repository.url, tmp_path / "data", "--allow-host", f"127.0.0.1:{proxy.port}") as running:
            in_sync(running, "redis", first)
            proxy.stall()
            commit = change(repository)
            running.fetch()
            in_sync(running, "file", commit)
            assert banner(running) == LOUD, "answers do not wait for it"
            proxy.wait_for("stall")
            found = weir.wait_until(lambda: (t := target(running, "redis"))["state"] == "retrying" and t, "it is told")
            assert str(proxy.port) in found["fault"]["message"] and found["commit"] == first
            proxy.heal()
            in_sync(running, "redis", commit)
            assert_holds(redis, repository, running, commit)


# --- a branch that is rewritten, or moves fast ----------------------------------------------------------------------


def is_held(running, kept, rewritten):
    status = weir.wait_until(lambda: (s := running.status())["tip"] == rewritten and s.get("commit") and s,
                             f"the tip is seen\n{running.log()}")
    assert status["commit"] == kept and not status["tipServed"], status
    assert "does not descend" in json.dumps(status["faults"]), status
    assert banner(running) == LOUD and "reason=rewritten" in running.log()


def test_a_force_push_is_held_and_told_until_the_branch_descends_again(repository, tmp_path):
    kept = change(repository, **{"targets/file.yaml": file_target("flags.json")})
    data = tmp_path / "data"
    running = weir.Controller("--repo", repository.url, "--data", data, "--listen", "127.0.0.1:0", "--poll", "1h")
    try:
        in_sync(running, "file", kept)
        weir.git(repository.work, "reset", "--quiet", "--hard", "HEAD~1")
        weir.git(repository.work, "commit", "--quiet", "--allow-empty", "-m", "another")
        weir.git(repository.work, "push", "--quiet", "--force", "origin", "HEAD:main")
        rewritten = weir.git(repository.work, "rev-parse", "HEAD")

        running.fetch()
        is_held(running, kept, rewritten)
    finally:
        running.kill()
    with weir.controller(repository.url, data) as again:
        is_held(again, kept, rewritten)
        assert json.loads((data / "targets/flags.json.meta.json").read_text())["commit"] == kept
        weir.git(repository.work, "reset", "--quiet", "--hard", kept)
        commit = repository.commit({"README.md": "after all"}, push=False)
        weir.git(repository.work, "push", "--quiet", "--force", "origin", "HEAD:main")
        again.fetch()
        in_sync(again, "file", commit)


def test_of_200_commits_within_a_second_the_last_counts_and_comes_at_once(tmp_path, redis):
    files = {"targets/file.yaml": file_target("flags.json"), "targets/redis.yaml": redis_target(redis.port)}
    line = Line(tmp_path, 201, random.Random(5), files)
    line.push(0)
    data = tmp_path / "data"
    with weir.controller(line.url, data, "--branch", "main", "--allow-host", f"127.0.0.1:{redis.port}") as running, \
            FileWatcher(line, data / "targets/flags.json") as file, RedisWatcher(line, redis.port) as hashes:
        for name in ("file", "redis"):
            in_sync(running, name, line.commits[0])
        begun = time.monotonic()
        for commit in line.commits[1:]:  # as quick as refs can be moved, each with its webhook
            lock = line.bare / "refs/heads/main.lock"  # the name by which whoever lists refs knows what is none
            lock.write_text(f"{commit}\n")
            lock.rename(line.bare / "refs/heads/main")
            running.fetch()
        took = time.monotonic() - begun
        for name in ("file", "redis"):  # long before the next poll
            in_sync(running, name, line.commits[-1])
        late = time.monotonic() - begun - took
        served = running.log().count("event=served")
        assert served <= 3 + 10 * (took + late), f"{served} states were served in {took + late:.1f} s"
    file.check()
    hashes.check()
