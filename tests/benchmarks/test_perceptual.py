"""Which settings benchmarks.perceptual scores, and what it says between them."""

import math

import pytest

from benchmarks.perceptual import at, next_to

RATES = {"a": 0.1, "b": 0.2, "c": 0.4, "d": 0.8}


@pytest.mark.parametrize(
    ("wanted", "settings"),
    [
        ([0.3], ["b", "c"]),
        ([0.15, 0.3], ["a", "b", "c"]),
        ([0.05], []),
        ([0.9], []),
        ([0.8, 0.11], ["c", "d", "a", "b"]),
    ],
)
def test_only_settings_next_to_the_rates_are_scored(wanted, settings):
    assert next_to(wanted, RATES) == settings


def test_between_two_rates_the_score_is_linear_over_log_rate():
    measured = {0.2: 40.0, 0.4: 60.0}
    assert at(0.2 * math.sqrt(2), measured) == pytest.approx(50)
    assert at(0.4, measured) == 60
    assert at(0.19, measured) is at(0.41, measured) is at(0.3, {}) is None
