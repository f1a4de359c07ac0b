"""Random changes to training crops; they depend only on (seed, step), so that resuming needs no state.

MS-SSIM is nearly blind to colour errors, so a network trained on few photographs overfits to their colours and
reproduces the colours of others badly. It also sees little of an error in the level of an even area, and bright even
areas are rare in photographs, so a network may learn to reproduce white as light grey.
"""

import numpy as np
import torch
from torch import Tensor

COLOUR_STREAM, FLAT_STREAM = 3, 4  # of random numbers; the others are in cvqn.lab.training.batches
SATURATION, CONTRAST, BALANCE, BRIGHTNESS = 0.7, 0.3, 0.15, 0.1  # largest changes: logs of factors; brightness is added
LUMA = (0.299, 0.587, 0.114)
PIVOT = 0.45  # about the mean of photographs, which a change of contrast preserves
DARKEST = 0.5  # grey level of a flat crop


def jitter_colours(images: Tensor, share: float, seed: int, step: int) -> Tensor:
    """Images `[B, 3, H, W]` in [0, 1], about a `share` of them with changed colours.

    Saturation, white balance (a factor per channel), contrast and brightness are each changed at random.
    """
    if not share:
        return images
    generator = _generator(seed, COLOUR_STREAM, step)
    count = len(images)
    drawn = generator.uniform(-1, 1, (count, 6)) * (generator.random((count, 1)) < share)
    factors = np.exp(drawn[:, :5] * (SATURATION, CONTRAST, BALANCE, BALANCE, BALANCE))
    numbers = np.column_stack([factors, BRIGHTNESS * drawn[:, 5]]).astype(np.float32)
    table = torch.from_numpy(numbers).to(images.device)[:, :, None, None]
    saturation, contrast, balance, brightness = table[:, :1], table[:, 1:2], table[:, 2:5], table[:, 5:]
    luma = (images * torch.tensor(LUMA, device=images.device)[:, None, None]).sum(dim=1, keepdim=True)
    coloured = (luma + saturation * (images - luma)) * balance
    return ((coloured - PIVOT) * contrast + PIVOT + brightness).clamp(0, 1)


def flatten(images: Tensor, share: float, seed: int, step: int) -> Tensor:
    """Images `[B, 3, H, W]` in [0, 1], about a `share` of them replaced by a grey level in [0.5, 1], mostly near 1."""
    if not share:
        return images
    generator = _generator(seed, FLAT_STREAM, step)
    count = len(images)
    chosen = torch.from_numpy(generator.random(count) < share)
    levels = torch.from_numpy((1 - (1 - DARKEST) * generator.random(count) ** 2).astype(np.float32))
    chosen, levels = (column.to(images.device)[:, None, None, None] for column in (chosen, levels))
    return torch.where(chosen, levels, images)


def _generator(*seeds: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seeds)))
