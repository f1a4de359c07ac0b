"""SSIMULACRA 2 of the recorded bitstreams of scale small: python -m benchmarks.perceptual

Needs `cvqn data fetch kodak` and `pip install ssimulacra2==0.3.0`, which is not among the pins. It decodes and scores
each file of the built-in models, and of each other codec those at the settings next in rate to CVQN's. It prints means
over the images at CVQN's rates (the other codecs' interpolated linearly over log rate) and writes every mean to a CSV.
docs/results.md has the table.

A score of 100 is an identical picture, about 90 visually lossless, 70 high, 50 medium and 30 low quality; below that it
can be negative.
"""

import csv
import functools
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from cvqn.codecs import registry
from cvqn.codecs.shipped import folder_of_quality
from cvqn.codecs.store import load_model
from cvqn.compression import decompress
from cvqn.lab.data.index import read_index
from cvqn.lab.evaluation.archive import read_archive

RESULTS, OUTPUT = Path("results/small"), Path("benchmarks/results/perceptual.csv")
EXPERIMENTS = ("c8", "c16", "c24", "c32", "c48")  # of the built-in models, by quality
OTHERS = ("bpg-444", "heic", "avif", "webp", "jpeg2000", "jpegxl", "jpeg-420")
Task = tuple[str, str, int | None]
"""A codec, a setting, and for CVQN the quality of the built-in model."""


def score(original: np.ndarray, decoded: np.ndarray) -> float:
    """SSIMULACRA 2 of two pictures uint8 `[H, W, 3]`."""
    from ssimulacra2 import compute_ssimulacra2

    with tempfile.TemporaryDirectory() as folder:
        paths = [f"{folder}/{name}.bmp" for name in ("original", "decoded")]
        for path, picture in zip(paths, (original, decoded), strict=True):
            Image.fromarray(picture).save(path)
        return float(compute_ssimulacra2(*paths))


def mean_score(task: Task) -> float:
    """The mean score of a setting's files over the images of Kodak."""
    name, setting, quality = task
    if quality is None:
        decode = registry.conventional(name).decode
    else:
        decode = functools.partial(decompress, load_model(folder_of_quality(quality)))
    archive = read_archive(RESULTS / "bitstreams" / name / f"{setting}.tar")
    images = read_index("data/sets/kodak/index.json")
    return float(np.mean([score(image.read(), decode(archive.file(image.name))) for image in images]))


def rates(table: Path) -> dict[str, float]:
    """The mean rate of each setting in a table of measurements, rising."""
    means = pd.read_csv(table, dtype={"setting": str}).groupby("setting")["bpp"].mean().sort_values()
    return {str(setting): float(rate) for setting, rate in means.items()}


def next_to(wanted: Sequence[float], measured: dict[str, float]) -> list[str]:
    """The settings whose rates are next below and next above those wanted; none for a rate that is not covered."""
    settings, found = list(measured), []
    for rate in wanted:
        above = int(np.searchsorted(list(measured.values()), rate))
        if 0 < above < len(settings):
            found += settings[above - 1 : above + 1]
    return list(dict.fromkeys(found))


def at(rate: float, measured: dict[float, float]) -> float | None:
    """The score at a rate, linear over log rate between the nearest; None if the rate is not covered."""
    covered = sorted(measured)
    if not covered or not covered[0] <= rate <= covered[-1]:
        return None
    return float(np.interp(np.log(rate), np.log(covered), [measured[one] for one in covered]))


def main() -> None:
    """Score, print the table and write the CSV."""
    measurements = RESULTS / "measurements"
    own = {f"{name}-seed1": rates(measurements / "cvqn" / f"{name}-seed1.csv") for name in EXPERIMENTS}
    wanted = [next(iter(found.values())) for found in own.values()]
    tasks: list[Task] = [("cvqn", run, quality) for quality, run in enumerate(own, start=1)]
    bpp = [*wanted]
    for name in OTHERS:
        measured = rates(measurements / f"{name}.csv")
        chosen = next_to(wanted, measured)
        tasks += [(name, setting, None) for setting in chosen]
        bpp += [measured[setting] for setting in chosen]
    with ProcessPoolExecutor() as pool:
        scores = list(tqdm(pool.map(mean_score, tasks), total=len(tasks), desc="score", unit="setting"))
    with open(OUTPUT, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["codec", "setting", "bpp", "ssimulacra2"])
        for (name, setting, _), rate, found in zip(tasks, bpp, scores, strict=True):
            writer.writerow([name, setting, f"{rate:.6g}", f"{found:.6g}"])
    for place, rate in enumerate(wanted):
        cells = [f"{rate:.4f}", f"{scores[place]:.1f}"]
        for name in OTHERS:
            mine = zip(tasks, bpp, scores, strict=True)
            found = at(rate, {one: value for (codec, _, _), one, value in mine if codec == name})
            cells.append("–" if found is None else f"{found:.1f}")
        print(f"| {place + 1} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
