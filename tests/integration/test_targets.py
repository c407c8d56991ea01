"""Targets of a running controller: a file and a Redis hold what is served, whatever happens to the other."""
import contextlib
import json
import os
import socket
import subprocess
import time

import overrides
import ports
import pytest
import weir


def file_target(path, name="file"):
    return (f"apiVersion: weir/v1\nkind: Target\nmetadata: {{name: {name}}}\nspec:\n  environment: production\n"
            f"  file: {{path: {path}}}\n")


def redis_target(port, name="redis"):
    return (f"apiVersion: weir/v1\nkind: Target\nmetadata: {{name: {name}}}\nspec:\n  environment: production\n"
            f"  redis: {{url: \"redis://127.0.0.1:{port}\", key: \"weir:production\"}}\n")


def document(repository, revision="HEAD"):
    result = weir.run("build", "--env", "production", "--repo", repository.bare, "--rev", revision)
    assert result.code == 0, result
    return result.out


def target(running, name):
    return next((t for t in running.status()["targets"] if t["name"] == name), None)


def in_sync(running, name, commit):
    weir.wait_until(lambda: (t := target(running, name)) and t["state"] == "inSync" and t["commit"] == commit,
                    f"{name} has {commit}\n{running.log()}")


def change(repository, variant="loud"):
    text = weir.SHOP["flags/banner.yaml"].replace("default: plain", f"default: {variant}")
    return repository.commit({"flags/banner.yaml": text})


# --- file -----------------------------------------------------------------------------------------


def test_a_file_holds_the_document_and_its_meta(repository, tmp_path):
    repository.commit({"targets/file.yaml": file_target("production/flags.json")})
    written = tmp_path / "data" / "targets" / "production" / "flags.json"
    with weir.controller(repository.url, tmp_path / "data") as running:
        for variant in ("plain", "loud"):
            commit = change(repository, variant)
            running.fetch()
            in_sync(running, "file", commit)
            assert written.read_text() == document(repository)
            meta, status = json.loads((written.parent / "flags.json.meta.json").read_text()), running.status()
            digest = next(e["digest"] for e in status["environments"] if e["name"] == "production")
            assert meta == {"commit": commit, "digest": digest, "environment": "production",
                            "generation": status["generation"]}
        assert sorted(os.listdir(written.parent)) == ["flags.json", "flags.json.meta.json"]


def test_a_target_that_is_removed_is_written_no_more(repository, tmp_path):
    repository.commit({"targets/file.yaml": file_target("flags.json")})
    with weir.controller(repository.url, tmp_path / "data") as running:
        in_sync(running, "file", weir.git(repository.work, "rev-parse", "HEAD"))
        before = (tmp_path / "data/targets/flags.json").read_text()
        repository.commit({"targets/file.yaml": None})
        commit = change(repository)
        running.fetch()
        weir.wait_until(lambda: running.status()["commit"] == commit and not running.status()["targets"], "removed")
        assert (tmp_path / "data/targets/flags.json").read_text() == before


def test_an_allowed_folder(repository, tmp_path):
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    commit = repository.commit({"targets/file.yaml": file_target(allowed / "deep" / "flags.json")})
    with weir.controller(repository.url, tmp_path / "data", "--allow-path", allowed) as running:
        in_sync(running, "file", commit)
        assert (allowed / "deep" / "flags.json").read_text() == document(repository)


def refused(running, name):
    return weir.wait_until(lambda: (t := target(running, name)) and t.get("fault") and t,
                           f"{name} is refused\n{running.log()}")


def test_a_path_outside_the_allowed_folders(repository, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    commit = repository.commit({"targets/bad.yaml": file_target(outside / "flags.json", "bad"),
                                "targets/file.yaml": file_target("flags.json")})
    with weir.controller(repository.url, tmp_path / "data") as running:
        in_sync(running, "file", commit)
        found = refused(running, "bad")
        fault = found["fault"]
        assert (fault["code"], fault["path"], fault["line"], fault["column"]) == ("W501", "targets/bad.yaml", 6, 16)
        assert "--allow-path" in fault["message"] and found["state"] == "refused"
        assert running.value("banner", {}, "production") == "Hello", "answers do not wait for targets"
    assert os.listdir(outside) == []


def test_a_path_that_leaves_by_a_symbolic_link(repository, tmp_path):
    outside, targets = tmp_path / "outside", tmp_path / "data" / "targets"
    outside.mkdir()
    targets.mkdir(parents=True)
    (targets / "link").symlink_to(outside)
    commit = repository.commit({"targets/bad.yaml": file_target("link/flags.json", "bad"),
                                "targets/file.yaml": file_target("flags.json")})
    with weir.controller(repository.url, tmp_path / "data") as running:
        in_sync(running, "file", commit)
        fault = refused(running, "bad")["fault"]
        assert fault["code"] == "W501" and "symbolic link" in fault["message"], fault
    assert os.listdir(outside) == []


def test_a_link_in_the_place_of_the_file_is_replaced_not_followed(repository, tmp_path):
    victim, targets = tmp_path / "victim", tmp_path / "data" / "targets"
    victim.write_text("mine")
    targets.mkdir(parents=True)
    (targets / "flags.json").symlink_to(victim)
    commit = repository.commit({"targets/file.yaml": file_target("flags.json")})
    with weir.controller(repository.url, tmp_path / "data") as running:
        in_sync(running, "file", commit)
    assert victim.read_text() == "mine" and not (targets / "flags.json").is_symlink()


def test_a_folder_that_cannot_be_written_is_retried(repository, tmp_path):
    """A file stands where the folder is to be: in root's way as well. The answers and the other target do not wait."""
    targets = tmp_path / "data" / "targets"
    targets.mkdir(parents=True)
    (targets / "sub").write_text("in the way")
    commit = repository.commit({"targets/bad.yaml": file_target("sub/flags.json", "bad"),
                                "targets/file.yaml": file_target("flags.json")})
    with weir.controller(repository.url, tmp_path / "data") as running:
        in_sync(running, "file", commit)
        found = refused(running, "bad")
        assert found["state"] in ("retrying", "refused") and "sub" in found["fault"]["message"], found
        assert running.value("banner", {}, "production") == "Hello"
        assert 'weir_target_behind{target="bad"} 1\n' in running.get("/metrics").body.decode()
        (targets / "sub").unlink()
        commit = change(repository)
        running.fetch()
        in_sync(running, "bad", commit)
        assert (targets / "sub/flags.json").read_text() == document(repository)


def test_a_folder_without_permission(repository, tmp_path):
    allowed = tmp_path / "allowed"
    allowed.mkdir(mode=0o555)
    if os.access(allowed, os.W_OK):
        allowed = "/proc"  # root may write everywhere but there
    repository.commit({"targets/bad.yaml": file_target(f"{allowed}/flags.json", "bad")})
    with weir.controller(repository.url, tmp_path / "data", "--allow-path", allowed) as running:
        found = refused(running, "bad")
        assert found["state"] == "retrying" and "flags.json" in found["fault"]["message"], found
        assert running.value("banner", {}, "production") == "Hello"


# --- redis ----------------------------------------------------------------------------------------


class Redis:
    """A server of its own on a free port; stop() and start() keep the port."""

    def __init__(self, folder):
        self.folder = folder
        self.kept = ports.keep()
        self.port = ports.number(self.kept)
        self.start()

    def start(self):
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        weir.wait_until(lambda: self.process.poll() is not None or self.ask("PING") == "PONG", "redis answers")
        assert self.process.poll() is None, "redis-server ended"

    def stop(self):
        self.process.terminate()
        self.process.wait(weir.PATIENCE)

    def ask(self, *words):
        done = subprocess.run(["redis-cli", "-p", str(self.port), *words], capture_output=True, timeout=60, check=False)
        return done.stdout.decode().rstrip("\n")

    def hash(self, key):
        lines = self.ask("HGETALL", key).split("\n")
        return dict(zip(lines[::2], lines[1::2]))


@pytest.fixture
def redis(tmp_path):
    server = Redis(tmp_path)
    yield server
    server.stop()
    server.kept.close()


@contextlib.contextmanager
def with_redis(repository, tmp_path, redis, name="data"):
    with weir.controller(repository.url, tmp_path / name, "--allow-host", f"127.0.0.1:{redis.port}") as running:
        yield running


def assert_holds(redis, repository, running, commit):
    expected = json.loads(document(repository, commit))
    held = {key: json.loads(value) for key, value in redis.hash("{weir:production}:doc").items()}
    assert held == expected["flags"]
    meta = redis.hash("{weir:production}:meta")
    assert (meta["commit"], meta["environment"]) == (commit, "production")
    assert meta["digest"] == next(e["digest"] for e in running.status()["environments"] if e["name"] == "production")
    return meta


def test_redis_holds_the_document_and_tells_of_changes(repository, tmp_path, redis):
    commit = repository.commit({"targets/redis.yaml": redis_target(redis.port)})
    with with_redis(repository, tmp_path, redis) as running:
        in_sync(running, "redis", commit)
        first = assert_holds(redis, repository, running, commit)
        with subprocess.Popen(["redis-cli", "-p", str(redis.port), "SUBSCRIBE", "{weir:production}:changed"],
                              stdout=subprocess.PIPE) as listener:
            try:
                assert [listener.stdout.readline() for _ in range(3)][0] == b"subscribe\n"
                commit = change(repository)
                running.fetch()
                in_sync(running, "redis", commit)
                told = [listener.stdout.readline().decode().rstrip() for _ in range(3)]
            finally:
                listener.kill()
        second = assert_holds(redis, repository, running, commit)
        assert second["generation"] > first["generation"]
        assert told[0] == "message" and json.loads(told[2]) == {k: second[k] for k in ("digest", "generation")}


def test_redis_with_a_newer_generation_is_not_set_back(repository, tmp_path, redis):
    repository.commit({"targets/redis.yaml": redis_target(redis.port)})
    newer = change(repository)
    with with_redis(repository, tmp_path, redis) as running:
        in_sync(running, "redis", newer)
        before = redis.hash("{weir:production}:meta"), redis.hash("{weir:production}:doc")
    weir.git(repository.work, "push", "--quiet", "--force", "origin", "HEAD~1:main")
    with with_redis(repository, tmp_path, redis, "another") as running:
        running.wait_ready()
        assert running.value("banner", {}, "production") == "Hello", "it serves the older commit itself"
        assert refused(running, "redis")["state"] == "refused"
        assert (redis.hash("{weir:production}:meta"), redis.hash("{weir:production}:doc")) == before


def test_a_dead_redis_delays_nothing_and_is_caught_up(repository, tmp_path, redis):
    redis.stop()
    commit = repository.commit({"targets/redis.yaml": redis_target(redis.port),
                                "targets/file.yaml": file_target("flags.json")})
    with with_redis(repository, tmp_path, redis) as running:
        in_sync(running, "file", commit)
        fault = refused(running, "redis")["fault"]
        assert fault["path"] == "targets/redis.yaml" and str(redis.port) in fault["message"], fault
        commit = change(repository)
        running.fetch()
        in_sync(running, "file", commit)
        assert running.value("banner", {}, "production") == "Grüße, all!"
        assert target(running, "redis")["state"] == "retrying"
        redis.start()
        in_sync(running, "redis", commit)
        assert_holds(redis, repository, running, commit)
        assert target(running, "redis")["failures"] == 0 and "fault" not in target(running, "redis")


def test_a_silent_redis_delays_nothing(repository, tmp_path):
    """It takes the connection and never answers: the worst kind of dead."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        commit = repository.commit({"targets/redis.yaml": redis_target(port),
                                    "targets/file.yaml": file_target("flags.json")})
        with weir.controller(repository.url, tmp_path / "data", "--allow-host", f"127.0.0.1:{port}") as running:
            silent.settimeout(weir.PATIENCE)
            connection, _ = silent.accept()
            with connection:
                in_sync(running, "file", commit)
                assert running.value("banner", {}, "production") == "Hello"
                assert target(running, "redis")["state"] != "inSync"


def test_an_emptied_redis_is_filled_again_by_the_next_commit(repository, tmp_path, redis):
    commit = repository.commit({"targets/redis.yaml": redis_target(redis.port)})
    with with_redis(repository, tmp_path, redis) as running:
        in_sync(running, "redis", commit)
        redis.ask("FLUSHALL")
        commit = change(repository)
        running.fetch()
        in_sync(running, "redis", commit)
        assert_holds(redis, repository, running, commit)


BEFORE_A_CHECK = 23  # seconds; a target that is in sync is asked again 24 s after the last time, at the soonest


def test_a_redis_that_is_started_anew_empty_is_filled_without_a_commit(repository, tmp_path, redis):
    commit = repository.commit({"targets/redis.yaml": redis_target(redis.port)})
    with with_redis(repository, tmp_path, redis) as running:
        in_sync(running, "redis", commit)
        redis.stop()
        redis.start()
        weir.wait_until(lambda: redis.ask("HGET", "{weir:production}:meta", "commit") == commit, "it is filled",
                        BEFORE_A_CHECK)
        in_sync(running, "redis", commit)
        assert_holds(redis, repository, running, commit)


def test_nobody_undoes_an_override_that_it_has_not_seen_the_reason_for(repository, tmp_path, redis):
    """Another controller put it there. Two that never heard of it push commits, and a third starts on an empty disk. The
    branch takes no commit of weir's, which would end it."""
    def stands():
        meta, held = redis.hash("{weir:production}:meta"), redis.hash("{weir:production}:doc")["banner"]
        assert "country" not in held and "planted" not in held, (held, meta)
        assert list(redis.hash("{weir:production}:overrides")) == [intent]

    def push(variant):
        text = weir.SHOP["flags/banner.yaml"] + f"  rules: [{{when: {{attribute: country, is: DE}}, serve: {variant}}}]\n"
        return repository.commit({"flags/banner.yaml": text})

    commit = repository.commit({"targets/redis.yaml": redis_target(redis.port)})
    hook = repository.bare / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nwhile read old new ref; do test \"$(git log -1 --format=%cn $new)\" != weir || exit 1; done\n")
    hook.chmod(0o755)
    with with_redis(repository, tmp_path, redis, "one") as one, with_redis(repository, tmp_path, redis, "two") as two:
        for running in (one, two):
            in_sync(running, "redis", commit)
        fragment = json.dumps({"state": "DISABLED", "variants": {"planted": "x"}, "defaultVariant": "planted"})
        intent, override = overrides.planted("kill", "banner", fragment)
        redis.ask("HSET", "{weir:production}:overrides", intent, override)
        for variant in ("loud", "plain"):
            commit = push(variant)
            for running in (one, two):
                running.fetch()
                in_sync(running, "redis", commit)
            weir.wait_until(lambda: "planted" not in redis.hash("{weir:production}:doc")["banner"], "it is compiled anew")
            stands()
    with with_redis(repository, tmp_path, redis, "three") as three:
        in_sync(three, "redis", commit)
        stands()
        redis.ask("DEL", "{weir:production}:doc")  # what a repair writes has it too
    with with_redis(repository, tmp_path, redis, "three") as three:
        in_sync(three, "redis", commit)
        stands()


def test_a_redis_that_hangs_up_is_not_hammered(repository, tmp_path, redis):
    """It closes connections that are idle for a second: each time it is asked once whether it still has all."""
    commit = repository.commit({"targets/redis.yaml": redis_target(redis.port)})
    with with_redis(repository, tmp_path, redis) as running:
        in_sync(running, "redis", commit)
        redis.ask("CONFIG", "SET", "timeout", "1")

        def scripts():
            info = dict(line.split(":", 1) for line in redis.ask("INFO", "commandstats").split() if ":" in line)
            return int(info.get("cmdstat_evalsha", "calls=0").split(",")[0].split("=")[1])

        begun, before = time.monotonic(), scripts()
        weir.wait_until(lambda: scripts() >= before + 2, "it was asked twice", BEFORE_A_CHECK)
        assert scripts() - before <= 2 + (time.monotonic() - begun), "more than one question a second"
        assert target(running, "redis")["state"] == "inSync"


@pytest.mark.parametrize("allowed", [[], ["--allow-host", "127.0.0.1:1"], ["--allow-host", "127.0.0.2"]])
def test_a_host_that_is_not_allowed_is_never_contacted(repository, tmp_path, allowed):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        repository.commit({"targets/redis.yaml": redis_target(port)})
        with weir.controller(repository.url, tmp_path / "data", *allowed) as running:
            found = refused(running, "redis")
            fault = found["fault"]
            place = fault["code"], fault["path"], fault["line"], fault["column"]
            assert place == ("W502", "targets/redis.yaml", 6, 16), fault
            assert "--allow-host" in fault["message"] and found["state"] == "refused"
            assert running.value("banner", {}, "production") == "Hello"
            listener.setblocking(False)
            with pytest.raises(BlockingIOError):
                listener.accept()
