"""Beyond the paper: the bits that each channel costs, against the MS-SSIM that is lost without it."""

from pathlib import Path

import pandas as pd

from cvqn.errors import CvqnError
from cvqn.lab.report.looks import GROUPS
from cvqn.lab.report.sources import Sources
from cvqn.lab.report.style import COLUMN, new_figure, save

MARKERS = ("o", "s", "^")
HEIGHT = 2.05  # inches


def draw(sources: Sources, output: str | Path) -> None:
    """Write the figure as SVG, PNG and CSV: one mark per channel of the run that Figure 3 shows.

    Raises:
        CvqnError: the run's influence was not measured.
    """
    table = bits_table(sources.channels_of(sources.shown))
    figure = new_figure(COLUMN, HEIGHT)
    axes = figure.add_axes((0.6 / COLUMN, 0.5 / HEIGHT, 1 - 0.66 / COLUMN, 1 - 0.67 / HEIGHT))
    for group, part in table.groupby("group"):
        colour, marker = GROUPS[(group - 1) % len(GROUPS)], MARKERS[(group - 1) % len(MARKERS)]
        label = f"q = {int(part['levels'].iloc[0])}"
        axes.plot(part["bits"], part["ms_ssim_loss_db"], marker, color=colour, markersize=3.6, label=label)
    run = table["run"].iloc[0]
    correlation = table["bits"].corr(table["ms_ssim_loss_db"], method="spearman")
    axes.set_title(f"{run}: ρ = {correlation:.2f}" if pd.notna(correlation) else run, fontsize=7)
    axes.legend(loc="best", borderpad=0.1, handletextpad=0.1, labelspacing=0.2)
    axes.grid()
    axes.set_xlabel("bits per image (ρ: rank correlation of bits and loss)")
    axes.set_ylabel("MS-SSIM loss, dB")
    save(figure, table, output, sources.scale)


def bits_table(channels: pd.DataFrame) -> pd.DataFrame:
    """A row per channel of a run: group, levels, mean bits per image, and mean losses in PSNR and MS-SSIM, dB.

    Raises:
        CvqnError: the run's influence was not measured.
    """
    if "ms_ssim_loss_db" not in channels or channels["ms_ssim_loss_db"].isna().all():
        raise CvqnError("the run's influence was not measured; choose a run of Figure 1 or Table 1")
    measured = channels.dropna(subset=["ms_ssim_loss_db"])
    by_channel = measured.groupby(["run", "channel", "group", "levels"], sort=False)
    return by_channel[["bits", "psnr_loss_db", "ms_ssim_loss_db"]].mean().reset_index()
