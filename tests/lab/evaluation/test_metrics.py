"""MS-SSIM and PSNR against plain independent computations."""

import math

import numpy as np
import pytest
from scipy.ndimage import correlate1d
from skimage import data

from cvqn.lab.evaluation.metrics import SMALLEST_SIDE, ms_ssim, ms_ssim_db, psnr_db

WEIGHTS = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]


def plain_ms_ssim(first, second):
    """Wang, Simoncelli and Bovik 2003 in float64: valid windows only, 2x2 means between scales."""
    taps = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    taps /= taps.sum()

    def window(plane):
        return correlate1d(correlate1d(plane, taps, axis=0), taps, axis=1)[5:-5, 5:-5]

    def channel(x, y):
        product = 1.0
        for scale, weight in enumerate(WEIGHTS):
            mean_x, mean_y = window(x), window(y)
            covariance = window(x * y) - mean_x * mean_y
            variances = window(x * x) - mean_x**2 + window(y * y) - mean_y**2
            structure = (2 * covariance + (0.03 * 255) ** 2) / (variances + (0.03 * 255) ** 2)
            c1 = (0.01 * 255) ** 2
            luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1) if scale == len(WEIGHTS) - 1 else 1
            product *= max(0.0, (structure * luminance).mean()) ** weight
            x, y = (plane.reshape(len(plane) // 2, 2, -1, 2).mean(axis=(1, 3)) for plane in (x, y))
        return product

    planes = (np.moveaxis(picture.astype(float), 2, 0) for picture in (first, second))
    return np.mean([channel(*pair) for pair in zip(*planes, strict=True)])


def noisy(picture, amplitude, seed=0):
    noise = np.random.default_rng(seed).normal(0, amplitude, picture.shape)
    return (picture + noise).round().clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("amplitude", [1, 10, 60])
def test_ms_ssim_is_the_plain_computation(amplitude):
    picture = data.coffee()[:320, :512]
    other = noisy(picture, amplitude)
    assert ms_ssim(picture, other) == pytest.approx(plain_ms_ssim(picture, other), abs=2e-6)


def test_equal_pictures_have_an_ms_ssim_of_one():
    assert ms_ssim(data.coffee(), data.coffee()) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (160, 160), (161, 161), (20, 90)])
def test_small_pictures_are_continued_by_reflection(size):
    picture = data.coffee()[: size[0], : size[1]]
    value = ms_ssim(picture, noisy(picture, 20))
    assert 0 <= value < 1
    if min(size) < SMALLEST_SIDE:

        def enlarge(picture):
            return np.pad(picture, [(0, max(0, SMALLEST_SIDE - side)) for side in size] + [(0, 0)], mode="symmetric")

        assert value == ms_ssim(enlarge(picture), enlarge(noisy(picture, 20)))


def test_decibels():
    assert ms_ssim_db(0.9) == pytest.approx(10)
    assert ms_ssim_db(0.99) == pytest.approx(20)
    assert ms_ssim_db(1.0) == math.inf
    assert np.allclose(ms_ssim_db(np.array([0.5, 0.75])), [3.0103, 6.0206], atol=1e-4)


def test_psnr():
    picture = data.coffee()
    assert psnr_db(picture, picture) == math.inf
    assert psnr_db(np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)) == 0
    other = picture ^ 1  # every sample off by one
    assert psnr_db(picture, other) == pytest.approx(48.1308, abs=1e-4)
