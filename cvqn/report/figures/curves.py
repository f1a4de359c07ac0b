"""Figure 3, right: rate-distortion curves of CVQN, of the codecs measured here, and of published ones."""

from pathlib import Path

import numpy as np
import pandas as pd

from baselines import published
from cvqn.report.output import write_table
from cvqn.report.style import PAGE, codec_style, lighter, new_figure, note_scale, save

RATES = (0.05, 0.7)
DASHES = ((0, (4, 1.2)), (0, (1, 1)), (0, (4, 1.2, 1, 1.2)), (0, (8, 1.5)), (0, (3, 1, 1, 1, 1, 1)), (0, (2, 2)))
GREYS = ("#6a6a6a", "#9c9c9c")
HOLLOW = ("jpeg2000-5-3", "jpeg-444")  # variants that share a colour with another
MEASURED_TOO = {  # published curve: the codec whose colour it borrows, lightened
    "figure3-cvqn": "cvqn",
    "figure3-jpeg2000": "jpeg2000",
    "figure3-webp": "webp",
    "figure3-bpg-444": "bpg-444",
}


def draw_curves(table: pd.DataFrame, output: str | Path, *, scale: str, images: int, data_set: str) -> None:
    """Write figure 3, right, as svg, png and csv. Measured: solid, with markers. Published: thin, pale, dashed."""
    figure = new_figure(PAGE, 3.7)
    axes = figure.add_axes((0.062, 0.125, 0.56, 0.845))
    measured, known = [], []
    for (kind, name), rows in table.groupby(["kind", "curve"], sort=False):
        rows = rows.sort_values("bpp")
        if kind == "measured":
            label, colour, marker = codec_style(name)
            own = {"linewidth": 2.0, "markersize": 5, "zorder": 4} if name == "cvqn" else {"zorder": 3}
            hollow = {"markerfacecolor": "white"} if name in HOLLOW else {}
            measured += axes.plot(
                rows["bpp"], rows["ms_ssim_db"], color=colour, marker=marker, label=label, **own, **hollow
            )
        else:
            colour, dashes, label = _published_style(name, len(known))
            known += axes.plot(
                rows["bpp"], rows["ms_ssim_db"], color=colour, linestyle=dashes, label=label, linewidth=0.9, zorder=2
            )
    _frame(axes, table)
    others = "" if data_set == "kodak" else ":\nother images, not comparable"
    _legends(
        figure, (measured, f"measured here\n({images} images of {data_set})"), (known, f"published, on Kodak{others}")
    )
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
    low, high = np.floor(seen.min()), np.ceil(seen.max())
    axes.set_xlim(*RATES)
    axes.set_ylim(low, high)
    axes.set_xlabel("bits per pixel")
    axes.set_ylabel("MS-SSIM, dB")
    axes.grid()
    decibel = axes.get_yticks()
    twin = axes.secondary_yaxis("right")
    twin.set_yticks(decibel, [f"{1 - 10 ** (-value / 10):.4g}" if low <= value <= high else "" for value in decibel])
    twin.set_ylabel("MS-SSIM", color="#777777")
    twin.spines["right"].set_visible(False)
    twin.tick_params(length=0, labelcolor="#777777")


def _legends(figure, *parts: tuple[list, str]) -> None:
    """Legends with their titles, one below the other, right of the axes."""
    top = 0.975
    for handles, title in parts:
        if handles:
            legend = figure.legend(
                handles=handles, title=title, loc="upper left", bbox_to_anchor=(0.72, top), alignment="left",
                title_fontsize=7, borderaxespad=0, borderpad=0, labelspacing=0.28, handlelength=3,
            )  # fmt: skip
            top = figure.transFigure.inverted().transform(legend.get_window_extent())[0, 1] - 0.04
