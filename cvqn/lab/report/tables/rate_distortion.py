"""Rate and distortion of every conventional codec at every quality, and of every run of a learned one."""

import pandas as pd

from cvqn.errors import CvqnError
from cvqn.lab.evaluation.metrics import ms_ssim_db
from cvqn.lab.report.output import markdown_page, markdown_table
from cvqn.lab.report.sources import Sources, cited

COLUMNS = {
    "bpp": ("bpp", 4),
    "ms_ssim": ("MS-SSIM", 4),
    "ms_ssim_db": ("MS-SSIM, dB", 2),
    "psnr_db": ("PSNR, dB", 2),
    "encode_s": ("encode, s", 2),
    "decode_s": ("decode, s", 2),
}


def table(sources: Sources) -> pd.DataFrame:
    """A row per codec and setting by rate, learned codecs first: means over the images, and their files.

    Raises:
        CvqnError: nothing was measured.
    """
    rows = []
    for (codec, setting), own in sources.measurements.groupby(["codec", "setting"]):
        mean = own[["bpp", "ms_ssim", "psnr_db", "encode_s", "decode_s"]].mean()
        about = {
            "codec": codec,
            "setting": setting,
            "experiment": own["experiment"].iloc[0],
            "images": len(own),
            "bytes": int(own["bytes"].sum()),
        }
        rows.append(about | mean.to_dict() | {"ms_ssim_db": ms_ssim_db(mean["ms_ssim"])} | cited(own))
    if not rows:
        raise CvqnError("no codec was measured; run cvqn measure first")
    order = [*sources.learned_curves, *sources.configuration.codecs]
    table = pd.DataFrame(rows)
    table["rank"] = [order.index(codec) if codec in order else len(order) for codec in table["codec"]]
    return table.sort_values(["rank", "codec", "bpp"], kind="stable").drop(columns="rank").reset_index(drop=True)


def page(table: pd.DataFrame, sources: Sources) -> str:
    """Its numbers, rounded."""
    rows = [
        {"codec": row["codec"], "setting": row["setting"]}
        | {label: f"{row[column]:.{digits}f}" for column, (label, digits) in COLUMNS.items()}
        for row in table.to_dict("records")
    ]
    images = ", ".join(str(count) for count in sorted(table["images"].unique()))
    note = (
        f"Means over {images} images; dB is that of the mean MS-SSIM; seconds per image. "
        "Files and lines: `rate-distortion.csv`."
    )
    return markdown_page("Rate and distortion", sources.scale, note, markdown_table(rows, right=list(rows[0])[2:]))
