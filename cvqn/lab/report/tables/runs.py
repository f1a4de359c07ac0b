"""Every run of every experiment, with the files and lines that its numbers come from."""

import pandas as pd

from cvqn.errors import CvqnError
from cvqn.lab.report.output import markdown_page, markdown_table, number
from cvqn.lab.report.sources import Sources

VALUES = {
    "psnr_db": ("PSNR", 3),
    "ms_ssim": ("MS-SSIM", 4),
    "bpp": ("BPP", 4),
    "cross_entropy_bpp": ("BPP, cross entropy", 4),
    "bound_bpp": ("BPP, bound", 4),
}
ABOUT, PLACE = ["experiment", "checkpoint", "run", "seed", "codec", "images"], ["bitstreams", "measurements", "lines"]


def table(sources: Sources) -> pd.DataFrame:
    """A row per measured run and checkpoint: its means over the images, and the files and lines they come from.

    Raises:
        CvqnError: no run was measured.
    """
    found = every_run(sources)
    if found.empty:
        raise CvqnError("no run was measured; run cvqn evaluate on one first")
    return found


def page(table: pd.DataFrame, sources: Sources) -> str:
    """The table as Markdown, with rounded numbers."""
    note = "Means over the images. The archive of bitstreams, the measurement file and its lines: `runs.csv`."
    return markdown_page("Every run", sources.scale, note, runs_table(table))


def every_run(sources: Sources) -> pd.DataFrame:
    """Like `table`, but empty if nothing was measured."""
    runs = sources.means[sources.means["experiment"] != ""].rename(columns={"setting": "run"})
    runs = runs.astype({"seed": int}).sort_values(["experiment", "checkpoint", "seed"], ignore_index=True)
    return runs[[*ABOUT, *(column for column in VALUES if column in runs), "ms_ssim_db", *PLACE]]


def runs_table(runs: pd.DataFrame) -> str:
    """Rows of `every_run` in Markdown."""
    rows = [
        {"run": row["run"]}
        | {label: number(row.get(column), digits) for column, (label, digits) in VALUES.items()}
        | {"images": row["images"]}
        for row in runs.to_dict("records")
    ]
    return markdown_table(rows, right=list(rows[0])[1:])
