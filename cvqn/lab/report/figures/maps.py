"""Figure 3, left: the quantized maps of a picture, by group."""

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from cvqn.errors import CvqnError
from cvqn.lab.report.looks import GROUPS
from cvqn.lab.report.sources import Sources
from cvqn.lab.report.style import COLUMN, new_figure, save, scale_note
from cvqn.lab.settings.runs import Run

COLUMNS = 8
EDGE, GAP, NUMBER, HEADING, FOOT = 0.05, 0.03, 0.115, 0.16, 0.17  # inches


class Maps(NamedTuple):
    """The quantized maps of one picture, as `cvqn evaluate` wrote them; arrays are by channel."""

    image: str
    maps: np.ndarray  # uint8 [C, h, w], the rank 0..Q-1 of each value among those of its group
    group: np.ndarray
    levels: np.ndarray
    position: np.ndarray


def draw(sources: Sources, output: str | Path) -> None:
    """Write Figure 3, left, as SVG, PNG and CSV: the maps in order of importance, a block of rows per group.

    Raises:
        CvqnError: the maps are missing or damaged.
    """
    maps = maps_of(sources, sources.shown)
    order = np.argsort(maps.position)
    blocks = [order[maps.group[order] == group] for group in sorted(set(maps.group.tolist()))]
    cell = (COLUMN - 2 * EDGE) / COLUMNS
    picture = (cell - GAP) * maps.maps.shape[1] / maps.maps.shape[2]
    lines = sum(-(-len(block) // COLUMNS) for block in blocks)
    height = lines * (picture + NUMBER) + len(blocks) * HEADING + (FOOT if scale_note(sources.scale) else EDGE)
    figure = new_figure(COLUMN, height)
    top = height
    for number, block in enumerate(blocks):
        levels = int(maps.levels[block[0]])
        top -= HEADING
        heading = f"q = {levels}, {len(block)} channels"
        figure.text(EDGE / COLUMN, top / height, heading, fontsize=7, fontweight="bold", va="bottom")
        for index, channel in enumerate(block):
            if index % COLUMNS == 0:
                top -= picture + NUMBER
            left = EDGE + index % COLUMNS * cell
            axes = figure.add_axes((left / COLUMN, top / height, (cell - GAP) / COLUMN, picture / height))
            draw_map(axes, maps.maps[channel], levels)
            axes.set_title(str(channel + 1), fontsize=5.5, pad=1.2)
            for spine in axes.spines.values():
                spine.set_color(GROUPS[number % len(GROUPS)])
                spine.set_linewidth(1.1)
    save(figure, maps_table(maps), output, sources.scale)


def maps_of(sources: Sources, run: Run) -> Maps:
    """The maps of a run.

    Raises:
        CvqnError: the maps are missing or damaged.
    """
    return read_maps(f"{sources.analysis(run)}/maps.npz")


def read_maps(path: str | Path) -> Maps:
    """Read a maps.npz.

    Raises:
        CvqnError: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return Maps(str(file["image"]), file["maps"], file["group"], file["levels"], file["position"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise CvqnError(f"{path}: not the maps of cvqn evaluate ({error}); run it again") from error


def draw_map(axes, symbols: np.ndarray, levels: int) -> None:
    """One channel `[h, w]`: black is the group's smallest value, white its largest."""
    axes.imshow(symbols, cmap="gray", vmin=0, vmax=levels - 1)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_linewidth(0.4)


def symbols_text(symbols: np.ndarray) -> str:
    """A map `[h, w]` as text: a hexadecimal digit per symbol, rows separated by spaces."""
    return " ".join("".join(f"{symbol:x}" for symbol in row) for row in symbols)


def maps_table(maps: Maps) -> pd.DataFrame:
    """A row per channel in order of importance: position, group, levels, and the map as text."""
    order = np.argsort(maps.position)
    return pd.DataFrame(
        {
            "channel": order + 1,
            "position": maps.position[order],
            "group": maps.group[order],
            "levels": maps.levels[order],
            "symbols": [symbols_text(maps.maps[channel]) for channel in order],
        }
    )
