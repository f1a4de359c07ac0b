from dataclasses import replace

import numpy as np
import pytest

from cvqn.bitstream.inference import IntegerInference
from cvqn.bitstream.integer_model import IntegerModel
from cvqn.bitstream.order import CodingOrder
from tests.bitstream import reference
from tests.bitstream.models import hashed_symbols, integer_model


def logits(model, symbols, stride, dtype=np.float32):
    """All logits `[C, h, w, Q]`, evaluated `stride` steps at a time."""
    schedule = CodingOrder(symbols.shape)
    network = IntegerInference(model, schedule, stride, dtype)
    stream, rows = schedule.to_stream(symbols), []
    for first in range(0, schedule.steps, stride):
        span = schedule.span(first, first + stride)
        if stride > 1:
            network.write(span, stream[span])
        rows.append(network.logits(span).copy())
        if stride == 1:
            network.write(span, stream[span])
    rows = np.concatenate(rows)
    return np.stack([schedule.from_stream(np.ascontiguousarray(column)) for column in rows.T], axis=-1)


@pytest.mark.parametrize("shape", [(3, 7, 9), (1, 1, 1), (1, 8, 5), (6, 1, 1), (4, 1, 12), (4, 12, 1)])
@pytest.mark.parametrize(("levels", "width"), [(2, 5), (16, 8)])
def test_logits_are_those_of_the_reference(shape, levels, width):
    model, symbols = integer_model(levels, width), hashed_symbols(shape, levels)
    expected = reference.logits(model, symbols)
    assert symbols.size == 1 or np.ptp(expected) > 256
    for stride in (1, 2, 5, 1000):
        np.testing.assert_array_equal(logits(model, symbols, stride), expected)
    np.testing.assert_array_equal(logits(model, symbols, 1, np.float64), expected)


def test_activations_use_their_range():
    """So that the other tests mean something."""
    model, symbols = integer_model(5, 24), hashed_symbols((4, 8, 8), 5)
    schedule = CodingOrder(symbols.shape)
    network = IntegerInference(model, schedule, schedule.steps)
    everything = slice(0, symbols.size)
    network.write(everything, schedule.to_stream(symbols))
    network.logits(everything)
    for array in (network._x1, network._y, network._x2):
        values = array[1 : 1 + symbols.size]
        assert 0.05 < (np.abs(values) == 255).mean() < 0.7
        assert len(np.unique(values)) > 100


@pytest.mark.parametrize("width", [24, 192])
def test_sums_up_to_the_bound_are_exact(width):
    """All weights positive and as large as they may be, all activations at 255, an odd bias: every bit counts."""
    model = integer_model(3, width)
    size = 14 * width * 255
    layers = [replace(model.layers[0], bias=np.full(width, 1 << 20, np.int32), shift=np.zeros(width, np.int32))]
    for index in (1, 2, 3):
        weight = np.full_like(model.layers[index].weight, (2**24 - 2**12) // size)
        weight[0] -= 1
        outputs = weight.shape[2]
        bias = 2**24 - 1 - np.abs(weight).sum(axis=(0, 1)) * 255 - np.arange(outputs)
        shift = np.full(outputs, 16 if index < 3 else 0)
        layers.append(
            replace(model.layers[index], weight=weight, bias=bias.astype(np.int32), shift=shift.astype(np.int32))
        )
    model, symbols = IntegerModel(tuple(layers)), hashed_symbols((3, 6, 6), 3)
    expected = reference.logits(model, symbols)
    assert expected.max() == 2**24 - 1
    for stride in (1, 1000):
        np.testing.assert_array_equal(logits(model, symbols, stride), expected)


def test_far_positions_leave_the_memory():
    """The arrays hold a few steps, not the volume."""
    model, shape = integer_model(2, 4), (2, 60, 60)
    assert len(IntegerInference(model, CodingOrder(shape), 1)._x1) < np.prod(shape) / 8
    symbols = hashed_symbols(shape, 2)
    for stride in (1, 20, 1000):
        np.testing.assert_array_equal(logits(model, symbols, stride), reference.logits(model, symbols))
