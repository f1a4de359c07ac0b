"""Random changes to the colours of training crops; they depend only on (seed, step), so that resuming needs no state.

MS-SSIM is nearly blind to colour errors, so a network trained on few photographs overfits to their colours and
reproduces the colours of others badly.
"""

import numpy as np
import torch
from torch import Tensor

STREAM = 3  # of random numbers; the others are in cvqn.lab.training.batches
SATURATION, CONTRAST, BALANCE, BRIGHTNESS = 0.7, 0.3, 0.15, 0.1  # largest changes: logs of factors; brightness is added
LUMA = (0.299, 0.587, 0.114)
PIVOT = 0.45  # about the mean of photographs, which a change of contrast preserves


def jitter_colours(images: Tensor, share: float, seed: int, step: int) -> Tensor:
    """Images `[B, 3, H, W]` in [0, 1], about a `share` of them with changed colours.

    Saturation, white balance (a factor per channel), contrast and brightness are each changed at random.
    """
    if not share:
        return images
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, STREAM, step])))
    count = len(images)
    drawn = generator.uniform(-1, 1, (count, 6)) * (generator.random((count, 1)) < share)
    factors = np.exp(drawn[:, :5] * (SATURATION, CONTRAST, BALANCE, BALANCE, BALANCE))
    numbers = np.column_stack([factors, BRIGHTNESS * drawn[:, 5]]).astype(np.float32)
    table = torch.from_numpy(numbers).to(images.device)[:, :, None, None]
    saturation, contrast, balance, brightness = table[:, :1], table[:, 1:2], table[:, 2:5], table[:, 5:]
    luma = (images * torch.tensor(LUMA, device=images.device)[:, None, None]).sum(dim=1, keepdim=True)
    coloured = (luma + saturation * (images - luma)) * balance
    return ((coloured - PIVOT) * contrast + PIVOT + brightness).clamp(0, 1)
