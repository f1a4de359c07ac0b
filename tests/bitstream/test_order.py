import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvqn.bitstream.order import PADDING, TAPS, CodingOrder

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(1, 6))


def in_order(shape):
    """Positions by (t, c, h, w)."""
    return [p for _, p in sorted((4 * p[0] + 2 * p[1] + p[2], p) for p in np.ndindex(shape))]


@given(SHAPES)
def test_positions_are_ordered_by_step_then_raster(shape):
    schedule = CodingOrder(shape)
    volume = np.arange(np.prod(shape)).reshape(shape)
    expected = in_order(shape)
    assert schedule.to_stream(volume).tolist() == [volume[p] for p in expected]
    np.testing.assert_array_equal(schedule.from_stream(schedule.to_stream(volume)), volume)
    steps = [4 * c + 2 * h + w for c, h, w in expected]
    assert schedule.edges == [sum(step < t for step in steps) for t in range(steps[-1] + 2)]


@given(SHAPES)
def test_taps_are_the_neighbours_before_and_at_a_position(shape):
    schedule, expected = CodingOrder(shape), in_order(shape)
    numbers = {position: number for number, position in enumerate(expected)}
    seen = schedule.seen(slice(0, len(expected)))
    for row, (c, h, w) in zip(seen.tolist(), expected, strict=True):
        assert row == [numbers.get((c + dc, h + dh, w + dw), PADDING) for dc, dh, dw in TAPS]


@given(SHAPES)
def test_all_that_a_position_sees_lies_in_earlier_steps_within_reach(shape):
    schedule = CodingOrder(shape)
    for first, last in zip(schedule.edges, schedule.edges[1:], strict=False):
        seen = schedule.seen(slice(first, last))[:, :-1]
        assert (seen < first).all()
        assert (seen[seen != PADDING] >= first - schedule.longest(7)).all()


def test_taps_are_in_raster_order_and_the_centre_is_last():
    assert len(TAPS) == 14
    assert list(TAPS) == sorted(TAPS)
    assert TAPS[-1] == (0, 0, 0)


@pytest.mark.parametrize(("largest", "steps"), [(8, 138), (16, 170), (32, 234), (40, 266)])
def test_steps_of_an_image_of_768_by_512(largest, steps):
    assert CodingOrder((largest, 32, 48)).steps == steps
