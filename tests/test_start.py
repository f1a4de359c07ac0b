"""The start from principal components: its pieces, whatever network they are for."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cvqn.start import best_step, centre, deal, fit_cascade, fit_upward, least_squares, shifts
from tests.trained import textures


@pytest.fixture(scope="module")
def images():
    return textures()


def narrow_stage(inputs, outputs):
    return nn.Sequential(nn.PixelUnshuffle(2)), nn.Conv2d(inputs, outputs, 3, padding=1)


@torch.no_grad()
def test_cascade_of_full_width_gives_the_principal_components_of_blocks(images):
    """Where no stage drops anything, the last features are the components of whole 4x4 blocks, by numpy."""
    head = nn.Conv2d(3, 3, 3, padding=1)
    features, spread = fit_cascade(head, [narrow_stage(12, 12), narrow_stage(48, 10)], images)
    blocks = F.pixel_unshuffle(images, 4).movedim(1, -1).reshape(-1, 48).double().numpy()
    variances = np.linalg.eigh(np.cov(blocks.T, bias=True))[0][::-1]
    assert np.allclose(spread.double().numpy() ** 2, variances[:10], rtol=1e-3)
    last = features[-1].movedim(1, -1).reshape(-1, 10)
    assert torch.allclose(last.T @ last / len(last), torch.eye(10), atol=2e-3)
    assert last.mean(dim=0).abs().max() < 1e-3
    assert torch.allclose(features[0], images, atol=1e-6)


@torch.no_grad()
def test_a_strided_convolution_does_as_unshuffle_and_projection(images):
    strided = nn.Conv2d(3, 12, 3, stride=2, padding=1)
    centre(strided, torch.eye(12), torch.zeros(12))
    assert torch.allclose(strided(images), F.pixel_unshuffle(images, 2), atol=1e-6)
    wide = nn.Conv2d(3, 5, 5, stride=2, padding=2)
    matrix, bias = torch.randn(5, 12), torch.randn(5)
    centre(wide, matrix, bias)
    expected = torch.einsum("od,ndhw->nohw", matrix, F.pixel_unshuffle(images, 2)) + bias[:, None, None]
    assert torch.allclose(wide(images), expected, atol=1e-5)


@pytest.mark.parametrize(("levels", "copies"), list(itertools.product([2, 3, 5, 8], [1, 2, 3])))
def test_step_has_the_least_error_of_all(levels, copies):
    """Against numpy: for every step the nearest of the levels for each copy, and the mean of the copies."""
    values = np.random.default_rng(levels).laplace(size=1500)
    values /= values.std()
    error, step = best_step(torch.from_numpy(values), levels, copies)
    centred = np.arange(levels) - (levels - 1) / 2

    def error_of(step):
        coded = np.zeros_like(values)
        for place in range(copies):
            moved = values / step + (place - (copies - 1) / 2) / copies
            coded += centred[np.abs(moved[:, None] - centred).argmin(axis=1)] * step / copies
        return ((coded - values) ** 2).mean() / (values**2).mean()

    assert error == pytest.approx(error_of(step), rel=1e-4)
    assert error <= min(error_of(s) for s in np.linspace(0.3, 3, 50)) * 1.1 + 1e-3


def test_copies_together_are_a_finer_quantizer():
    assert shifts(1) == [0]
    assert shifts(2) == [-0.25, 0.25]
    values = torch.randn(4000, generator=torch.Generator().manual_seed(1))
    errors = [best_step(values, 7, copies)[0] for copies in (1, 2, 3, 4)]
    assert errors == sorted(errors, reverse=True)
    assert errors[1] < 0.5 * errors[0]


def test_channels_go_where_most_is_left():
    """Of deviations 10, 1, .1 the first gets copies, no component spans groups, copies lie side by side."""
    values = torch.randn(6, 4000, generator=torch.Generator().manual_seed(1))
    channels = deal(values, torch.tensor([10.0, 1, 0.5, 0.3, 0.2, 0.1]), [(7, 4), (5, 3), (3, 2)])
    components = [component for component, _, _ in channels]
    assert len(channels) == 9
    assert components[:4].count(0) >= 2
    assert components == sorted(components)
    assert not set(components[:4]) & set(components[4:7])
    assert not set(components[4:7]) & set(components[7:])
    more = deal(values[:2], torch.tensor([1.0, 0.1]), [(7, 3), (5, 3), (3, 3)])  # fewer components than groups
    assert len(more) == 9


@torch.no_grad()
def test_least_squares_is_numpys(images):
    conv, target = nn.Conv2d(3, 4, 3, padding=1), torch.randn(24, 2, 64, 64)
    target += F.avg_pool2d(images[:, :2], 3, 1, 1) * 5
    untouched = conv.weight[2:].clone()
    result = least_squares(conv, images, target)
    padded = np.pad(images[:16].numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)))
    taps = [padded[:, c, i : i + 64, j : j + 64].ravel() for c in range(3) for i in range(3) for j in range(3)]
    inputs = np.stack([*taps, np.ones_like(taps[0])], axis=1).astype(float)
    solution = np.linalg.lstsq(inputs, target[:16].movedim(1, -1).reshape(-1, 2).double().numpy(), rcond=None)[0]
    best = ((inputs @ solution - target[:16].movedim(1, -1).reshape(-1, 2).double().numpy()) ** 2).mean()
    assert float((result[:16, :2] - target[:16]).square().mean()) == pytest.approx(best, rel=1e-3)
    assert torch.equal(conv.weight[2:], untouched)


@torch.no_grad()
def test_fitting_upward_from_full_features_gives_the_image_back(images):
    """Where the features hold all of the image, so does what steps of least squares make of them."""
    features, _ = fit_cascade(nn.Conv2d(3, 3, 3, padding=1), [narrow_stage(12, 12), narrow_stage(48, 48)], images)
    head, tail = nn.Conv2d(48, 48, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
    steps = [(nn.Conv2d(size, size, 3, padding=1), nn.PixelShuffle(2)) for size in (48, 12)]
    fit_upward([(head, nn.Identity()), *steps], tail, features[-1], features[::-1], images)
    decoder = nn.Sequential(head, *itertools.chain(*steps), tail)
    assert F.mse_loss(decoder(features[-1]), images) < 1e-3 * images.var()
