"""The crops of each step, which depend only on (seed, step), so that a resumed training needs no sampler state."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from cvqn.lab.data.pack import Pack

PASS_STREAM, STEP_STREAM, FIXED_STREAM = 0, 1, 2
LEFT_RIGHT, UPSIDE_DOWN = 1, 2  # bits of a crop's flips


def crops_of_step(pack: Pack, seed: int, step: int, batch: int, patch: int, vertical_flips: bool = False) -> np.ndarray:
    """The crops of one step, int64 `[batch, 4]`: image, top, left, and flips, the sum of LEFT_RIGHT and UPSIDE_DOWN.

    Images are taken in shuffled passes over the pack. Positions and flips are random; without `vertical_flips` no crop
    is UPSIDE_DOWN.
    """
    generator = _generator(seed, STEP_STREAM, step)
    passes, places = np.divmod(np.arange(step * batch, (step + 1) * batch), len(pack))
    orders = {number: _generator(seed, PASS_STREAM, number).permutation(len(pack)) for number in np.unique(passes)}
    images = np.array([orders[number][place] for number, place in zip(passes, places, strict=True)])
    return _random_crops(generator, pack, images, patch, vertical_flips)


def fixed_crops(pack: Pack, seed: int, count: int, patch: int) -> np.ndarray:
    """`count` crops `[count, 4]` that stay the same for a whole training: for equation (6), fits and calibration."""
    generator = _generator(seed, FIXED_STREAM, 0)
    return _random_crops(generator, pack, generator.integers(len(pack), size=count), patch)


class FixedCrops:
    """The fixed crops of a training, as `cvqn.codecs.interface.Crops`."""

    def __init__(self, source: "Source", seed: int):
        self.source, self.seed = source, seed

    def __call__(self, count: int, patch: int, batch: int | None = None) -> Iterator[Tensor]:
        crops = fixed_crops(self.source.pack, self.seed, count, patch)
        for first in range(0, count, batch or count):
            yield self.source.load(crops[first : first + (batch or count)], patch)


class Source:
    """Crops of a pack as tensors on a device.

    If the pack takes at most half of the GPU's free memory, it is kept there and crops are cut on the GPU. Otherwise
    crops are cut on the host and sent as uint8. Neither waits for the device.
    """

    def __init__(self, pack: Pack, device: str):
        self.pack, self.device = pack, device
        self.resident = device == "cuda" and pack.pixels.nbytes <= torch.cuda.mem_get_info()[0] // 2
        if self.resident:
            self.pixels = _upload(pack.pixels, device)
            self.table = torch.from_numpy(np.column_stack([pack.offsets, pack.sizes])).to(device)

    def load(self, crops: np.ndarray, patch: int) -> Tensor:
        """Images `[B, 3, patch, patch]`, float32 in [0, 1], of crops `[B, 4]`: image, top, left, flips."""
        specs = _send(torch.from_numpy(crops), self.device)
        if self.resident:
            squares = cut(self.pixels, self.table, specs, patch)
        else:
            squares = _send(torch.from_numpy(self.pack.crops(crops[:, :3], patch)), self.device)
            flips = specs[:, 3, None, None, None]
            squares = torch.where(flips & LEFT_RIGHT > 0, squares.flip(2), squares)
            squares = torch.where(flips & UPSIDE_DOWN > 0, squares.flip(1), squares)
        return squares.permute(0, 3, 1, 2).float().div_(255)

    @property
    def bytes_on_device(self) -> int:
        """The memory of the device that the pack takes; 0 if it stays on the host."""
        return self.pixels.nbytes + self.table.nbytes if self.resident else 0


def cut(pixels: Tensor, table: Tensor, crops: Tensor, patch: int) -> Tensor:
    """The same squares as `Pack.crops`, flipped where `crops` says so, uint8 `[B, patch, patch, 3]`, on one device.

    Args:
        pixels: every image's pixels, uint8, one dimension.
        table: offset, height and width of each image, int64 `[N, 3]`.
        crops: image, top, left and flips of each crop, int64 `[B, 4]`.
    """
    image, top, left, flips = crops[:, :, None].unbind(1)
    offset, height, width = table[image].unbind(2)
    along = torch.arange(patch, device=pixels.device)
    backward = patch - 1 - along
    rows = torch.minimum(top + torch.where(flips & UPSIDE_DOWN > 0, backward, along), height - 1)
    columns = torch.minimum(left + torch.where(flips & LEFT_RIGHT > 0, backward, along), width - 1)
    first = offset[:, None] + 3 * (rows * width)[:, :, None] + 3 * columns[:, None, :]
    return pixels[first[..., None] + torch.arange(3, device=pixels.device)]


def _upload(pixels: np.ndarray, device: str, chunk: int = 1 << 26) -> Tensor:
    """A memory-mapped array on the device, read once from front to back."""
    target = torch.empty(len(pixels), dtype=torch.uint8, device=device)
    for start in tqdm(range(0, len(pixels), chunk), desc="pack to device", unit="chunk", disable=None):
        target[start : start + chunk] = torch.from_numpy(pixels[start : start + chunk].copy())
    return target


def _send(tensor: Tensor, device: str) -> Tensor:
    return tensor.pin_memory().to(device, non_blocking=True) if device == "cuda" else tensor


def _random_crops(
    generator: np.random.Generator, pack: Pack, images: np.ndarray, patch: int, vertical_flips: bool = False
) -> np.ndarray:
    corners = generator.integers(np.maximum(pack.sizes[images] - patch, 0) + 1)
    flips = generator.integers(1 + LEFT_RIGHT + UPSIDE_DOWN * vertical_flips, size=len(images))
    return np.column_stack([images, corners, flips])


def _generator(seed: int, stream: int, number: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, stream, int(number)])))
