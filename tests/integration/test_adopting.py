"""Overrides that a stranger planted, at a real Redis and as refs of a real remote: two controllers make safe what they ask
for, with bytes of their own, and nobody's name stands for it."""
import json

import overrides
import pytest  # noqa: F401  (its fixtures)
import weir
from test_targets import in_sync, redis, redis_target, with_redis  # noqa: F401

ROLLOUT = """\
apiVersion: weir/v1
kind: Rollout
metadata: {name: banner-loud}
spec:
  flag: banner
  environment: production
  variant: loud
  control: plain
  start: 2020-01-01T00:00:00Z
  phases: [{name: all, percent: 100, bake: 1w}]
"""
EVIL = json.dumps({"state": "ENABLED", "variants": {"x": "evil"}, "defaultVariant": "x"})
STATE = "state/production/banner-loud.yaml"


def planted(action, flag, rollout="", run=0, seq=0):
    return overrides.planted(action, flag, EVIL, rollout, run, seq, by="Eve <eve@example.com>")


def put_ref(repository, intent, value):
    blob = weir.git(repository.bare, "hash-object", "-w", "--stdin", input=value)
    tree = weir.git(repository.bare, "mktree", input=f"100644 blob {blob}\toverride.json\n")
    commit = weir.git(repository.bare, "commit-tree", "-m", "planted", tree)
    weir.git(repository.bare, "update-ref", f"refs/weir/intents/{intent}", commit)


def serves(running, flag, expected):
    weir.wait_until(lambda: running.value(flag, {"targetingKey": "u", "email": "a@example.com"}, "production") == expected,
                    f"{flag} is {expected}\n{running.log()}")


def branch(repository):
    return weir.git(repository.bare, "log", "--format=%an|%s|%(trailers:key=Weir-By,valueonly)", "main")


def test_what_a_stranger_planted_is_compiled_anew(repository, tmp_path, redis):  # noqa: F811
    repository.commit({"targets/redis.yaml": redis_target(redis.port), "rollouts.yaml": ROLLOUT})
    hook = repository.bare / "hooks" / "pre-receive"
    with with_redis(repository, tmp_path, redis, "one") as one, with_redis(repository, tmp_path, redis, "two") as two:
        weir.wait_until(lambda: "Start production/banner-loud" in branch(repository), f"it starts\n{one.log()}")
        for running in (one, two):
            running.wait_ready().fetch()
            serves(running, "banner", "Grüße, all!")
            serves(running, "checkout-v2", True)
        hook.write_text("#!/bin/sh\nwhile read old new ref; do test $ref != refs/heads/main -o "
                        "\"$(git log -1 --format=%cn $new)\" != weir || exit 1; done\n")
        hook.chmod(0o755)
        redis.ask("HSET", "{weir:production}:overrides", *planted("rollback", "banner", "banner-loud", 1, 1))
        put_ref(repository, *planted("kill", "checkout-v2"))
        repository.pull()
        commit = repository.commit({"README.md": "x"})
        for running in (one, two):
            running.fetch()
            serves(running, "banner", "Hello")
            serves(running, "checkout-v2", False)
        for running in (one, two):
            in_sync(running, "redis", commit)
        weir.wait_until(lambda: "evil" not in str(redis.hash("{weir:production}:doc")), "the fields are weir's")
        weir.wait_until(lambda: "evil" not in str(redis.hash("{weir:production}:overrides")), "and so are overrides")
        repository.commit({"README.md": "y"})  # on a new tip it is tried at once
        hook.unlink()
        for running in (one, two):
            running.fetch()
        weir.wait_until(lambda: "Revert" in branch(repository) and "Kill" in branch(repository),
                        f"it is recorded\n{branch(repository)}{one.log()}")
        recorded = [line for line in branch(repository).split("\n") if "Revert" in line or "Kill" in line]
        assert len(recorded) == 2, recorded
        for author, _, by in (line.split("|") for line in recorded):  # either may have been the first to hear of it
            assert author == "weir", recorded
            assert by in ("somebody, as told by target 'redis'", "somebody, as told by a ref of the remote"), recorded
        assert "eve@example.com" not in weir.git(repository.bare, "log", "--format=%ae%ce", "main")
        for running in (one, two):
            running.fetch()
            serves(running, "banner", "Hello")
            serves(running, "checkout-v2", False)
