"""From measurements of single images to rate-distortion curves."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from cvqn.errors import CvqnError
from cvqn.lab.evaluation.metrics import ms_ssim_db

NEAREST = 1e-9
"""A mean MS-SSIM nearer to 1 than this is 1: single values are float32, and weights add to 1 but for rounding."""


class Points(NamedTuple):
    """Measurements of one codec: arrays `[settings, images]`, both sorted by name."""

    settings: list[str]
    images: list[str]
    bpp: np.ndarray
    ms_ssim: np.ndarray
    psnr_db: np.ndarray


class Curve(NamedTuple):
    """Means over images: arrays `[..., settings]` by rising rate of the first row.

    `ms_ssim_db` is the decibel of the mean MS-SSIM; `psnr_db` is the mean of the images' PSNR.
    """

    bpp: np.ndarray
    ms_ssim: np.ndarray
    ms_ssim_db: np.ndarray
    psnr_db: np.ndarray
    settings: list[str]


def points(measurements: pd.DataFrame, by: str = "setting") -> Points:
    """The rows of one codec's measurements as arrays; where several rows share `by` and image, their mean.

    Args:
        measurements: columns `by`, image, bpp, ms_ssim, psnr_db.
        by: what one point of the curve stands for.

    Raises:
        CvqnError: a setting was not measured on all the images.
    """
    tables = {column: measurements.pivot_table(column, by, "image") for column in ("bpp", "ms_ssim", "psnr_db")}
    bpp = tables["bpp"]
    if bpp.isna().any(axis=None):
        setting, image = bpp.isna().stack().idxmax()
        raise CvqnError(f"{setting} was not measured on the image {image}; measure it on the whole set")
    return Points(list(bpp.index), list(bpp.columns), *(table.to_numpy() for table in tables.values()))


def curve(measured: Points, weights: np.ndarray | None = None) -> Curve:
    """The curve of the means over images.

    Args:
        weights: `[images]` or `[resamplings, images]`, each row adding to 1; without them every image counts alike.
    """
    if weights is None:
        weights = np.full(len(measured.images), 1 / len(measured.images))
    bpp, ms_ssim, psnr_db = (weights @ table.T for table in (measured.bpp, measured.ms_ssim, measured.psnr_db))
    ms_ssim = np.where(ms_ssim > 1 - NEAREST, 1.0, ms_ssim)
    order = np.argsort(np.atleast_2d(bpp)[0], kind="stable")
    settings = [measured.settings[position] for position in order]
    bpp, ms_ssim, psnr_db = (table[..., order] for table in (bpp, ms_ssim, psnr_db))
    return Curve(bpp, ms_ssim, ms_ssim_db(ms_ssim), psnr_db, settings)
