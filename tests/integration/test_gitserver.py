"""The servers of gitserver.py, by the git program: what other tests build on must be sound."""

import os
import subprocess

import pytest

from gitserver import HttpServer, SshServer, make_bare


def git(*arguments, cwd=None, env=None, check=True):
    env = dict(env or os.environ, GIT_TERMINAL_PROMPT="0", GIT_CONFIG_NOSYSTEM="1",
               GIT_CONFIG_GLOBAL="/dev/null", GIT_AUTHOR_NAME="A", GIT_AUTHOR_EMAIL="a@example.com",
               GIT_COMMITTER_NAME="A", GIT_COMMITTER_EMAIL="a@example.com")
    return subprocess.run(["git", *map(str, arguments)], cwd=cwd, env=env, check=check, text=True,
                          capture_output=True)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    make_bare(folder / "shop.git")
    return folder


def push_and_clone_back(tmp_path, url, env=None):
    work, again = tmp_path / "work", tmp_path / "again"
    git("clone", "--quiet", url, work, env=env)
    (work / "note.txt").write_text("hello\n")
    git("add", "note.txt", cwd=work)
    git("commit", "--quiet", "-m", "note", cwd=work)
    git("push", "--quiet", "origin", "HEAD:main", cwd=work, env=env)
    git("clone", "--quiet", url, again, env=env)
    assert (again / "note.txt").read_text() == "hello\n"


def test_http_pushes_and_clones(tmp_path, root):
    with HttpServer(root) as server:
        push_and_clone_back(tmp_path, server.url("shop.git"))
        pushed = git("rev-parse", "HEAD", cwd=tmp_path / "work").stdout
        assert git("rev-parse", "main", cwd=root / "shop.git").stdout == pushed


def test_http_wants_the_password(tmp_path, root):
    with HttpServer(root, user="weir", password="s3cret") as server:
        refused = git("ls-remote", server.url("shop.git", credentials=False), check=False)
        assert refused.returncode != 0
        push_and_clone_back(tmp_path, server.url("shop.git"))


def test_https_is_trusted_only_with_its_certificate(tmp_path, root):
    with HttpServer(root, tls=True) as server:
        refused = git("ls-remote", server.url("shop.git"), check=False)
        assert refused.returncode != 0 and "certificate" in refused.stderr
        env = dict(os.environ, GIT_SSL_CAINFO=str(server.certificate))
        push_and_clone_back(tmp_path, server.url("shop.git"), env)


def test_ssh_pushes_and_clones(tmp_path, root):
    with SshServer(root) as server:
        push_and_clone_back(tmp_path, server.url("shop.git"), server.git_environment())


def test_ssh_takes_no_other_key(tmp_path, root):
    other = str(tmp_path / "other")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    with SshServer(root) as server:
        env = server.git_environment()
        env["GIT_SSH_COMMAND"] = env["GIT_SSH_COMMAND"].replace(str(server.user_key), other)
        refused = git("ls-remote", server.url("shop.git"), env=env, check=False)
        assert refused.returncode != 0 and "Permission denied" in refused.stderr


@pytest.mark.parametrize("kind", [HttpServer, SshServer])
def test_a_stopped_server_is_gone_and_comes_back(root, kind):
    with kind(root) as server:
        env = server.git_environment() if kind is SshServer else None
        folder, pids = server._folder, [p.pid for p in server._processes]
        server.stop()
        assert git("ls-remote", server.url("shop.git"), env=env, check=False).returncode != 0
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
        server.start()
        assert git("ls-remote", server.url("shop.git"), env=env).returncode == 0
    assert not folder.exists()
