from hypothesis import given
from hypothesis import strategies as st

from cvqn.lab.progress.makespan import duration, makespan

LENGTHS = st.lists(st.floats(1, 1e4), min_size=1, max_size=40)


@given(LENGTHS, st.integers(1, 40))
def test_makespan_keeps_grahams_bounds(lengths, gpus):
    """List scheduling is never below work / machines or the longest job, and within work / m + (1 - 1/m) longest."""
    work, longest = sum(lengths), max(lengths)
    span = makespan(lengths, gpus)
    assert max(work / gpus, longest) * (1 - 1e-9) <= span
    assert span <= (work / gpus + (1 - 1 / gpus) * longest) * (1 + 1e-9)


def test_makespan_of_a_case_done_by_hand():
    # GPU 1: 3 then 2; GPU 2: 1, then 4 from 1 to 5
    assert makespan([3, 1, 4, 2], 2) == 5
    assert makespan([2] * 23, 8) == 6


def test_durations():
    assert [duration(seconds) for seconds in (None, 0, 61, 7200)] == ["?", "0 h 00 min", "0 h 02 min", "2 h 00 min"]
