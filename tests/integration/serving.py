"""What tests of serving share: a controller that listens where it is told, its tokens, and connections that trust one
certificate."""
import http.client
import shutil
import ssl
import subprocess
import time

import pytest
import weir

JSON = {"Content-Type": "application/json"}
BANNER = "/env/production/ofrep/v1/evaluate/flags/banner"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def when(request, status):
    """The first answer with this status."""
    answers = []
    weir.wait_until(lambda: answers.append(request()) or answers[-1].status == status, f"an answer {status}")
    return answers[-1]


class Serving(weir.Controller):
    """A controller that listens where it is told, with or without TLS."""

    def __init__(self, repository, data, *arguments, listen="127.0.0.1:0", poll="1h", env=None):
        super().__init__("--repo", repository.url, "--data", data, "--listen", listen, "--poll", poll, *arguments,
                         env=env)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                code = self.stop()
                assert code == 0, f"it ended with {code}\n{self.log()}"
        finally:
            self.kill()


class Tokens:
    def __init__(self, path):
        self.path = path

    def create(self, role, *environments, name=None):
        result = weir.run("token", "create", "--role", role, "--tokens", self.path,
                          *[word for one in environments for word in ("--env", one)],
                          *(["--name", name] if name else []))
        assert result.code == 0, result
        return result.out.strip()

    def revoke(self, name):
        assert weir.run("token", "revoke", name, "--tokens", self.path).code == 0


@pytest.fixture
def tokens(tmp_path):
    return Tokens(tmp_path / "tokens")


def certificate(folder, name):
    """A self-signed certificate for 127.0.0.1, whose common name is `name`."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"],
                   check=True, capture_output=True, timeout=60)
    return folder / f"{name}.pem", folder / f"{name}.key"


class Secure:
    """A controller with TLS, and connections to it that trust exactly what they are told to."""

    def __init__(self, repository, data, *arguments):
        self.process = subprocess.Popen(
            [weir.program(), "run", "--repo", repository.url, "--data", data, "--listen", "127.0.0.1:0", "--poll", "1h",
             *map(str, arguments)], stdout=subprocess.PIPE, stderr=open(data.parent / "log", "wb"),
            env=weir.environment())
        self.log_file = data.parent / "log"
        line = self.process.stdout.readline().decode()
        assert line.startswith("listening on https://127.0.0.1:"), f"{line!r}\n{self.log()}"
        self.port = int(line.rsplit(":", 1)[1])

    def log(self):
        return self.log_file.read_text()

    def connect(self, trusted):
        context = ssl.create_default_context(cafile=str(trusted))
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=weir.PATIENCE, context=context)

    def status(self, trusted):
        connection = self.connect(trusted)
        try:
            return ask(connection)
        except ssl.SSLCertVerificationError:
            return None
        finally:
            connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            assert self.process.wait(weir.PATIENCE) == 0, self.log()
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


def ask(connection, path="/healthz"):
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def dripping(connection, byte, began):
    """Sends a byte every 50 ms until the other side has had enough, which must not be at once: 0.4 s after `began`,
    from before it was connected, at the soonest."""
    cut = False
    while not cut and time.monotonic() < began + weir.PATIENCE:
        try:
            connection.sendall(byte)
            connection.settimeout(0.05)
            cut = connection.recv(100) == b""
        except (BrokenPipeError, ConnectionResetError):
            cut = True
        except TimeoutError:
            pass
    assert cut and time.monotonic() - began > 0.4


needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
