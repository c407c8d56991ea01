"""What the proofs that nothing goes backwards share: a line of commits, and watchers of targets that never look away.

Line makes commits by fast-import, which is quick enough for thousands, and pushes them by moving the branch. Each is
of one kind:

    good      the counter holds the commit's number
    faulty    the same, beside a flag that does not validate
    broken    the counter itself does not validate: it keeps its last good number
    plain     no definition changes

So the number in any document tells which commits it may be of, and what `weir build --rev` makes of a commit is what
everybody has to hold. A watcher reads a target in a loop and keeps what it saw; check() tells what was wrong.
"""
import hashlib
import http.client
import json
import pathlib
import socket
import subprocess
import threading

import weir

COUNTER = """\
apiVersion: weir/v1
kind: Flag
metadata: {{name: counter}}
spec:
  variants: {{now: "{number}", never: "none"}}
  default: now
"""
KINDS = ("good", "good", "faulty", "good", "plain", "broken", "good", "faulty")


class Line:
    """A bare repository with `count` commits one after the other; push(n) makes the n-th the tip of main."""

    def __init__(self, folder, count, random, files):
        self.bare = pathlib.Path(folder) / "line.git"
        self.bare.mkdir(parents=True)
        weir.git(self.bare, "init", "--quiet", "--bare")
        self.kinds = ["good"] + [random.choice(KINDS) for _ in range(count - 1)]
        self.numbers = []  # what the counter of each commit says
        self.tip = -1
        marks = self._import({**weir.SHOP, **files})
        self.commits = [marks[number] for number in range(count)]
        self.index = {commit: number for number, commit in enumerate(self.commits)}
        self._built = {}

    @property
    def url(self):
        return self.bare.as_uri()

    def _import(self, first):
        lines = []

        def blob(path, text):
            data = text.encode()
            lines.append(f"M 100644 inline {path}\ndata {len(data)}\n".encode() + data + b"\n")

        for number, kind in enumerate(self.kinds):
            lines.append(f"commit refs/heads/line\nmark :{number + 1}\n"
                         f"committer Ada <ada@example.com> {1700000000 + number} +0000\ndata 1\nc\n".encode())
            if number:
                lines.append(f"from :{number}\n".encode())
            else:
                for path, text in first.items():
                    blob(path, text)
            if kind == "plain":
                blob("README.md", f"{number}\n")
            elif kind == "broken":
                blob("flags/counter.yaml", COUNTER.format(number=number).replace("default: now", "default: later"))
            else:
                blob("flags/counter.yaml", COUNTER.format(number=number))
                banner = weir.SHOP["flags/banner.yaml"]
                blob("flags/banner.yaml", banner.replace("spec:", "spek:") if kind == "faulty" else banner)
            self.numbers.append(number if kind in ("good", "faulty") else self.numbers[-1])
        marks = self.bare / "marks"
        subprocess.run(["git", "fast-import", "--quiet", f"--export-marks={marks}"], input=b"".join(lines),
                       cwd=self.bare, env=weir.environment(), check=True, capture_output=True, timeout=120)
        return {int(mark[1:]) - 1: commit for mark, commit in map(str.split, marks.read_text().splitlines())}

    def push(self, number):
        weir.git(self.bare, "update-ref", "refs/heads/main", self.commits[number])
        self.tip = number

    def built(self, commit):
        """What `weir build` makes of a commit, on its own."""
        if commit not in self._built:
            result = weir.run("build", "--env", "production", "--repo", self.bare, "--rev", commit)
            assert result.code in (0, 1) and result.out, result
            self._built[commit] = result.out.encode()
        return self._built[commit]

    def digest(self, commit):
        return weir.run("build", "--env", "production", "--repo", self.bare, "--rev", commit, "--digest").out.strip()


def number_of(document):
    """Which commit the counter of a parsed document is of."""
    return int(document["flags"]["counter"]["variants"]["now"])


class Watcher:
    """Looks all the time, on a thread of its own; look() of those below says what is seen."""

    PAUSE = 0.001  # seconds between two looks

    def __init__(self, line):
        self.line, self.faults, self.looks = line, [], 0
        self.last = -1           # the newest commit that was seen, by its place in the line
        self.digests = {}        # commit → digest that was shown beside it
        self.seen = {}           # commit → the SHA-256 of the document that was there with it
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(weir.PATIENCE)
        self.close()

    def look_now(self):
        with self._lock:
            self.look()
            self.looks += 1

    def _run(self):
        while not self._stop.is_set() and len(self.faults) < 5:
            try:
                self.look_now()
            except (AssertionError, ValueError, KeyError, OSError) as fault:
                self.faults.append(f"{type(fault).__name__}: {fault}")
            self._stop.wait(self.PAUSE)

    def close(self):
        pass

    def shape(self, document):
        """What is kept of a document, of the bytes that `weir build` makes."""
        return document

    def advance(self, meta):
        """The meta of a target may only become newer, and says the same of a commit each time. Returns its place."""
        number = self.line.index[meta["commit"]]
        assert int(meta["generation"], 16) and number >= self.last, f"{number} after {self.last}: {meta}"
        assert self.digests.setdefault(meta["commit"], meta["digest"]) == meta["digest"], f"another digest: {meta}"
        self.last = number
        return number

    def keep(self, commit, what):
        mark = hashlib.sha256(what).hexdigest()
        assert self.seen.setdefault(commit, mark) == mark, f"another document of {commit}"

    def check(self, digests=10):
        """Nothing was wrong while it looked, and all that it saw is what `weir build` makes of the same commits."""
        assert not self.faults, "\n".join(self.faults)
        assert self.looks > 0
        for commit, mark in self.seen.items():
            built = hashlib.sha256(self.shape(self.line.built(commit))).hexdigest()
            assert built == mark, f"not the document of {commit}"
        for commit in sorted(self.digests, key=self.line.index.get)[-digests:]:
            assert self.line.digest(commit) == self.digests[commit], f"not the digest of {commit}"


class FileWatcher(Watcher):
    """The file and its meta: the meta never leads the document, and each is whole whenever it is read."""

    def __init__(self, line, path):
        super().__init__(line)
        self.path, self.meta = pathlib.Path(path), pathlib.Path(f"{path}.meta.json")
        self.document = -1

    def look(self):
        try:
            before = self.meta.read_bytes()
        except FileNotFoundError:
            assert self.last < 0, "the meta is gone"
            return
        whole = self.path.read_bytes()
        meta, number = json.loads(before), number_of(json.loads(whole))
        place = self.advance(meta)
        assert number >= self.document, f"the document went from {self.document} back to {number}"
        assert number >= self.line.numbers[place], f"the meta is of {place}, the document still of {number}"
        self.document = number
        if number == self.line.numbers[place] and self.meta.read_bytes() == before:
            self.keep(meta["commit"], whole)


class RedisWatcher(Watcher):
    """Both hashes in one transaction, which must always fit together."""

    def __init__(self, line, port, key="weir:production"):
        super().__init__(line)
        self.port, self.key, self.connection = port, f"{{{key}}}", None

    def look(self):
        if self.connection is None:
            self.connection = Resp(self.port)
        meta, document = self.connection.together(["HGETALL", f"{self.key}:meta"], ["HGETALL", f"{self.key}:doc"])
        if not meta:
            assert self.last < 0, "the meta is gone"
            return
        meta = {name: value.decode() for name, value in pairs(meta)}
        flags = {name: json.loads(value) for name, value in pairs(document)}
        place = self.advance(meta)
        assert number_of({"flags": flags}) == self.line.numbers[place], f"{meta} beside a document of another commit"
        self.keep(meta["commit"], self.canonical(flags))

    @staticmethod
    def canonical(flags):
        return json.dumps(flags, sort_keys=True).encode()

    def shape(self, document):
        return self.canonical(json.loads(document)["flags"])

    def close(self):
        if self.connection:
            self.connection.close()


class EdgeWatcher(Watcher):
    """What an edge answers at /env/production/flagd.json, whichever process answers: `find` gives its client, or None
    while there is none."""

    PAUSE = 0.005  # it answers each on a connection of its own, beside all the others

    def __init__(self, line, find):
        super().__init__(line)
        self.find = find

    def look(self):
        client = self.find()
        if not client:
            return
        try:
            answer = client.get("/env/production/flagd.json")
        except (OSError, http.client.HTTPException):
            return  # it was killed just now
        if answer.status == 503:
            assert self.last < 0, "it serves nothing any more"
            return
        assert answer.status == 200, answer
        meta = {"environment": "production"}
        meta.update({name: answer.headers[f"Weir-{name.title()}"] for name in ("commit", "digest", "generation")})
        place, number = self.advance(meta), number_of(json.loads(answer.body))
        assert number == self.line.numbers[place], f"{meta} beside a document of {number}"
        self.keep(meta["commit"], answer.body)


def pairs(flat):
    return [(name.decode(), value) for name, value in zip(flat[::2], flat[1::2])]


class Resp:
    """A connection to Redis, as far as it is needed here."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), weir.PATIENCE)
        self.file = self.socket.makefile("rb")

    def send(self, words):
        encoded = [word.encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in encoded))

    def receive(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise OSError("Redis has gone")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise OSError(rest.decode())
        if kind == b"*":
            return [self.receive() for _ in range(int(rest))]
        if kind == b"$" and rest != b"-1":
            return self.file.read(int(rest) + 2)[:-2]
        return rest

    def ask(self, *words):
        self.send(words)
        return self.receive()

    def together(self, *commands):
        for words in (["MULTI"], *commands, ["EXEC"]):
            self.send(words)
        return [self.receive() for _ in range(len(commands) + 2)][-1]

    def close(self):
        self.file.close()
        self.socket.close()
