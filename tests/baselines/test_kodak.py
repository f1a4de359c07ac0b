"""Conventional codecs on Kodak against their published curves.

`kodak.csv` records a sweep of ten qualities a codec over all 24 images (rows "mean of 24": mean bytes and MS-SSIM) and,
at two of the qualities, four images by themselves. The record must be on the published curves or above them, and the
code as it is must give the record.
"""

import csv
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from cvqn.codecs import registry
from cvqn.images import read_picture
from cvqn.lab.evaluation.metrics import ms_ssim, ms_ssim_db
from cvqn_baselines.published import curves

PIXELS = 768 * 512
RATES = (0.15, 0.3, 0.45, 0.6)
PUBLISHED = {
    "OpenJPEG": ("figure3-jpeg2000", "jpeg2000-openjpeg"),
    "cwebp": ("figure3-webp", "webp", "webp-compressai"),
    "Pillow": ("figure3-webp", "webp", "webp-compressai"),
    "x265": ("figure3-bpg-444", "bpg-444", "bpg-444-x265-compressai"),
}
ABOVE = {"cwebp", "Pillow"}
"""Encoders that may be above every published curve; docs/baselines.md says why."""


@pytest.fixture(scope="module")
def record():
    """Rows by encoder and image: quality, bytes, MS-SSIM."""
    with open(Path(__file__).with_name("kodak.csv"), newline="", encoding="utf-8") as file:
        rows = defaultdict(lambda: defaultdict(list))
        for row in csv.DictReader(file):
            values = row["codec"], float(row["quality"]), float(row["bytes"]), float(row["ms_ssim"])
            rows[row["encoder"]][row["image"]].append(values)
    return rows


def interpolated(bpp, decibel, rate):
    """dB at `rate`, by pchip over log rate; nan outside the curve, never extrapolated."""
    bpp, first = np.unique(bpp, return_index=True)
    return float(PchipInterpolator(np.log(bpp), np.asarray(decibel)[first], extrapolate=False)(np.log(rate)))


@pytest.mark.parametrize("encoder", PUBLISHED)
@pytest.mark.parametrize("rate", RATES)
def test_the_record_lies_on_a_published_curve_or_above(record, encoder, rate):
    _, _, sizes, values = zip(*record[encoder]["mean of 24"], strict=True)
    ours = interpolated(8 * np.array(sizes) / PIXELS, ms_ssim_db(np.array(values)), rate)
    published = [curves()[name] for name in PUBLISHED[encoder]]
    differences = np.array([ours - interpolated(curve.bpp, curve.ms_ssim_db, rate) for curve in published])
    differences = differences[np.isfinite(differences)]
    assert len(differences)
    if encoder in ABOVE:
        assert differences.max() > -0.1
    else:
        assert np.abs(differences).min() < 0.1


@pytest.mark.parametrize("name", ["jpeg2000-5-3", "webp", "bpg-444"])
def test_four_images_at_two_rates_give_the_record(record, name):
    mirror = os.environ.get("CVQN_MIRROR")
    if mirror is None:
        pytest.skip("CVQN_MIRROR, a folder with the Kodak images, is not set")
    codec = registry.conventional(name)
    encoder = {"jpeg2000-5-3": "OpenJPEG", "bpg-444": "x265", "webp": codec.settings().get("encoder")}[name]
    images = [image for image in record[encoder] if image.startswith("kodim")]
    assert len(images) == 4
    pictures = {image: read_picture(Path(mirror) / "kodak" / f"{image}.png") for image in images}
    for quality in {row[1] for row in record[encoder][images[0]]}:
        found, recorded = [], []
        for image, picture in pictures.items():
            file = codec.encode(picture, quality)
            found.append((len(file), ms_ssim(picture, codec.decode(file))))
            recorded.append(next(row[2:] for row in record[encoder][image] if row[1] == quality))
        (size, value), (recorded_size, recorded_value) = np.mean(found, axis=0), np.mean(recorded, axis=0)
        assert size == pytest.approx(recorded_size, rel=0.01)
        assert ms_ssim_db(value) == pytest.approx(ms_ssim_db(recorded_value), abs=0.03)
