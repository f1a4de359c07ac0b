"""The style of figures: column widths, fonts, the note that names the scale, and reproducible files."""

from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from cvqn.files import atomic_write
from cvqn.lab.report.output import write_table

COLUMN = 3.35
PAGE = 7.0
"""Widths of one column and of the page, in inches."""

_SETTINGS = {
    "font.family": "DejaVu Sans",
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.3,
    "lines.markersize": 3.5,
    "image.interpolation": "nearest",
    "svg.hashsalt": "cvqn",
}


def scale_note(scale: str) -> str:
    """The note in a figure that is not at the paper's scale; empty at the paper's scale."""
    return "" if scale == "paper" else f"scale {scale}: a demonstration, not a reproduction"


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of that size in inches, in the settings of this module."""
    plt.rcdefaults()
    plt.rcParams.update(_SETTINGS)
    return plt.figure(figsize=(width, height))


def note_scale(figure: Figure, scale: str) -> None:
    """Name the scale in the lower right corner; the type of a page-wide figure stays readable at half size."""
    size = 6.5 if figure.get_figwidth() <= COLUMN else 10
    figure.text(
        0.995, 0.006, scale_note(scale), ha="right", va="bottom", fontsize=size, color="#555555", style="italic"
    )


def save(figure: Figure, table: pd.DataFrame, path: str | Path, scale: str) -> None:
    """Write a figure, with its scale named, as `path` with the suffixes .svg and .png (300 dpi), its numbers as .csv.

    Equal input gives equal bytes.
    """
    note_scale(figure, scale)
    path = Path(path)
    with atomic_write(path.with_suffix(".svg")) as file:
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    with atomic_write(path.with_suffix(".png")) as file:
        figure.savefig(file, format="png", dpi=300, metadata={"Software": None})
    plt.close(figure)
    write_table(table, path.with_suffix(".csv"))
