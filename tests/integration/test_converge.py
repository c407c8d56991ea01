"""Two controllers on one repository, one Redis and files, which both lose Git and Redis at random, and three edges that
lose what they follow; all of them are killed.

No target ever shows an older generation after a newer one, no edge serves one, also when it has been killed in between,
and soon after the last cut is healed all hold and serve the same.
`make soak-converge MINUTES=5` does the same for longer.
"""
import converging
import weir


def test_two_controllers_and_three_edges_come_together_after_every_storm(tmp_path):
    with converging.Everything(tmp_path, seconds=12, seed=20270111) as everything:
        print(everything.run())
    assert everything.episodes >= 3 and everything.cuts >= 20 and sum(edge.kills for edge in everything.edges) >= 1
    # A sanitizer makes everything slower; then it only has to come at all.
    assert everything.slowest < converging.WITHIN or weir.is_sanitized(), f"{everything.slowest:.2f} s"
