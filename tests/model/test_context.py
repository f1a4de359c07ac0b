import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cvqn.model.context import ContextModel, MaskedConv3d


@pytest.mark.parametrize("hollow", [True, False])
def test_masked_convolution_is_a_3d_convolution_with_the_mask_of_raster_order(hollow):
    layer = MaskedConv3d(3, 4, hollow=hollow)
    weight = layer.weight.detach().clone()
    for number, tap in enumerate(itertools.product(range(3), repeat=3)):
        if number > 13 or (hollow and number == 13):
            weight[:, :, *tap] = 0
    features = torch.randn(2, 3, 5, 4, 6)
    expected = F.conv3d(features, weight, layer.bias, padding=1)
    torch.testing.assert_close(layer(features), expected)
    torch.testing.assert_close(layer.masked_weight, weight)


def test_a_symbol_depends_on_earlier_ones_only():
    model = ContextModel(levels=5, width=6)
    values = torch.randn(1, 3, 4, 5)
    with torch.no_grad():
        before = model(values)
        for position in [(0, 0, 0), (1, 2, 3), (2, 3, 4)]:
            changed = values.clone()
            changed[0][position] += 1
            differs = (model(changed) != before).any(dim=1)[0].flatten().numpy()
            first = np.ravel_multi_index(position, values.shape[1:])
            assert not differs[: first + 1].any()
            if first + 1 < differs.size:
                assert differs[first + 1 :].any()


def test_cross_entropy_is_minus_log_probability():
    model = ContextModel(levels=3, width=4)
    values, symbols = torch.randn(1, 2, 3, 3), torch.randint(3, (1, 2, 3, 3))
    probabilities = torch.softmax(model(values), dim=1)
    chosen = probabilities.gather(1, symbols[:, None])[:, 0]
    torch.testing.assert_close(model.cross_entropy(values, symbols), -chosen.log())


def test_switches():
    values = torch.randn(1, 2, 3, 3, requires_grad=True)
    assert (ContextModel(3, 4, relu_logits=True)(values) >= 0).all()
    ContextModel(3, 4, detach_input=True)(values).sum().backward()
    assert values.grad is None
    ContextModel(3, 4)(values).square().sum().backward()
    assert values.grad.abs().sum() > 0


def test_unseen_taps_get_no_gradient():
    layer = MaskedConv3d(1, 1, hollow=True)
    layer(torch.randn(1, 1, 3, 4, 4)).sum().backward()
    assert (layer.weight.grad.flatten()[13:] == 0).all()
