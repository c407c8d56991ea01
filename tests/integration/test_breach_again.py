"""A rollout with `onBreach: stepBack` that breaks, and breaks again, while Git is away: each breach that is measured
where users are by then takes them one phase further back, a controller that is struck dead in between forgets nothing,
and all of it is on the branch once, in order, when Git is back."""
import os

import test_watch
import weir
from serving import Serving

make_source = test_watch.make_source  # a fixture
FILES = {
    "all.yaml": test_watch.ENVIRONMENT + "---\n" + test_watch.FLAG.format(name="shop", default="off", more="") + """---
apiVersion: weir/v1
kind: Rollout
metadata: {name: shop}
spec:
  flag: shop
  environment: production
  variant: on
  control: off
  start: 2026-01-01T00:00:00Z
  onBreach: stepBack
  metrics: [errors]
  phases: [{name: few, percent: 20}, {name: half, percent: 50}, {name: most, percent: 80, bake: 4w}]
"""}


def test_each_goes_one_phase_back_and_all_are_recorded(source, tmp_path):
    repository = weir.Repository(tmp_path)
    weir.write_files(repository.work, FILES)
    repository.commit({"metric.yaml": test_watch.METRIC.format(port=source.port).replace("flag", "phase")})
    broken = set()  # phases, for good
    source.rate_of = lambda path: 0.3 if path.rsplit("=")[-1] in broken else 0.0
    away = repository.bare.with_name("away.git")

    def run():
        return Serving(repository, tmp_path / "data", "--allow-host", f"127.0.0.1:{source.port}", poll="200ms")

    def share(controller):
        return sum(controller.value("shop", {"targetingKey": f"user-{i}"}) is True for i in range(100))

    def actions():
        lines = weir.git(repository.bare, "log", "--reverse", "--format=%(trailers:key=Weir-Action,valueonly)")
        return lines.split()

    def break_it(controller, phase, count):
        broken.add(phase)
        weir.wait_until(lambda: controller.status()["overrideCount"] == count, lambda: controller.log())
        return share(controller)

    struck = run()
    try:
        weir.wait_until(lambda: len(actions()) == 3, lambda: struck.log())
        weir.wait_until(lambda: share(struck) > 65, "most")
        os.rename(repository.bare, away)
        half = break_it(struck, "most", 1)
        assert 35 < half < 65
    finally:
        struck.kill()  # by SIGKILL
    with run() as controller:
        assert share(controller) == half
        source.asked.clear()
        weir.wait_until(lambda: source.asked, lambda: controller.log())
        assert source.asked[0].endswith("=half")  # where users are, though Git says "most"
        few = break_it(controller, "half", 2)
        assert 5 < few < 35
        os.rename(away, repository.bare)
        # It tries again in as long as Git was away, or so: a minute at the most.
        weir.wait_until(lambda: controller.status()["overrideCount"] == 0, lambda: controller.log(), 3 * weir.PATIENCE)
        assert share(controller) == few
    assert actions() == ["start", "advance", "advance", "step-back", "step-back"]
    subjects = weir.git(repository.bare, "log", "-2", "--format=%s").splitlines()
    assert subjects == ['Revert "Advance production/shop to half"', 'Revert "Advance production/shop to most"']
