"""The whole story: a rollout walks by itself over a real Prometheus, breaks at ten percent, and is walked back. What
users got, what people were told, what the branch says, and what its measurements lead to when they are played again."""
import datetime
import json
import re
import time

import pytest
import releasing
import weir
from test_notify import Receiver, channel, configured, webhook

NAME = f"production/{releasing.FLAG}"
INTERVAL = 2  # more than the second that all times are rounded to
PLACE = f"/env/production/rollouts/{releasing.FLAG}/measurements"


@pytest.fixture
def receiver():
    with Receiver() as made:
        yield made


@pytest.fixture
def release(tmp_path, receiver):
    with releasing.Release(tmp_path, configured(tmp_path, webhook(receiver.url))) as made:
        yield made


def has_failed(release):
    """Whether a measurement was judged a failure."""
    told = release.weir.get("/metrics").body.decode()
    return bool(re.search(r'^weir_measurements_total\{[^}]*verdict="failure"[^}]*\} [1-9]', told, re.M))


def walk_to_the_breach(release):
    """Returns in how many seconds at most after a measurement had failed (users of the shop, Redis) were on control."""
    branch = release.repository.bare / "refs" / "heads" / weir.git(release.repository.bare, "branch", "--show-current")
    with release.traffic():
        release.begin(releasing.WALK, INTERVAL)
        advance = release.until("advance", "ten")
        release.until_exposed()
        exposed = next(i for i in range(releasing.USERS) if release.shop.visit(1, i)["on"])

        def look():
            """In this order: what comes later in time is asked first, so that causes are seen before effects."""
            recorded = branch.read_text().strip() != advance.id
            return recorded, release.shop.visit(1, exposed)["on"] == 1, has_failed(release)

        with releasing.Watch(look) as users, release.watch_redis() as redis, \
                releasing.Watch(lambda: has_failed(release)) as measured:
            weir.wait_until(lambda: users.seen and redis.seen and measured.seen, "all are looked at")
            release.breaks()
            release.until("rollback")
            weir.wait_until(lambda: users.values()[-1] == (True, False, True), lambda: users.seen)
            weir.wait_until(lambda: redis.values()[-1] is False and measured.values()[-1], lambda: redis.seen)
    assert users.values()[0] == (False, True, False) and redis.values() == [True, False]
    assert measured.values() == [False, True]
    for recorded, has_it, failed in users.values():
        assert has_it or failed, "nobody is taken back before a measurement has failed"
        assert not (recorded and has_it), "users are back before the branch says so"
    failed = measured.seen[-1][0]
    return next(when for _, when, (_, has_it, _) in users.seen if not has_it) - failed, redis.seen[-1][1] - failed


def assert_the_log_tells_it(release):
    first, person, start, advance, back = release.log()
    assert (first.author, person.author, person.subject) == ("Ada", "Ada", "Release the new checkout")
    assert [commit.author for commit in (start, advance, back)] == ["weir"] * 3
    assert start.subject == f"Start {NAME} at one"
    assert advance.subject == f"Advance {NAME} to ten"
    assert back.subject == f'Revert "{advance.subject}"'
    told = [[commit.trailers[f"Weir-{name}"] for name in ("Action", "Rollout", "Phase", "By")]
            for commit in (start, advance, back)]
    assert told[:2] == [["start", NAME, "pending -> one", "weir"], ["advance", NAME, "one -> ten", "weir"]]
    assert (told[2][0], told[2][1], told[2][3]) == ("rollback", NAME, "weir") and told[2][2].startswith("ten -> ")
    assert back.body.index(f"This reverts commit {advance.id}.") < back.body.index(f"This reverts commit {start.id}.")
    assert back.trailers["Weir-Reverts"] == [advance.id, start.id]
    assert re.match(r"checkout-errors: 0\.\d+ > 0\.05, n=\d+", back.trailers["Weir-Evidence"]), back.trailers
    intents = [commit.trailers["Weir-Intent"] for commit in (start, advance, back)]
    assert len(set(intents)) == 3 and all(re.fullmatch("[0-9a-f]{64}", intent) for intent in intents)


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def play_again(release, folder):
    """The decisions that `weir simulate` comes to by what was measured: [(action, phase, when)]."""
    answer = release.weir.get(PLACE)
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/x-ndjson", answer
    lines = [json.loads(line) for line in answer.body.splitlines()]
    assert {line["phase"] for line in lines} == {"one", "ten"} and lines[-1]["verdict"] == "failure"
    last = int(seconds(lines[-1]["finished"]))
    later = release.weir.get(f"{PLACE}?since={last}").body.splitlines()
    assert later and later == answer.body.splitlines()[-len(later):] and len(later) < len(lines)
    file = folder / "measurements.jsonl"
    file.write_bytes(answer.body)
    person, start = release.log()[1:3]
    definitions = folder / "definitions"
    weir.git(folder, "clone", "--quiet", release.repository.bare, definitions)
    weir.git(definitions, "checkout", "--quiet", person.id)
    played = weir.run("simulate", releasing.FLAG, definitions, "--from", start.time, "--for", "10m", "--measurements",
                      file, "--format", "json")
    assert played.code == 0, played
    return [(span["begunBy"], span["phase"], seconds(span["begin"])) for span in played.json()["timeline"]]


def told(receiver):
    return sorted((event["data"]["event"], event["data"]["phase"]) for event in receiver.events)


TOLD = [("rollout.advanced", "ten"), ("rollout.rolled-back", "ten"), ("rollout.started", "one")]


def test_a_release_that_walks_back_by_itself(release, receiver, tmp_path):
    shop, redis = walk_to_the_breach(release)
    release.until_safe()
    assert_the_log_tells_it(release)
    print(f"\nfrom the measurement that failed to control: at most {1000 * shop:.0f} ms at the shop, "
          f"{1000 * redis:.0f} ms at Redis")

    for restart in (release.restart, lambda: release.weir.stop() == 0 and release.start(release.weir.port)):
        restart()
        assert release.shop.visit(50) == {"on": 0, "off": 50}
        commit = release.push({"README": str(time.time())}, "Something else")
        weir.wait_until(lambda: release.weir.status()["commit"] == commit, "the newest commit is served")
        weir.wait_until(lambda: release.rollout()["status"] == "rolledBack", "and looked at")
        weir.wait_until(lambda: channel(release.weir)["waiting"] == 0, "nothing waits to be told")
        assert release.actions() == ["start", "advance", "rollback"], "neither repeated nor forgotten"
        release.until_safe()
    assert told(receiver) == TOLD
    assert len({event["id"] for event in receiver.events}) == 3

    decided = [(commit.trailers["Weir-Action"], commit.trailers["Weir-Phase"], seconds(commit.time))
               for commit in release.log() if commit.trailers]
    played = play_again(release, tmp_path)
    print("decided", decided, "played", played)
    assert [action for action, _, _ in played] == [action for action, _, _ in decided]
    assert [phase for _, phase, _ in played] == ["one", "ten", "ten"]
    for (action, _, was), (_, _, again) in zip(decided, played):
        assert abs(was - again) <= INTERVAL + 1, (action, was, again)  # those of commits are rounded, too
