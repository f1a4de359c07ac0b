"""The points of every rate-distortion curve: CVQN's, those of the codecs measured here, and published ones."""

from collections.abc import Sequence

import pandas as pd

from baselines import published
from cvqn.errors import CvqnError
from cvqn.lab.evaluation.rate_distortion import Curve, curve, points


def curves_table(measurements: pd.DataFrame, rate_curve: Sequence[str], groups: Sequence[str]) -> pd.DataFrame:
    """Every point drawn: curve, kind (measured or published), bpp, ms_ssim, ms_ssim_db, setting.

    CVQN's points are means over the seeds of the last checkpoint.

    Raises:
        CvqnError: no rate point of CVQN was measured.
    """
    own = measurements[measurements["experiment"].isin(rate_curve) & (measurements["checkpoint"] == "last")]
    if own.empty:
        raise CvqnError("no run of report.rate_curve was measured; there is no curve to draw")
    frames = [_measured("cvqn", curve(points(own, by="experiment")))]
    for codec, rows in measurements[measurements["codec"] != "cvqn"].groupby("codec", sort=False):
        frames.append(_measured(codec, curve(points(rows))))
    for group in groups:
        for name, known in published.curves(group).items():
            frames.append(
                pd.DataFrame(
                    {
                        "curve": name,
                        "kind": "published",
                        "bpp": known.bpp,
                        "ms_ssim": known.ms_ssim,
                        "ms_ssim_db": known.ms_ssim_db,
                        "setting": "",
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def _measured(name: str, means: Curve) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "curve": name,
            "kind": "measured",
            "bpp": means.bpp,
            "ms_ssim": means.ms_ssim,
            "ms_ssim_db": means.ms_ssim_db,
            "setting": means.settings,
        }
    )
