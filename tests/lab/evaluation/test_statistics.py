"""Intervals against scipy and against simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from cvqn.lab.evaluation.statistics import Interval, bootstrap_interval, image_weights, pooled_spread, widen


def test_with_one_experiment_the_margin_is_students():
    runs = np.array([0.9651, 0.9655, 0.9646])
    spread = pooled_spread([runs])
    low, high = stats.t.interval(0.95, df=2, loc=runs.mean(), scale=stats.sem(runs))
    assert spread.margin(3) == pytest.approx((high - low) / 2)


def test_two_experiments_pool_as_in_the_two_sample_t_test():
    first, second = np.array([1.0, 1.3, 0.9]), np.array([2.0, 2.2, 1.7, 2.4])
    interval = stats.ttest_ind(second, first).confidence_interval(0.95)
    assert pooled_spread([first, second]).margin(3, 4) == pytest.approx((interval.high - interval.low) / 2)


def test_one_seed_says_nothing_of_the_spread():
    spread = pooled_spread([np.array([0.9])])
    assert math.isnan(spread.deviation)
    assert spread.margin(1) == math.inf


def test_weights_are_means_first_of_all_images_and_then_of_resampled_ones():
    weights = image_weights(24, 500)
    assert weights.shape == (501, 24)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(weights[0], 1 / 24)
    counts = weights * 24
    np.testing.assert_allclose(counts, np.round(counts))


def test_the_bootstrap_agrees_with_scipys():
    values = np.random.default_rng(1).gamma(2, size=24)
    own = bootstrap_interval(image_weights(24, 20000) @ values)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20000, rng=2).confidence_interval
    assert own.estimate == pytest.approx(values.mean())
    assert own.low == pytest.approx(theirs.low, rel=0.02)
    assert own.high == pytest.approx(theirs.high, rel=0.02)


def test_two_sources_of_error_add_as_squares():
    assert widen(Interval(1.0, 0.7, 1.3), 0.4) == pytest.approx((1.0, 0.5, 1.5))
    assert widen(Interval(1.0, 0.7, 1.6), 0.0) == pytest.approx((1.0, 0.7, 1.6))
    assert widen(Interval(1.0, 0.7, 1.6), math.inf) == (1.0, -math.inf, math.inf)
    assert Interval(1.0, 0.7, 1.6).resolution == pytest.approx(0.6)


def test_intervals_over_seeds_and_images_cover_the_truth():
    random = np.random.default_rng(0)
    images, covered, trials = 24, 0, 400
    for _ in range(trials):
        difference = 0.1 + 0.3 * random.normal(size=images)  # truth 0.1, images vary
        seeds = 0.08 * random.normal(size=(2, 3))  # three seeds a side
        spread = pooled_spread([seeds[0], seeds[1]])
        measured = difference + seeds[0].mean() - seeds[1].mean()
        interval = widen(bootstrap_interval(image_weights(images, 200) @ measured), spread.margin(3, 3))
        covered += interval.low <= 0.1 <= interval.high
    assert 0.91 < covered / trials <= 0.995
