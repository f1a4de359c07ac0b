"""Figure 4: the same crop of the original and of each codec's picture, at similar rates."""

from pathlib import Path

import pandas as pd

from cvqn.codecs import registry
from cvqn.errors import CvqnError
from cvqn.images import read_picture
from cvqn.lab.report.sources import Sources, read_table, with_numbers
from cvqn.lab.report.style import PAGE, new_figure, save, scale_note

COLUMNS = ("image", "codec", "bpp", "ms_ssim", "width", "height")
TITLE, CAPTION, TEXT = 0.25, 0.42, 11  # inches, inches, points; in a column, at half size, 5.5 points


def draw(sources: Sources, output: str | Path) -> None:
    """Write Figure 4 as SVG, PNG and CSV from the crops of `cvqn crops`: a row per image, a column per codec.

    Raises:
        CvqnError: a crop or their table is missing.
    """
    folder = Path(sources.results.crops)
    table = with_numbers(
        read_table(f"{folder}/crops.csv", COLUMNS, "cvqn crops"), ("width", "height"), ("bpp", "ms_ssim")
    )
    table = table.assign(file=table["image"] + "-" + table["codec"] + ".png").drop(columns="row")
    images = list(table["image"].unique())
    codecs = list(table["codec"].unique())
    if len(table) != len(images) * len(codecs) or table.duplicated(["image", "codec"]).any():
        raise CvqnError(f"{folder}/crops.csv: not a crop of each image by each codec; run cvqn crops again")
    cell = (PAGE - 0.06) / len(codecs)
    ratio = float(table["height"].iloc[0] / table["width"].iloc[0])
    row_height = cell * ratio + CAPTION
    height = len(images) * row_height + TITLE + (0.18 if scale_note(sources.scale) else 0)
    figure = new_figure(PAGE, height)
    for row, image in enumerate(images):
        for column, codec in enumerate(codecs):
            entry = table[(table["image"] == image) & (table["codec"] == codec)].iloc[0]
            bottom = 1 - (TITLE + row * row_height + cell * ratio) / height
            axes = figure.add_axes(
                ((0.05 + column * cell) / PAGE, bottom, (cell - 0.04) / PAGE, (cell - 0.04) * ratio / height)
            )
            axes.imshow(read_picture(folder / entry["file"]))
            axes.set_xticks([])
            axes.set_yticks([])
            for spine in axes.spines.values():
                spine.set_visible(False)
            if row == 0:
                axes.set_title("original" if codec == "original" else registry.title(codec), pad=3, fontsize=TEXT)
            axes.set_xlabel(_caption(entry, codec, image), labelpad=2.5, fontsize=TEXT)
    save(figure, table, output, sources.scale)


def _caption(entry: pd.Series, codec: str, image: str) -> str:
    if codec == "original":
        return f"{image},\n{int(entry['width'])} × {int(entry['height'])} pixels"
    return f"{entry['bpp']:.3f} bpp\nMS-SSIM {entry['ms_ssim']:.4f}"
