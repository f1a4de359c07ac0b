"""Curves from measurements of single images."""

import numpy as np
import pandas as pd
import pytest

from cvqn.errors import CvqnError
from cvqn.lab.evaluation.rate_distortion import curve, points

ROWS = [
    ("high", "a", 1.0, 0.99, 40.0),
    ("high", "b", 2.0, 0.97, 36.0),
    ("low", "a", 0.2, 0.9, 30.0),
    ("low", "b", 0.4, 0.8, 26.0),
]


def table(rows):
    return pd.DataFrame(rows, columns=["setting", "image", "bpp", "ms_ssim", "psnr_db"])


def test_points_come_by_rising_rate_with_the_decibel_of_the_mean():
    means = curve(points(table(ROWS)))
    assert means.settings == ["low", "high"]
    assert np.allclose(means.bpp, [0.3, 1.5])
    assert np.allclose(means.ms_ssim, [0.85, 0.98])
    assert np.allclose(means.ms_ssim_db, [-10 * np.log10(0.15), -10 * np.log10(0.02)])
    assert np.allclose(means.psnr_db, [28, 38])


def test_weights_of_several_resamplings():
    weights = np.array([[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]])
    means = curve(points(table(ROWS)), weights)
    assert np.allclose(means.bpp, [[0.3, 1.5], [0.2, 1.0], [0.4, 2.0]])
    assert np.allclose(means.ms_ssim_db[1], [10, 20])


def test_runs_of_one_experiment_are_averaged_image_by_image():
    runs = table(ROWS).assign(experiment="c32")
    measured = points(runs, by="experiment")
    assert np.allclose(measured.bpp, [[0.6, 1.2]])


def test_an_incomplete_setting_is_an_error():
    with pytest.raises(CvqnError, match="low was not measured on the image b"):
        points(table(ROWS[:3]))
