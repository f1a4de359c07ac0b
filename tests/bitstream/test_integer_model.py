from dataclasses import replace

import numpy as np
import pytest

from cvqn.bitstream.integer_model import IntegerModel
from cvqn.errors import CvqnError
from tests.bitstream.models import integer_model


def changed(index, **arrays):
    """The arrays of a sound model with some of one layer replaced."""
    return {**integer_model(3, 4).to_arrays(), **{f"{index}.{name}": array for name, array in arrays.items()}}


def int32(*shape, value=0):
    return np.full(shape, value, dtype=np.int32)


def test_arrays_survive():
    model = integer_model(5, 6)
    again = IntegerModel.from_arrays(model.to_arrays())
    assert (again.levels, again.width) == (5, 6)
    for name, array in model.to_arrays().items():
        assert array.dtype == np.int32
        np.testing.assert_array_equal(array, again.to_arrays()[name])


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        (changed(0, weight=int32(13, 3, 4, value=40000)), "larger than 32767"),
        (changed(1, weight=int32(14, 4, 4, value=1175)), "2\\^24"),  # 14 * 4 * 1175 * 255 = 2^24 + 1784
        (changed(3, bias=int32(3, value=1 << 24)), "2\\^24"),
        (changed(3, bias=int32(3, value=-(1 << 31))), "2\\^24"),
        (changed(2, shift=int32(4, value=24)), "shift"),
        (changed(2, shift=int32(4, value=-1)), "shift"),
        (changed(1, limits=np.array([0, 256], np.int32)), "limits"),
        (changed(1, limits=np.array([5, 4], np.int32)), "limits"),
        (changed(0, limits=np.array([-1, 255], np.int32)), "limits"),
        (changed(2, bias=np.zeros(4, np.int64)), "int32"),
        (changed(2, bias=int32(5)), "shapes"),
        (changed(0, weight=int32(13, 3)), "axes"),
        (changed(0, weight=int32(14, 3, 4)), "shapes"),
        ({}, "missing"),
        ({**integer_model(3, 4).to_arrays(), "4.weight": int32(1)}, "superfluous"),
    ],
)
def test_arrays_that_break_a_rule_are_refused(arrays, reason):
    with pytest.raises(CvqnError, match=reason):
        IntegerModel.from_arrays(arrays)


@pytest.mark.parametrize("levels", [1, 17])
def test_levels_are_2_to_16(levels):
    with pytest.raises(CvqnError, match="levels"):
        integer_model(levels, 4)


def test_the_bound_on_sums_is_sharp():
    largest = (2**24 - 1) // (14 * 4 * 255)
    layer = replace(integer_model(3, 4).layers[1], weight=int32(14, 4, 4, value=largest), bias=int32(4))
    room = 2**24 - 1 - 14 * 4 * 255 * largest
    sound = integer_model(3, 4).layers
    IntegerModel((sound[0], replace(layer, bias=int32(4, value=room)), *sound[2:]))
    with pytest.raises(CvqnError, match="2\\^24"):
        IntegerModel((sound[0], replace(layer, bias=int32(4, value=-room - 1)), *sound[2:]))
