"""RGB and full-range BT.601 YCbCr (JPEG's, ITU-T T.871) in fixed point: the same integers on every machine.

With 22 fractional bits and rounding half up, the conversion to RGB gives the same values as BPG's reference decoder at
8 bits.
"""

import numpy as np

SHIFT = 22
RED, BLUE = 0.299, 0.114
GREEN = 1 - RED - BLUE


def _fixed(value: float) -> int:
    return int(value * (1 << SHIFT) + 0.5)


def _rounded(scaled: np.ndarray) -> np.ndarray:
    return ((scaled + (1 << (SHIFT - 1))) >> SHIFT).clip(0, 255).astype(np.uint8)


def to_ycbcr(picture: np.ndarray) -> np.ndarray:
    """Planes Y, Cb, Cr, uint8 `[3, H, W]`, of the RGB picture uint8 `[H, W, 3]`."""
    red, green, blue = np.moveaxis(picture.astype(np.int64), 2, 0)
    one, half = 1 << SHIFT, 128 << SHIFT
    luma = _fixed(RED) * red + _fixed(BLUE) * blue + (one - _fixed(RED) - _fixed(BLUE)) * green
    scale_b, scale_r = _fixed(0.5 / (1 - BLUE)), _fixed(0.5 / (1 - RED))
    chroma_b = half + scale_b * blue - (scale_b * luma >> SHIFT)
    chroma_r = half + scale_r * red - (scale_r * luma >> SHIFT)
    return np.stack([_rounded(luma), _rounded(chroma_b), _rounded(chroma_r)])


def to_rgb(planes: np.ndarray) -> np.ndarray:
    """The RGB picture uint8 `[H, W, 3]` of the planes Y, Cb, Cr, uint8 `[3, H, W]`."""
    luma, chroma_b, chroma_r = planes.astype(np.int64)
    luma <<= SHIFT
    chroma_b -= 128
    chroma_r -= 128
    red = luma + _fixed(2 * (1 - RED)) * chroma_r
    green = luma - _fixed(2 * BLUE * (1 - BLUE) / GREEN) * chroma_b - _fixed(2 * RED * (1 - RED) / GREEN) * chroma_r
    blue = luma + _fixed(2 * (1 - BLUE)) * chroma_b
    return np.stack([_rounded(red), _rounded(green), _rounded(blue)], axis=-1)
