"""Which crops a step sees: a function of (seed, step) alone, so that a resumed run needs no sampler state."""

import numpy as np
import torch
from torch import Tensor

from cvqn.data.pack import Pack

PASS_STREAM, STEP_STREAM, FIXED_STREAM = 0, 1, 2


def crops_of_step(pack: Pack, seed: int, step: int, batch: int, patch: int) -> np.ndarray:
    """The crops of one step, int64 `[batch, 4]`: image, top, left, and 1 where the crop is mirrored.

    Images come in shuffled passes over the pack, positions and mirroring at random.
    """
    generator = _generator(seed, STEP_STREAM, step)
    passes, places = np.divmod(np.arange(step * batch, (step + 1) * batch), len(pack))
    orders = {number: _generator(seed, PASS_STREAM, number).permutation(len(pack)) for number in np.unique(passes)}
    images = np.array([orders[number][place] for number, place in zip(passes, places, strict=True)])
    return _random_crops(generator, pack, images, patch)


def fixed_crops(pack: Pack, seed: int, count: int, patch: int) -> np.ndarray:
    """`count` crops that stay the same for a whole run: the validation images of equation (6), calibration."""
    generator = _generator(seed, FIXED_STREAM, 0)
    return _random_crops(generator, pack, generator.integers(len(pack), size=count), patch)


def load(pack: Pack, crops: np.ndarray, patch: int, device: str) -> Tensor:
    """Crops as images `[B, 3, patch, patch]`, float32 in [0, 1]; they travel to the device as uint8."""
    pixels = torch.from_numpy(pack.crops(crops[:, :3], patch))
    mirrored = torch.from_numpy(crops[:, 3] == 1)
    if device != "cpu":
        pixels = pixels.pin_memory().to(device, non_blocking=True)
        mirrored = mirrored.pin_memory().to(device, non_blocking=True)
    images = pixels.permute(0, 3, 1, 2).float().div_(255)
    return torch.where(mirrored[:, None, None, None], images.flip(-1), images)


def _random_crops(generator: np.random.Generator, pack: Pack, images: np.ndarray, patch: int) -> np.ndarray:
    corners = generator.integers(np.maximum(pack.sizes[images] - patch, 0) + 1)
    return np.column_stack([images, corners, generator.integers(2, size=len(images))])


def _generator(seed: int, stream: int, number: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, stream, int(number)])))
