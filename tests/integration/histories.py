"""A random history of definitions: good commits and faulty ones, branches, and merges of every shape.

`main` is moved on in ways that a forge allows: always to a descendant, but not always along first parents (a branch
that has merged main may become main). The files of each commit are drawn from what its parents hold, so a merge may
take any mixture of both sides, both sides' faults, or neither side.
"""
import pathlib
import subprocess

import weir

HEADER = "apiVersion: weir/v1\n"
NAMES = [f"f{number}" for number in range(6)]
SEGMENTS = [f"s{number}" for number in range(3)]


def environments(hold):
    policy = ", onInvalid: hold" if hold else ""
    return (f"{HEADER}kind: Environment\nmetadata: {{name: production}}\n---\n{HEADER}kind: Environment\n"
            f"metadata: {{name: staging}}\nspec: {{protected: false{policy}}}\n")


def flag(chance, name):
    rules = chance.choice(["", f"  rules: [{{when: {{segment: {chance.choice(SEGMENTS)}}}, serve: b}}]\n",
                           f"  rules: [{{when: {{attribute: plan, is: {chance.choice('xyz')}}}, serve: b}}]\n",
                           f"  rules: [{{when: {{flag: {{name: {chance.choice(NAMES)}, is: a}}}}, serve: b}}]\n"])
    return (f"{HEADER}kind: Flag\nmetadata: {{name: {name}}}\nspec:\n"
            f"  variants: {{a: \"{chance.randrange(10**6)}\", b: no}}\n  default: a\n{rules}")


def plain_segment(name):
    return f"{HEADER}kind: Segment\nmetadata: {{name: {name}}}\nspec: {{include: [u]}}\n"


def segment(chance, name):
    match = chance.choice([f"{{attribute: team, is: t{chance.randrange(9)}}}",
                           f"{{segment: {chance.choice(SEGMENTS)}}}"])
    return f"{HEADER}kind: Segment\nmetadata: {{name: {name}}}\nspec: {{match: {match}}}\n"


def change(chance, files):
    """One thing that people do to a tree; most of them are right."""
    kind = chance.choice(["flag"] * 5 + ["segment"] * 2 + ["mend", "mend", "type", "yaml", "field", "twice", "move",
                                                          "nameless", "less", "drop segment", "hold", "readme", "name"])
    name, other = chance.choice(NAMES), chance.choice(SEGMENTS)
    path = f"flags/{name}.yaml"
    if kind == "flag":
        files[path] = flag(chance, name)
    elif kind == "segment":
        files[f"segments/{other}.yaml"] = segment(chance, other)
    elif kind == "mend":
        for number, mended in enumerate(NAMES):
            if number % 2:
                files[f"flags/{mended}.yaml"] = flag(chance, mended)
        for mended in SEGMENTS:
            files[f"segments/{mended}.yaml"] = plain_segment(mended)
        for path in [p for p in files if p.startswith("extra/")]:
            del files[path]
    elif kind == "type":
        files[path] = flag(chance, name).replace("b: no", "b: 7")
    elif kind == "yaml":
        files[path] = flag(chance, name) + "  broken: [\n"
    elif kind == "field":
        files[path] = flag(chance, name).replace("default:", "defalt:")
    elif kind == "twice":
        files[f"extra/{name}.yaml"] = flag(chance, name)
    elif kind == "move":
        if path in files:
            files[f"extra/{name}.yaml"] = files.pop(path)
    elif kind == "nameless":
        files["extra/odd.yaml"] = f"{HEADER}kind: Flag\nmetadata: {{name: [}}\n"
    elif kind == "less":
        files.pop(path, None)
    elif kind == "drop segment":
        files.pop(f"segments/{other}.yaml", None)
    elif kind == "hold":
        files["environments/all.yaml"] = environments(chance.random() < 0.5)
    elif kind == "readme":
        files["README.md"] = f"{chance.randrange(10**6)}\n"
    else:
        files[path] = flag(chance, NAMES[0])  # under the wrong name: it may be there twice now


def mixture(chance, trees):
    """What a merge holds: one side, or file by file of either."""
    if chance.random() < 0.3:
        return dict(chance.choice(trees))
    files = {}
    for path in sorted(set().union(*trees)):
        tree = chance.choice(trees)
        if path in tree:
            files[path] = tree[path]
    return files


class History:
    """`count` commits in a bare repository; `tips` are those that main came to, one after the other."""

    def __init__(self, folder, count, chance):
        self.bare = pathlib.Path(folder) / "history.git"
        self.bare.mkdir(parents=True)
        weir.git(self.bare, "init", "--quiet", "--bare")
        self.chance, self.parents, self.trees, tips = chance, [], [], []
        first = {"environments/all.yaml": environments(True)}
        for name in NAMES:
            first[f"flags/{name}.yaml"] = flag(chance, name)
        for name in SEGMENTS:
            first[f"segments/{name}.yaml"] = plain_segment(name)
        self.parents.append([])
        self.trees.append(first)
        self.heads = {"main": 0, "left": 0, "right": 0}
        while len(self.trees) < count:
            self._grow()
            if not tips or tips[-1] != self.heads["main"]:
                tips.append(self.heads["main"])
        marks = self._import()
        self.commits = [marks[number] for number in range(count)]
        self.tips = [self.commits[number] for number in tips]

    def _add(self, branch, parents, files):
        self.parents.append(parents)
        self.trees.append(files)
        self.heads[branch] = len(self.trees) - 1

    def _descends(self, later, earlier):
        queue = [later]
        while queue:
            commit = queue.pop()
            if commit == earlier:
                return True
            queue += [parent for parent in self.parents[commit] if parent >= earlier]
        return False

    def _grow(self):
        chance, heads = self.chance, self.heads
        branch = chance.choice(["main", "main", "main", "left", "right"])
        others = [head for name, head in heads.items() if name != branch and head != heads[branch]]
        kind = chance.choice(["commit"] * 6 + ["merge"] * 3 + ["octopus", "root", "become", "become", "branch"])
        if kind == "become" and heads[branch] != heads["main"] and self._descends(heads[branch], heads["main"]):
            heads["main"] = heads[branch]  # main is fast-forwarded to a branch that had merged it
        elif kind == "branch" and branch != "main":
            heads[branch] = chance.randrange(len(self.trees))
        elif kind in ("merge", "octopus") and others:
            parents = [heads[branch]] + list(dict.fromkeys(others if kind == "octopus" else [chance.choice(others)]))
            self._add(branch, parents, mixture(chance, [self.trees[parent] for parent in parents]))
        elif kind == "root" and branch != "main":  # a history of its own, which may be merged later
            files = {"environments/all.yaml": environments(False)}
            change(chance, files)
            self._add(branch, [], files)
        else:
            files = dict(self.trees[heads[branch]])
            for _ in range(chance.choice((1, 1, 2, 3))):
                change(chance, files)
            self._add(branch, [heads[branch]], files)

    def _import(self):
        lines = []
        for number, (parents, files) in enumerate(zip(self.parents, self.trees)):
            lines.append(b"reset refs/heads/all\n" if not parents else b"")
            lines.append(f"commit refs/heads/all\nmark :{number + 1}\ncommitter Ada <ada@example.com> "
                         f"{1700000000 + number} +0000\ndata 1\nc\n".encode())
            for place, parent in enumerate(parents):
                lines.append(f"{'merge' if place else 'from'} :{parent + 1}\n".encode())
            lines.append(b"deleteall\n")
            for path, text in files.items():
                data = text.encode()
                lines.append(f"M 100644 inline {path}\ndata {len(data)}\n".encode() + data + b"\n")
        marks = self.bare / "marks"
        subprocess.run(["git", "fast-import", "--quiet", "--force", f"--export-marks={marks}"], input=b"".join(lines),
                       cwd=self.bare, env=weir.environment(), check=True, capture_output=True, timeout=120)
        found = {int(mark[1:]) - 1: commit for mark, commit in map(str.split, marks.read_text().splitlines())}
        for number, commit in found.items():  # all of them are to be cloned
            weir.git(self.bare, "update-ref", f"refs/heads/c/{number}", commit)
        weir.git(self.bare, "update-ref", "-d", "refs/heads/all")
        return found
