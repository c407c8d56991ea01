"""The commit status API of GitHub, GitLab and Gitea, as strict as their documents: what it does not know it refuses.

Sources: docs.github.com/rest/commits/statuses (2022-11-28), docs.gitlab.com/api/commits "set commit pipeline status",
Gitea's swagger (repoCreateStatus). `script` takes answers that are given first: (status, headers), "hang" or "cut".
"""
import http.server
import json
import re
import threading
import urllib.parse

TOKEN = "tok-123"

FORGES = {
    "github": {"path": r"/api/v3/repos/([\w.-]+/[\w.-]+)/statuses/([0-9a-f]{40})",
               "token": ("Authorization", "Bearer "),
               "states": {"error", "failure", "pending", "success"}, "description": 140,
               "headers": {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}},
    "gitlab": {"path": r"/api/v4/projects/([\w.%-]+)/statuses/([0-9a-f]{40})", "token": ("PRIVATE-TOKEN", ""),
               "states": {"pending", "running", "success", "failed", "canceled", "skipped"}, "description": 255,
               "headers": {}},
    "gitea": {"path": r"/api/v1/repos/([\w.-]+/[\w.-]+)/statuses/([0-9a-f]{40})", "token": ("Authorization", "token "),
              "states": {"pending", "success", "error", "failure", "warning"}, "description": 255, "headers": {}},
}
MEMBERS = {"state", "target_url", "description", "context"}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, words="", headers=()):
        body = json.dumps({"message": words}).encode()
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def scripted(self, step):
        if step == "hang":
            self.server.closing.wait(60)
        if step in ("hang", "cut"):
            self.close_connection = True
            return
        status, headers = step
        self.answer(status, "as the script says", headers)

    def fault(self, body):
        """Status and words of what is wrong with the request; None: nothing is."""
        kind = FORGES[self.server.kind]
        header, prefix = kind["token"]
        match = re.fullmatch(kind["path"], self.path)
        if self.headers.get(header) != prefix + TOKEN:
            return 401, "Bad credentials"
        if not match or urllib.parse.unquote(match.group(1)) != self.server.project:
            return 404, "Not Found"
        if match.group(2) not in self.server.commits:
            return 422, f"No commit found for SHA: {match.group(2)}"
        wrong = [name for name, value in kind["headers"].items() if self.headers.get(name) != value]
        if wrong or self.headers.get_content_type() != "application/json" or not self.headers.get("User-Agent"):
            return 400, f"headers {wrong}"
        told = json.loads(body)
        if set(told) - MEMBERS or told["state"] not in kind["states"] or len(told["description"]) > kind["description"]:
            return 422, "Validation Failed"
        return None

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.requests.append((self.path, dict(self.headers)))
            step = self.server.script.pop(0) if self.server.script else None
        if step:
            return self.scripted(step)
        fault = self.fault(body)
        if fault:
            return self.answer(*fault)
        told = json.loads(body)
        with self.server.lock:
            self.server.told.append({"commit": self.path.rsplit("/", 1)[1], **told})
        return self.answer(201, "created")


class Forge(http.server.ThreadingHTTPServer):
    """A context manager; `told` are the statuses that it took, in their order."""
    daemon_threads = True

    def __init__(self, kind, project="acme/flags"):
        super().__init__(("127.0.0.1", 0), Handler)
        self.kind, self.project, self.commits = kind, project, set()
        self.requests, self.told, self.script = [], [], []
        self.lock, self.closing = threading.Lock(), threading.Event()
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *arguments):
        self.closing.set()
        self.shutdown()
        self.thread.join()
        self.server_close()

    @property
    def api(self):
        version = {"github": "v3", "gitlab": "v4", "gitea": "v1"}[self.kind]
        return f"http://127.0.0.1:{self.server_address[1]}/api/{version}"

    def of(self, commit):
        return [told for told in self.told if told["commit"] == commit]
