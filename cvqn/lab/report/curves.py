"""Rate-distortion curves: the paper's method, other learned codecs, conventional codecs, and published ones."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from cvqn.errors import CvqnError
from cvqn.lab.evaluation.rate_distortion import Points, curve, points
from cvqn.lab.report import published
from cvqn.lab.report.output import write_table
from cvqn.lab.report.sources import Sources

VALUES = ("bpp", "ms_ssim", "ms_ssim_db", "psnr_db")


class MeasuredCurve(NamedTuple):
    """The measurements of one curve and their files.

    A learned codec's points are means over the seeds, at the last checkpoint.
    """

    points: Points
    files: tuple[str, ...]


def measured_curves(sources: Sources) -> dict[str, MeasuredCurve]:
    """The measured curves by codec: the method of the rate curve, other learned codecs, then conventional ones.

    Raises:
        CvqnError: no run of the rate curve was measured, or a setting was not measured on every image.
    """
    codecs = [*sources.learned_curves, *sources.measurements["codec"].unique()]
    found = {codec: one for codec in dict.fromkeys(codecs) if (one := measured_curve(sources, codec))}
    if sources.method not in found:
        raise CvqnError("no run of report.rate_curve was measured; run the workflow first")
    return found


def measured_curve(sources: Sources, codec: str) -> MeasuredCurve | None:
    """The curve of one codec, or None if it was not measured.

    Raises:
        CvqnError: a setting was not measured on every image.
    """
    rows = measured_rows(sources, codec)
    if rows.empty:
        return None
    by = "experiment" if codec in sources.learned_curves else "setting"
    return MeasuredCurve(points(rows, by), tuple(rows["file"].unique()))


def measured_rows(sources: Sources, codec: str) -> pd.DataFrame:
    """The measurements of the curve of one codec.

    For a learned codec, these are its experiments in `learned_curves`, at the last checkpoint.
    """
    rows = sources.measurements
    if codec in sources.learned_curves:
        return rows[rows["experiment"].isin(sources.learned_curves[codec]) & (rows["checkpoint"] == "last")]
    return rows[(rows["experiment"] == "") & (rows["codec"] == codec)]


def curves_table(sources: Sources, group: str | None = None) -> pd.DataFrame:
    """Every point: curve, kind (measured or published), bpp, ms_ssim, ms_ssim_db, psnr_db, setting.

    PSNR is nan if a published curve has none.

    Args:
        group: the group of published curves to add, or None.

    Raises:
        CvqnError: as for `measured_curves`.
    """
    frames = []
    for name, own in measured_curves(sources).items():
        means = curve(own.points)
        values = {key: getattr(means, key) for key in VALUES}
        frames.append(pd.DataFrame({"curve": name, "kind": "measured", **values, "setting": means.settings}))
    for name, known in published.curves(group).items() if group else ():
        values = {key: getattr(known, key) for key in VALUES}
        frames.append(pd.DataFrame({"curve": name, "kind": "published", **values, "setting": ""}))
    return pd.concat(frames, ignore_index=True)


def write_curves(sources: Sources, folder: str | Path) -> None:
    """Write each measured curve into its own CSV, so that `dvc plots` can overlay the curves of two commits.

    Raises:
        CvqnError: as for `measured_curves`.
    """
    for name, rows in curves_table(sources).groupby("curve"):
        write_table(rows.drop(columns=["curve", "kind"]), Path(folder) / f"{name}.csv")
