"""Figure 3, right: rate-distortion curves of CVQN, of the codecs measured here, and of published ones."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from baselines import published
from cvqn.report.output import write_table
from cvqn.report.style import COLUMN, codec_style, lighter, new_figure, note_scale, save

RATES = (0.05, 0.7)
AXES, LABELS, ENTRY, TITLE, FOOT = 2.4, 0.41, 0.118, 0.27, 0.15  # heights in inches, from the top
DASHES = ((0, (4, 1.2)), (0, (1, 1)), (0, (4, 1.2, 1, 1.2)), (0, (8, 1.5)), (0, (3, 1, 1, 1, 1, 1)), (0, (2, 2)))
GREYS = ("#6a6a6a", "#9c9c9c")
WITH_MARKERS = {"linewidth": 1.0, "markersize": 3, "zorder": 3}
HOLLOW = ("jpeg2000-5-3", "jpeg-444")  # variants that share a colour with another
MEASURED_TOO = {  # published curve: the codec whose colour it borrows, lightened
    "figure3-cvqn": "cvqn",
    "figure3-jpeg2000": "jpeg2000",
    "figure3-webp": "webp",
    "figure3-bpg-444": "bpg-444",
}


def draw_curves(table: pd.DataFrame, output: str | Path, *, scale: str, images: int, data_set: str) -> None:
    """Write figure 3, right, as svg, png and csv. Measured: solid, with markers. Published: thin, pale, dashed."""
    entries = table.groupby("kind")["curve"].nunique().max()
    height = 0.06 + AXES + LABELS + TITLE + entries * ENTRY + FOOT
    figure = new_figure(COLUMN, height)
    axes = figure.add_axes((0.118, 1 - (0.06 + AXES) / height, 0.725, AXES / height))
    measured, known = [], []
    for (kind, name), rows in table.groupby(["kind", "curve"], sort=False):
        rows = rows.sort_values("bpp")
        if kind == "measured":
            label, colour, marker = codec_style(name)
            own = {"linewidth": 1.8, "markersize": 4, "zorder": 4} if name == "cvqn" else WITH_MARKERS
            hollow = {"markerfacecolor": "white"} if name in HOLLOW else {}
            measured += axes.plot(
                rows["bpp"], rows["ms_ssim_db"], color=colour, marker=marker, label=label, **own, **hollow
            )
        else:
            colour, dashes, label = _published_style(name, len(known))
            known += axes.plot(
                rows["bpp"], rows["ms_ssim_db"], color=colour, linestyle=dashes, label=label, linewidth=0.8, zorder=2
            )
    _frame(axes, table)
    others = "" if data_set == "kodak" else ":\nother images, not comparable"
    top = 1 - (0.06 + AXES + LABELS) / height
    _legend(figure, measured, f"measured here on\n{images} images of {data_set}", (0.02, top))
    _legend(figure, known, f"published, on Kodak{others}", (0.5, top))
    note_scale(figure, scale)
    save(figure, output)
    write_table(table, Path(output).with_suffix(".csv"))


def _published_style(name: str, number: int) -> tuple[str, tuple, str]:
    """Colour, dashes and label of the n-th published curve."""
    codec = MEASURED_TOO.get(name)
    colour = GREYS[number % len(GREYS)] if codec is None else lighter(codec_style(codec)[1])
    label = published.curves()[name].codec if codec is None else codec_style(codec)[0].split(",")[0]
    return colour, DASHES[number % len(DASHES)], f"{label} (published)"


def _frame(axes, table: pd.DataFrame) -> None:
    seen = table[(table["bpp"] >= RATES[0]) & (table["bpp"] <= RATES[1])]["ms_ssim_db"]
    seen = seen[np.isfinite(seen)]  # a lossless point has no place on a scale of decibels
    low, high = np.floor(seen.min()), np.ceil(seen.max())
    axes.set_xlim(*RATES)
    axes.set_ylim(low, high)
    axes.set_xlabel("bits per pixel")
    axes.set_ylabel("MS-SSIM, dB", labelpad=2)
    axes.grid()
    axes.yaxis.set_major_locator(MaxNLocator(10, integer=True, steps=(1, 2, 5, 10)))
    decibel = axes.get_yticks()
    twin = axes.secondary_yaxis("right")
    twin.set_yticks(decibel, [f"{1 - 10 ** (-value / 10):.4g}" if low <= value <= high else "" for value in decibel])
    twin.set_ylabel("MS-SSIM", color="#777777")
    twin.spines["right"].set_visible(False)
    twin.tick_params(length=0, labelcolor="#777777")


def _legend(figure, handles: list, title: str, corner: tuple[float, float]) -> None:
    """A legend with its title, whose upper left corner is given in parts of the figure."""
    if handles:
        figure.legend(
            handles=handles, title=title, loc="upper left", bbox_to_anchor=corner, alignment="left", fontsize=6.5,
            title_fontsize=6.5, borderaxespad=0, borderpad=0, labelspacing=0.22, handlelength=2.8,
        )  # fmt: skip
