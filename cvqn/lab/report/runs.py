"""Runs of an experiment as arrays over seeds and images, and intervals for their differences.

Rates are compared as logarithms, and MS-SSIM in decibels of the mean over images. On these scales the spread between
seeds hardly depends on the operating point, so it can be pooled over experiments.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cvqn.errors import CvqnError
from cvqn.lab.evaluation.metrics import ms_ssim_db
from cvqn.lab.evaluation.statistics import Interval, SeedSpread, bootstrap_interval, image_weights, pooled_spread, widen

REQUIRED = ("psnr_db", "ms_ssim", "bpp")
METRICS = (*REQUIRED, "cross_entropy_bpp", "bound_bpp")


@dataclass(frozen=True)
class MeasuredExperiment:
    """All runs of an experiment at one checkpoint: `values[metric]` is `[seeds, images]`."""

    name: str
    checkpoint: str
    seeds: tuple[int, ...]
    images: tuple[str, ...]
    values: dict[str, np.ndarray]
    rows: pd.DataFrame

    def means(self, metric: str) -> np.ndarray:
        """Mean over the images for each seed; `ms_ssim_db` is the dB of the mean MS-SSIM."""
        if metric == "ms_ssim_db":
            return ms_ssim_db(self.values["ms_ssim"].mean(axis=1))
        return self.values[metric].mean(axis=1)

    @property
    def files(self) -> tuple[str, ...]:
        """The files that the values come from: measurements, then the archives of bitstreams that were measured."""
        return tuple(dict.fromkeys([*self.rows["file"], *self.rows["bitstreams"]]))


class Runs:
    """Every measured run of a learned codec, grouped into experiments.

    Raises:
        CvqnError: a run was measured twice, or two runs of an experiment on different images.
    """

    def __init__(self, measurements: pd.DataFrame):
        own = measurements[measurements["experiment"] != ""]
        groups = own.groupby(["experiment", "checkpoint"]) if len(own) else []
        self._experiments = {
            (name, checkpoint): _experiment(name, checkpoint, rows) for (name, checkpoint), rows in groups
        }
        self._spreads: dict[tuple[str, str], SeedSpread] = {}

    def __iter__(self) -> Iterator[MeasuredExperiment]:
        """Every experiment at every checkpoint that was measured, by name."""
        return iter(self._experiments.values())

    def get(self, name: str, checkpoint: str = "last") -> MeasuredExperiment | None:
        """The runs of an experiment, or None if none was measured."""
        return self._experiments.get((name, checkpoint))

    def by_protocol(self, name: str) -> MeasuredExperiment | None:
        """An experiment at its best checkpoints (the paper's protocol), or at its last if not every run has one."""
        best, last = self.get(name, "best"), self.get(name, "last")
        return best if best is not None and (last is None or best.seeds == last.seeds) else last

    def spread(self, metric: str, checkpoint: str = "last") -> SeedSpread:
        """Spread between seeds on the scale of `stable`, pooled over every experiment with two runs or more."""
        key = metric, checkpoint
        if key not in self._spreads:
            experiments = [one for (_, at), one in self._experiments.items() if at == checkpoint and len(one.seeds) > 1]
            self._spreads[key] = pooled_spread([stable(metric, one.means(metric)) for one in experiments])
        return self._spreads[key]


def _experiment(name: str, checkpoint: str, rows: pd.DataFrame) -> MeasuredExperiment:
    twice = rows[rows.duplicated(["seed", "image"])]
    if len(twice):
        first = twice.iloc[0]
        raise CvqnError(
            f"{first.file}: run {first.setting}, image {first.image} is also in another row or file; remove one"
        )
    values = {}
    for metric in METRICS:
        if metric in rows:
            table = rows.pivot(index="seed", columns="image", values=metric)
            if metric in REQUIRED and table.isna().to_numpy().any():
                raise CvqnError(
                    f"{rows.iloc[0].file}: the runs of {name} were not measured on the same images; measure them again"
                )
            if not table.isna().to_numpy().any():
                values[metric] = table.to_numpy(dtype=float)
    seeds, images = sorted(rows.seed.astype(int).unique()), sorted(rows.image.unique())
    return MeasuredExperiment(name, checkpoint, tuple(seeds), tuple(images), values, rows)


def stable(metric: str, mean: np.ndarray) -> np.ndarray:
    """A mean on the scale on which it is compared: logarithm of a rate, MS-SSIM in dB, PSNR as it is."""
    if metric.endswith("bpp"):
        return np.log(mean)
    return ms_ssim_db(mean) if metric == "ms_ssim" else np.asarray(mean)


def difference(
    first: MeasuredExperiment, second: MeasuredExperiment, metric: str, spread: SeedSpread, resamplings: int
) -> Interval:
    """first - second on the scale of `stable`, over seeds and images.

    Raises:
        CvqnError: they were measured on different images.
    """
    weights = image_weights(len(same_images(first, second)), resamplings)
    resampled = [stable(metric, weights @ one.values[metric].T).mean(axis=1) for one in (first, second)]
    return widen(bootstrap_interval(resampled[0] - resampled[1]), spread.margin(len(first.seeds), len(second.seeds)))


def percent(interval: Interval) -> Interval:
    """A difference of log rates as a change in percent."""
    return Interval(*(100 * math.expm1(value) if value < 700 else math.inf for value in interval))


def same_images(*experiments: MeasuredExperiment) -> tuple[str, ...]:
    """The images that all were measured on.

    Raises:
        CvqnError: they differ.
    """
    for one in experiments[1:]:
        if one.images != experiments[0].images:
            raise CvqnError(
                f"{one.files[0]}: measured on other images than {experiments[0].files[0]}; measure both on one set"
            )
    return experiments[0].images
