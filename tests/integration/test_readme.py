"""What README.md quotes is so: options, definitions, what commands print, and the steps that a newcomer types."""
import re
import shutil
import subprocess

import weir
import yaml

README = (weir.ROOT / "README.md").read_text()
SHOP = weir.ROOT / "examples" / "acme-shop"
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def block(kind, word):
    found = [text for name, text in BLOCKS if name == kind and word in text]
    assert len(found) == 1, (word, len(found))
    return found[0]


def section(name):
    found = re.search(rf"^(#+) {re.escape(name)}\n(.*?)(?=^#{{1,3}} |\Z)", README, re.DOTALL | re.MULTILINE)
    assert found, name
    return found[2]


def test_options_of_run_are_those_of_its_help():
    text = weir.run("run", "--help").out
    assert block("", "--config FILE") == text[text.index("      --config FILE"):text.index("\nExamples\n")]


def test_the_rollout_and_its_metric_are_those_of_the_shop():
    kinds = {"Rollout": "rollouts/checkout-v2.yaml", "PhasePlan": "phases/six-weeks.yaml",
             "Metric": "metrics/checkout-errors.yaml"}
    quoted = {document["kind"]: document for document in yaml.safe_load_all(block("yaml", "kind: Rollout\n"))}
    assert quoted == {kind: yaml.safe_load((SHOP / path).read_text()) for kind, path in kinds.items()}


def test_the_simulation_prints_what_is_shown():
    shown = block("", "$ weir simulate checkout-v2")
    command, output = shown.split("\n", 1)
    words = command.split()
    assert words[:2] == ["$", "weir"] and words[-1] == "examples/acme-shop"
    done = weir.run(*words[2:-1], SHOP)
    assert done.code == 0 and done.out == output, done.out


def test_every_code_and_metric_that_is_named_is_there():
    codes = set(re.findall(r'"(W\d{3})"', (weir.ROOT / "rules" / "codes.h").read_text()))
    assert set(re.findall(r"\bW\d{3}\b", README)) <= codes
    families = (weir.ROOT / "controller" / "telemetry_families.c").read_text()
    named = set(re.findall(r"`(weir_[a-z_]+)", README))
    assert named and all(f'"{name}"' in families for name in named), named
    alerts = (weir.ROOT / "examples" / "deploy" / "alerts.yml").read_text()
    assert all(f"alert: {name}\n" in alerts for name in re.findall(r"`(Weir[A-Z]\w+)`", README))


def test_what_is_claimed_has_its_test():
    rows = [line.split("|") for line in section("How it behaves when …").splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 8
    for row in rows:
        named = re.findall(r"`(\w+/test_\w+)`", row[-2])
        assert named, row
        for name in named:
            path = weir.ROOT / "tests" / name
            assert path.with_suffix(".c").is_file() or path.with_suffix(".py").is_file(), name


def steps():
    """The commands that a newcomer types, by their numbers."""
    parts = re.split(r"^# (\d)\. .*\n", block("sh", "# 1. What would happen"), flags=re.MULTILINE)
    return dict(zip(map(int, parts[1::2]), parts[2::2]))


def test_a_newcomer_gets_a_running_controller(tmp_path):
    def type_in(commands):
        done = subprocess.run(["bash", "-euc", commands], cwd=tmp_path, capture_output=True, text=True,
                              timeout=120, env=weir.environment(
                                  PATH=f"{tmp_path}/bin:/usr/bin:/bin", GIT_AUTHOR_NAME="Ann",
                                  GIT_AUTHOR_EMAIL="ann@example.com", GIT_COMMITTER_NAME="Ann",
                                  GIT_COMMITTER_EMAIL="ann@example.com"))
        return done.returncode, done.stdout, done.stderr

    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "weir").symlink_to(weir.program())
    shutil.copytree(SHOP, tmp_path / "examples" / "acme-shop")
    typed = steps()
    code, shown, _ = type_in(typed[1])
    assert code == 0 and "checkout-v2 in staging" in shown, shown
    code, _, problem = type_in(typed[2] + typed[3])
    assert code == 0, problem
    words = typed[4].split()
    assert words[:2] == ["weir", "run"]
    arguments = [str(tmp_path / word) if word in ("flags.git", "weir-tokens") else word for word in words[2:]]
    running = weir.Controller(*arguments, "--listen", "127.0.0.1:0", "--data", tmp_path / "data")
    try:
        running.wait_ready()
        url = f"http://127.0.0.1:{running.port}"
        code, shown, problem = type_in(typed[5].replace("http://127.0.0.1:8080", url))
        assert code == 0 and re.search(r"staging/checkout-v2 +pending .*a person starts it", shown), shown + problem
        code, shown, problem = type_in(typed[6].replace("http://127.0.0.1:8080", url))
        # By day it starts; by night the shop's calendar does not let it grow.
        if code == 0:
            assert re.search(r"^phase +- +staff 1/5$", shown, re.MULTILINE) and "by ann" in shown, shown
        else:
            assert code == 1 and "start is refused" in problem and "calendar" in problem, shown + problem
        assert running.stop() == 0
    finally:
        running.kill()
