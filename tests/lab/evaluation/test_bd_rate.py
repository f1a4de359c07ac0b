"""Bjøntegaard deltas: the published table, cases known by hand, numerical integration, and the bootstrap."""

import math

import bjontegaard
import numpy as np
import pytest

from cvqn.errors import CvqnError
from cvqn.lab.evaluation.bd_rate import MIN_SHARED, Reason, bd_ms_ssim, bd_rate, compare
from cvqn.lab.evaluation.rate_distortion import Points
from cvqn.lab.evaluation.statistics import image_weights
from cvqn_baselines.published import curves

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
    assert isinstance(bd_rate((BPP, DECIBEL), test), Reason)


def test_without_a_shared_rate_there_is_no_gain():
    assert isinstance(bd_ms_ssim((BPP, DECIBEL), (BPP * 10, DECIBEL)), Reason)
    assert isinstance(compare((BPP * 100, DECIBEL), measured(), resamplings=20).ms_ssim_db, Reason)


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


def smooth_quadratic(lowest=10.0, highest=18.0, points=5, scale=1.0):
    """log rate = D^2 / 100 + ln(scale): its integral over D is D^3 / 300 + D ln(scale)."""
    decibel = np.linspace(lowest, highest, points)
    return scale * np.exp(decibel**2 / 100), decibel


def plain_pchip(x, y, at):
    """Fritsch and Butland's monotone cubic, written out: weighted harmonic means of slopes, three-point ends."""
    h, d = np.diff(x), np.diff(y) / np.diff(x)
    slope = np.zeros(len(x))
    for k in range(1, len(x) - 1):
        if d[k - 1] * d[k] > 0:
            w1, w2 = 2 * h[k] + h[k - 1], h[k] + 2 * h[k - 1]
            slope[k] = (w1 + w2) / (w1 / d[k - 1] + w2 / d[k])
    for near, far in ((0, 1), (-1, -2)):
        one = ((2 * h[near] + h[far]) * d[near] - h[near] * d[far]) / (h[near] + h[far])
        if one * d[near] <= 0:
            one = 0.0
        elif d[near] * d[far] <= 0 and abs(one) > 3 * abs(d[near]):
            one = 3 * d[near]
        slope[near] = one
    k = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(h) - 1)
    t = (at - x[k]) / h[k]
    return (
        (1 + 2 * t) * (1 - t) ** 2 * y[k] + t * (1 - t) ** 2 * h[k] * slope[k]
        + t**2 * (3 - 2 * t) * y[k + 1] + t**2 * (t - 1) * h[k] * slope[k + 1]
    )  # fmt: skip


def numerically(anchor, test, kind):
    """A delta by the trapezoidal rule on 400,001 points of the plain interpolants."""
    along, across = (1, 0) if kind is bd_rate else (0, 1)
    curves = []
    for bpp, decibel in (anchor, test):
        both = np.log(bpp), decibel
        curves.append((both[along], both[across]))
    low, high = max(one[0][0] for one in curves), min(one[0][-1] for one in curves)
    at = np.linspace(low, high, 400_001)
    theirs, own = (plain_pchip(*one, at) for one in curves)
    difference = np.trapezoid(own - theirs, at) / (high - low)
    return 100 * math.expm1(difference) if kind is bd_rate else difference


def with_step(step):
    """The five points with the third only `step` dB above the second."""
    return BPP, np.array([10.0, 12.6, 12.6 + step, 15.9, 18.0])


@pytest.mark.parametrize("points", [5, 9, 33])
def test_curves_with_a_known_integral(points):
    anchor = smooth_quadratic(9, 17, points)
    test = smooth_quadratic(11, 18, points, scale=0.7)
    assert bd_rate(anchor, test) == pytest.approx(-30, abs=1.2 if points == 5 else 0.1)
    line = np.exp((np.linspace(10, 18, points) - 20) / 4), np.linspace(10, 18, points)
    expected = (17**3 - 11**3) / 300 / 6 - ((17**2 - 11**2) / 8 / 6 - 5)  # means over 11 to 17 dB
    against_line = bd_rate(line, smooth_quadratic(11, 17, points))
    assert math.log1p(against_line / 100) == pytest.approx(expected, abs=4e-3 if points == 5 else 1e-3)


@pytest.mark.parametrize("delta", [bd_rate, bd_ms_ssim])
@pytest.mark.parametrize("step", [2.0, 0.5, 0.02, 1e-3, 1e-6])
def test_steps_and_plateaus_by_numerical_integration(delta, step):
    anchor = 0.9 * BPP, DECIBEL
    assert delta(anchor, with_step(step)) == pytest.approx(numerically(anchor, with_step(step), delta), rel=1e-4)
    assert delta(with_step(step), anchor) == pytest.approx(numerically(with_step(step), anchor, delta), rel=1e-4)


def test_a_plateau_has_a_limit_between_the_steps_below_and_above_it():
    """Between its points the curve stays between them, so its integral lies between those of two staircases."""
    values = [bd_rate((BPP, DECIBEL), with_step(step)) for step in (1e-3, 1e-5, 1e-7)]
    assert values[1] == pytest.approx(values[2], abs=0.01)
    assert values[0] == pytest.approx(values[2], abs=0.5)
    widths, log_rate = np.diff(with_step(1e-7)[1]), np.log(BPP)
    own = [widths @ log_rate[:-1] / 8, widths @ log_rate[1:] / 8]
    anchor = np.trapezoid(plain_pchip(DECIBEL, log_rate, np.linspace(10, 18, 100_001)), dx=8e-5) / 8
    assert own[0] <= math.log1p(values[2] / 100) + anchor <= own[1]


@pytest.mark.parametrize("seed", range(20))
def test_the_second_library_agrees(seed):
    """By its PCHIP to rounding; by Akima, which the published tables use, within a percent where points are even."""
    random = np.random.default_rng(seed)
    anchor, test = ((BPP * random.uniform(0.9, 1.1, 5), DECIBEL + random.uniform(-0.3, 0.3, 5)) for _ in range(2))
    for own, theirs in ((bd_rate, bjontegaard.bd_rate), (bd_ms_ssim, bjontegaard.bd_psnr)):
        found = own(anchor, test)
        assert found == pytest.approx(theirs(*anchor, *test, method="pchip", min_overlap=0), abs=1e-9)
        assert found == pytest.approx(theirs(*anchor, *test, method="akima", min_overlap=0), abs=1)


def test_no_number_where_quality_falls_or_stands_still():
    for quality in (14.49, 14.5):
        dipping = BPP, np.array([10.0, 12.6, 14.5, quality, 18.0])
        for delta in (bd_rate, bd_ms_ssim):
            assert isinstance(delta((BPP, DECIBEL), dipping), Reason)
            assert "test: MS-SSIM does not rise with the rate (0.35 bpp" in delta((BPP, DECIBEL), dipping)
            assert delta(dipping, (BPP, DECIBEL)).startswith("anchor: ")
    two_at_one_rate = np.array([0.1, 0.2, 0.2, 0.5, 0.8]), DECIBEL
    assert "does not rise" in bd_rate((BPP, DECIBEL), two_at_one_rate)


@pytest.mark.parametrize(("bpp", "decibel"), [(0.0, 10.0), (-1, 10), (math.nan, 10), (0.1, math.nan), (0.1, math.inf)])
def test_no_number_where_a_point_is_none(bpp, decibel):
    wrong = np.array([bpp, *BPP[1:]]), np.array([decibel, *DECIBEL[1:]])
    for delta in (bd_rate, bd_ms_ssim):
        said = "exactly 1, which has no decibels" if decibel == math.inf else "cannot be on a curve"
        assert delta((BPP, DECIBEL), wrong).endswith(said)
        assert delta(wrong, (BPP, DECIBEL)).endswith(said)
    found = compare(wrong, measured(), resamplings=20)
    assert math.isnan(found.overlap) == (not math.isfinite(decibel))
    assert found.left_out == 20


def test_no_number_over_a_small_part_of_the_range():
    just, under = (BPP, DECIBEL + 8 * (1 - MIN_SHARED) - 0.01), (BPP, DECIBEL + 8 * (1 - MIN_SHARED) + 0.01)
    assert isinstance(bd_rate(just, (BPP, DECIBEL)), float)
    assert bd_rate(under, (BPP, DECIBEL)) == "24.9 % of the test's range of MS-SSIM is shared, under 25 %"


def test_a_lossless_setting_and_a_dip_are_reasons_and_never_errors():
    test, lossless, dipping = measured(), measured(), measured()
    lossless.ms_ssim[-1] = 1.0
    dipping.ms_ssim[3] = dipping.ms_ssim[2] - 1e-5
    for wrong, said in ((lossless, "MS-SSIM is exactly 1"), (dipping, "does not rise")):
        for anchor, own in ((wrong, test), (test, wrong)):
            found = compare(anchor, own, resamplings=50)
            assert said in found.rate_percent
            assert said in found.ms_ssim_db


def test_resamplings_without_a_number_are_counted_and_too_many_are_a_reason():
    test, anchor = measured(seed=1), measured(seed=2)
    test.ms_ssim[3] = test.ms_ssim[2] + np.where(np.arange(12) < 6, 0.01, -0.009)  # falls on many choices of images
    found = compare(anchor, test, resamplings=400)
    weights = image_weights(12, 400)
    fails = sum((row @ test.ms_ssim[3]) <= (row @ test.ms_ssim[2]) for row in weights[1:])
    assert fails > 4
    assert found.left_out >= fails
    reason = f"{found.left_out} of 400 choices of images give no number, such as: test: MS-SSIM does not rise"
    assert found.rate_percent.startswith(reason)
    assert compare(anchor, measured(seed=1), resamplings=400).left_out == 0
