"""The progress of trainings: curves from their logs, and whether each has finished."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cvqn.errors import CvqnError
from cvqn.lab.provenance.training import FILE, read_provenance
from cvqn.lab.report.sources import Sources, read_table
from cvqn.lab.settings.runs import Run

QUANTITIES = ("loss", "bpp", "ms_ssim")
BINS = 120
"""The most points per curve; each is the mean of neighbouring rows of the log."""
LAST = 0.1
"""Share of a training that `change` compares with the same share before it."""


def trainings(sources: Sources) -> list[dict[str, Any]]:
    """An entry per run that has a log: its curves, steps done and planned, and the last change of its loss.

    If a training has not finished, the log is that of its newest entry in the store.

    Raises:
        CvqnError: the log of a finished training is damaged.
    """
    found = []
    for run in sources.runs:
        path = _log(sources, run)
        if path is None:
            continue
        finished = path.parent == Path(sources.results.training(run.training))
        try:
            rows = read_table(str(path), ("step", "loss"))
        except CvqnError:
            if finished:
                raise
            continue  # the training has begun, but logged nothing yet
        quantities = [name for name in QUANTITIES if name in rows and rows[name].notna().all()]
        steps = rows["step"].tolist()
        found.append(
            {
                "id": run.training,
                "experiment": run.experiment,
                "finished": finished,
                "step": int(steps[-1]),
                "steps": _steps(sources, run, path),
                "curves": {name: _binned(steps, rows[name].tolist()) for name in ("step", *quantities)},
                "change": _last_change(rows["loss"].tolist()),
            }
        )
    return found


def _log(sources: Sources, run: Run) -> Path | None:
    finished = Path(sources.results.training(run.training), "log.csv")
    if finished.exists():
        return finished
    begun = Path(sources.results.store).glob(f"{run.training}-{'[0-9a-f]' * 12}/log.csv")
    return max(begun, key=lambda path: path.stat().st_mtime, default=None)


def _steps(sources: Sources, run: Run, log: Path) -> int | None:
    """The steps of the whole training; None while the number of steps per epoch is unknown."""
    if log.with_name(FILE).exists():
        return read_provenance(log.parent).steps
    training = sources.configuration.experiments[run.experiment].training
    return training.all_epochs * training.epoch_steps if training.epoch_steps else None


def _binned(steps: Sequence[float], values: Sequence[float]) -> list[float]:
    width = math.ceil(len(steps) / BINS)
    bins = [values[first : first + width] for first in range(0, len(values), width)]
    return [float(f"{sum(one) / len(one):.5g}") for one in bins]


def _last_change(values: Sequence[float]) -> float | None:
    """The change in percent from the mean of the second-last tenth to the mean of the last tenth."""
    part = int(len(values) * LAST)
    if part < 2:
        return None
    before, last = (sum(one) / part for one in (values[-2 * part : -part], values[-part:]))
    return 100 * (last / before - 1) if before else None
