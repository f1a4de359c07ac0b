"""How figures look: one colour, marker and name a codec, sizes of a paper's columns, files that never differ."""

from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from cvqn.files import atomic_write

COLUMN = 3.35
PAGE = 7.0
"""Widths of one column and of the page, in inches."""

# Okabe and Ito's palette, which the common colour blindnesses tell apart.
BLACK, ORANGE, SKY, GREEN, YELLOW = "#000000", "#e69f00", "#56b4e9", "#009e73", "#f0e442"
BLUE, VERMILLION, PURPLE, GREY = "#0072b2", "#d55e00", "#cc79a7", "#8a8a8a"
GROUPS = (SKY, ORANGE, VERMILLION)

CODECS = {
    "cvqn": ("CVQN", VERMILLION, "o"),
    "bpg-444": ("BPG 4:4:4", BLUE, "s"),
    "webp": ("WebP", GREEN, "^"),
    "jpeg2000": ("JPEG 2000, 9/7", ORANGE, "D"),
    "jpeg2000-5-3": ("JPEG 2000, 5/3", ORANGE, "d"),
    "jpeg-420": ("JPEG 4:2:0", PURPLE, "v"),
    "jpeg-444": ("JPEG 4:4:4", PURPLE, "<"),
    "avif": ("AVIF", SKY, "P"),
    "jpegxl": ("JPEG XL", BLACK, "X"),
    "heic": ("HEIC", GREY, "*"),
}

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


def codec_style(codec: str) -> tuple[str, str, str]:
    """Name, colour and marker of a codec; one that is not in `CODECS` is drawn grey under its own name."""
    return CODECS.get(codec, (codec, GREY, "."))


def lighter(colour: str, share: float = 0.45) -> str:
    """A colour mixed with that share of white."""
    parts = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(part + (255 - part) * share):02x}" for part in parts)


def scale_note(scale: str) -> str:
    """What a figure below the paper's scale says of itself; empty at the paper's scale."""
    return "" if scale == "paper" else f"scale {scale}: a demonstration, not a reproduction"


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of that size in inches, in the settings of this module."""
    plt.rcdefaults()
    plt.rcParams.update(_SETTINGS)
    return plt.figure(figsize=(width, height))


def note_scale(figure: Figure, scale: str) -> None:
    """Name the scale in the lower right corner, in a figure of a page's width so large that half the size will do."""
    size = 6.5 if figure.get_figwidth() <= COLUMN else 10
    figure.text(
        0.995, 0.006, scale_note(scale), ha="right", va="bottom", fontsize=size, color="#555555", style="italic"
    )


def save(figure: Figure, path: str | Path) -> None:
    """Write the figure as `path` with the endings .svg and .png (300 dpi), equal bytes for equal input."""
    path = Path(path)
    with atomic_write(path.with_suffix(".svg")) as file:
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    with atomic_write(path.with_suffix(".png")) as file:
        figure.savefig(file, format="png", dpi=300, metadata={"Software": None})
    plt.close(figure)
