"""Distortion of an 8-bit picture, and the decibel scale of the published curves."""

import math

import numpy as np

SMALLEST_SIDE = 161
"""Five scales of an 11-pixel window need (11 - 1) * 2^4 + 1 pixels."""


def ms_ssim(reference: np.ndarray, picture: np.ndarray) -> float:
    """Multi-scale SSIM (Wang, Simoncelli, Bovik 2003) of two uint8 pictures `[H, W, 3]`, 0..1.

    Five scales, 11-pixel Gaussian window, data range 255, each of R, G and B apart and then their mean. A picture
    with a side below `SMALLEST_SIDE` is continued by reflection to that size, as its reference is, so that the
    measure keeps its five scales at every size.
    """
    import torch  # here, so that those who only convert to decibel need not load it
    from pytorch_msssim import ms_ssim as _ms_ssim

    pair = np.stack([_enlarged(reference), _enlarged(picture)]).transpose(0, 3, 1, 2)
    first, second = torch.from_numpy(pair.astype(np.float32)).split(1)
    with torch.inference_mode():
        return min(1.0, _ms_ssim(first, second, data_range=255).item())


def ms_ssim_db(value: float | np.ndarray) -> float | np.ndarray:
    """-10 log10(1 - MS-SSIM). The published curves are this of the mean over images, not the mean of this."""
    with np.errstate(divide="ignore"):
        decibel = -10 * np.log10(1 - np.asarray(value, dtype=np.float64))
    return decibel if decibel.ndim else decibel.item()


def psnr_db(reference: np.ndarray, picture: np.ndarray) -> float:
    """Peak signal-to-noise ratio of two uint8 pictures `[H, W, 3]` over all three channels; equal pictures give inf."""
    error = np.mean(np.square(reference.astype(np.float64) - picture))
    return 10 * math.log10(255**2 / error) if error else math.inf


def _enlarged(picture: np.ndarray) -> np.ndarray:
    missing = [max(0, SMALLEST_SIDE - side) for side in picture.shape[:2]]
    return np.pad(picture, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")
