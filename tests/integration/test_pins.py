"""Pinned and killed flags: served, pushed and built alike, on every clone; and `weir unpin`."""
import json
import random

import weir
from pins import pin
from test_targets import in_sync

ADA = ("--author", "Ada Lovelace <ada@example.com>")
ENVIRONMENTS = ("production", "staging")


def banner(word):
    return {"flags/banner.yaml": weir.SHOP["flags/banner.yaml"].replace("Hello", word)}


def target(environment):
    return {"targets/file.yaml": f"apiVersion: weir/v1\nkind: Target\nmetadata: {{name: file}}\n"
                                 f"spec: {{environment: {environment}, file: {{path: flags.json}}}}\n"}


def unpin(url, name, *options):
    return weir.run("unpin", name, "--repo", url, *ADA, *options)


def tip(repository):
    return weir.git(repository.bare, "rev-parse", "HEAD")


def arrived(running, commit):
    running.fetch()
    weir.wait_until(lambda: running.status()["commit"] == commit, f"{commit} is served\n{running.log()}")


def digest(repository, commit, environment="production"):
    done = weir.run("build", "--env", environment, "--repo", repository, "--rev", commit, "--digest")
    assert done.code == 0, done
    return done.out.strip()


def served_digest(running, environment="production"):
    return next(each["digest"] for each in running.status()["environments"] if each["name"] == environment)


def test_a_pinned_flag_is_served_pushed_and_built_alike(repository, tmp_path):
    repository.commit(target("production"))
    good = repository.commit(banner("good"))
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        bad = repository.commit(banner("bad"))
        arrived(running, bad)
        assert running.value("banner", {}, "production") == "bad"
        pinned = repository.commit(pin("production", "banner", as_of=good))
        arrived(running, pinned)
        assert running.value("banner", {}, "production") == "good"
        assert running.value("banner", {}, "staging") == "bad"
        assert digest(repository.bare, pinned) == served_digest(running)
        file = tmp_path / "data/targets/flags.json"
        in_sync(running, "file", pinned)
        assert running.get("/env/production/flagd.json").body == file.read_bytes()
        # A faulty definition beneath a pin is told, and the pin stands.
        broken = repository.commit({"flags/banner.yaml": "kind: [\n"})
        arrived(running, broken)
        assert running.value("banner", {}, "production") == "good"
        weir.wait_until(lambda: running.status()["faults"], "the fault is told")
        gone = repository.commit({"flags/banner.yaml": None})
        arrived(running, gone)
        assert running.value("banner", {}, "production") == "good"
        assert running.evaluate("banner", {}, "staging").status == 404
    with weir.controller(repository.url, tmp_path / "data") as running:  # as after a restart
        running.wait_ready()
        assert running.value("banner", {}, "production") == "good"
        assert digest(repository.bare, gone) == served_digest(running)


def test_a_killed_flag_serves_its_default_and_asks_nobody(repository, tmp_path):
    staff = {"targetingKey": "u", "email": "a@example.com"}
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        assert running.value("checkout-v2", staff, "production") is True
        arrived(running, repository.commit(pin("production", "checkout-v2", killed=True)))
        assert running.value("checkout-v2", staff, "production") is False
        assert running.value("checkout-v2", staff, "staging") is True
        arrived(running, repository.commit(pin("production", "checkout-v2", seq=2)))
        assert running.value("checkout-v2", staff, "production") is True
    built = weir.run("build", "--env", "production", repository.work)
    assert built.code == 0 and json.loads(built.out)["flags"]["checkout-v2"]["targeting"], built


def test_a_hand_does_not_lift_a_pin(repository, tmp_path):
    good = repository.commit(banner("good"))
    path = "state/production/flags/banner.yaml"
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        repository.commit(banner("bad"))
        arrived(running, repository.commit(pin("production", "banner", as_of=good)))
        for text in ("kind: FlagPin\n", pin("production", "banner")[path].replace("seq: 1", "seq: 2")):
            commit = repository.commit({path: text})
            arrived(running, commit)
            assert running.value("banner", {}, "production") == "good", text
            weir.wait_until(lambda: path in [fault["path"] for fault in running.status()["faults"]], "the fault is told")
            assert digest(repository.bare, commit) == served_digest(running)


def test_a_folder_cannot_show_what_a_pinned_flag_was(repository):
    good = repository.commit(banner("good"))
    repository.commit({**banner("bad"), **pin("production", "banner", as_of=good)})
    built = weir.run("build", "--env", "production", repository.work)
    assert built.code == 0 and json.loads(built.out)["flags"]["banner"]["variants"]["plain"] == "bad"
    assert "W325" in built.err and f'flag "banner" is pinned to commit {good[:12]}' in built.err, built
    built = weir.run("build", "--env", "production", "--repo", repository.work)
    assert built.code == 0 and json.loads(built.out)["flags"]["banner"]["variants"]["plain"] == "good"
    assert built.err == ""


# --- weir unpin ---------------------------------------------------------------------------------------------------


def test_unpin_lets_a_flag_go(repository, tmp_path):
    good = repository.commit(banner("good"))
    repository.commit(banner("mended"))
    pinned = repository.commit(pin("production", "banner", as_of=good))
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        assert running.value("banner", {}, "production") == "good"
        dry = unpin(repository.url, "production/banner", "--dry-run")
        assert dry.code == 0 and dry.out.startswith("would push "), dry
        assert tip(repository) == pinned
        done = unpin(repository.url, "production/banner", "--reason", "it is mended")
        assert done.code == 0 and done.err == "", done
        made = tip(repository)
        assert done.out.startswith(f'pushed {made[:12]} to "main" of {repository.url}\n'), done
        arrived(running, made)
        assert running.value("banner", {}, "production") == "mended"
    message = weir.git(repository.bare, "log", "-1", "--format=%P|%an|%s|%(trailers:only,unfold)", made)
    intent = weir.git(repository.bare, "show", f"{made}:state/production/flags/banner.yaml").split('- "')[1][:64]
    assert message == (f"{pinned}|Ada Lovelace|Unpin flag production/banner|Weir-Action: unpin\n"
                       f"Weir-Flag: production/banner\nWeir-Intent: {intent}\n"
                       "Weir-By: Ada Lovelace <ada@example.com>\nWeir-Reason: it is mended")
    again = unpin(repository.url, "production/banner", "--format", "json")
    assert again.code == 0 and again.json()["pushed"] is False and again.json()["commit"] == made, again
    assert "nothing to do" in unpin(repository.url, "production/banner").out
    assert tip(repository) == made


def test_unpin_of_a_flag_that_is_gone(repository):
    good = repository.commit(banner("good"))
    repository.commit({"flags/banner.yaml": None})
    repository.commit(pin("production", "banner", as_of=good))
    assert unpin(repository.url, "production/banner").code == 0
    built = weir.run("build", "--env", "production", "--repo", repository.bare)
    assert built.code == 0 and "banner" not in json.loads(built.out)["flags"], built


def test_unpin_tells_what_is_wrong(repository):
    before = tip(repository)
    for name, words in {"banner": "is not ENVIRONMENT/FLAG", "production/": "is not ENVIRONMENT/FLAG",
                        "a/b/c": "is not ENVIRONMENT/FLAG",
                        "production/baner": 'flag "baner" does not exist; did you mean "banner"?',
                        "prodution/banner": 'environment "prodution" does not exist; did you mean "production"?'}.items():
        done = unpin(repository.url, name)
        assert done.code == 2 and words in done.err, (name, done)
    assert tip(repository) == before


# --- weir kill and unkill of what is no rollout -------------------------------------------------------------------


def test_a_flag_without_a_rollout_is_killed_and_let_go(repository):
    def verb(name, *options, flag="production/checkout-v2"):
        return weir.run(name, flag, "--repo", repository.url, *ADA, *options)

    def targeting():
        built = weir.run("build", "--env", "production", "--repo", repository.bare)
        return json.loads(built.out)["flags"]["checkout-v2"].get("targeting")

    done = verb("kill", "--reason", "it charges twice")
    assert done.code == 0 and done.err == "" and done.out.startswith(f"pushed {tip(repository)[:12]} to "), done
    assert "    Kill flag production/checkout-v2\n" in done.out and "Weir-Reason: it charges twice" in done.out, done
    assert targeting() is None
    again = verb("kill")
    assert again.code == 0 and 'nothing to do: flag "production/checkout-v2" is killed already' in again.out, again
    assert verb("unkill").code == 0 and targeting()
    assert "is not killed" in verb("unkill").out
    before = tip(repository)
    for name, flag in (("kill", "production/chekout"), ("pause", "production/checkout-v2"), ("kill", "prod/checkout-v2")):
        wrong = verb(name, flag=flag)
        assert wrong.code == 1 and flag.split("/")[0] in wrong.err, (name, flag, wrong)
    assert tip(repository) == before


# --- on every clone -----------------------------------------------------------------------------------------------


class Story:
    """A random history of good and faulty definitions, pins of commits before, and merges of every shape."""

    def __init__(self, folder, seed):
        self.chance, self.repository = random.Random(seed), weir.Repository(folder, weir.SHOP)
        self.commits = [weir.git(self.repository.work, "rev-parse", "HEAD")]
        self.seq = 1
        hold = weir.SHOP["environments/all.yaml"].rstrip() + "\nspec: {onInvalid: hold}\n"
        self.add({"environments/all.yaml": hold})

    def add(self, files, push=True):
        self.commits.append(self.repository.commit(files, push=push))

    def pin(self):
        self.seq += 1
        how = self.chance.choice(["asOf", "asOf", "asOf", "killed", "lifted", "both"])
        as_of = self.chance.choice(self.commits) if how in ("asOf", "both") else None
        return pin(self.chance.choice(ENVIRONMENTS), self.chance.choice(["banner", "checkout-v2"]), as_of,
                   how in ("killed", "both"), self.seq)

    def change(self):
        kind = self.chance.choice(["banner", "banner", "pin", "pin", "pin", "segment", "broken", "gone", "readme"])
        number = self.chance.randrange(10**6)
        if kind == "pin":
            return self.pin()
        if kind == "segment":
            return {"segments/staff.yaml": weir.SHOP["segments/staff.yaml"].replace("example", f"example{number}")}
        if kind == "broken":
            return {"flags/banner.yaml": f"kind: [ # {number}\n"}
        if kind == "gone" and (self.repository.work / "flags/banner.yaml").exists():
            return {"flags/banner.yaml": None}
        return banner(f"word {number}") if kind == "banner" else {"README.md": f"{number}\n"}

    def merge(self):
        """Of a branch that began somewhere before, by either side's first parent."""
        work, start = self.repository.work, self.chance.choice(self.commits)
        main = self.commits[-1]
        weir.git(work, "checkout", "--quiet", "--detach", start)
        for _ in range(self.chance.choice((1, 2))):
            self.add(self.change(), push=False)
        side = self.commits[-1]
        first, second = (main, side) if self.chance.random() < 0.5 else (side, main)
        weir.git(work, "checkout", "--quiet", "--detach", first)
        weir.git(work, "merge", "--quiet", "--no-commit", "--strategy", "ours", second)
        if self.chance.random() < 0.5:  # the other side's files
            weir.git(work, "rm", "-r", "--quiet", "--force", ".")
            weir.git(work, "checkout", second, "--", ".")
        self.add(self.change(), push=False)
        weir.git(work, "checkout", "--quiet", "-B", "main")
        weir.git(work, "push", "--quiet", "--force", "origin", "main")


def test_a_history_with_pins_is_the_same_on_every_clone(tmp_path):
    story = Story(tmp_path / "story", 20261123)
    tips = []
    with weir.controller(story.repository.url, tmp_path / "data") as running:
        running.wait_ready()
        seen = {}
        for _ in range(25):
            story.merge() if story.chance.random() < 0.25 else story.add(story.change())
            tips.append(story.commits[-1])
            arrived(running, tips[-1])
            seen[tips[-1]] = [served_digest(running, name) for name in ENVIRONMENTS]
    weir.git(tmp_path, "clone", "--quiet", "--bare", story.repository.url, "fresh.git")
    pinned = 0
    for commit in reversed(tips):
        built = []
        for name in ENVIRONMENTS:
            done = weir.run("build", "--env", name, "--repo", tmp_path / "fresh.git", "--rev", commit, "--digest")
            assert done.code in (0, 1), done
            built.append(done.out.strip())
        assert built == seen[commit], commit
        pinned += "asOf" in weir.git(tmp_path / "fresh.git", "grep", "-h", "-e", "asOf", "-e", "kind", commit, "--",
                                     "state", "environments")
    assert pinned > 5
