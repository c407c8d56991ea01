"""Following a branch: one file changed among many, in process, from fetched to compiled; and what stays in memory."""
import os
import pathlib
import subprocess
import tempfile

import changing

COMMITS = 100
SEGMENTS = 100


def flag(number, value):
    return f"""\
apiVersion: weir/v1
kind: Flag
metadata:
  name: panel-{number:06d}
  description: The new panel, for those who asked for it
  owner: team-{number % 23}
  labels: {{area: checkout}}
spec:
  variants: {{on: true, off: false}}
  default: off
  rules:
    - name: insiders
      when: {{segment: group-{number % SEGMENTS}}}
      serve: on
    - name: experiment
      when:
        all:
          - {{attribute: country, in: [DE, FR, NL, AT, BE]}}
          - {{attribute: app.version, semver: ">={value % 9}.0.0"}}
      split: {{on: {1 + value % 98}, off: {99 - value % 98}}}
"""


def head(kind, name):
    return f"apiVersion: weir/v1\nkind: {kind}\nmetadata: {{name: {name}}}\n"


class Importer:
    """A bare repository, written by git fast-import."""

    def __init__(self, path):
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", path], check=True)
        self.git = subprocess.Popen(["git", "-C", path, "fast-import", "--quiet"], stdin=subprocess.PIPE)

    def write(self, text):
        self.git.stdin.write(text.encode())

    def data(self, text):
        self.write(f"data {len(text.encode())}\n{text}\n")

    def commit(self, message):
        self.write("commit refs/heads/main\ncommitter A <a@example.com> 1700000000 +0000\n")
        self.data(message)

    def put(self, path, text):
        self.write(f"M 100644 inline {path}\n")
        self.data(text)

    def finish(self):
        self.git.stdin.close()
        if self.git.wait() != 0:
            raise RuntimeError("git fast-import failed")


def make_repository(path, count, in_folder, more=None):
    """`count` flags, a file each and at most `in_folder` to a folder, and what `more` maps paths to; then commits that
    change one flag each."""
    made = Importer(path)

    def place(number):
        return f"flags/{number // in_folder:03d}/f{number:06d}.yaml"

    made.commit("first")
    made.put("environments/production.yaml", head("Environment", "production") + "spec: {evaluators: [weir, flagd]}\n")
    for number in range(SEGMENTS):
        made.put(f"segments/g{number}.yaml", head("Segment", f"group-{number}") +
                 f'spec: {{match: {{attribute: email, endsWith: "@g{number}.example"}}}}\n')
    for where, text in (more or {}).items():
        made.put(where, text)
    for number in range(count):
        made.put(place(number), flag(number, 0))
    for commit in range(COMMITS):
        made.commit(f"change {commit}")
        number = commit * 7919 % count
        made.put(place(number), flag(number, commit + 1))
    made.finish()
    done = subprocess.run(["git", "-C", path, "rev-list", "--reverse", "main"], check=True, capture_output=True,
                          text=True)
    return done.stdout.split()


def percentile(values, share):
    """The smallest value that at least `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]


def follow(build, folder, count, in_folder):
    """Seconds of the cold start and of each commit, and kilobytes that stay."""
    path = folder / f"repository-{count}-{in_folder}"
    commits = make_repository(path, count, in_folder)
    done = subprocess.run([f"{build}/tests/bench/follow", path, *commits], check=True, capture_output=True, text=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    if [int(row[2]) for row in rows] != [count] + [1] * COMMITS:
        raise RuntimeError("not what changed was compiled")
    return float(rows[0][0]), [float(row[0]) for row in rows[1:]], int(rows[0][3])


def bench_follow(build, table, quick):
    sizes, middle = (1_000, 10_000) if quick else (1_000, 10_000, 100_000), {}
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as name:
        folder = pathlib.Path(name)
        for count in sizes:
            cold, times, kept = follow(build, folder, count, 1_000)
            middle[count] = percentile(times, 50)
            table.add(f"follow.{count}.p50", f"one flag of {count} changed: fetched → compiled, p50",
                      middle[count] * 1e3, "ms")
            table.add(f"follow.{count}.p99", "  p99", percentile(times, 99) * 1e3, "ms", most=50.0)
            table.add(f"follow.{count}.cold", f"  cold, with {os.cpu_count()} processors", cold * 1e3, "ms")
            table.add(f"follow.{count}.memory", "  memory afterwards", kept / 1024, "MB",
                      most=200.0 if count == 100_000 else None)
        table.add("follow.flat", f"  one of {sizes[-1]} against one of {sizes[0]}, p50",
                  middle[sizes[-1]] / middle[sizes[0]], "×")
        if not quick:
            _, times, _ = follow(build, folder, 100_000, 100_000)
            table.add("follow.folder.p50", "  the same with all 100 000 in one folder, p50",
                      percentile(times, 50) * 1e3, "ms")
    changing.compare(table, "follow", build, False, quick)
