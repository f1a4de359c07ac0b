import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvqn.bitstream import order
from cvqn.bitstream.errors import ImageTooLargeError
from cvqn.bitstream.inference import IntegerInference
from cvqn.bitstream.order import PADDING, TAPS, CodingOrder, Margin, Neighbours
from tests.bitstream import corpus
from tests.bitstream.models import hashed_symbols, integer_model

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
    seen = Neighbours(schedule).seen(slice(0, len(expected)))
    for row, (c, h, w) in zip(seen.tolist(), expected, strict=True):
        assert row == [numbers.get((c + dc, h + dh, w + dw), PADDING) for dc, dh, dw in TAPS]


@given(SHAPES)
def test_all_that_a_position_sees_lies_in_earlier_steps_within_reach(shape):
    schedule = CodingOrder(shape)
    neighbours = Neighbours(schedule)
    for first, last in zip(schedule.edges, schedule.edges[1:], strict=False):
        seen = neighbours.seen(slice(first, last))[:, :-1]
        assert (seen < first).all()
        assert (seen[seen != PADDING] >= first - schedule.longest(7)).all()


def test_taps_are_in_raster_order_and_the_centre_is_last():
    assert len(TAPS) == 14
    assert list(TAPS) == sorted(TAPS)
    assert TAPS[-1] == (0, 0, 0)


@pytest.mark.parametrize(("largest", "steps"), [(8, 138), (16, 170), (32, 234), (40, 266)])
def test_steps_of_an_image_of_768_by_512(largest, steps):
    assert CodingOrder((largest, 32, 48)).steps == steps


@given(SHAPES, st.tuples(st.integers(0, 3), st.integers(0, 3)))
def test_a_margin_is_seen_too_and_comes_last_in_its_step(shape, margin):
    """Against a list of all positions, sorted by step, then coded ones first, then raster."""
    front, side = margin
    whole = (shape[0] + front, shape[1] + 2 * side, shape[2] + 2 * side)
    schedule = CodingOrder(shape, Margin(front, side))

    def key(position):
        inside = all(m <= p < m + n for p, m, n in zip(position, (front, side, side), shape, strict=True))
        c, h, w = position
        return 4 * c + 2 * h + w, not inside, position

    expected = sorted(np.ndindex(whole), key=key)
    numbers = {position: number for number, position in enumerate(expected)}
    seen = Neighbours(schedule).seen(slice(0, len(expected)))
    for row, (c, h, w) in zip(seen.tolist(), expected, strict=True):
        assert row == [numbers.get((c + dc, h + dh, w + dw), PADDING) for dc, dh, dw in TAPS]
    for step in range(schedule.steps):
        coded = [key(position)[:2] == (step, False) for position in expected]
        assert schedule.coded(step) == slice(schedule.edges[step], schedule.edges[step] + sum(coded))


def test_numbers_fit_32_bits_wherever_the_arrays_slide():
    """NumPy takes elements by `intp`, to which it casts other types: 32 bits of them must still say the same."""
    largest = -PADDING - 1  # the number of the last position of the largest group
    for shift in (-1, 0, largest):
        places = np.array([PADDING, 0, largest]) - shift
        assert (places.astype(np.int32) == places).all()
        assert places[0] < 0
    with pytest.raises(ImageTooLargeError, match=r"2\^30"):
        CodingOrder((1 << 10, 1 << 10, 1 << 10))
    with pytest.raises(ImageTooLargeError, match=r"2\^30"):
        CodingOrder((1, 1 << 15, (1 << 15) - 2), Margin(0, 1))


@pytest.mark.parametrize("name", corpus.NAMES)
def test_the_corpus_is_read_and_written_with_32_bit_indices(name, monkeypatch):
    monkeypatch.setattr(order, "INDEX", np.int32)
    own = CodingOrder((2, 3, 4))
    assert {Neighbours(own).seen(slice(0, 24)).dtype, own._places(0).dtype} == {np.dtype(np.int32)}
    corpus.check(name)


def test_nothing_of_the_size_of_the_volume_is_kept():
    """2^29 symbols: the arrays of 8 steps have a place for each channel and row."""
    schedule = CodingOrder((32, 4096, 4096))
    arrays = [*vars(schedule).values(), *vars(Neighbours(schedule)).values()]
    assert sum(array.nbytes for array in arrays if isinstance(array, np.ndarray)) < 32 * 4096 * 100


def test_spans_follow_each_other_as_the_whole_does():
    model, symbols = integer_model(3, 4), hashed_symbols((3, 5, 1), 3)  # of one column: every other step is empty
    schedule = CodingOrder(symbols.shape)
    assert schedule.edges[1] == schedule.edges[2]
    whole = Neighbours(schedule).seen(slice(0, symbols.size))
    for stride in (1, 2, 5, 1000):
        network, own = IntegerInference(model, schedule, stride), Neighbours(schedule)
        spans = [schedule.span(first, first + stride) for first in range(0, schedule.steps, stride)]
        np.testing.assert_array_equal(np.concatenate([own.seen(span) for span in spans]), whole)
        assert network.logits(slice(0, 0)).shape == (0, 3)
