"""Figure 1: a picture, the quantized channels of the toy model, and the quality lost without each of them."""

from pathlib import Path

import numpy as np
import pandas as pd

from cvqn.codecs.looks import BLUE, VERMILION
from cvqn.errors import CvqnError
from cvqn.lab.data.index import read_index
from cvqn.lab.report.channels import agreement_between_images, by_image
from cvqn.lab.report.figures.maps import EDGE, GAP, NUMBER, Maps, draw_map, maps_of, symbols_text
from cvqn.lab.report.sources import Sources
from cvqn.lab.report.style import COLUMN, new_figure, save

LOSSES = {"psnr_loss_db": "PSNR loss, dB", "ms_ssim_loss_db": "MS-SSIM loss, dB"}
COLUMNS = 8
TITLE, TALLEST, LEGEND, PANEL, FOOT, LABELS = 0.17, 2.2, 0.24, 1.4, 0.14, 0.53  # inches


def draw(sources: Sources, output: str | Path) -> None:
    """Write Figure 1 as SVG, PNG and CSV: the original, every channel's map, and both losses by channel.

    Raises:
        CvqnError: the maps' image is not in the set, a file is damaged, or the influence was not measured.
    """
    run, maps, channels = sources.toy.name, maps_of(sources, sources.toy), sources.channels_of(sources.toy)
    table = influence_table(channels, run, maps)
    picture, images = _picture(sources, maps.image), channels["image"].nunique()
    rows = -(-len(maps.maps) // COLUMNS)
    cell = (COLUMN - 2 * EDGE) / COLUMNS
    line = cell * maps.maps.shape[1] / maps.maps.shape[2] + NUMBER
    original = min(TALLEST, (COLUMN - 2 * EDGE) * picture.shape[0] / picture.shape[1])
    height = TITLE + original + rows * line + LEGEND + len(LOSSES) * PANEL + FOOT
    figure = new_figure(COLUMN, height)

    def place(left: float, top: float, width: float, tall: float):
        return figure.add_axes((left / COLUMN, 1 - (top + tall) / height, width / COLUMN, tall / height))

    axes = place(EDGE, TITLE, COLUMN - 2 * EDGE, original)
    axes.imshow(picture)
    axes.set_axis_off()
    axes.set_anchor("W")
    figure.text(
        EDGE / COLUMN,
        1 - 0.03 / height,
        f"original ({maps.image}); below it, its quantized channels",
        va="top",
        fontsize=7,
    )
    top = TITLE + original
    for index, own in enumerate(maps.maps):
        left = EDGE + index % COLUMNS * cell
        axes = place(left, top + index // COLUMNS * line + NUMBER, cell - GAP, line - NUMBER - GAP)
        draw_map(axes, own, int(maps.levels[index]))
        axes.set_title(str(index + 1), fontsize=5.5, pad=1.2)
    top += rows * line + LEGEND
    for position, (column, label) in enumerate(LOSSES.items()):
        axes = place(LABELS, top + 0.09 + position * PANEL, COLUMN - LABELS - EDGE, PANEL - 0.42)
        _bars(axes, table, column, maps.image, images)
        axes.set_ylabel(label, labelpad=2)
        rank = agreement_between_images(channels, run, column)
        axes.set_xlabel(
            "channel" if rank is None else f"channel (rank correlation between images: {rank:.2f})", labelpad=2
        )
    handles, names = axes.get_legend_handles_labels()
    line = 1 - (top - 0.06) / height
    figure.text(EDGE / COLUMN, line, "loss without a channel:", va="center", fontsize=6.5)
    figure.legend(
        handles, names, fontsize=6.5, ncols=2, loc="center right", bbox_to_anchor=(1 - EDGE / COLUMN, line),
        handlelength=1.4, columnspacing=1.2, borderaxespad=0, borderpad=0,
    )  # fmt: skip
    save(figure, table, output, sources.scale)


def influence_table(channels: pd.DataFrame, run: str, maps: Maps) -> pd.DataFrame:
    """A row per channel: its losses on the maps' image, their mean, minimum and maximum over all images, and its map.

    Raises:
        CvqnError: the run's influence was not measured, or not on that image.
    """
    table = pd.DataFrame({"channel": np.arange(1, len(maps.maps) + 1)})
    for column in LOSSES:
        losses = by_image(channels, run, column)
        if losses is None or maps.image not in losses:
            raise CvqnError(
                f"the influence of the channels of {run} was not measured on {maps.image}; run cvqn evaluate on it"
            )
        values = losses.to_numpy()
        table[column] = losses[maps.image].to_numpy()
        table[f"{column}_mean"] = values.mean(axis=1)
        table[f"{column}_min"], table[f"{column}_max"] = values.min(axis=1), values.max(axis=1)
    table["symbols"] = [symbols_text(own) for own in maps.maps]
    return table


def _bars(axes, table: pd.DataFrame, column: str, image: str, images: int) -> None:
    """Draw bars for the image, and dots with lines for mean and range over the set."""
    channel = table["channel"]
    axes.bar(channel, table[column], width=0.72, color=BLUE, label=image)
    mean, low, high = (table[f"{column}_{part}"] for part in ("mean", "min", "max"))
    label = f"{images} images: mean, range"
    axes.errorbar(
        channel,
        mean,
        yerr=[mean - low, high - mean],
        fmt="o",
        color=VERMILION,
        markersize=2.1,
        elinewidth=0.7,
        label=label,
    )
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set_xlim(0.2, len(table) + 0.8)
    axes.set_xticks([1, *range(4, len(table) + 1, 4)])
    axes.margins(y=0.12)
    axes.grid(axis="y")


def _picture(sources: Sources, name: str) -> np.ndarray:
    [index] = sources.files("images")
    found = [image for image in read_index(index) if image.name == name]
    if not found:
        raise CvqnError(
            f"{index}: has no image {name}, of which {sources.toy.name} has the maps; run the workflow again"
        )
    return found[0].read()
