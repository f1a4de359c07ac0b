import copy

import pytest
import torch

from cvqn.model.cvqn import CVQN
from cvqn.model.initialization import preserve_variance
from cvqn.model.ms_ssim import ms_ssim
from cvqn.model.transform_coder import Digit, allocate, hidden_units, staircase, start_as_transform_coder, steepness


@pytest.fixture(scope="module")
def images():
    """Smooth textures with edges, as natural as arithmetic gets: [24, 3, 64, 64]."""
    generator = torch.Generator().manual_seed(0)
    rough = torch.randn(24, 3, 64, 64, generator=generator).cumsum(-1).cumsum(-2)
    rough = rough + 3 * rough.mean(1, keepdim=True)
    return torch.sigmoid((rough - rough.mean((2, 3), keepdim=True)) / rough.std((2, 3), keepdim=True))


@pytest.fixture
def config(model_config):
    return {
        **copy.deepcopy(model_config),
        "encoder_widths": [4, 8, 16, 32],
        "decoder_widths": [32, 16, 8, 8],
        "width": 1,
    }


def started(config, images, start):
    torch.manual_seed(0)
    model = CVQN(config)
    start(model)
    model.eval()
    with torch.no_grad():
        return model, model(images)


def test_staircase_is_rounding_but_for_the_ramps():
    values = torch.linspace(-4, 4, 1001)
    for levels in (2, 3, 5, 8):
        half = (levels - 1) / 2
        nearest = (
            ((values - half).round() + half).clamp(-half, half)
            if levels % 2 == 0
            else values.round().clamp(-half, half)
        )
        flat = (((values + half) % 1) - 0.5).abs() > 1 / 32  # no ramp is wider
        assert torch.allclose(staircase(values, levels)[flat], nearest[flat], atol=1e-6)


def test_digits_go_where_most_is_left():
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(3, 4000, generator=generator) * torch.tensor([10.0, 1.0, 0.1])[:, None]
    digits = allocate(values, [7, 7, 5, 3], budget=100)
    assert [digit.component for digit in digits] == [0, 0, 1, 1]  # deviations 10, then 10 / 7, then 1
    assert digits[0] == Digit(0, 7, digits[0].scale)
    assert any(digit.before == digits[0] for digit in digits)
    assert not any(digit.before for digit in allocate(values, [7, 7, 5], budget=hidden_units(digits[0]) - 1))


def test_digits_of_a_component_are_one_uniform_quantizer():
    """The first levels times the second times the third: a staircase of the product, known without digits."""
    values = torch.linspace(-1, 1, 4001)[None] * 3
    digits = allocate(values, [7, 5, 3], budget=1000)
    assert digits[2].before.levels == 35
    step = 1 / digits[2].scale
    rest = values[0].clone()
    for digit in digits:
        rest -= staircase(rest * digit.scale, digit.levels) / digit.scale
    inner = (values[0].abs() < 52 * step) & (rest.abs() < step)  # but for values on a ramp
    assert inner.float().mean() > 0.5
    assert torch.allclose(rest[inner].abs().max(), torch.tensor(step / 2), rtol=0.05)
    assert (rest.abs() <= step / 2 * 1.01).float().mean() > 0.98


def test_ramps_outlive_rounding_to_float16():
    for levels in (3, 5, 7, 35, 49):
        edges = torch.arange(levels - 1) - (levels - 2) / 2 + 0.123
        high, low = steepness(levels) * edges + 0.5, steepness(levels) * edges - 0.5
        assert torch.equal(high.half().float() - low.half().float(), torch.ones(levels - 1))


def test_rests_in_the_network_are_those_of_the_allocation(config, images):
    """The last stage's convolutions compute value minus staircase of an earlier channel's value."""
    model, forward = started(config, images, lambda model: start_as_transform_coder(model, images))
    latent = forward.latent.flip(1)
    levels = [q for size, q in zip(model.controller.sizes, config["levels"], strict=True) for _ in range(size)][::-1]
    explained = 0
    for first, count in enumerate(levels):
        rest = latent[:, first] - staircase(latent[:, first], count)
        for later in range(first + 1, len(levels)):
            close = (latent[:, later] - levels[later] * rest).abs() < 0.3  # not on a ramp, where both are steep
            explained += bool(close.float().mean() > 0.9)
    assert explained >= 1


def test_start_is_a_coder_before_any_training(config, images):
    _, forward = started(config, images, lambda model: start_as_transform_coder(model, images))
    _, plain = started(
        config, images, lambda model: (preserve_variance(model.encoder), preserve_variance(model.decoder))
    )
    coarse = images.mean((2, 3), keepdim=True).expand_as(images)
    quality = ms_ssim(forward.reconstruction.clamp(0, 1), images).mean()
    assert quality > ms_ssim(coarse, images).mean() + 0.1
    assert quality > ms_ssim(plain.reconstruction.clamp(0, 1), images).mean() + 0.1
    for group in forward.controlled.symbols:
        assert len(group.unique()) > 1


@pytest.mark.parametrize("change", [
    {"levels": [2], "ratios": [1.0], "importance": {"kind": "none", "scale_latent": True}},
    {"importance": {"kind": "se", "scale_latent": True}},
    {"downsampling": "strided"},
    {"gdn": True},
    {"channels": 40},
])  # fmt: skip
def test_start_fits_every_network(config, images, change):
    model, forward = started(config | change, images, lambda model: start_as_transform_coder(model, images))
    assert torch.isfinite(forward.reconstruction).all()
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())
    assert ((forward.reconstruction - images) ** 2).mean() < images.var()


def test_start_is_the_same_each_time(config, images):
    first, _ = started(config, images, lambda model: start_as_transform_coder(model, images))
    second, _ = started(config, images, lambda model: start_as_transform_coder(model, images))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
