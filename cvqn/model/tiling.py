"""Encoder and decoder on pictures of any size, in bounded memory.

Pictures of up to `WHOLE` pixels go through the network in one piece. Larger ones go through in tiles that overlap by
the reach of the convolutions, so that the inside of a tile is the same as without tiling. Only channel attention sees
further: it takes means over the whole picture. With tiles, these means are computed once, over windows spread evenly
over the picture, and used for every tile. The tiling depends only on the picture's size, so it is the same on every
machine.

The largest feature maps have 32 channels per pixel times the width factor, and five of them exist at once. In float32
this takes 640 bytes per pixel of a tile and its overlap, times the width factor.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from tqdm import tqdm

from cvqn.model.network import STRIDE, ChannelAttention

WHOLE = 1 << 23  # pixels
TILE = 128  # positions of the latent along a side, 2048 pixels
WINDOW = 32
WINDOWS = 4  # along each side


def reach(blocks: int) -> int:
    """How far the convolutions of encoder or decoder see to each side, in positions of the latent."""
    layers = 2 * blocks + 2  # of each stage, at 2, 4, 8 and 16 pixels per position
    pixels = 1 + layers * (2 + 4 + 8 + 16) + 16 + (1 + 2 + 4 + 8)  # head, stages, tail, strided convolutions
    return -(-pixels // STRIDE)


def evaluate(
    network: nn.Module, apply: Callable[[Tensor], Tensor], source: Tensor, *, unit_in: int, unit_out: int, overlap: int
) -> Tensor:
    """`apply(source)` in one piece or in tiles, `[B, channels, unit_out h, unit_out w]`.

    Args:
        network: the encoder or decoder that `apply` calls.
        apply: called with each piece of the source; it may compute on another device, but returns to the source's.
        source: `[B, channels, unit_in h, unit_in w]`, h and w positions of the latent.
        unit_in: 16 for pictures, 1 for latents.
        unit_out: the same for the result.
        overlap: between tiles, in positions of the latent; at least the network's `reach`.
    """
    rows, columns = source.shape[2] // unit_in, source.shape[3] // unit_in
    if len(source) * rows * columns * STRIDE**2 <= WHOLE:
        return apply(source)
    if len(source) > 1:
        units = {"unit_in": unit_in, "unit_out": unit_out, "overlap": overlap}
        return torch.cat([evaluate(network, apply, one, **units) for one in source.split(1)])

    def piece(top: int, bottom: int, left: int, right: int) -> Tensor:
        return source[:, :, unit_in * top : unit_in * bottom, unit_in * left : unit_in * right]

    result = None
    tiles = [(top, left) for top in range(0, rows, TILE) for left in range(0, columns, TILE)]
    with constant_attention(network):
        apply(torch.cat([piece(*window) for window in windows(rows, columns)]))
        for top, left in tqdm(tiles, desc="transform", unit="tile", leave=False, disable=None):
            bottom, right = min(top + TILE, rows), min(left + TILE, columns)
            above, before = min(overlap, top), min(overlap, left)
            done = apply(piece(top - above, bottom + overlap, left - before, right + overlap))
            inside = done[:, :, unit_out * above :, unit_out * before :]
            height, width = unit_out * (bottom - top), unit_out * (right - left)
            if result is None:
                result = done.new_empty(1, done.shape[1], unit_out * rows, unit_out * columns)
            result[:, :, unit_out * top :, unit_out * left :][:, :, :height, :width] = inside[:, :, :height, :width]
    return result


def windows(rows: int, columns: int) -> Iterator[tuple[int, int, int, int]]:
    """Top, bottom, left and right of the windows over which attention takes its means, in positions of the latent."""
    height, width = min(WINDOW, rows), min(WINDOW, columns)
    for row in range(WINDOWS):
        for column in range(WINDOWS):
            top, left = row * (rows - height) // (WINDOWS - 1), column * (columns - width) // (WINDOWS - 1)
            yield top, top + height, left, left + width


@contextmanager
def constant_attention(network: nn.Module) -> Iterator[None]:
    """While active, every channel attention reuses the means of its first call, averaged over that call's batch."""
    means: dict[nn.Module, Tensor] = {}

    def keep(squeeze: nn.Module, pooled: tuple[Tensor]) -> Tensor:
        if squeeze not in means:
            means[squeeze] = pooled[0].mean(dim=0, keepdim=True)
        return means[squeeze]

    attentions = [module for module in network.modules() if isinstance(module, ChannelAttention)]
    hooks = [attention.squeeze.register_forward_pre_hook(keep) for attention in attentions]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
