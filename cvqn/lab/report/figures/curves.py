"""Figure 3, right: rate-distortion curves of the paper's method, of other codecs measured here, and published ones."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.ticker import MaxNLocator

from cvqn.codecs import registry
from cvqn.lab.report import published
from cvqn.lab.report.curves import curves_table
from cvqn.lab.report.looks import lighter, looks
from cvqn.lab.report.sources import Sources
from cvqn.lab.report.style import COLUMN, new_figure, save

RATES = (0.03, 0.7)
LABELS_OF = {"ms_ssim_db": "MS-SSIM, dB", "psnr_db": "PSNR, dB"}
AXES, LABELS, ENTRY, TITLE, FOOT = 2.4, 0.41, 0.118, 0.27, 0.15  # heights in inches, from the top
DASHES = ((0, (4, 1.2)), (0, (1, 1)), (0, (4, 1.2, 1, 1.2)), (0, (8, 1.5)), (0, (3, 1, 1, 1, 1, 1)), (0, (2, 2)))
GREYS = ("#6a6a6a", "#9c9c9c")
FIRST = {"linewidth": 1.8, "markersize": 4, "zorder": 4}
WITH_MARKERS = {"linewidth": 1.0, "markersize": 3, "zorder": 3}


def draw(sources: Sources, output: str | Path, quantity: str = "ms_ssim_db") -> None:
    """Write Figure 3, right, as SVG, PNG and CSV, with the published curves of the paper's own figure.

    Measured curves are solid with markers, the first one bold. Published curves that have `quantity` (ms_ssim_db or
    psnr_db) are pale and dashed.

    Raises:
        CvqnError: as for `curves_table`.
    """
    table = curves_table(sources, "figure-3").dropna(subset=quantity)
    images, data_set = sources.measurements["image"].nunique(), sources.configuration.data.evaluation
    entries = table.groupby("kind")["curve"].nunique().max()
    height = 0.06 + AXES + LABELS + TITLE + entries * ENTRY + FOOT
    figure = new_figure(COLUMN, height)
    axes = figure.add_axes((0.118, 1 - (0.06 + AXES) / height, 0.725, AXES / height))
    measured, known = [], []
    own = looks(table[table["kind"] == "measured"]["curve"].unique())
    for (kind, name), rows in table.groupby(["kind", "curve"], sort=False):
        rows = rows.sort_values("bpp")
        if kind == "measured":
            look = own[name]
            lines = WITH_MARKERS if measured else FIRST
            hollow = {"markerfacecolor": "white"} if look.hollow else {}
            measured += axes.plot(
                rows["bpp"],
                rows[quantity],
                color=look.colour,
                marker=look.marker,
                label=registry.title(name),
                **lines,
                **hollow,
            )
        else:
            colour, dashes, label = _published_style(name, len(known))
            known += axes.plot(
                rows["bpp"], rows[quantity], color=colour, linestyle=dashes, label=label, linewidth=0.8, zorder=2
            )
    _frame(axes, table, quantity)
    _name_greys(axes, known)
    others = "" if data_set == published.SET else ":\nother images, not comparable"
    top = 1 - (0.06 + AXES + LABELS) / height
    _legend(figure, measured, f"measured here on\n{images} images of {data_set}", (0.02, top))
    _legend(figure, known, f"published, on Kodak{others}", (0.5, top))
    save(figure, table, output, sources.scale)


def _published_style(name: str, number: int) -> tuple[str, tuple, str]:
    """Colour, dashes and label of the n-th published curve; the colour is a paler one of the codec's own, if any."""
    codec = name.removeprefix("figure3-")
    look = registry.look(codec)
    colour = GREYS[number % len(GREYS)] if look is None else lighter(look.colour)
    label = published.curves()[name].codec if look is None else registry.title(codec).split(",")[0]
    return colour, DASHES[number % len(DASHES)], label


def _name_greys(axes, curves: list) -> None:
    """Label each grey curve, at the top left, with a line to the point where it is farthest from the other curves."""
    rates = np.linspace(0.2, 0.58, 39)
    levels = {curve: np.interp(rates, *curve.get_data(), left=np.nan, right=np.nan) for curve in curves}
    places = []
    for curve in (one for one in curves if len(set(to_rgb(one.get_color()))) == 1):
        others = [abs(levels[curve] - levels[one]) for one in curves if one is not curve]
        best = int(np.nanargmax(np.nan_to_num(np.nanmin([np.full(len(rates), np.inf), *others], axis=0), posinf=1)))
        places.append((rates[best], levels[curve][best], curve))
    low, high = axes.get_ylim()
    for row, (rate, level, curve) in enumerate(sorted(places, key=lambda place: place[0], reverse=True)):
        arrow = {"arrowstyle": "-", "color": curve.get_color(), "linewidth": 0.4, "shrinkA": 1, "shrinkB": 0}
        axes.annotate(
            curve.get_label(), (rate, level), xytext=(RATES[0] + 0.01, high - (0.03 + 0.05 * row) * (high - low)),
            fontsize=5.5, color=curve.get_color(), va="center", arrowprops=arrow | {"relpos": (1, 0.5)},
        )  # fmt: skip
        axes.plot(rate, level, ".", color=curve.get_color(), markersize=2)


def _frame(axes, table: pd.DataFrame, quantity: str) -> None:
    seen = table[(table["bpp"] >= RATES[0]) & (table["bpp"] <= RATES[1])][quantity]
    seen = seen[np.isfinite(seen)]  # a lossless point has no place on a scale of decibels
    low, high = np.floor(seen.min()), np.ceil(seen.max())
    axes.set_xlim(*RATES)
    axes.set_ylim(low, high)
    axes.set_xlabel("bits per pixel")
    axes.set_ylabel(LABELS_OF[quantity], labelpad=2)
    axes.grid()
    axes.yaxis.set_major_locator(MaxNLocator(10, integer=True, steps=(1, 2, 5, 10)))
    if quantity == "ms_ssim_db":
        _name_ms_ssim(axes, low, high)


def _name_ms_ssim(axes, low: float, high: float) -> None:
    """Add an axis with MS-SSIM itself on the right."""
    decibel = axes.get_yticks()
    twin = axes.secondary_yaxis("right")
    twin.set_yticks(decibel, [f"{1 - 10 ** (-value / 10):.4f}" if low <= value <= high else "" for value in decibel])
    twin.set_ylabel("MS-SSIM", color="#777777")
    twin.spines["right"].set_visible(False)
    twin.tick_params(length=0, labelcolor="#777777")


def _legend(figure, handles: list, title: str, corner: tuple[float, float]) -> None:
    """A legend with a title; `corner` is its upper left corner, in fractions of the figure."""
    if handles:
        figure.legend(
            handles=handles, title=title, loc="upper left", bbox_to_anchor=corner, alignment="left", fontsize=6.5,
            title_fontsize=6.5, borderaxespad=0, borderpad=0, labelspacing=0.22, handlelength=2.8,
        )  # fmt: skip
