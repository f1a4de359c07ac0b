"""Figure 1: a picture, the quantized channels of the toy model, and what each of them is worth."""

from pathlib import Path

import numpy as np
import pandas as pd

from cvqn.errors import CvqnError
from cvqn.report.channels import agreement_between_images, by_image
from cvqn.report.figures.maps import Maps, draw_map, symbols_text
from cvqn.report.output import write_table
from cvqn.report.style import BLUE, PAGE, VERMILLION, new_figure, note_scale, save

LOSSES = {"psnr_loss_db": "PSNR loss, dB", "ms_ssim_loss_db": "MS-SSIM loss, dB"}
COLUMNS = 8


def influence_table(channels: pd.DataFrame, run: str, maps: Maps) -> pd.DataFrame:
    """A row a channel: its loss on the maps' image, and mean, smallest and largest over the images; its map as text.

    Raises:
        CvqnError: the run's influence was not measured, or not on that image.
    """
    table = pd.DataFrame({"channel": np.arange(1, len(maps.maps) + 1)})
    for column in LOSSES:
        losses = by_image(channels, run, column)
        if losses is None or maps.image not in losses:
            raise CvqnError(
                f"the influence of the channels of {run} was not measured on {maps.image}; run cvqn analyse on it"
            )
        values = losses.to_numpy()
        table[column] = losses[maps.image].to_numpy()
        table[f"{column}_mean"] = values.mean(axis=1)
        table[f"{column}_min"], table[f"{column}_max"] = values.min(axis=1), values.max(axis=1)
    table["symbols"] = [symbols_text(own) for own in maps.maps]
    return table


def draw_influence(picture: np.ndarray, maps: Maps, channels: pd.DataFrame, output: str | Path, scale: str) -> None:
    """Write figure 1 as svg, png and csv: the original, every channel's map, and both losses by channel.

    Raises:
        CvqnError: `channels` are of several runs, or as `influence_table`.
    """
    run = _only_run(channels)
    table = influence_table(channels, run, maps)
    images = channels[channels["run"] == run]["image"].nunique()
    rows = -(-len(maps.maps) // COLUMNS)
    figure = new_figure(PAGE, 4.75)
    top, bottom = figure.add_gridspec(
        2, 1, height_ratios=(2.35, 2), left=0.075, right=0.995, top=0.955, bottom=0.115, hspace=0.24
    )
    left, right = top.subgridspec(1, 2, width_ratios=(1, 1.36), wspace=0.04)
    original = figure.add_subplot(left)
    original.imshow(picture)
    original.set_axis_off()
    original.set_title(f"original ({maps.image})")
    grid = right.subgridspec(rows, COLUMNS, wspace=0.06, hspace=0.34)
    for index, own in enumerate(maps.maps):
        axes = figure.add_subplot(grid[index // COLUMNS, index % COLUMNS])
        draw_map(axes, own, int(maps.levels[index]))
        axes.set_title(str(index + 1), fontsize=6, pad=1.5)
    pair = bottom.subgridspec(1, 2, wspace=0.25)
    for position, (column, label) in enumerate(LOSSES.items()):
        axes = figure.add_subplot(pair[position])
        _bars(axes, table, column, maps.image, images)
        axes.set_ylabel(label)
        rank = agreement_between_images(channels, run, column)
        axes.set_xlabel("channel" if rank is None else f"channel (rank correlation between images: {rank:.2f})")
        if position == 0:
            axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=2, handlelength=1.4, borderpad=0.2)
    note_scale(figure, scale)
    save(figure, output)
    write_table(table, Path(output).with_suffix(".csv"))


def _bars(axes, table: pd.DataFrame, column: str, image: str, images: int) -> None:
    """Bars for the image; a dot and a line for mean and range over the set."""
    channel = table["channel"]
    axes.bar(channel, table[column], width=0.72, color=BLUE, label=image)
    mean, low, high = (table[f"{column}_{part}"] for part in ("mean", "min", "max"))
    label = f"mean and range of {images} images"
    axes.errorbar(
        channel,
        mean,
        yerr=[mean - low, high - mean],
        fmt="o",
        color=VERMILLION,
        markersize=2.4,
        elinewidth=0.7,
        label=label,
    )
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set_xlim(0.2, len(table) + 0.8)
    axes.set_xticks([1, *range(4, len(table) + 1, 4)])
    axes.margins(y=0.12)
    axes.grid(axis="y")


def _only_run(channels: pd.DataFrame) -> str:
    runs = channels["run"].unique()
    if len(runs) != 1:
        raise CvqnError(f"figure 1 shows one run, these channels are of {len(runs)}: {', '.join(runs)}")
    return runs[0]
