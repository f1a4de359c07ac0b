"""Rate and distortion of every conventional codec at every quality, and of every run of a learned one."""

import pandas as pd

from cvqn.errors import CvqnError
from cvqn.lab.report.output import absent, markdown_page, markdown_table, number
from cvqn.lab.report.sources import Sources

VALUES = {
    "bpp": ("bpp", 4),
    "ms_ssim": ("MS-SSIM", 4),
    "ms_ssim_db": ("MS-SSIM, dB", 2),
    "psnr_db": ("PSNR, dB", 2),
    "encode_s": ("encode, CPU s", 2),
    "decode_s": ("decode, CPU s", 2),
}
ABOUT, PLACE = ["codec", "setting", "experiment", "images", "bytes"], ["bitstreams", "measurements", "lines"]


def table(sources: Sources) -> pd.DataFrame:
    """A row per codec and setting, in order of rate, learned codecs first: means over the images, and the files.

    Raises:
        CvqnError: nothing was measured.
    """
    if sources.means.empty:
        raise CvqnError("no codec was measured; run cvqn measure first")
    order = [*sources.learned_curves, *sources.configuration.codecs]
    order += [codec for codec in sources.means["codec"] if codec not in order]
    table = sources.means.assign(rank=sources.means["codec"].map(order.index))
    columns = [*ABOUT, *VALUES, *(["model_bytes"] if "model_bytes" in table else []), *PLACE]
    return table.sort_values(["rank", "bpp"], kind="stable", ignore_index=True)[columns]


def page(table: pd.DataFrame, sources: Sources) -> str:
    """The table as Markdown, with rounded numbers."""
    rows = [
        {"codec": row["codec"], "setting": row["setting"]}
        | {label: number(row[column], digits) for column, (label, digits) in VALUES.items()}
        | {"model, MB": "–" if absent(row.get("model_bytes")) else f"{row['model_bytes'] / 1e6:.1f}"}
        for row in table.to_dict("records")
    ]
    images = ", ".join(str(count) for count in sorted(table["images"].unique()))
    note = (
        f"Means over {images} images. MS-SSIM in dB is that of the mean. CPU seconds are per image, – if a GPU was "
        "used. Files and lines: `rate-distortion.csv`."
    )
    return markdown_page("Rate and distortion", sources.scale, note, markdown_table(rows, right=list(rows[0])[2:]))
