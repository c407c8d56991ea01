"""Every operator × every JSON type × missing, and thousands of bucketing keys: weir and every engine must answer alike.

    make portability                               installs the engines below build/portability, asks everything
    tests/portability/portability.py --short       with the engines that are installed, and fewer keys

One definitions repository (definitions.py) is built for each of the 16 lists of `evaluators`; what a list claims is
compared with libweir: value, variant, reason and error code. A flag stands alone in its document, so each is asked once
in every form that the lists give it, of every engine that some list with this form claims. The column "words" compares
libweir with what the schema says (meaning.py). Known differences are in limits.py. The rollout of examples/acme-shop is
compared in the same way, at each of its stages (rollouts.py).
"""
import argparse
import concurrent.futures
import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import definitions
import engines
import rollouts
from corpus import bucketing_keys
from limits import LIMITS

EVALUATORS = ("flagd", "js", "python", "java")
LISTS = [("weir", *some) for count in range(5) for some in itertools.combinations(EVALUATORS, count)]
KEYS, KEYS_SHORT = 5000, 300
USERS, USERS_SHORT = 2000, 200  # of the rollout
MEANING = "words"  # the column of what the schema's words mean


def plain(value):
    """Values compare as JSON does: all numbers are doubles, and true is not 1."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return value


def is_same(one, other):
    if one[1:] != other[1:]:
        return False
    if one[0] is other[0]:  # true, false and null, mostly
        return True
    return plain(one[0]) == plain(other[0])


def show(answer):
    value, variant, reason, code = answer
    return f"{code}" if code else f"{variant} {reason} {json.dumps(value, ensure_ascii=False)[:60]}"


class Document:
    """What one list of evaluators, or several, made of the repository."""

    def __init__(self, path, build):
        self.path, self.lists = path, []
        text = path.read_bytes()
        self.forms = {key: json.dumps(flag) for key, flag in json.loads(text)["flags"].items()}
        self.weir = engines.Weir(build / "libweir.so", text)

    def claims(self, evaluator):
        return any(evaluator in each for each in self.lists)


class Count:
    """Of the pairs of one engine and group."""

    def __init__(self):
        self.alike = self.excluded = self.different = 0


class Comparison:
    def __init__(self, build, folder, keys):
        self.made = definitions.Definitions(bucketing_keys(keys))
        self.build, self.folder, self.now = build, folder, int(time.time())
        self.counts, self.faults, self.limits_used, self.missing, self.told = {}, {}, {}, {}, {}
        self.documents = self.build_documents()
        is_short = keys < KEYS
        self.rollouts = rollouts.Rollouts(build, folder, LISTS[::5] if is_short else LISTS,
                                          bucketing_keys(KEYS)[-(USERS_SHORT if is_short else USERS):], self.now,
                                          Document)
        self.cases = self.made.cases + self.rollouts.cases

    def build_documents(self):
        refused = {case.flag for case in self.made.cases if not case.for_java}
        for evaluators in LISTS:
            self.made.document("Environment", "-".join(evaluators), {"evaluators": list(evaluators)})
        # JSON is YAML, but for what libyaml takes for the end of a line.
        for name, left_out in (("all", ()), ("for-java", refused)):
            lines = [json.dumps(each, ensure_ascii=False).replace("\u2028", "\\u2028")
                     for each in self.made.documents if each["metadata"]["name"] not in left_out]
            (self.folder / name).mkdir()
            (self.folder / name / "all.yaml").write_text("\n---\n".join(lines) + "\n", encoding="utf-8")
        self.check_refusals(refused)
        found = {}
        for evaluators in LISTS:
            flags, path = self.folder / ("for-java" if "java" in evaluators else "all"), self.folder / f"{'-'.join(evaluators)}.json"
            done = subprocess.run([self.build / "weir", "build", "--env", "-".join(evaluators), flags, "-o", path],
                                  capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"weir build for {evaluators}: {done.stderr[:3000]}"
            # The environment's name is in the document's metadata; what counts is the flags.
            flags_text = json.dumps(json.loads(path.read_bytes())["flags"])
            if flags_text not in found:
                found[flags_text] = Document(path, self.build)
            found[flags_text].lists.append(evaluators)
        return list(found.values())

    def check_refusals(self, refused):
        """With java in the list just the flags that no other way could serve there are refused, each by its name."""
        done = subprocess.run([self.build / "weir", "build", "--env", "weir-java", self.folder / "all", "-o",
                               self.folder / "refused.json"], capture_output=True, text=True, check=False)
        assert done.returncode == 1 and not (self.folder / "refused.json").exists(), done.stderr[:3000]
        told = [line for line in done.stderr.splitlines() if "W401" in line]
        assert len(told) >= len(refused) and all("evaluator java" in line for line in told), done.stderr[:3000]

    def asked_of(self, document):
        """The cases that the document holds."""
        return [case for case in self.cases if case.flag in document.forms]

    def weir(self, document, case):
        """What weir answers for all contexts of the case: once in each form that the lists give the flag."""
        form = (case.flag, document.forms[case.flag])
        if form not in self.told:
            self.told[form] = [document.weir.answers(context, [case.flag], self.now)[0] for context in case.contexts]
        return self.told[form]

    def fault(self, column, text):
        self.faults.setdefault(column, []).append(text)

    def compare(self, column, case, context, got, weir, document):
        """Counts one pair; what differs is a limit's or a fault."""
        count = self.counts.setdefault((case.group, column), Count())
        if is_same(got, weir):
            count.alike += 1
            return
        for index, limit in enumerate(LIMITS):
            if limit.applies(column, case, context):
                count.excluded += 1
                self.limits_used[index, column] = self.limits_used.get((index, column), 0) + 1
                return
        count.different += 1
        self.fault(column, f"{case.flag} ({case.about}), {'-'.join(document.lists[0])}, "
                           f"{json.dumps(context, ensure_ascii=False)[:300]}\n"
                           f"      weir {show(weir)}, {column} {show(got)}")

    def ask_engine(self, engine):
        """The forms that this engine is claimed to read, each once, in as few documents as hold them all."""
        every = self.documents + self.rollouts.documents
        documents = [document for document in every if document.claims(engine.evaluator)]
        by_context, seen = {}, set()
        for number, document in enumerate(documents):
            for case in self.asked_of(document):
                form = (case.flag, document.forms[case.flag])
                if form in seen:
                    continue
                seen.add(form)
                for index, context in enumerate(case.contexts):
                    if engine.askable(context):
                        batch = by_context.setdefault((number, json.dumps(context)), (number, context, []))
                        batch[2].append((case, index))
        batches = list(by_context.values())
        answers = engine.answers([document.path for document in documents],
                                 [(number, context, [case.flag for case, _ in asked]) for number, context,
                                  asked in batches])
        return [(documents[number], case, index, answer) for (number, _, asked),
                answered in zip(batches, answers, strict=True)
                for (case, index), answer in zip(asked, answered, strict=True)]

    def run_engines(self, wanted, install):
        """Asks two engines at a time: each is one process with one thread."""
        able = []
        for engine in wanted:
            try:
                engine.ensure(install)
                able.append(engine)
            except engines.Unavailable as problem:
                self.missing[engine.name] = str(problem)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            asked = [(engine, pool.submit(self.ask_engine, engine)) for engine in able]
            self.check_meaning()  # meanwhile
            for engine, future in asked:
                try:
                    told = future.result()
                except (AssertionError, OSError, subprocess.TimeoutExpired) as problem:
                    self.fault(engine.name, str(problem))
                    continue
                for document, case, index, answer in told:
                    self.compare(engine.name, case, case.contexts[index], answer, self.weir(document, case)[index],
                                 document)
        self.check_limits({engine.name for engine in able})

    def check_limits(self, ran):
        """What no difference needs any more has to go, or it hides the next one."""
        for index, limit in enumerate(LIMITS):
            for column in limit.engines:
                if column in ran and (index, column) not in self.limits_used:
                    self.fault(column, f"no answer differs any more where limits.py says so: {limit.reason}")

    def check_meaning(self):
        """weir's answers, in every form, against the words of the schema; and a growing share keeps whom it has."""
        seen, expected = set(), {case.flag: [case.expected(context) for context in case.contexts]
                                 for case in self.cases}
        for fault in self.rollouts.faults():
            self.fault(MEANING, fault)
        for document in self.documents:
            for case in self.asked_of(document):
                form = (case.flag, document.forms[case.flag])
                if form in seen:
                    continue
                seen.add(form)
                for context, variant, weir in zip(case.contexts, expected[case.flag], self.weir(document, case),
                                                  strict=True):
                    if variant is not None:
                        self.compare(MEANING, case, context, (case.variants[variant], variant, weir[2], None), weir,
                                     document)
            self.check_growth(document)

    def check_growth(self, document):
        """Shares are as large as written, as far as chance allows, and a larger one has all users of a smaller one."""
        smaller = set()
        for case in self.made.cases:
            if case.flag not in self.made.growth:
                continue
            answers, share = self.weir(document, case), self.made.growth[case.flag] / 100
            users = {index for index, answer in enumerate(answers) if answer[1] == "a"}
            count, wanted = len(answers), share * len(answers)
            if abs(len(users) - wanted) > 4 * (count * share * (1 - share)) ** 0.5:
                self.fault(MEANING,
                           f"{case.flag} {document.lists[0]}: {len(users)} of {count} users, not about {wanted:.0f}")
            if not smaller <= users:
                self.fault(MEANING, f"{case.flag} {document.lists[0]}: growing moved {len(smaller - users)} users out")
            smaller = users

    def table(self):
        columns = [MEANING, *dict.fromkeys(column for _, column in self.counts if column != MEANING)]
        groups = [*dict.fromkeys(case.group for case in self.cases)]
        rows = [["", *columns]]
        for group in groups:
            rows.append([group, *(self.cell(group, column) for column in columns)])
        rows.append(["all", *(self.cell(None, column) for column in columns)])
        widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
        return "\n".join("  " + "  ".join([row[0].ljust(widths[0]),
                                           *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))])
                         for row in rows)

    def cell(self, group, column):
        counts = [count for (of, engine), count in self.counts.items() if engine == column and group in (of, None)]
        alike, excluded, different = (sum(getattr(count, name) for count in counts)
                                      for name in ("alike", "excluded", "different"))
        return f"{alike}" + (f" −{excluded}" if excluded else "") + (f" !{different}" if different else "")


def shortest(faults):
    """The shortest fault of each flag, at most thirty."""
    by_flag = {}
    for text in sorted(faults, key=len):
        by_flag.setdefault(text.split(" ")[0], text)
    return list(by_flag.values())[:30]


def compare_all(build, keys, install):
    """The whole comparison, done."""
    with tempfile.TemporaryDirectory(prefix="weir-portability-") as folder:
        comparison = Comparison(build, Path(folder), keys)
        comparison.run_engines(engines.all_engines(build), install)
    return comparison


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=engines.ROOT / "build")
    parser.add_argument("--short", action="store_true", help="fewer keys, and only engines that are installed")
    parser.add_argument("--keys", type=int, help="how many bucketing keys")
    arguments = parser.parse_args()
    keys = arguments.keys or (KEYS_SHORT if arguments.short else KEYS)
    comparison = compare_all(arguments.build.resolve(), keys, not arguments.short)
    print(f"{len(comparison.made.cases)} flags, {keys} keys, {len(LISTS)} lists of evaluators in "
          f"{len(comparison.documents)} documents; pairs alike, −excluded (limits.py), !different\n")
    print(comparison.table())
    print("\nexcluded:")
    for (index, column), count in sorted(comparison.limits_used.items()):
        print(f"  {count:5}  {column}: {LIMITS[index].reason}")
    for name, reason in comparison.missing.items():
        print(f"skipped: {name}: {reason}")
    for column, faults in comparison.faults.items():
        print(f"\n{column}: {len(faults)} differences")
        for text in shortest(faults):
            print(f"  - {text}")
    asked = {column for _, column in comparison.counts} | set(comparison.faults)
    failed = len(comparison.faults)
    print(f"\n{len(asked) - failed} passed, {failed} failed, {len(comparison.missing)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
