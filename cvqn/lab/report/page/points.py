"""The points of the page's rate-distortion figure, measured and published."""

from typing import Any

import numpy as np
import pandas as pd

from cvqn.codecs import registry
from cvqn.lab.evaluation.metrics import ms_ssim_db
from cvqn.lab.report import published
from cvqn.lab.report.curves import measured_rows
from cvqn.lab.report.looks import looks
from cvqn.lab.report.sources import Sources

VALUES = ["bpp", "ms_ssim", "psnr_db", "encode_s", "decode_s"]
PLOTTED = ("bpp", "ms_ssim", "ms_ssim_db", "psnr_db")
PUBLISHED = {"colour": "", "marker": ".", "hollow": True}


def measured(sources: Sources) -> list[dict[str, Any]]:
    """A curve per measured codec, the paper's method first; points are means over images and seeds.

    A learned codec's points are its experiments at the last checkpoint.
    """
    codecs = dict.fromkeys([*sources.learned_curves, *sources.measurements["codec"].unique()])
    found = {codec: own for codec in codecs if len(own := measured_rows(sources, codec))}
    for codec in sources.learned_curves.keys() & found.keys():
        found[codec] = found[codec].assign(setting=found[codec]["experiment"])
    styles = looks(found)
    curves = []
    for codec, own in found.items():
        look = {key: getattr(styles[codec], key) for key in PUBLISHED}
        points = own.groupby("setting")[VALUES].mean().sort_values("bpp").reset_index()
        points["ms_ssim_db"] = ms_ssim_db(points["ms_ssim"].to_numpy(float))
        curves.append(_curve(codec, registry.title(codec), "measured", True, look, points))
    return curves


def from_papers(shown: bool) -> list[dict[str, Any]]:
    """The published curves of Figure 3; `shown`: whether they are visible at first."""
    curves = []
    for name, one in published.curves("figure-3").items():
        points = pd.DataFrame({key: getattr(one, key) for key in PLOTTED}).assign(setting="")
        curves.append(_curve(name, one.codec, "published", shown, PUBLISHED, points))
    return curves


def _curve(name: str, label: str, kind: str, shown: bool, look: dict[str, Any], points: pd.DataFrame) -> dict[str, Any]:
    points = points[np.isfinite(points["ms_ssim_db"])]  # a lossless point has no place on a scale of decibels
    rounded = [
        {key: value if key == "setting" else float(f"{value:.6g}") for key, value in row.items() if not pd.isna(value)}
        for row in points.to_dict("records")
    ]
    return {"id": name, "label": label, "kind": kind, "shown": shown, **look, "points": rounded}
