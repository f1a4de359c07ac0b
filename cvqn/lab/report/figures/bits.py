"""Beyond the paper: the bits that each channel costs beside what it is worth."""

from pathlib import Path

import pandas as pd

from cvqn.errors import CvqnError
from cvqn.lab.report.looks import GROUPS
from cvqn.lab.report.sources import Sources
from cvqn.lab.report.style import COLUMN, PAGE, new_figure, save

MARKERS = ("o", "s", "^")
PANELS = 4  # in a row


def bits_table(channels: pd.DataFrame) -> pd.DataFrame:
    """A row per run and channel: group, levels, mean bits per image, and mean losses in PSNR and MS-SSIM, dB.

    Raises:
        CvqnError: no run's influence was measured.
    """
    if "ms_ssim_loss_db" not in channels or channels["ms_ssim_loss_db"].isna().all():
        raise CvqnError("no run's influence was measured; it is for the runs of figure 1 and Table 1")
    measured = channels.dropna(subset=["ms_ssim_loss_db"])
    by_channel = measured.groupby(["run", "channel", "group", "levels"], sort=False)
    return by_channel[["bits", "psnr_loss_db", "ms_ssim_loss_db"]].mean().reset_index()


def draw(sources: Sources, output: str | Path) -> None:
    """Write the figure as svg, png and csv: one mark per channel, of the run that figure 3 shows.

    Raises:
        CvqnError: its influence was not measured.
    """
    draw_bits(bits_table(sources.channels_of(sources.shown)), output, sources.scale)


def draw_bits(table: pd.DataFrame, output: str | Path, scale: str) -> None:
    """The same from the table: one panel per run."""
    runs = list(table["run"].unique())
    columns = min(PANELS, len(runs))
    rows = -(-len(runs) // columns)
    width, height = COLUMN if columns == 1 else PAGE, 1.75 * rows + 0.3
    figure = new_figure(width, height)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    figure.subplots_adjust(
        left=0.5 / width, right=0.98, top=1 - 0.17 / height, bottom=0.5 / height, wspace=0.1, hspace=0.3
    )
    for axes in grid.flat[len(runs) :]:
        axes.set_visible(False)
    for position, (axes, run) in enumerate(zip(grid.flat, runs, strict=False)):
        own = table[table["run"] == run]
        for group, part in own.groupby("group"):
            colour, marker = GROUPS[(group - 1) % len(GROUPS)], MARKERS[(group - 1) % len(MARKERS)]
            levels = int(part["levels"].iloc[0])
            axes.plot(
                part["bits"], part["ms_ssim_loss_db"], marker, color=colour, markersize=3.6, label=f"q = {levels}"
            )
        correlation = own["bits"].corr(own["ms_ssim_loss_db"], method="spearman")
        axes.set_title(f"{run}: ρ = {correlation:.2f}" if pd.notna(correlation) else run, fontsize=7)
        axes.tick_params(labelbottom=position + columns >= len(runs))
        axes.legend(loc="upper left", borderpad=0.1, handletextpad=0.1, labelspacing=0.2)
        axes.grid()
    figure.supxlabel("bits per image (ρ: rank correlation of bits and loss)", fontsize=7.5, y=0.17 / height)
    figure.supylabel("MS-SSIM loss, dB", fontsize=7.5, x=0.03 / width)
    save(figure, table, output, scale)
