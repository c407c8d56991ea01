"""`weir accept`, and with it every commit that weir pushes: over HTTP and SSH and on this machine, among others who push,
past servers that refuse and answers that never come."""
import os
import re
import subprocess
import threading

import gitserver
import pytest
import weir
from proxy import Proxy
from remotes import TOKEN
from serving import Serving, bearer, tokens  # noqa: F401 (a fixture)

ADA = ("--author", "Ada Lovelace <ada@example.com>")


@pytest.fixture(autouse=True)
def leaks_of_libraries(monkeypatch):
    """libgit2 1.5 forgets the known hosts of each SSH connection, and some bytes for each proxy: not ours to find."""
    monkeypatch.setenv("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")


def banner(word):
    return {"flags/banner.yaml": weir.SHOP["flags/banner.yaml"].replace("Hello", word)}


def accept(url, *options, env=None):
    author = () if "--author" in options else ADA
    return weir.run("accept", "--repo", url, *author, *options, env=env)


def tip(repository):
    return weir.git(repository.bare, "rev-parse", "main")


def epoch(repository):
    return weir.git(repository.bare, "show", "main:state/epoch")


def rewrite(repository, word):
    """Takes the last commit away, puts another in its place and returns it."""
    weir.git(repository.work, "reset", "--quiet", "--hard", "HEAD~1")
    made = repository.commit(banner(word), push=False)
    weir.git(repository.work, "push", "--quiet", "--force", "origin", "HEAD")
    return made


def judged(running, commit):
    running.fetch()
    weir.wait_until(lambda: running.status()["tip"] == commit, f"{commit} is judged\n{running.log()}")
    return running.status()


def hook(repository, name, script):
    path = repository.bare / "hooks" / name
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)


# --- what it is for -----------------------------------------------------------------------------------------------


def test_a_controller_follows_a_rewritten_branch_that_was_accepted(repository, tmp_path):
    repository.commit(banner("old"))
    with weir.controller(repository.url, tmp_path / "data") as running:
        old = running.wait_ready().status()["generation"]
        held = rewrite(repository, "new")
        fault = judged(running, held)["faults"][0]
        assert fault["code"] == "W601" and 'run "weir accept" on this branch' in fault["hint"], fault
        assert running.value("banner", {}, "production") == "old"
        done = accept(repository.url, "--reason", "a secret was in it")
        assert done.code == 0 and done.err == "", done
        made = tip(repository)
        assert done.out.startswith(f'pushed {made[:12]} to "main" of {repository.url}: epoch 1, after 0\n'), done
        assert judged(running, made)["tipServed"] is True
        assert running.value("banner", {}, "production") == "new"
        assert running.status()["generation"] > old
    assert weir.git(repository.bare, "log", "-1", "--format=%P|%an|%ae|%cn|%(trailers:only,unfold)", "main") == (
        f"{held}|Ada Lovelace|ada@example.com|Ada Lovelace|"
        "Weir-Action: accept\nWeir-Epoch: 1\nWeir-Reason: a secret was in it")
    assert weir.git(repository.bare, "diff", "--name-only", "main~1", "main") == "state/epoch"



def test_what_is_killed_on_a_held_branch_is_kept_beside_it(repository, tmp_path, tokens):  # noqa: F811
    repository.commit(banner("old"))
    token = bearer(tokens.create("operator", "production", name="ada"))

    def refs():
        return weir.git(repository.bare, "for-each-ref", "--format=%(refname)", "refs/weir/intents").split()

    with Serving(repository, tmp_path / "data", "--tokens", tokens.path, poll="200ms") as running:
        weir.wait_until(running.is_ready, "served")
        held = rewrite(repository, "new")
        weir.wait_until(lambda: running.get("/status", token).json()["tip"] == held, "it is judged")
        answer = running.request("POST", "/env/production/rollouts/banner/kill", b'{"reason":"it burns"}',
                                 {"Content-Type": "application/json", **token})
        assert answer.status == 202, answer
        weir.wait_until(refs, lambda: running.log())
        recording = running.get("/status", token).json()["recording"]
        assert recording["outcome"] == "held" and "which is not served" in recording["words"], recording
        assert 'weir_records_total{outcome="held"}' in running.get("/metrics").body.decode()
        intent = running.get("/status", token).json()["overrides"][0]["intent"]
        assert refs() == [f"refs/weir/intents/{intent}"] and tip(repository) == held
        done = accept(repository.url)
        assert done.code == 0, done
        weir.wait_until(lambda: running.get("/status", token).json()["overrideCount"] == 0, lambda: running.log())
        weir.wait_until(lambda: not refs(), lambda: running.log())
    assert "Kill flag production/banner" in weir.git(repository.bare, "log", "--format=%s", "main")


def test_the_hint_names_the_epoch_when_one_more_is_not_enough(repository, tmp_path):
    repository.commit({"state/epoch": "6\n", **banner("old")})
    with weir.controller(repository.url, tmp_path / "data") as running:
        running.wait_ready()
        held = rewrite(repository, "new")
        fault = judged(running, held)["faults"][0]
        assert 'run "weir accept --epoch 7" on this branch' in fault["hint"], fault
        assert accept(repository.url).code == 0 and epoch(repository) == "1"
        assert judged(running, tip(repository))["faults"][0]["code"] == "W601"
        assert accept(repository.url, "--epoch", "7").code == 0
        assert judged(running, tip(repository))["tipServed"] is True
        assert running.value("banner", {}, "production") == "new"


def test_signed_commits_are_served_where_signatures_are_asked_for(repository, tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "may", "-f", tmp_path / "key"], check=True)
    public = (tmp_path / "key.pub").read_text().split()
    (tmp_path / "signers").write_text(f"ada@example.com {public[0]} {public[1]}\n")
    assert accept(repository.url, "--sign-key", tmp_path / "key").code == 0
    signed = tip(repository)
    said = subprocess.run(["git", "-c", "gpg.format=ssh", "-c", f"gpg.ssh.allowedSignersFile={tmp_path}/signers",
                           "verify-commit", signed], cwd=repository.bare, capture_output=True, check=False)
    assert said.returncode == 0 and b'Good "git" signature for ada@example.com' in said.stderr, said
    arguments = ("--verify", "tip", "--allowed-signers", tmp_path / "signers")
    with weir.controller(repository.url, tmp_path / "data", *arguments) as running:
        assert running.wait_ready().status()["commit"] == signed
        assert accept(repository.url).code == 0
        assert [fault["code"] for fault in judged(running, tip(repository))["faults"]] == ["W602"]
        # What git is told about signing counts, too.
        (tmp_path / "gitconfig").write_text(f"[gpg]\nformat = ssh\n[commit]\ngpgSign = true\n"
                                            f"[user]\nsigningKey = {tmp_path}/key\n")
        done = accept(repository.url, env=weir.environment(GIT_CONFIG_GLOBAL=str(tmp_path / "gitconfig")))
        assert "Author: Ada Lovelace <ada@example.com>, signed\n" in done.out, done
        assert judged(running, tip(repository))["tipServed"] is True


# --- what it is told ----------------------------------------------------------------------------------------------


def test_a_dry_run_shows_it_and_pushes_nothing(repository):
    before = tip(repository)
    done = accept(repository.url, "--dry-run", "--reason", "first\nWeir-Epoch: 9")
    assert done.code == 0 and tip(repository) == before, done
    assert re.match(r'would push [0-9a-f]{12} to "main" of ', done.out), done
    assert done.out.endswith("    Weir-Action: accept\n    Weir-Epoch: 1\n    Weir-Reason: first Weir-Epoch: 9\n"), done


def test_json(repository):
    before = tip(repository)
    answer = accept(repository.url, "--format", "json", "--branch", "main", "--epoch", "5").json()
    assert answer == {"apiVersion": "weir/v1", "branch": "main", "commit": tip(repository), "epoch": 5, "epochBefore": 0,
                      "parent": before, "pushed": True, "repository": repository.url}


@pytest.mark.parametrize(("options", "words"), [
    (("--epoch", "2"), 'epoch 2 is not higher than 2, which is in "state/epoch" already'),
    (("--epoch", "0"), '"0" is not a number from 1 to 4294967295'),
    (("--epoch", "4294967296"), "is not a number from 1 to"),
    (("--branch", "nothing"), 'has no branch "nothing"'),
    (("--author", "Ada"), '"Ada" is not "NAME <MAIL>"'),
    (("--author", "<> <ada@example.com>"), "characters that Git does not take"),
    (("--sign-key", "/nothing/key"), '"/nothing/key" does not sign'),
])
def test_what_cannot_be(repository, options, words):
    before = repository.commit({"state/epoch": "2\n"})
    done = accept(repository.url, *options)
    assert done.code == 2 and words in done.err and done.out == "", done
    assert tip(repository) == before


def test_the_served_commit_counts_where_it_is_known(repository):
    served = repository.commit({"state/epoch": "4\n"})
    repository.commit({"state/epoch": None})
    done = accept(repository.url, "--from", served[:10])
    assert done.code == 0 and done.err == "" and epoch(repository) == "5", done
    assert weir.git(repository.bare, "log", "-1", "--format=%(trailers:key=Weir-From,valueonly)", "main") == served
    done = accept(repository.url, "--from", "0123abcd")
    assert done.code == 0 and 'commit "0123abcd" is not in the history' in done.err and epoch(repository) == "6", done


def test_the_author_is_whom_git_would_take(repository, tmp_path):
    def author(**variables):
        home = {name: value for name, value in weir.environment(**variables).items()
                if value is not None and name not in ("EMAIL",)}
        done = weir.run("accept", "--repo", repository.bare, env=home, cwd=tmp_path)
        return done if done.code else weir.git(repository.bare, "log", "-1", "--format=%an <%ae>", "main")

    nobody = {"GIT_AUTHOR_NAME": None, "GIT_AUTHOR_EMAIL": None}
    failed = author(**nobody)
    assert "--author" in failed.err and "user.email" in failed.err and failed.code == 2, failed
    (tmp_path / "gitconfig").write_text("[user]\nname = Configured\nemail = c@example.com\n")
    nobody["GIT_CONFIG_GLOBAL"] = str(tmp_path / "gitconfig")
    assert author(**nobody) == "Configured <c@example.com>"
    assert author(**{**nobody, "GIT_AUTHOR_NAME": "Grace"}) == "Grace <c@example.com>"
    weir.git(repository.bare, "config", "user.email", "repository@example.com")
    assert author(**nobody) == "Configured <repository@example.com>"


# --- servers ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["http", "ssh", "path"])
def remote(request, repository, tmp_path):
    """(URL or path, options that lead there)"""
    folder = repository.bare.parent
    if request.param == "http":
        (tmp_path / "token").write_text(TOKEN)
        weir.git(repository.bare, "config", "http.receivepack", "true")
        with gitserver.HttpServer(folder, "git", TOKEN) as server:
            yield server.url("flags.git", credentials=False), ("--git-token-file", tmp_path / "token")
    elif request.param == "ssh":
        with gitserver.SshServer(folder) as server:
            (tmp_path / "known").write_text(server.known_hosts_line())
            yield server.url("flags.git"), ("--ssh-key", server.user_key, "--ssh-known-hosts", tmp_path / "known")
    else:
        yield repository.bare, ()


def test_it_is_pushed_everywhere(repository, remote):
    url, options = remote
    done = accept(url, *options)
    assert done.code == 0 and epoch(repository) == "1" and TOKEN not in done.out, done
    weir.git(repository.bare, "fsck", "--strict", "--no-dangling")


def test_a_hook_refuses_with_its_words(repository, remote):
    url, options = remote
    before = tip(repository)
    hook(repository, "pre-receive", "printf 'frozen until\\033[31m Monday\\n' >&2\nexit 1\n")
    done = accept(url, *options)
    assert done.code == 2 and "pre-receive hook declined: frozen until [31m Monday" in done.err, done
    assert tip(repository) == before and len(done.err.splitlines()) == 1


def test_a_protected_branch_stays_as_it_is(repository, remote):
    url, options = remote
    before = tip(repository)
    weir.git(repository.bare, "config", "receive.denyNonFastForwards", "true")
    hook(repository, "update", '[ "$1" != refs/heads/main ] || { echo "main is protected" >&2; exit 1; }\n')
    done = accept(url, *options)
    assert done.code == 2 and "main is protected" in done.err and tip(repository) == before, done
    (repository.bare / "hooks/update").unlink()
    assert accept(url, *options).code == 0 and epoch(repository) == "1"


def test_who_is_overtaken_begins_again(repository, remote):
    """The hook lets a stranger's commit in between the look at the branch and the push, once."""
    url, options = remote
    stranger = repository.commit(banner("stranger"), push=False)
    weir.git(repository.work, "push", "--quiet", "origin", "HEAD:refs/heads/other")
    hook(repository, "pre-receive", f'[ -e overtaken ] || {{ touch overtaken; unset GIT_QUARANTINE_PATH; '
                                    f'git update-ref refs/heads/main {stranger}; }}\n')
    done = accept(url, *options)
    assert done.code == 0 and weir.git(repository.bare, "rev-parse", "main~1") == stranger, done
    assert epoch(repository) == "1"


def test_several_at_once_land_once_each(repository, remote):
    url, options = remote
    before = tip(repository)
    results = []  # with one reason they would all make the same commit, which lands once
    threads = [threading.Thread(target=lambda why=why: results.append(accept(url, *options, "--reason", why)))
               for why in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(weir.PATIENCE * 4)
    assert [done.code for done in results] == [0] * 4, results
    assert weir.git(repository.bare, "rev-list", "--count", f"{before}..main") == "4" and epoch(repository) == "4"
    assert sorted(re.search("epoch ([0-9]+)", done.out)[1] for done in results) == ["1", "2", "3", "4"]


@pytest.mark.parametrize("landed", [True, False])
def test_an_answer_that_never_comes(repository, tmp_path, landed):
    """The connection dies when the ref has moved, or just before: one commit lands, either way."""
    before = tip(repository)
    weir.git(repository.bare, "config", "http.receivepack", "true")
    when = "committed" if landed else "prepared"
    hook(repository, "reference-transaction",
         f'[ "$1" = {when} ] && [ ! -e reached ] || exit 0\ntouch reached\n'
         f'for i in $(seq 600); do [ -e go ] && exit {0 if landed else 1}; sleep 0.05; done\nexit 1\n')
    with gitserver.HttpServer(repository.bare.parent) as server, Proxy("127.0.0.1", server.port) as between:
        results = []
        url = f"http://127.0.0.1:{between.port}/flags.git"
        pusher = threading.Thread(target=lambda: results.append(accept(url)))
        pusher.start()
        weir.wait_until((repository.bare / "reached").exists, "the push has arrived")
        between.drop()
        (repository.bare / "go").touch()
        pusher.join(weir.PATIENCE * 2)
    assert results and results[0].code == 0, f"{results}\n{server.log()}"
    assert weir.git(repository.bare, "rev-list", "--count", f"{before}..main") == "1" and epoch(repository) == "1"
    assert f"pushed {tip(repository)[:12]} " in results[0].out
