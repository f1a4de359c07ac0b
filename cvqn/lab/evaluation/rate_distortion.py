"""Rate-distortion curves from measurements of single images."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from cvqn.errors import CvqnError
from cvqn.lab.evaluation.metrics import ms_ssim_db

NEAREST = 1e-9
"""A mean MS-SSIM this close to 1 counts as 1: single values are float32, and weights add up to 1 only roughly."""


class Points(NamedTuple):
    """Measurements of one codec: arrays `[settings, images]`; settings and images are sorted by name."""

    settings: list[str]
    images: list[str]
    bpp: np.ndarray
    ms_ssim: np.ndarray
    psnr_db: np.ndarray


class Curve(NamedTuple):
    """Means over images: arrays `[..., settings]`, in order of the rate in the first row.

    `ms_ssim_db` is the decibel of the mean MS-SSIM; `psnr_db` is the mean of the images' PSNR.
    """

    bpp: np.ndarray
    ms_ssim: np.ndarray
    ms_ssim_db: np.ndarray
    psnr_db: np.ndarray
    settings: list[str]


def points(measurements: pd.DataFrame, by: str = "setting") -> Points:
    """The rows of one codec's measurements as arrays; rows with the same `by` and image are averaged.

    Args:
        measurements: columns `by`, image, bpp, ms_ssim, psnr_db.
        by: the column whose values become the points of the curve.

    Raises:
        CvqnError: a setting was not measured on all images.
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
        weights: `[images]` or `[resamplings, images]`, each row adding up to 1; by default equal weights.
    """
    if weights is None:
        weights = np.full(len(measured.images), 1 / len(measured.images))
    bpp, ms_ssim, psnr_db = (weights @ table.T for table in (measured.bpp, measured.ms_ssim, measured.psnr_db))
    ms_ssim = np.where(ms_ssim > 1 - NEAREST, 1.0, ms_ssim)
    order = np.argsort(np.atleast_2d(bpp)[0], kind="stable")
    settings = [measured.settings[position] for position in order]
    bpp, ms_ssim, psnr_db = (table[..., order] for table in (bpp, ms_ssim, psnr_db))
    return Curve(bpp, ms_ssim, ms_ssim_db(ms_ssim), psnr_db, settings)
