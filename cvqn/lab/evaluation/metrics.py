"""Distortion of 8-bit pictures, and the decibel scale of published MS-SSIM curves."""

import math

import numpy as np

SMALLEST_SIDE = 161
"""Five scales of an 11-pixel window need (11 - 1) * 2^4 + 1 pixels."""


def ms_ssim(reference: np.ndarray, picture: np.ndarray) -> float:
    """Multi-scale SSIM (Wang, Simoncelli, Bovik 2003) of two uint8 pictures `[H, W, 3]`, 0..1.

    Five scales, an 11-pixel Gaussian window and data range 255; computed for R, G and B separately and averaged. If a
    side is below `SMALLEST_SIDE`, picture and reference are extended to it by reflection, so that all five scales are
    used at every size.
    """
    import torch  # imported here, so that converting to decibels does not load it
    from pytorch_msssim import ms_ssim as _ms_ssim

    pair = np.stack([_enlarged(reference), _enlarged(picture)]).transpose(0, 3, 1, 2)
    first, second = torch.from_numpy(pair.astype(np.float32)).split(1)
    with torch.inference_mode():
        return min(1.0, _ms_ssim(first, second, data_range=255).item())


def ms_ssim_db(value: float | np.ndarray) -> float | np.ndarray:
    """-10 log10(1 - MS-SSIM). Published curves convert the mean over images, and do not average decibels."""
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
