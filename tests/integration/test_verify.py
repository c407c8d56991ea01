"""Which commits are served: those that are signed, and those of a history that says it takes the old one's place."""
import os
import subprocess

import pytest
import rolling
import weir
from serving import Tokens


@pytest.fixture(name="signers")
def make_signers(tmp_path):
    """A key that may sign, one that may not, and the file that says so."""
    for name in ("may", "may-not"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", tmp_path / name], check=True)
    public = (tmp_path / "may.pub").read_text().split()
    (tmp_path / "signers").write_text(f"robot@example.com {public[0]} {public[1]}\n")
    return tmp_path


def signed(repository, key, files):
    """A commit that is signed with a key, and pushed."""
    weir.write_files(repository.work, files)
    weir.git(repository.work, "add", "--all")
    weir.git(repository.work, "-c", "gpg.format=ssh", "-c", f"user.signingkey={key}", "commit", "--quiet",
             "-S", "-m", "signed")
    weir.git(repository.work, "push", "--quiet", "origin", "HEAD")
    return weir.git(repository.work, "rev-parse", "HEAD")


def banner(word):
    return {"flags/banner.yaml": weir.SHOP["flags/banner.yaml"].replace("Hello", word)}


def settled(running, commit):
    running.fetch()
    weir.wait_until(lambda: running.status()["tip"] == commit, f"{commit} is judged\n{running.log()}")
    return running.status()


def test_only_signed_commits_are_served(repository, signers, tmp_path):
    first = signed(repository, signers / "may", banner("signed"))
    arguments = ("--verify", "tip", "--allowed-signers", signers / "signers")
    with weir.controller(repository.url, tmp_path / "data", *arguments) as running:
        running.wait_ready()
        assert running.status()["commit"] == first and running.value("banner", {}, "production") == "signed"
        status = settled(running, signed(repository, signers / "may-not", banner("forged")))
        assert status["commit"] == first and status["tipServed"] is False, status
        assert [fault["code"] for fault in status["faults"]] == ["W602"], status
        assert running.value("banner", {}, "production") == "signed"
        status = settled(running, repository.commit(banner("unsigned")))
        assert [fault["code"] for fault in status["faults"]] == ["W602"] and "not signed" in status["faults"][0]["message"]
        assert 'weir_commits_total{result="refused"} 2\n' in running.get("/metrics").body.decode()
    # A restart finds the same tip, and serves what it may.
    with weir.controller(repository.url, tmp_path / "data", *arguments) as running:
        running.wait_ready()
        assert running.status()["commit"] == first and running.value("banner", {}, "production") == "signed"
        last = signed(repository, signers / "may", banner("again"))
        assert settled(running, last)["tipServed"] is True
        assert running.value("banner", {}, "production") == "again"


def test_all_commits_since_one(repository, signers, tmp_path):
    since = weir.git(repository.work, "rev-parse", "HEAD")
    good = signed(repository, signers / "may", banner("signed"))
    arguments = ("--verify", "all", "--allowed-signers", signers / "signers", "--verify-since", since)
    with weir.controller(repository.url, tmp_path / "data", *arguments) as running:
        running.wait_ready()
        assert running.status()["commit"] == good
        repository.commit(banner("unsigned"), push=False)
        status = settled(running, signed(repository, signers / "may", banner("on top")))
        assert status["commit"] == good and [fault["code"] for fault in status["faults"]] == ["W602"]


def test_nothing_is_served_of_an_unsigned_repository(repository, signers, tmp_path):
    with weir.controller(repository.url, tmp_path / "data", "--verify", "tip", "--allowed-signers",
                         signers / "signers") as running:
        weir.wait_until(lambda: running.status()["tip"], "the tip is judged")
        assert running.get("/readyz").status == 503 and running.status()["commit"] is None


@pytest.mark.parametrize(("arguments", "words"), [
    (("--verify", "some"), '"some" is none of none, tip and all'),
    (("--verify", "tip"), "needs the file of those who may sign"),
    (("--verify-since", "a" * 40), "mean nothing unless verify is tip or all"),
    (("--verify", "all", "--allowed-signers", "x", "--verify-since", "abc"), "is not a full commit id"),
])
def test_options_that_make_no_sense(repository, tmp_path, arguments, words):
    done = weir.run("run", "--repo", repository.url, "--data", tmp_path / "data", *arguments)
    assert done.code == 2 and words in done.err, done


def test_a_rewritten_branch_with_a_higher_epoch_is_followed(repository, tmp_path):
    repository.commit(banner("old"))
    with weir.controller(repository.url, tmp_path / "data") as running:
        old = running.wait_ready().status()["generation"]
        weir.git(repository.work, "reset", "--quiet", "--hard", "HEAD~1")
        repository.commit(banner("new"), push=False)
        held = weir.git(repository.work, "rev-parse", "HEAD")
        weir.git(repository.work, "push", "--quiet", "--force", "origin", "HEAD")
        assert [fault["code"] for fault in settled(running, held)["faults"]] == ["W601"]
        assert running.value("banner", {}, "production") == "old"
        taken = repository.commit({"state/epoch": "1\n"})
        assert settled(running, taken)["tipServed"] is True
        assert running.value("banner", {}, "production") == "new"
        assert running.status()["generation"] > old


ROLLOUT = {"rollouts/banner.yaml": """\
apiVersion: weir/v1
kind: Flag
metadata: {name: walked}
spec: {variants: {on: true, off: false}, default: off}
---
apiVersion: weir/v1
kind: Rollout
metadata: {name: walked}
spec:
  flag: walked
  environment: production
  variant: on
  control: off
  start: 2026-01-01T00:00:00Z
  phases: [{name: all, percent: 100}]
"""}


def test_weir_pushes_nothing_that_it_would_not_serve(repository, signers, tmp_path):
    first = signed(repository, signers / "may", ROLLOUT)
    arguments = ("--verify", "tip", "--allowed-signers", signers / "signers")
    with weir.controller(repository.url, tmp_path / "data", *arguments) as running:
        running.wait_ready()
        weir.wait_until(lambda: running.status()["recording"]["outcome"] == "refused", "refused")
        assert "sign-key" in running.status()["recording"]["words"]
        assert weir.git(repository.bare, "rev-parse", "HEAD") == first
    with weir.controller(repository.url, tmp_path / "data", *arguments, "--sign-key", signers / "may") as running:
        weir.wait_until(lambda: running.evaluate("walked", {"targetingKey": "u"}, "production").status == 200
                        and running.value("walked", {"targetingKey": "u"}, "production") is True, "it walks")
        assert running.status()["tipServed"] is True
    assert "Start production/walked" in weir.git(repository.bare, "log", "--format=%s")


def test_a_kill_waits_for_no_signature(signers, tmp_path):
    """ssh-keygen takes its time, for one commit or for each of thousands: what takes users back does not."""
    repository = weir.Repository(tmp_path / "git", {"flags/all.yaml": rolling.SHOP})
    signed(repository, signers / "may", {"README.md": "signed"})
    gate, begun, program = tmp_path / "gate", tmp_path / "begun", tmp_path / "bin/ssh-keygen"
    weir.write_files(tmp_path, {"bin/ssh-keygen": f"""#!/bin/sh
[ ! -e {gate} ] || touch {begun}
while [ -e {gate} ]; do sleep 0.02; done
PATH={os.environ["PATH"]} exec ssh-keygen "$@"
"""})
    program.chmod(0o755)
    tokens = Tokens(tmp_path / "tokens")
    (tmp_path / "token").write_text(tokens.create("operator", "production", name="ann"))
    with weir.controller(repository.url, tmp_path / "data", "--verify", "tip", "--allowed-signers", signers / "signers",
                         "--sign-key", signers / "may", "--author", "robot <robot@example.com>",
                         "--tokens", tmp_path / "tokens",
                         env=weir.environment(PATH=f"{program.parent}:{os.environ['PATH']}")) as running:
        running.wait_ready()
        gate.touch()
        try:
            commit = signed(repository, signers / "may", {"README.md": "slowly"})
            running.fetch()
            weir.wait_until(begun.exists, "the signature is looked at")
            done = weir.run("kill", "production/checkout-v2", "--controller", f"http://127.0.0.1:{running.port}",
                            "--token-file", tmp_path / "token", "--wait", "1s")
            assert done.code == 0 and done.out.startswith("served, and Git does not say it yet"), done
            assert running.status()["tip"] != commit
        finally:
            gate.unlink()
        weir.wait_until(lambda: running.status()["tip"] == commit or commit in weir.git(
            repository.bare, "rev-list", running.status()["commit"]), f"it is followed\n{running.log()}")
