"""A restarted controller answers from its disk, before its repository does."""
import os
import pathlib

import pytest
import weir
from test_targets import change, file_target, in_sync


def kept(data):
    return pathlib.Path(data) / "served"


def serve_once(repository, data, *arguments):
    """Serves what is there, ends in an orderly way, and returns what /status said."""
    with weir.controller(repository.url, data, *arguments) as running:
        return running.wait_ready().status()


class Away:
    """The repository cannot be reached, and its clone holds nothing: only the disk can answer."""

    def __init__(self, repository, data):
        self.bare, self.aside, self.data = repository.bare, str(repository.bare) + ".away", data

    def __enter__(self):
        os.rename(self.bare, self.aside)
        clone = self.data / "repository.git"
        for name in ("refs", "packed-refs"):
            if (clone / name).exists():
                os.rename(clone / name, clone / f"{name}.away")
        (clone / "refs").mkdir()

    def __exit__(self, *_):
        os.rename(self.aside, self.bare)


def test_it_serves_from_disk_when_git_is_away(repository, tmp_path):
    data = tmp_path / "data"
    change(repository, "loud")
    before = serve_once(repository, data)
    assert before["source"] == "git"
    with Away(repository, data):
        with weir.controller(repository.url, data) as running:
            assert running.is_ready()
            assert running.value("banner", environment="production") == "Grüße, all!"
            status = running.status()
            assert status["source"] == "disk"
            for member in ("commit", "generation", "environments", "since"):
                assert status[member] == before[member]
            answer = running.get("/env/production/flagd.json")
            assert answer.headers["Weir-Commit"] == before["commit"]
            weir.wait_until(lambda: running.status()["lastFetch"]["error"], "a failed fetch")
            assert running.status()["source"] == "disk"
            assert "event=served_from_disk" in running.log()


def test_git_takes_over(repository, tmp_path):
    data = tmp_path / "data"
    serve_once(repository, data)
    commit = change(repository, "loud")
    with weir.controller(repository.url, data) as running:
        assert running.is_ready()
        weir.wait_until(lambda: running.status()["commit"] == commit, "the new commit")
        assert running.status()["source"] == "git"
        assert running.value("banner", environment="production") == "Grüße, all!"


def test_what_was_killed_serves_what_it_served(repository, tmp_path):
    data = tmp_path / "data"
    with weir.controller(repository.url, data) as running:
        for variant in ("loud", "plain", "loud"):
            commit = change(repository, variant)
            running.fetch()
            weir.wait_until(lambda: running.status()["commit"] == commit, "served")
        state = kept(data) / "state.json"
        weir.wait_until(lambda: state.exists() and commit in state.read_text(), "kept")
        running.kill()
        running.stop = lambda: 0
    with Away(repository, data):
        with weir.controller(repository.url, data) as running:
            assert running.status()["commit"] == commit
            assert running.value("banner", environment="production") == "Grüße, all!"


@pytest.mark.parametrize("damage", ["cut", "bent", "lost", "meta"])
def test_what_is_damaged_is_not_served(repository, tmp_path, damage):
    data = tmp_path / "data"
    serve_once(repository, data)
    victim = next(kept(data).glob("[0-9a-f]*.json")) if damage != "meta" else kept(data) / "state.json"
    text = victim.read_text()
    if damage == "lost":
        victim.unlink()
    else:
        victim.write_text({"cut": text[:-20], "bent": text.replace("Hello", "Jello").replace("true", "null"),
                           "meta": text.replace('"generation":"0', '"generation":"1')}[damage])
        assert victim.read_text() != text
    with Away(repository, data):
        with weir.controller(repository.url, data) as running:
            assert not running.is_ready()
            assert running.evaluate("banner", environment="production").status == 503
            assert running.status()["source"] is None
            assert "event=kept_state_ignored" in running.log()


def test_state_that_is_too_old_is_not_ready(repository, tmp_path):
    data = tmp_path / "data"
    serve_once(repository, data)
    os.utime(data / "lock", (1, 1))
    with Away(repository, data):
        with weir.controller(repository.url, data, "--max-state-age", "1h") as running:
            assert running.get("/readyz").status == 503
            assert running.value("banner", environment="production") == "Hello"


def test_targets_are_left_alone_until_git_is_read(repository, tmp_path):
    data = tmp_path / "data"
    commit = repository.commit({"targets/file.yaml": file_target("flags.json")})
    with weir.controller(repository.url, data) as running:
        in_sync(running, "file", commit)
    target = data / "targets" / "flags.json"
    target.write_text("somebody else's")
    with Away(repository, data):
        with weir.controller(repository.url, data) as running:
            weir.wait_until(lambda: running.status()["lastFetch"]["error"], "a failed fetch")
            assert running.status()["source"] == "disk" and running.status()["targets"] == []
        assert target.read_text() == "somebody else's"


def test_a_rewritten_branch_is_held_after_a_restart(repository, tmp_path):
    """What came from the disk is no commit in force: the accepted one must still be put in force, for its targets."""
    data = tmp_path / "data"
    repository.commit({"targets/file.yaml": file_target("flags.json")})
    served = change(repository, "loud")
    serve_once(repository, data)
    (data / "targets" / "flags.json").unlink()
    weir.git(repository.work, "reset", "--hard", "--quiet", "HEAD~1")
    other = repository.commit({"README": "another history"}, push=False)
    weir.git(repository.work, "push", "--quiet", "--force", "origin", "HEAD")
    # The clone has taken the rewritten branch in, and was stopped before it was judged.
    weir.git(data / "repository.git", "fetch", "--quiet", "--force", repository.url, "+refs/heads/*:refs/remotes/origin/*")
    with weir.controller(repository.url, data) as running:
        weir.wait_until(lambda: running.status()["tip"] == other and running.status()["source"] == "git", "held")
        assert running.status()["commit"] == served
        in_sync(running, "file", served)


def test_the_kept_state_forgets_what_is_gone(repository, tmp_path):
    data = tmp_path / "data"
    with weir.controller(repository.url, data) as running:
        running.wait_ready()
    before = sorted(os.listdir(kept(data)))
    change(repository, "loud")
    with weir.controller(repository.url, data) as running:
        # While a file is being written there is one more: only the old ones that are gone tell.
        weir.wait_until(lambda: set(os.listdir(kept(data))) & set(before) == {"state.json"}, "the new documents")
    assert len(os.listdir(kept(data))) == 3
