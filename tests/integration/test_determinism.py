"""State is a function of Git: of a random history with faults and merges of every shape the same digests come of `weir
build` on two clones, of a controller that followed commit by commit, and of controllers that jumped, with what they
keep on the disk and without. `make soak-determinism` does the same with 200 commits.
"""
import determining
import pytest
import weir

# What comes out is the same with a sanitizer; of what it looks for, one history shows as much as two.
ONCE = pytest.mark.skipif(weir.is_sanitized(), reason="digests of a second history are compared without a sanitizer")


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=ONCE)])
def test_every_way_to_a_commit_leads_to_the_same_digest(tmp_path, seed):
    outcome = determining.determine(tmp_path, 40, seed)
    print(outcome)
    assert outcome.merges >= 5 and outcome.states >= 10 and outcome.cached >= 1, outcome
