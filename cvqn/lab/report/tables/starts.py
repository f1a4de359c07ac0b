"""Codecs at an equal number of steps, initialized at random and, where their layers allow it, from components."""

import pandas as pd

from cvqn.codecs import registry
from cvqn.errors import CvqnError
from cvqn.lab.provenance.training import read_provenance
from cvqn.lab.report.budget import COLUMNS, budget
from cvqn.lab.report.output import markdown_page, markdown_table, number
from cvqn.lab.report.sources import Sources

VALUES = {"bpp": ("bpp", 4), "ms_ssim": ("MS-SSIM", 4), "ms_ssim_db": ("MS-SSIM, dB", 2), "psnr_db": ("PSNR, dB", 2)}
PLACE = ["images", "bitstreams", "measurements", "lines"]


def table(sources: Sources) -> pd.DataFrame:
    """A row per measured run of `report.starts`, at its last checkpoint: initialization, budget and measurements.

    Raises:
        CvqnError: no run of them was measured, or a run's record is missing or damaged.
    """
    names = sources.configuration.report.starts
    found = sources.means[(sources.means["checkpoint"] == "last") & sources.means["experiment"].isin(names)]
    if found.empty:
        raise CvqnError("no run of report.starts was measured; run cvqn evaluate on one first")
    rows = [
        {"experiment": run["experiment"], "run": run["setting"], "codec": run["codec"]}
        | {"initialization": _initialization(sources, run["experiment"])}
        | budget(read_provenance(sources.results.training(run["setting"])))._asdict()
        | {column: run[column] for column in (*VALUES, *PLACE)}
        for run in found.to_dict("records")
    ]
    return pd.DataFrame(rows).sort_values("experiment", key=lambda one: one.map(names.index), ignore_index=True)


def page(table: pd.DataFrame, sources: Sources) -> str:
    """The table as Markdown, with rounded numbers."""
    rows = [
        {"run": row["run"], "codec": registry.title(row["codec"]), "start": row["initialization"]}
        | {label: number(row[column], digits) for column, (label, digits) in (COLUMNS | VALUES).items()}
        for row in table.to_dict("records")
    ]
    note = (
        "Each codec at C = 32 and an equal number of steps, initialized at random (`torch`, `variance`) and from "
        "principal components of the training images (`components`). `factorized` and `hyperprior` have no second "
        "initialization, because their layers cannot be fitted to components (docs/compressai.md). Rates differ, so "
        "compare only the rows of one codec here; the table `learned` compares codecs."
    )
    return markdown_page("Initializations", sources.scale, note, markdown_table(rows, right=list(rows[0])[3:]))


def _initialization(sources: Sources, experiment: str) -> str:
    return str(sources.configuration.experiments[experiment].training.plain().get("initialization", ""))
