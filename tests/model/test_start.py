"""CVQN's start from principal components."""

import copy

import pytest
import torch

from cvqn.model.cvqn import CVQN, loss
from cvqn.model.initialization import preserve_variance
from cvqn.model.ms_ssim import ms_ssim
from cvqn.model.start import start_from_components
from tests.trained import textures

WIDTHS = {"encoder_widths": [4, 8, 16, 32], "decoder_widths": [32, 16, 8, 8], "width": 1}


@pytest.fixture(scope="module")
def images():
    return textures()


@pytest.fixture
def settings(model_settings):
    return lambda **changes: model_settings(**(WIDTHS | changes))


CHANGES = [
    {},
    {"levels": [5], "ratios": [1.0], "importance": {"kind": "none"}},
    {"levels": [2], "ratios": [1.0], "importance": {"kind": "none"}},
    {"levels": [4, 5, 6]},
    {"levels": [2, 5, 8]},
    {"importance": {"kind": "se"}},
    {"importance": {"kind": "se", "scale_latent": False}},
    {"importance": {"kind": "re"}},
    {"downsampling": "strided"},
    {"gdn": True},
    {"channels": 48},
    {"encoder_widths": [2, 8, 16, 32]},
    {"encoder_widths": [3, 16, 70, 8], "decoder_widths": [8, 70, 16, 4]},
]


def started(settings, images):
    torch.manual_seed(0)
    model = CVQN(settings)
    torch.manual_seed(1)  # the branches', whatever numbers the parts have taken
    start_from_components(model, images)
    return model


def evaluated(model, images):
    model.eval()
    with torch.no_grad():
        return model(images)


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_start_decodes_better_than_the_mean_picture(settings, images, change):
    """Than the mean of every picture, and than a start without it; no group of symbols is idle."""
    model = started(settings(**change), images)
    forward = evaluated(model, images)
    coarse = images.mean((2, 3), keepdim=True).expand_as(images)
    assert ((forward.reconstruction - images) ** 2).mean() < 0.5 * ((coarse - images) ** 2).mean()
    torch.manual_seed(0)
    plain = CVQN(settings(**change))
    preserve_variance(plain.encoder)
    preserve_variance(plain.decoder)
    quality = ms_ssim(forward.reconstruction.clamp(0, 1), images).mean()
    assert quality > ms_ssim(coarse, images).mean() + 0.1
    assert quality > ms_ssim(evaluated(plain, images).reconstruction.clamp(0, 1), images).mean() + 0.1
    for symbols, levels in zip(forward.controlled.symbols, model.controller.levels, strict=True):
        assert len(symbols.unique()) == levels


@pytest.mark.parametrize("kind", ["se", "re"])
def test_importance_starts_as_the_predefined_one(settings, images, kind):
    """The same symbols; and sorting by SE's importance, trained or running, changes nothing at first."""
    predefined = evaluated(started(settings(), images), images)
    model = started(settings(importance={"kind": kind}), images)
    learned = evaluated(model, images)
    same = [
        (a == b).float().mean() for a, b in zip(predefined.controlled.symbols, learned.controlled.symbols, strict=True)
    ]
    assert min(same) > 0.98
    assert torch.equal(model.controller.order, torch.arange(16))
    if kind == "se":
        assert torch.equal(model.importance.importance.argsort(), model.controller.order)
        before = model.importance.importance.clone()
        model.train()
        with torch.no_grad():
            model(images)
        assert torch.allclose(model.importance.importance, before, atol=2e-3)


def test_start_follows_any_order_of_channels(settings, images):
    torch.manual_seed(0)
    model = CVQN(settings())
    order = torch.randperm(16, generator=torch.Generator().manual_seed(5))
    model.controller.order.copy_(order)
    torch.manual_seed(1)
    start_from_components(model, images)
    shuffled, plain = evaluated(model, images), evaluated(started(settings(), images), images)
    agree = [
        (a == b).float().mean() for a, b in zip(shuffled.controlled.symbols, plain.controlled.symbols, strict=True)
    ]
    assert min(agree) > 0.9


@pytest.mark.parametrize("change", [{}, {"importance": {"kind": "se"}}], ids=str)
def test_everything_is_trained_from_the_start(settings, images, change):
    model = started(settings(**change), images)
    before = copy.deepcopy(dict(model.named_parameters()))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss(model(images[:4]), images[:4], alpha=128, beta=0.001, clamp=False).total.backward()
    still = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    assert not still
    optimizer.step()
    assert not {name for name, p in model.named_parameters() if torch.equal(p, before[name])}


def test_start_is_the_same_each_time(settings, images):
    first, second = started(settings(), images), started(settings(), images)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
