"""Bjøntegaard deltas: the published table, cases known by hand, and the bootstrap."""

import numpy as np
import pytest

from baselines.published import curves
from cvqn.errors import CvqnError
from cvqn.lab.evaluation.bd_rate import bd_ms_ssim, bd_rate, compare
from cvqn.lab.evaluation.rate_distortion import Points

FIGURE_3 = {
    "figure3-jpeg2000": -60.4,
    "figure3-webp": -52.2,
    "figure3-bpg-444": -34.6,
    "figure3-johnston-2018": -31.8,
    "figure3-li-2018": -10.8,
    "figure3-mentzer-2018": -6.8,
    "figure3-rippel-2017": -4.3,
}
BPP = np.array([0.1, 0.2, 0.35, 0.5, 0.8])
DECIBEL = np.array([10.0, 12.6, 14.5, 15.9, 18.0])


def measured(scale=1.0, gain=0.0, images=12, seed=0):
    """A codec on `images` images of different difficulty: `scale` on the rates, `gain` dB on every MS-SSIM."""
    random = np.random.default_rng(seed)
    bpp = BPP[:, None] * random.uniform(0.5, 2, images)
    error = 10 ** (-DECIBEL[:, None] / 10) * random.uniform(0.5, 2, images) * 10 ** (-gain / 10)
    names = [f"image{number:02d}" for number in range(images)]
    return Points([str(rate) for rate in BPP], names, bpp * scale, 1 - error, np.zeros_like(bpp))


@pytest.mark.parametrize(("name", "percent"), FIGURE_3.items())
def test_the_paper_against_what_its_figure_3_plots(name, percent):
    published = curves("figure-3")
    anchor, test = ((published[key].bpp, published[key].ms_ssim_db) for key in (name, "figure3-cvqn"))
    assert bd_rate(anchor, test) == pytest.approx(percent, abs=0.2)
    assert bd_ms_ssim(anchor, test) > 0


def test_deltas_known_by_hand():
    assert bd_rate((BPP, DECIBEL), (0.8 * BPP, DECIBEL)) == pytest.approx(-20)
    assert bd_rate((BPP, DECIBEL), (1.25 * BPP, DECIBEL)) == pytest.approx(25)
    assert bd_ms_ssim((BPP, DECIBEL), (BPP, DECIBEL + 0.7)) == pytest.approx(0.7)


def test_the_order_of_points_and_repeated_points_do_not_matter():
    order = [3, 0, 4, 1, 2, 0, 3]
    anchor = (BPP, DECIBEL)
    for delta in (bd_rate, bd_ms_ssim):
        expected = delta(anchor, (0.9 * BPP, DECIBEL))
        assert delta(anchor, (0.9 * BPP[order], DECIBEL[order])) == pytest.approx(expected)
        assert delta((BPP[order], DECIBEL[order]), (0.9 * BPP, DECIBEL)) == pytest.approx(expected)


@pytest.mark.parametrize("test", [(BPP, DECIBEL + 20), (BPP[:1], DECIBEL[:1]), (BPP, DECIBEL + 8)])
def test_without_a_shared_range_there_is_no_rate(test):
    assert bd_rate((BPP, DECIBEL), test) is None


def test_without_a_shared_rate_there_is_no_gain():
    assert bd_ms_ssim((BPP, DECIBEL), (BPP * 10, DECIBEL)) is None
    assert compare((BPP * 100, DECIBEL), measured(), resamplings=20).ms_ssim_db is None


def test_a_constant_saving_has_no_uncertainty_when_images_are_paired():
    result = compare(measured(), measured(scale=0.8), resamplings=200)
    assert np.allclose(result.rate_percent, -20)
    assert result.overlap == pytest.approx(1)
    gain = compare(measured(), measured(gain=0.5), resamplings=200).ms_ssim_db
    assert np.allclose(gain, 0.5)


def test_the_interval_is_that_of_a_plain_bootstrap():
    anchor, test = measured(seed=1), measured(scale=0.9, seed=2)
    result = compare(anchor, test, resamplings=600, seed=3)
    random = np.random.default_rng(4)

    def mean_curve(points, chosen):
        return points.bpp[:, chosen].mean(1), -10 * np.log10(1 - points.ms_ssim[:, chosen].mean(1))

    images = len(anchor.images)
    plain = []
    for _ in range(600):
        chosen = random.integers(0, images, images)
        plain.append(bd_rate(mean_curve(anchor, chosen), mean_curve(test, chosen)))
    everything = np.arange(images)
    assert result.rate_percent.estimate == pytest.approx(
        bd_rate(mean_curve(anchor, everything), mean_curve(test, everything))
    )
    width = np.ptp(np.percentile(plain, [2.5, 97.5]))
    assert result.rate_percent.high - result.rate_percent.low == pytest.approx(width, rel=0.2)
    assert result.rate_percent.low < result.rate_percent.estimate < result.rate_percent.high


def test_a_published_anchor_stays_as_it_is():
    published = curves("figure-3")["figure3-bpg-444"]
    result = compare((published.bpp, published.ms_ssim_db), measured(), resamplings=100)
    again = compare((published.bpp, published.ms_ssim_db), measured(), resamplings=100)
    assert result == again
    assert result.rate_percent.low < result.rate_percent.estimate < result.rate_percent.high
    assert 0 < result.overlap <= 1


def test_other_images_are_an_error():
    with pytest.raises(CvqnError, match="same images"):
        compare(measured(images=5), measured(images=6), resamplings=10)
