import math

import numpy as np
import pytest
import torch

from cvqn.bitstream.integer_model import EXACT, INPUT_SIZES, LARGEST_SHIFT, LARGEST_WEIGHT, IntegerModel, largest_sum
from cvqn.bitstream.wavefront import symbol_bits
from cvqn.errors import CvqnError
from cvqn.model.context import ContextModel
from cvqn.model.export import export_context
from tests.bitstream import reference

MEANS = torch.tensor([0.4, -1.3, 2.2, 0.9, -0.2])  # sorted or not, a symbol stands for its mean


def field(shape, levels=5, seed=0):
    """Symbols that neighbours share, int64 `[C_g, h, w]`."""
    noise = torch.randn(1, 1, *shape, generator=torch.Generator().manual_seed(seed))
    smooth = noise
    for _ in range(2):
        smooth = torch.nn.functional.avg_pool3d(smooth, 3, 1, 1)
    smooth = smooth[0, 0]
    return ((smooth / smooth.std() + 2) * levels / 4).floor().clamp(0, levels - 1).long()


def trained(width=24, steps=60, **options):
    """A context model after a short training on such symbols."""
    torch.manual_seed(0)
    context = ContextModel(5, width, **options)
    optimizer = torch.optim.Adam(context.parameters(), 5e-3)
    for step in range(steps):
        symbols = field((6, 16, 16), seed=step)[None]
        optimizer.zero_grad()
        context.cross_entropy(MEANS[symbols], symbols).mean().backward()
        optimizer.step()
    return context.eval()


def bits(context, symbols):
    """Cross entropy of each symbol."""
    with torch.no_grad():
        return context.cross_entropy(MEANS[symbols][None], symbols[None])[0].double().numpy() / math.log(2)


@pytest.fixture(scope="module")
def context():
    return trained()


@pytest.fixture(scope="module")
def integer(context):
    return export_context(context, MEANS, [field((6, 16, 16), seed=100 + i) for i in range(8)])


@pytest.mark.parametrize("relu_logits", [False, True])
def test_integer_and_float_model_cost_the_same(relu_logits):
    context = trained(relu_logits=relu_logits)
    integer = export_context(context, MEANS, [field((6, 16, 16), seed=100 + i) for i in range(8)])
    symbols = field((12, 24, 24), seed=999)
    expected, actual = bits(context, symbols), symbol_bits([integer], [symbols.numpy()])[0]
    assert expected.mean() < 0.8 * math.log2(5)  # it has learnt something
    assert abs(actual.sum() / expected.sum() - 1) < 0.001
    assert np.abs(actual - expected).max() < 0.25
    assert integer.layers[3].limits[0] == (0 if relu_logits else 1 - EXACT)


def test_logits_are_in_256ths_of_a_bit(context, integer):
    symbols = field((4, 9, 8), seed=5)
    with torch.no_grad():
        exact = context(MEANS[symbols][None])[0].movedim(0, -1).double().numpy() * 256 / math.log(2)
    assert np.abs(reference.logits(integer, symbols.numpy()) - exact).max() < 0.03 * np.ptp(exact)


def test_shifts_are_the_largest_with_exact_sums(context, integer):
    assert [layer.weight.shape[0] for layer in integer.layers] == [13, 14, 14, 14]
    for layer, size in zip(integer.layers, INPUT_SIZES, strict=True):
        doubled = largest_sum(2.0 * layer.weight, 2.0 * layer.bias, size)
        largest = np.abs(layer.weight).max(axis=(0, 1))
        assert (largest_sum(layer.weight, layer.bias, size) < EXACT).all()
        slack = layer.weight.shape[0] * layer.weight.shape[1] * size  # doubling is not rounding again
        more = (doubled + slack >= EXACT) | (2 * largest + 1 > LARGEST_WEIGHT) | (layer.shift == LARGEST_SHIFT)
        assert more.all()


def test_activations_reach_but_hardly_leave_the_range(context):
    """255 / 1.05 is the largest activation of the calibration data itself."""
    symbols = field((6, 16, 16), seed=3)
    integer = export_context(context, MEANS, [symbols])
    x1 = np.eye(5, dtype=np.int64)[symbols.numpy()]
    first = integer.layers[0]
    x1 = np.clip((reference.convolve(x1, first.weight) + first.bias) >> first.shift.astype(np.int64), 0, 255)
    assert 200 < x1.max() <= 244


def test_stored_arrays_give_the_same_model(integer):
    again = IntegerModel.from_arrays(integer.to_arrays())
    symbols = field((3, 8, 8)).numpy()
    np.testing.assert_array_equal(symbol_bits([integer], [symbols])[0], symbol_bits([again], [symbols])[0])


@pytest.mark.parametrize("layer", ["first", "residual1", "residual2"])
@pytest.mark.parametrize("part", ["all", "one"])
def test_dead_channels_are_exported_as_dead(layer, part):
    context = trained(width=8, steps=20)
    with torch.no_grad():
        dead = slice(None) if part == "all" else 3
        getattr(context, layer).weight[dead] = 0
        getattr(context, layer).bias[dead] = 0 if layer == "residual2" else -50
        if layer == "first":  # x2 has the same scale: let it be dead, too
            context.residual2.weight[dead] = 0
            context.residual2.bias[dead] = 0
    symbols = field((4, 12, 12))
    integer = export_context(context, MEANS, [symbols])
    actual = symbol_bits([integer], [symbols.numpy()])[0]
    assert abs(actual.sum() / bits(context, symbols).sum() - 1) < 0.002


def test_a_channel_that_wakes_up_later_does_no_harm():
    """On the calibration data one channel is dead; elsewhere it is not, and saturates."""
    context = trained(width=8, steps=20)
    calm = torch.zeros(4, 12, 12, dtype=torch.long)
    integer = export_context(context, MEANS, [calm])
    symbols = field((4, 12, 12)).numpy()
    assert np.isfinite(symbol_bits([integer], [symbols])[0]).all()


def test_what_cannot_be_exported_is_a_clear_error(context):
    with pytest.raises(CvqnError, match="calibration"):
        export_context(context, MEANS, [])
    with pytest.raises(CvqnError, match="not finite"):
        export_context(context, MEANS * math.nan, [field((3, 4, 4))])
    huge = trained(width=4, steps=0)
    with torch.no_grad():
        huge.last.weight *= 1e6
    with pytest.raises(CvqnError, match="so large"):
        export_context(huge, MEANS, [field((3, 4, 4))])
