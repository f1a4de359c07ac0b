import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cvqn.errors import CvqnError
from cvqn.model.context import ContextModel
from cvqn.model.controller import Controller
from cvqn.model.quantizer import GMMQuantizer


def controller(order):
    levels = [3, 5, 7]
    made = Controller(
        [2, 4, 2],
        [GMMQuantizer(q, rule="responsibility", mixture=True, variance_floor=1e-3) for q in levels],
        [ContextModel(q, 4) for q in levels],
    )
    made.order.copy_(torch.tensor(order))
    return made


@given(st.permutations(range(8)))
def test_merge_undoes_split_and_groups_follow_the_order(order):
    made = controller(order)
    latent = torch.randn(2, 8, 3, 2)
    groups = made.split(latent)
    assert torch.equal(made.merge(groups), latent)
    for group, channels in zip(groups, (order[:2], order[2:6], order[6:]), strict=True):
        assert torch.equal(group, latent[:, channels])


@given(st.permutations(range(8)))
def test_values_of_the_symbols_are_the_quantized_latent(order):
    made = controller(order)
    latent = 2 * torch.randn(1, 8, 2, 3)
    controlled = made(latent)
    torch.testing.assert_close(made.values(controlled.symbols), controlled.values)
    torch.testing.assert_close(made.quantize(latent), controlled.values)
    for symbols, levels in zip(controlled.symbols, made.levels, strict=True):
        assert 0 <= symbols.min() <= symbols.max() < levels


def test_every_channel_gets_the_levels_of_its_group():
    order = [7, 6, 5, 4, 3, 2, 1, 0]
    values = controller(order).quantize(3 * torch.randn(1, 8, 40, 40))[0]
    distinct = [len(np.unique(channel.detach().round(decimals=4))) for channel in values]
    assert distinct == [7, 7, 5, 5, 5, 5, 3, 3]


def test_group_sizes(model_settings):
    assert model_settings(channels=32).group_sizes == (8, 16, 8)
    assert model_settings(channels=10, ratios=[0.1, 0.2, 0.7]).group_sizes == (1, 2, 7)
    with pytest.raises(CvqnError, match="whole number"):
        model_settings(channels=30)
    with pytest.raises(CvqnError, match="add up"):
        model_settings(ratios=[0.25, 0.5, 0.5])
    with pytest.raises(CvqnError, match="3 levels for 2 ratios"):
        model_settings(ratios=[0.5, 0.5])
