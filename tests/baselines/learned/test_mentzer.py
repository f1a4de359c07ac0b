"""Mentzer et al. 2018 against the facts of its released code, each computed here by itself."""

import itertools
import math
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cvqn.bitstream.wavefront import symbol_bits
from cvqn.lab.settings.configuration import resolve
from cvqn.model.integers import from_tensors
from cvqn.model.ms_ssim import ms_ssim
from cvqn_baselines.learned.mentzer.model import MARGIN, Mentzer
from cvqn_baselines.learned.mentzer.network import Quantizer, down, importance_mask, reach, up
from tests import ROOT
from tests.baselines.learned.conftest import crops, small_experiment, train

N, B, C, K, L = 128, 5, 32, 24, 6
CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


@pytest.fixture(scope="module")
def full():
    """The network of the default settings."""
    return Mentzer(resolve([]).experiments["mentzer-low"].model).eval()


def network(**model):
    experiment = small_experiment("mentzer-low", model)
    return experiment.learned_codec.build(experiment.model, experiment.training)


def test_number_of_parameters(full):
    blocks = (3 * B + 1) * 2
    encoder = 25 * 3 * N // 2 + 25 * N // 2 * N + blocks * 9 * N * N + 25 * N * (C + 1)
    decoder = 9 * C * N + blocks * 9 * N * N + 25 * N * N // 2 + 25 * N // 2 * 3
    encoder_scales = 2 * (N // 2 + N + blocks * N + C + 1)
    decoder_scales = 2 * (N + blocks * N + N // 2 + 3)
    assert sum(p.numel() for p in full.encoder.parameters()) == encoder + encoder_scales
    assert sum(p.numel() for p in full.decoder.parameters()) == decoder + decoder_scales
    context = 18 * K + K + 2 * (18 * K * K + K) + 18 * K * L + L
    stored = sum(p.numel() for p in full.context.parameters())
    unused = 9 * (K + 2 * K * K + K * L)  # taps of a channel that comes later
    assert stored - unused == context
    assert full.quantizer.centres.numel() == L


def test_shapes_of_the_layers(full):
    shapes = []
    hooks = [
        module.register_forward_hook(lambda m, _, y: shapes.append((m.kernel_size[0], m.stride[0], *y.shape[1:])))
        for module in full.modules()
        if isinstance(module, CONVOLUTIONS)
    ]
    with torch.no_grad():
        forward = full(torch.rand(1, 3, 160, 160))
    for hook in hooks:
        hook.remove()
    body = [(3, 1, N, 40, 40)] * (3 * B + 1) * 2
    encoder = [(5, 2, N // 2, 80, 80), (5, 2, N, 40, 40), *body, (5, 2, C + 1, 20, 20)]
    uncropped = [(3, 2, N, 41, 41), *body, (5, 2, N // 2, 81, 81), (5, 2, 3, 161, 161)]
    assert shapes == encoder + uncropped
    assert forward.reconstruction.shape == (1, 3, 160, 160)
    assert forward.latent.shape == forward.symbols.shape == forward.bits.shape == (1, C, 20, 20)


def test_every_convolution_is_normalized_and_all_but_two_have_relus(full):
    stacks = [m for m in full.modules() if isinstance(m, nn.Sequential) and any(isinstance(x, CONVOLUTIONS) for x in m)]
    assert len(stacks) == 6 + 4 * (3 * B + 1)
    assert all(sum(isinstance(x, nn.BatchNorm2d) for x in stack) == 1 for stack in stacks)
    without = sum(not any(isinstance(x, nn.ReLU) for x in stack) for stack in stacks)
    assert without == 2 + 2 * (3 * B + 1) + 2  # ends; second of each block; first of the further block


def test_strided_convolutions_are_tensorflows_same_padding():
    layer, x = down(2, 3, relu=False)[:2], torch.randn(1, 2, 8, 12)
    weight, expected = layer[1].weight, torch.zeros(1, 3, 4, 6)
    for row, column in np.ndindex(4, 6):
        for i, j in np.ndindex(5, 5):  # one row and column in front
            h, w = 2 * row - 1 + i, 2 * column - 1 + j
            if 0 <= h < 8 and 0 <= w < 12:
                expected[0, :, row, column] += weight[:, :, i, j] @ x[0, :, h, w]
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("kernel", [3, 5])
def test_transposed_convolutions_are_the_transpose_of_that(kernel):
    layer, x = up(2, 3, kernel, relu=False)[:2], torch.randn(1, 2, 4, 6)
    weight, expected = layer[0].weight, torch.zeros(1, 3, 8, 12)
    before = (kernel - 2) // 2
    for row, column in np.ndindex(4, 6):
        for i, j in np.ndindex(kernel, kernel):
            h, w = 2 * row - before + i, 2 * column - before + j
            if 0 <= h < 8 and 0 <= w < 12:
                expected[0, :, h, w] += x[0, :, row, column] @ weight[:, :, i, j]
    torch.testing.assert_close(layer(x), expected)


def test_importance_mask():
    logits = torch.tensor([[[-100.0, 0.0, 100.0, math.log(0.4 / 0.6)]]])
    mask = importance_mask(logits, 4, "clip")[0, :, 0]
    expected = [[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1], [1, 0.6, 0, 0]]
    torch.testing.assert_close(mask.T, torch.tensor(expected, dtype=torch.float32), atol=1e-5, rtol=0)
    ceiling = importance_mask(logits.requires_grad_(), 4, "ceiling")
    assert ceiling.detach().unique().tolist() == [0, 1]
    ceiling.sum().backward()
    assert logits.grad[0, 0, 3] > 0


def test_quantizer_takes_the_nearest_centre_and_passes_the_soft_gradient():
    quantizer = Quantizer(L, 2.0)
    assert quantizer.centres.abs().max() <= 2
    latent = torch.randn(2, 3, 4, 4, requires_grad=True)
    values, symbols = quantizer(latent)
    distances = (latent[..., None] - quantizer.centres).abs()
    assert torch.equal(symbols, distances.argmin(-1))
    assert torch.equal(values, quantizer.centres[symbols])
    (gradient,) = torch.autograd.grad(values.sum(), latent)
    soft = (torch.softmax(-(distances**2), -1) * quantizer.centres).sum(-1)
    torch.testing.assert_close(gradient, torch.autograd.grad(soft.sum(), latent)[0])


def plain_probabilities(model, values):
    """Probabilities `[L, C, h, w]` by 2x3x3 convolutions of one volume, padded once."""
    context = model.context
    kernel = list(itertools.product(range(2), range(3), range(3)))
    solid = torch.tensor([place <= (1, 1, 1) for place in kernel]).reshape(2, 3, 3)
    hollow = solid.clone()
    hollow[1, 1, 1] = False

    def convolve(layer, x, mask):
        return F.conv3d(x, layer.weight[:, :, :2] * mask, layer.bias)

    centre = float(model.quantizer.centres[0])
    x = torch.from_numpy(np.pad(values.numpy(), ((4, 0), (4, 4), (4, 4)), constant_values=centre))[None, None]
    x1 = convolve(context.first, x, hollow).relu()
    x2 = x1[:, :, 2:, 2:-2, 2:-2] + convolve(context.residual2, convolve(context.residual1, x1, solid).relu(), solid)
    return torch.softmax(convolve(context.last, x2, solid).relu(), 1)[0]


@torch.no_grad()
def test_probabilities_are_those_of_plain_masked_convolutions_over_a_volume_padded_once():
    model = network(context={"width": 24})
    for parameter in model.context.parameters():
        parameter *= 4
    symbols = torch.randint(L, (1, 6, 5, 7))
    values = model.quantizer.centres[symbols]
    probabilities = plain_probabilities(model, values[0])
    assert probabilities.std() > 0.05
    expected = -probabilities.gather(0, symbols)[0].log()
    torch.testing.assert_close(model.nats(values, symbols)[0], expected[None][0], atol=1e-4, rtol=1e-4)


def test_the_integer_model_costs_what_the_float_one_does():
    experiment = small_experiment("mentzer-low", {"context": {"width": 24}})
    model = train(experiment.learned_codec.build(experiment.model, experiment.training), 30, experiment.training).eval()
    images = crops(4)
    with torch.no_grad():
        values, symbols = model.quantizer(model.analyse(images)[0])
        expected = float(model.nats(values, symbols)[0].sum()) / math.log(2)
    integer, rest = from_tensors(model.export(images), 1)
    assert set(rest) == set(model.state_dict())
    bits = symbol_bits(integer, [symbols[0].numpy()], margin=MARGIN)[0].sum()
    assert bits == pytest.approx(expected, rel=3e-3)


@pytest.mark.parametrize("training", [{}, {"rate": "mask"}, {"context_loss": "own"}, {"clamp": False}, {"target": 9.0}])
def test_loss_is_a_plain_computation(training):
    experiment = small_experiment("mentzer-low", training=training)
    model, images = experiment.learned_codec.build(experiment.model, experiment.training), crops()
    forward = model(images)
    total = model.loss(forward, images).total
    settings = experiment.training
    picture = forward.reconstruction.clamp(0, 1) if settings.clamp else forward.reconstruction
    real, masked = forward.bits.mean(), (forward.bits * forward.mask).mean()
    rate = masked if settings.rate == "mask" else (real + masked) / 2
    modules = [*model.encoder.modules(), *model.decoder.modules()]
    weights = [module.weight for module in modules if isinstance(module, CONVOLUTIONS)]
    decay = 0.005 / 2 * sum((weight**2).sum() for weight in weights) + 0.1 / 2 * (model.quantizer.centres**2).sum()
    expected = 5000 * (1 - ms_ssim(picture, images).mean()) + 500 * max(rate - settings.target, 0) + decay
    expected = expected + 500 * real * (settings.context_loss == "own")
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(forward.bpp().mean(), forward.bits.sum() / (2 * 64 * 64))
    total.backward()
    trained = model.context.last.weight.grad is not None and bool(model.context.last.weight.grad.any())
    assert trained == (settings.target < 9)


def test_the_rate_reaches_the_encoder_through_the_mask_alone():
    model = network()
    forward = model(crops())
    forward.bits.sum().backward(retain_graph=True)
    assert all(parameter.grad is None for parameter in model.encoder.parameters())
    (forward.bits * forward.mask).sum().backward()
    gradient = model.encoder[-1][1].weight.grad
    assert gradient[0].any()
    assert not gradient[1:].any()


@pytest.mark.parametrize("padding", ["volume", "layers"])
def test_symbols_depend_on_earlier_ones_only(padding):
    model = network(context={"padding": padding})
    symbols = torch.randint(L, (1, 3, 4, 5))
    with torch.no_grad():
        before = model.nats(model.quantizer.centres[symbols], symbols)
        changed = model.quantizer.centres[symbols].clone()
        changed[0, 1, 2, 3] += 1
        differs = (model.nats(changed, symbols) != before).flatten()
    assert not differs[: 1 * 20 + 2 * 5 + 4].any()
    assert differs[1 * 20 + 2 * 5 + 4 :].any()


def test_tiles_overlap_by_as_much_as_the_convolutions_reach():
    model = network(groups=2).eval()
    size = 8 * (2 * reach(2) + 3)
    images = torch.rand(1, 3, size, size)
    changed = images.clone()
    changed[:, :, :8, :8] = 0
    with torch.no_grad():
        differs = (model.analyse(images)[0] != model.analyse(changed)[0]).any(dim=1)[0]
    assert not differs[reach(2) :].any()
    assert not differs[:, reach(2) :].any()


def test_an_odd_number_of_features_is_refused():
    with pytest.raises(ValueError, match="even number"):
        small_experiment("mentzer-low", {"width": 0.19})


def test_every_key_of_the_documentation_exists():
    page = (ROOT / "docs" / "mentzer-2018.md").read_text(encoding="utf-8")
    names, plain = [], resolve([]).experiments["mentzer-low"].plain()
    for line in page.splitlines():
        section = ""
        for key in re.findall(r"`([a-z_.]+)`", line.rsplit(" | ", 1)[1]) if line.startswith("| ") else []:
            names.append(section + key if key.startswith(".") else key)
            section = names[-1].rpartition(".")[0]
    assert len(names) > 12
    for name in names:
        value = plain
        for part in name.split("."):
            assert part in value, name
            value = value[part]
