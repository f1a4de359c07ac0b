"""Runs of an experiment as arrays over seeds and images, and what can be said of their differences.

Rates are compared as logarithms and MS-SSIM in decibels of the mean over images: on these scales the spread between
seeds hardly depends on the operating point, so that it can be pooled over experiments.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cvqn.errors import CvqnError
from cvqn.evaluation.metrics import ms_ssim_db
from cvqn.evaluation.statistics import Interval, SeedSpread, bootstrap_interval, image_weights, pooled_spread, widen

METRICS = ("psnr_db", "ms_ssim", "bpp", "cross_entropy_bpp", "bound_bpp")


@dataclass(frozen=True)
class Experiment:
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
        """The files that the values come from."""
        return tuple(dict.fromkeys(self.rows["file"]))


def experiment(measurements: pd.DataFrame, name: str, checkpoint: str = "last") -> Experiment | None:
    """The runs of an experiment, None where none was measured.

    Raises:
        CvqnError: a run was measured twice, or two runs on different images.
    """
    rows = measurements[(measurements.experiment == name) & (measurements.checkpoint == checkpoint)]
    if rows.empty:
        return None
    twice = rows[rows.duplicated(["seed", "image"])]
    if len(twice):
        first = twice.iloc[0]
        raise CvqnError(
            f"{first.file}: run {first.setting}, image {first.image} was measured already in another row or file"
        )
    images = tuple(sorted(rows.image.unique()))
    values = {}
    for metric in METRICS:
        if metric in rows:
            table = rows.pivot(index="seed", columns="image", values=metric)[list(images)]
            if metric in ("psnr_db", "ms_ssim", "bpp") and table.isna().to_numpy().any():
                raise CvqnError(
                    f"{rows.iloc[0].file}: the runs of {name} were not measured on the same images; measure them again"
                )
            if not table.isna().to_numpy().any():
                values[metric] = table.to_numpy(dtype=float)
    return Experiment(name, checkpoint, tuple(sorted(rows.seed.astype(int).unique())), images, values, rows)


def all_experiments(measurements: pd.DataFrame, checkpoint: str = "last") -> dict[str, Experiment]:
    """Every experiment that was measured at this checkpoint, by name."""
    names = measurements[measurements.checkpoint == checkpoint].experiment.unique()
    return {name: experiment(measurements, name, checkpoint) for name in sorted(names)}


def stable(metric: str, mean: np.ndarray) -> np.ndarray:
    """A mean on the scale on which it is compared: log of a rate, dB of an MS-SSIM, PSNR as it is."""
    if metric.endswith("bpp"):
        return np.log(mean)
    return ms_ssim_db(mean) if metric == "ms_ssim" else np.asarray(mean)


def seed_spread(measurements: pd.DataFrame, metric: str, checkpoint: str = "last") -> SeedSpread:
    """Spread between seeds on the scale of `stable`, pooled over every experiment with two runs or more."""
    experiments = all_experiments(measurements, checkpoint).values()
    return pooled_spread([stable(metric, one.means(metric)) for one in experiments if len(one.seeds) > 1])


def difference(first: Experiment, second: Experiment, metric: str, spread: SeedSpread, resamplings: int) -> Interval:
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


def same_images(*experiments: Experiment) -> tuple[str, ...]:
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
