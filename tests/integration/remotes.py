"""What tests of Git remotes share: a controller that follows a URL, what it says of failed fetches, and web servers
that answer as a test tells them to."""
import contextlib
import http.server
import threading

import weir

TOKEN = "t0ken-s3cret"


@contextlib.contextmanager
def following(url, data, *options, env=None):
    with weir.controller(url, data, *options, env=env) as running:
        try:
            yield running
        finally:
            assert TOKEN not in running.log() and TOKEN not in str(running.status())


def fails(running, *words):
    """Waits for a failed fetch and returns what /status says of it."""
    error = weir.wait_until(lambda: running.status()["lastFetch"]["error"], f"a failed fetch\n{running.log()}")
    assert all(word in error for word in words), error
    return error


@contextlib.contextmanager
def web(answer):
    """A web server whose every request is given to `answer`; yields its port and the list of requests."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            seen.append((self.path, dict(self.headers)))
            answer(self)

        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.do_GET()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port, seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def reply(handler, code, **headers):
    handler.send_response(code)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", "0")
    handler.end_headers()
