"""Mentzer's start from principal components."""

import copy

import pytest
import torch

from cvqn.model.ms_ssim import ms_ssim
from cvqn_baselines.learned.mentzer.network import up
from cvqn_baselines.learned.mentzer.start import _up
from tests.baselines.learned.conftest import small_experiment
from tests.trained import textures

IMAGES = textures()
SIZES = [
    {"features": 32, "channels": 32, "groups": 2},
    {"features": 16, "channels": 8, "groups": 1},
    {"features": 16, "channels": 40, "levels": 5},
]


def built(model, **training):
    torch.manual_seed(0)
    experiment = small_experiment("mentzer-low", model, {"initialization": "components"} | training)
    return experiment.learned_codec.build(experiment.model, experiment.training)


def started(model):
    network = built(model)
    network.start(lambda count, patch: iter([IMAGES]))
    return network


def quality(network):
    with torch.no_grad():
        forward = network(IMAGES)
    return float(ms_ssim(forward.reconstruction.clamp(0, 1), IMAGES).mean()), forward


@pytest.mark.parametrize("model", SIZES, ids=str)
def test_start_decodes_well_in_training_and_in_evaluation(model):
    network = started(model)
    assert network.training
    training, forward = quality(copy.deepcopy(network))
    evaluation, _ = quality(network.eval())
    assert quality(built(model).eval())[0] < 0.3
    assert training > (0.9 if model["channels"] >= 32 else 0.8)
    assert evaluation == pytest.approx(training, abs=0.01)
    shares = torch.bincount(forward.symbols.flatten(), minlength=network.settings.levels) / forward.symbols.numel()
    assert shares.min() > 0.005
    assert forward.mask.mean() > 0.9


def test_every_parameter_learns_after_the_start():
    network = started(SIZES[0])
    network.loss(network(IMAGES[:4]), IMAGES[:4]).total.backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


@pytest.mark.parametrize("kernel", [3, 5])
@torch.no_grad()
def test_least_squares_of_a_transposed_convolution(kernel):
    """What a transposed convolution with a bias made is found again."""
    made, layer = up(3, 4, kernel, relu=False).eval(), up(3, 6, kernel, relu=False).eval()
    x = torch.randn(2, 3, 40, 40)
    target = made[:2](x) + 5
    torch.testing.assert_close(_up(layer, x, target)[:, :4], target, atol=0.02, rtol=0.01)
    torch.testing.assert_close(layer[0].weight[:, :4], made[0].weight, atol=2e-3, rtol=0.01)
