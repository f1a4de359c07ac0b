"""Padding of pictures to the sizes that networks take, by repeating the border.

A side is padded at its end to a multiple of the network's stride. A side shorter than 64 pixels is first centred in 64,
because networks trained on larger crops fail on pictures that are mostly border.
"""

import numpy as np

SHORTEST_SIDE = 64  # pixels


def padded_side(side: int, multiple: int) -> int:
    """The length of a side after padding, in pixels."""
    return -(-max(side, SHORTEST_SIDE) // multiple) * multiple


def pad_to_multiple(picture: np.ndarray, multiple: int) -> np.ndarray:
    """A picture `[H, W, 3]` with its outer rows and columns repeated until both sides have their `padded_side`."""
    around = []
    for side in picture.shape[:2]:
        before = _before(side)
        around.append((before, padded_side(side, multiple) - side - before))
    return np.pad(picture, (*around, (0, 0)), mode="edge") if any(map(any, around)) else picture


def inside(height: int, width: int) -> tuple[slice, slice]:
    """The rows and columns that a picture of this size takes up in its padded form."""
    top, left = _before(height), _before(width)
    return slice(top, top + height), slice(left, left + width)


def _before(side: int) -> int:
    return max(0, SHORTEST_SIDE - side) // 2
