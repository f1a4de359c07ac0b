"""What a conventional codec's effort saves: python -m benchmarks.effort [CODEC ...], after cvqn data fetch kodak.

Prints a row per effort: BD-rate in MS-SSIM against the codec's first, over four of its qualities and four images, and
CPU seconds per image, one thread. docs/baselines.md has the table.
"""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from unittest import mock

import numpy as np

from cvqn.codecs import registry
from cvqn.codecs.interface import Codec
from cvqn.lab.data.index import read_index
from cvqn.lab.evaluation.bd_rate import RateAndQuality, Reason, bd_rate
from cvqn.lab.evaluation.clock import cpu_seconds
from cvqn.lab.evaluation.metrics import ms_ssim, ms_ssim_db
from cvqn.lab.settings.configuration import resolve
from cvqn_baselines.bpg import hevc

IMAGES = ("kodim03", "kodim08", "kodim15", "kodim21")
EFFORTS = {
    "avif": ("speed", (6, 4, 3, 2, 1, 0)),
    "jpegxl": ("effort", (7, 8, 9)),
    "heic": ("preset", ("slow", "slower", "veryslow", "placebo")),
    "bpg-444": ("preset", ("slow", "slower", "veryslow", "placebo")),
}
"""By codec: the setting that is its effort, and the values that are compared. The other codecs have one effort."""


def at_effort(codec: Codec, key: str, value: object) -> AbstractContextManager[object]:
    """The codec encodes with this effort meanwhile."""
    if codec.name == "bpg-444":
        return mock.patch.dict(hevc.PRESET, {key: value})
    return mock.patch.object(codec, "settings", return_value=codec.settings() | {key: value})


def measured(codec: Codec, qualities: list[float], pictures: list[np.ndarray]) -> tuple[RateAndQuality, float]:
    """The curve of the means over the pictures, and CPU seconds to encode one."""
    rates, similarities, seconds = [], [], 0.0
    for quality in qualities:
        for picture in pictures:
            start = cpu_seconds()
            file = codec.encode(picture, quality)
            seconds += cpu_seconds() - start
            rates.append(8 * len(file) / picture[..., 0].size)
            similarities.append(ms_ssim(picture, codec.decode(file)))
    by_quality = (len(qualities), len(pictures))
    means = (np.reshape(values, by_quality).mean(axis=1) for values in (rates, similarities))
    return (next(means), ms_ssim_db(next(means))), seconds / len(rates)


def rows(name: str) -> Iterator[str]:
    """A row of the table per effort."""
    codec, (key, values) = registry.conventional(name), EFFORTS[name]
    qualities = list(resolve([]).measured_codecs()[name])[::3]
    pictures = [image.read() for image in read_index("data/sets/kodak/index.json") if image.name in IMAGES]
    first: RateAndQuality | None = None
    for value in values:
        with at_effort(codec, key, value):
            curve, seconds = measured(codec, qualities, pictures)
        saved = bd_rate(first or curve, curve)
        first = first or curve
        bits = str(saved) if isinstance(saved, Reason) else f"{saved:+.2f} %"
        yield f"| `{name}` | {key} {value} | {bits} | {seconds:.2f} |"


if __name__ == "__main__":
    for chosen in sys.argv[1:] or EFFORTS:
        for row in rows(chosen):
            print(row, flush=True)
