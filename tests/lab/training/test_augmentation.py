import colorsys

import numpy as np
import pytest
import torch

from cvqn.lab.training import augmentation
from cvqn.lab.training.augmentation import flatten, jitter_colours


@pytest.fixture
def images():
    return torch.rand(64, 3, 8, 8, generator=torch.Generator().manual_seed(1)) * 0.4 + 0.3


@pytest.mark.parametrize("change", [jitter_colours, flatten])
def test_a_function_of_seed_and_step(images, change):
    first = change(images, 0.7, 1, 5)
    assert torch.equal(first, change(images, 0.7, 1, 5))
    assert not torch.equal(first, change(images, 0.7, 1, 6))
    assert not torch.equal(first, change(images, 0.7, 2, 5))


@pytest.mark.parametrize("change", [jitter_colours, flatten])
def test_the_share_of_images_is_changed_and_all_stay_in_range(images, change):
    changed = change(images, 0.7, 1, 5)
    share = (changed - images).abs().amax(dim=(1, 2, 3)).gt(1e-6).float().mean()
    assert 0.55 < share < 0.85  # 0.7 of 64, two and a half standard deviations
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert torch.equal(change(images, 0, 1, 5), images)


def test_flat_crops_are_grey_levels_from_the_middle_to_white_mostly_bright(images):
    flat = flatten(images, 1.0, 1, 5)
    levels = flat[:, 0, 0, 0]
    assert torch.equal(flat, levels[:, None, None, None].expand_as(flat))
    assert 0.5 <= levels.min() < 0.6
    assert 0.95 < levels.max() <= 1
    assert levels.median() > 0.8


def test_grey_stays_grey_but_for_white_balance(images, monkeypatch):
    monkeypatch.setattr(augmentation, "BALANCE", 0.0)
    grey = images.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    changed = jitter_colours(grey, 1.0, 1, 5)
    assert torch.allclose(changed, changed[:, :1].expand(-1, 3, -1, -1), atol=1e-6)


def test_hue_stays_where_only_saturation_changes(images, monkeypatch):
    for name in ("BALANCE", "CONTRAST", "BRIGHTNESS"):
        monkeypatch.setattr(augmentation, name, 0.0)
    changed = jitter_colours(images, 1.0, 1, 5)
    for before, after in zip(images[:, :, 0, 0].tolist(), changed[:, :, 0, 0].tolist(), strict=True):
        if min(after) > 0.001 and max(after) < 0.999:  # not clipped
            assert colorsys.rgb_to_hsv(*after)[0] == pytest.approx(colorsys.rgb_to_hsv(*before)[0], abs=1e-4)
    assert not np.allclose(images, changed)
