"""`kill -9` at random moments while commits arrive, some of them faulty.

After every restart what is served is the state of a commit that was served before, or of a newer one, byte for byte as
`weir build` makes it; no target goes backwards at any time; a file is never half written. `make soak-kill ROUNDS=500`
does the same for longer.
"""
import killing


def test_killed_at_random_moments_nothing_goes_backwards(tmp_path):
    rounds = killing.Rounds(tmp_path, seed=20270111, count=30)
    print(rounds.run())
    assert rounds.line.tip >= 20, "commits came meanwhile"
    assert rounds.last >= 5, "and were served"
