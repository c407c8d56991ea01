"""To whom a metric's secret goes: real servers that demand it, one that it is not for, redirects, a file that comes late."""
import base64
import http.server
import threading

import pytest

import weir
from metering import DRIVER, measuring

pytestmark = pytest.mark.skipif(not DRIVER.exists(), reason="metrics_driver is not built: make drivers")


class Vault:
    """Answers 7 to whoever signs in as it wants, and 401 to all others; keeps connections open."""

    def __init__(self, wanted="Bearer sesame-7"):
        self.seen = []  # (path, Authorization)
        self.elsewhere = ""  # where /away leads
        vault = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                given = self.headers.get("Authorization")
                vault.seen.append((self.path, given))
                allowed = given == wanted or self.path == "/open"
                self.send_response(307 if self.path in ("/away", "/moved") else 200 if allowed else 401)
                if self.path in ("/away", "/moved"):
                    self.send_header("Location", vault.elsewhere if self.path == "/away" else "/number")
                body = b"7" if allowed else b"who are you?"
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def asked(self, path):
        return [given for asked, given in self.seen if asked == path]


@pytest.fixture
def vaults():
    """The one that the secret is for, and another one on the same machine."""
    pair = Vault(), Vault()
    pair[0].elsewhere = pair[1].url + "/number"
    yield pair
    for vault in pair:
        vault.server.shutdown()
        vault.server.server_close()


def guarded(name, url, secret="vault-token", user=None):
    source = f'http: {{url: "{url}", query: ""}}'
    if secret:
        source += f"\n  credentials: {{secret: {secret}{f', user: {user}' if user else ''}}}"
    return name, source, "thresholdRange: {max: 9}", "guardrail", "consecutiveErrorLimit: 0"


def test_a_secret_goes_to_its_own_host_alone(vaults, tmp_path):
    own, other = vaults
    (tmp_path / "token").write_text("sesame-7\n")
    metrics = [guarded("signed", own.url + "/number"), guarded("moved", own.url + "/moved"),
               guarded("unsigned", own.url + "/unsigned", None), guarded("away", own.url + "/away"),
               guarded("unknown", own.url + "/unknown", "no-such-secret"),
               guarded("foreign", other.url + "/foreign"), guarded("open", other.url + "/open", None)]
    with measuring(tmp_path, *metrics, secret=("vault-token", tmp_path / "token", str(own.port))) as driver:
        driver.wait("signed", verdict="success")
        driver.wait("moved", verdict="success")  # on the same server it goes along
        driver.wait("open", verdict="success")  # no lack of a way: the other one is there, and its connection is open
        told = {name: driver.wait(name, verdict="error")["evidence"]
                for name in ("unsigned", "away", "unknown", "foreign")}
        before = driver.gate("foreign")["finished"]
        weir.wait_until(lambda: driver.gate("foreign")["finished"] > before, "another try")
    assert "answered 401: who are you?" in told["unsigned"]
    assert "another server and not followed" in told["away"]
    assert "secret 'no-such-secret' is not known" in told["unknown"]
    assert "secret" in told["foreign"] and "may not be sent" in told["foreign"], told
    assert set(own.asked("/number")) == set(own.asked("/away")) == {"Bearer sesame-7"}
    assert set(own.asked("/unsigned")) == {None} and not own.asked("/unknown")
    # neither by a connection of its own, nor by one that was left open, nor by the redirect
    assert {path for path, _ in other.seen} == {"/open"} and {given for _, given in other.seen} == {None}
    assert "sesame" not in (tmp_path / "driver.log").read_text() + str(told)


def test_a_secret_that_cannot_be_read_sends_nothing(vaults, tmp_path):
    own, _ = vaults
    with measuring(tmp_path, guarded("signed", own.url + "/number"),
                   secret=("vault-token", tmp_path / "token", str(own.port))) as driver:
        gate = driver.wait("signed", verdict="error")
        assert not own.seen and "token" in gate["evidence"], gate
        (tmp_path / "token").write_text("sesame-6\n")
        weir.wait_until(lambda: "answered 401" in driver.gate("signed")["evidence"], "a wrong one")
        (tmp_path / "token").write_text("sesame-7\n")  # it is read each time, and needs no restart
        driver.wait("signed", verdict="success")


def test_a_user_and_a_password(tmp_path):
    vault = Vault("Basic " + base64.b64encode(b"scraper@shop:sesame-7").decode())
    (tmp_path / "token").write_text("sesame-7\n")
    metrics = [guarded("basic", vault.url + "/number", user="scraper@shop"),
               guarded("bearer", vault.url + "/number"), guarded("other", vault.url + "/number", user="someone")]
    with measuring(tmp_path, *metrics, secret=("vault-token", tmp_path / "token", str(vault.port))) as driver:
        driver.wait("basic", verdict="success")
        for name in ("bearer", "other"):  # nobody is given the answer that somebody else may see
            assert "answered 401" in driver.wait(name, verdict="error")["evidence"]
    vault.server.shutdown()
    vault.server.server_close()
