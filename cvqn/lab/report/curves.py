"""Rate-distortion curves: the paper's method, other learned codecs, conventional codecs, and published ones."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from cvqn.errors import CvqnError
from cvqn.lab.evaluation.rate_distortion import Points, curve, points
from cvqn.lab.report import published
from cvqn.lab.report.output import write_table
from cvqn.lab.report.sources import Sources

VALUES = ("bpp", "ms_ssim", "ms_ssim_db")


class MeasuredCurve(NamedTuple):
    """Measurements behind one curve and their files. A learned codec's points are means over the seeds, at the last
    checkpoint."""

    points: Points
    files: tuple[str, ...]


def measured_curves(sources: Sources) -> dict[str, MeasuredCurve]:
    """By codec: the method of the rate curve first, then other learned codecs, then conventional ones.

    Raises:
        CvqnError: no run of the rate curve was measured, or a setting was not measured on every image.
    """
    rows = sources.measurements
    found = {}
    for codec, experiments in sources.learned_curves.items():
        own = rows[rows["experiment"].isin(experiments) & (rows["checkpoint"] == "last")]
        if len(own):
            found[codec] = MeasuredCurve(points(own, by="experiment"), tuple(own["file"].unique()))
    if sources.method not in found:
        raise CvqnError("no run of report.rate_curve was measured; there is no curve to draw")
    for codec, own in rows[rows["experiment"] == ""].groupby("codec", sort=False):
        found[codec] = MeasuredCurve(points(own), tuple(own["file"].unique()))
    return found


def curves_table(sources: Sources, group: str | None = None) -> pd.DataFrame:
    """Every point: curve, kind (measured or published), bpp, ms_ssim, ms_ssim_db, setting.

    Args:
        group: the published curves to add; none if None.

    Raises:
        CvqnError: as `measured_curves`.
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
    """Write each measured curve into a CSV of its own, the form in which two commits' curves are laid over each other.

    Raises:
        CvqnError: as `measured_curves`.
    """
    for name, rows in curves_table(sources).groupby("curve"):
        write_table(rows.drop(columns=["curve", "kind"]), Path(folder) / f"{name}.csv")
