"""A receiver for http targets, as small as a right one can be, and a server that misbehaves on purpose.

Receiver takes PUT, checks the signature, refuses what is older, stores document and meta in one rename, and tells by
HEAD and GET what it holds. It is an example of what a receiver has to do.
"""
import contextlib
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import socket
import threading
import time

CLOCK_SKEW = 300  # seconds that a signature is good for
FIELDS = ("environment", "generation", "digest", "commit")


def signature(key, timestamp, told, body):
    signed = "".join(f"{line}\n" for line in ("v1", timestamp, *(told[name] for name in FIELDS))).encode() + body
    return "v1=" + hmac.new(key, signed, hashlib.sha256).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, body=b""):
        held = self.server.held
        self.send_response(status)
        if held and self.server.tells:
            self.send_header("Weir-Generation", held["generation"])
            self.send_header("Weir-Digest", held["digest"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        self.server.seen.append(self.command)
        if self.command == "HEAD" and not self.server.tells:
            return self.answer(405)
        return self.answer(200, self.server.document()) if self.server.held else self.answer(404)

    do_HEAD = do_GET

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        told = {name: self.headers[f"Weir-{name.title()}"] for name in FIELDS}
        self.server.seen.append(self.command)
        self.server.headers.append(dict(self.headers))
        if self.server.key:
            timestamp = self.headers["Weir-Timestamp"]
            expected = signature(self.server.key, timestamp, told, body)
            if not hmac.compare_digest(expected, self.headers.get("Weir-Signature", "")):
                return self.answer(401, b"signature is wrong")
            if abs(time.time() - int(timestamp)) > CLOCK_SKEW:
                return self.answer(401, b"signature is old")
        return self.answer(*self.server.take(told, body))


class Receiver(http.server.ThreadingHTTPServer):
    """A context manager; `url` is where documents are put."""
    daemon_threads = True

    def __init__(self, folder, key=None, tells=True, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.path, self.key, self.tells = pathlib.Path(folder) / "received.json", key, tells
        self.seen, self.headers, self.lock = [], [], threading.Lock()
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *arguments):
        self.shutdown()
        self.thread.join()
        self.server_close()

    @property
    def port(self):
        return self.server_address[1]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/flags"

    @property
    def held(self):
        return json.loads(self.path.read_text())["meta"] if self.path.exists() else None

    def document(self):
        return json.loads(self.path.read_text())["document"].encode()

    def store(self, told, body):
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps({"meta": told, "document": body.decode()}))
        os.replace(new, self.path)

    def take(self, told, body):
        """Status and body of the answer: generations are of one length, so that they compare as strings."""
        with self.lock:
            held = self.held
            if held and held["generation"] > told["generation"]:
                return 412, b"a newer generation is here"
            if held and held["generation"] == told["generation"] and held["digest"] != told["digest"]:
                return 409, b"another document of this generation is here"
            self.store(told, body)
            return 204 if held else 201, b""


class Misbehaving:
    """Takes connections and does to each what `act(connection, request head)` does; a context manager."""

    def __init__(self, act):
        self.act, self.requests, self.threads = act, [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.closing = threading.Event()

    @property
    def port(self):
        return self.listener.getsockname()[1]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/flags"

    def __enter__(self):
        self.threads.append(threading.Thread(target=self._accept))
        self.threads[0].start()
        return self

    def __exit__(self, *arguments):
        self.closing.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        for thread in list(self.threads):
            thread.join()
        self.listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while not self.closing.is_set():
                connection, _ = self.listener.accept()
                thread = threading.Thread(target=self._serve, args=(connection,))
                self.threads.append(thread)
                thread.start()

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                piece = connection.recv(65536)
                if not piece:
                    return
                head += piece
            self.requests.append(head.split(b"\r\n", 1)[0].decode())
            self.act(connection, self)

    def hang(self, connection):
        """Says nothing more until the other side has had enough, or the test ends."""
        connection.settimeout(0.05)
        while not self.closing.is_set():
            try:
                if not connection.recv(65536):
                    return
            except TimeoutError:
                continue
