"""Real Git servers on free loopback ports, for tests.

    with HttpServer(root) as server: ...     # nginx + fcgiwrap + git-http-backend, smart HTTP
    with HttpServer(root, user="weir", password="…", tls=True) as server: ...
    with SshServer(root) as server: ...      # sshd with a host key and a user key of its own

`root` is a folder that holds bare repositories; server.url("shop.git") is the URL of one. Each
server has its configuration in a folder of its own, which it removes, and is stopped by its pid.
make_bare() makes a repository.

From other languages:  gitserver.py http|https|ssh ROOT [USER PASSWORD]
prints one JSON object when it is ready and serves until its standard input ends.
"""

import contextlib
import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import ports

GIT_HTTP_BACKEND = "/usr/lib/git-core/git-http-backend"
START_SECONDS = 60


def make_bare(path):
    """Makes a bare repository whose HEAD is main and returns its path."""
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(path)],
                   check=True)
    return Path(path)


def _program(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not found:
        raise RuntimeError(f'"{name}" is not installed: see .ci/packages')
    return found


class Server:
    """Processes that live as long as a `with` block."""

    pid_file = None  # which the last of them writes once it listens, where it writes one

    def __init__(self, root):
        self.root = Path(root).resolve()
        self.port = 0
        self._processes = []
        self._folder = self._kept = None

    def __enter__(self):
        self._folder = Path(tempfile.mkdtemp(prefix="weir-gitserver-"))
        try:
            self._start_on_a_free_port()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.stop()
        if self._kept:
            self._kept.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def stop(self):
        """Ends the processes; start() brings the server back on the same port."""
        for process in reversed(self._processes):
            self._signal(process, signal.SIGTERM)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._signal(process, signal.SIGKILL)
                process.wait()
        self._processes = []

    @staticmethod
    def _signal(process, number):
        """To all of its group: fcgiwrap leaves its children behind."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)

    def start(self):
        if self.pid_file:
            (self._folder / self.pid_file).unlink(missing_ok=True)
        self._launch()
        self._await_port()

    def _start_on_a_free_port(self):
        self._prepare()
        self._kept = ports.keep()
        self.port = ports.number(self._kept)
        self._configure()
        self.start()

    def _spawn(self, arguments, **more):
        log = open(self._folder / (Path(arguments[0]).name + ".log"), "ab")
        with log:
            process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       start_new_session=True, **more)
        self._processes.append(process)
        return process

    def log(self):
        """All that the processes wrote, for a failing test's message."""
        return "\n".join(p.read_text(errors="replace") for p in sorted(self._folder.glob("*.log")))

    def _await(self, ready, what):
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            dead = [p for p in self._processes if p.poll() is not None]
            if dead or time.monotonic() > deadline:
                raise RuntimeError(f"{what} did not start:\n{self.log()}")
            time.sleep(0.02)

    def _await_port(self):
        def accepts():
            if self.pid_file and not (self._folder / self.pid_file).exists():
                return False  # who answers there may be somebody else
            with socket.socket() as probe:
                probe.settimeout(1)
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        self._await(accepts, type(self).__name__)


class HttpServer(Server):
    """Smart HTTP, for fetch and push; with a user and password when they are given; over TLS with
    tls=True, by a certificate that `certificate` holds and nobody else trusts."""

    pid_file = "nginx.pid"

    def __init__(self, root, user=None, password=None, tls=False):
        super().__init__(root)
        self.user, self.password, self.tls = user, password, tls
        self.certificate = None

    def url(self, name, credentials=True):
        scheme = "https" if self.tls else "http"
        login = f"{self.user}:{self.password}@" if self.user and credentials else ""
        return f"{scheme}://{login}127.0.0.1:{self.port}/{name}"

    def _prepare(self):
        if self.user:
            (self._folder / "users").write_text(f"{self.user}:{{PLAIN}}{self.password}\n")
        if self.tls:
            self.certificate = self._folder / "certificate.pem"
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                 "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                 "-keyout", str(self._folder / "key.pem"), "-out", str(self.certificate)],
                check=True, stderr=subprocess.DEVNULL)

    def _configure(self):
        folder = self._folder
        account = "user root;" if os.geteuid() == 0 else ""
        login, tls = "", ""
        if self.user:
            login = f'auth_basic "git"; auth_basic_user_file {folder}/users;'
        if self.tls:
            tls = f"ssl_certificate {self.certificate}; ssl_certificate_key {folder}/key.pem;"
        temporary = " ".join(f"{kind}_temp_path {folder}/{kind};"
                             for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "nginx.conf").write_text(f"""
{account}
daemon off; master_process off; worker_processes 1;
pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log {folder}/access.log; client_max_body_size 0; {temporary}
    server {{
        listen 127.0.0.1:{self.port}{' ssl' if self.tls else ''}; {tls} {login}
        location / {{
            gzip off;
            fastcgi_pass unix:{folder}/fcgi.sock;
            fastcgi_read_timeout 60;
            fastcgi_param SCRIPT_FILENAME {GIT_HTTP_BACKEND};
            fastcgi_param GIT_PROJECT_ROOT {self.root};
            fastcgi_param GIT_HTTP_EXPORT_ALL 1;
            fastcgi_param PATH_INFO $uri;
            fastcgi_param REMOTE_USER git;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
            fastcgi_param GIT_PROTOCOL $http_git_protocol;
        }}
    }}
}}
""")

    def _launch(self):
        gateway = self._folder / "fcgi.sock"
        gateway.unlink(missing_ok=True)
        self._spawn([_program("fcgiwrap"), "-c", "2", "-s", f"unix:{gateway}"],
                    env=dict(os.environ, HOME=str(self._folder)))
        self._await(gateway.exists, "fcgiwrap")
        self._spawn([_program("nginx"), "-c", str(self._folder / "nginx.conf"),
                     "-p", str(self._folder), "-e", str(self._folder / "error.log")])


class SshServer(Server):
    """sshd for the account that runs the tests, with `user_key` as the only key it takes.
    make_home() makes a home folder with the right ~/.ssh; git_environment() is what the git
    program needs."""

    pid_file = "sshd.pid"

    def __init__(self, root, host_key="ed25519"):
        super().__init__(root)
        self.host_key_type = host_key
        self.user_key = None

    def url(self, name):
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{self.root}/{name}"

    def _prepare(self):
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # sshd demands it
        self.user_key = self._folder / "user_key"
        self._make_key(self._folder / "host_key", self.host_key_type)
        self._make_key(self.user_key, "ed25519")
        shutil.copy(f"{self.user_key}.pub", self._folder / "authorized_keys")

    @staticmethod
    def _make_key(path, kind):
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "test", "-f", str(path)],
                       check=True)

    def _configure(self):
        folder = self._folder
        (folder / "sshd_config").write_text(f"""
ListenAddress 127.0.0.1
Port {self.port}
HostKey {folder}/host_key
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PubkeyAuthentication yes
PermitRootLogin prohibit-password
""")

    def _launch(self):
        self._spawn([_program("sshd"), "-D", "-e", "-f", str(self._folder / "sshd_config")])

    def known_hosts_line(self):
        key = (self._folder / "host_key.pub").read_text().split()
        return f"[127.0.0.1]:{self.port} {key[0]} {key[1]}\n"

    def make_home(self, path, key=True, trust=True):
        """A home folder at `path`: with the user's key or none, the host's key known or not."""
        folder = Path(path) / ".ssh"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "known_hosts").write_text(self.known_hosts_line() if trust else "")
        if key:
            shutil.copy(self.user_key, folder / "id_ed25519")
            shutil.copy(f"{self.user_key}.pub", folder / "id_ed25519.pub")
            (folder / "id_ed25519").chmod(0o600)
        return Path(path)

    def git_environment(self):
        known = self._folder / "known_hosts"
        known.write_text(self.known_hosts_line())
        command = (f"ssh -F none -i {self.user_key} -o IdentitiesOnly=yes -o BatchMode=yes "
                   f"-o UserKnownHostsFile={known} -o StrictHostKeyChecking=yes")
        return dict(os.environ, GIT_SSH_COMMAND=command)


def _serve(arguments):
    kind, root, *login = arguments
    user, password = (login + [None, None])[:2]
    if kind == "ssh":
        made = SshServer(root)
    else:
        made = HttpServer(root, user, password, tls=kind == "https")
    with made as server:
        ready = {"port": server.port, "url": server.url("")}
        if kind == "ssh":
            ready.update(key=str(server.user_key), known_hosts=server.known_hosts_line())
        print(json.dumps(ready), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    if len(sys.argv) not in (3, 5) or sys.argv[1] not in ("http", "https", "ssh"):
        sys.exit("usage: gitserver.py http|https|ssh ROOT [USER PASSWORD]")
    _serve(sys.argv[1:])
