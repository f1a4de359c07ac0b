"""Every run of every experiment, with the files and lines that its numbers come from."""

import pandas as pd

from cvqn.errors import CvqnError
from cvqn.lab.report.output import markdown_page, markdown_table, number
from cvqn.lab.report.runs import Experiment, Runs
from cvqn.lab.report.sources import Sources, cited
from cvqn.lab.settings.runs import Run

COLUMNS = {
    "psnr_db": ("PSNR", 3),
    "ms_ssim": ("MS-SSIM", 4),
    "bpp": ("BPP", 4),
    "cross_entropy_bpp": ("BPP, cross entropy", 4),
    "bound_bpp": ("BPP, bound", 4),
}


def table(sources: Sources) -> pd.DataFrame:
    """A row per measured run and checkpoint: its means over the images, and the files and lines they come from.

    Raises:
        CvqnError: no run was measured.
    """
    found = every_run(sources.measured)
    if found.empty:
        raise CvqnError("no run was measured; run cvqn evaluate on one first")
    return found


def page(table: pd.DataFrame, sources: Sources) -> str:
    """Its numbers, rounded."""
    note = "Means over the images. The archive of bitstreams, the measurement file and its lines: `runs.csv`."
    return markdown_page("Every run", sources.scale, note, runs_table(table))


def every_run(runs: Runs) -> pd.DataFrame:
    """As `table`, without rows where nothing was measured."""
    return pd.DataFrame([row for experiment in runs for row in _rows(experiment)])


def runs_table(runs: pd.DataFrame) -> str:
    """Rows of `every_run` in Markdown."""
    rows = [
        {"run": row["run"]}
        | {label: number(row.get(column), digits) for column, (label, digits) in COLUMNS.items()}
        | {"images": row["images"]}
        for row in runs.to_dict("records")
    ]
    return markdown_table(rows, right=list(rows[0])[1:])


def _rows(experiment: Experiment) -> list[dict]:
    rows = []
    for position, seed in enumerate(experiment.seeds):
        own = experiment.rows[experiment.rows["seed"] == seed]
        row = {
            "experiment": experiment.name,
            "checkpoint": experiment.checkpoint,
            "run": Run(experiment.name, seed, experiment.checkpoint).name,
            "seed": seed,
            "codec": own["codec"].iloc[0],
            "images": len(own),
        }
        row |= {metric: float(values[position].mean()) for metric, values in experiment.values.items()}
        rows.append(row | {"ms_ssim_db": float(experiment.means("ms_ssim_db")[position])} | cited(own))
    return rows
