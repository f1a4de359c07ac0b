"""The points of the page's rate-distortion figure, measured and published."""

import math
from typing import Any

import numpy as np
import pandas as pd

from cvqn.codecs import registry
from cvqn.lab.evaluation.metrics import ms_ssim_db
from cvqn.lab.report import published
from cvqn.lab.report.curves import measured_rows
from cvqn.lab.report.looks import looks
from cvqn.lab.report.sources import Sources

VALUES = ("bpp", "ms_ssim", "psnr_db", "encode_s", "decode_s")
PUBLISHED_MARKER = "."


def measured(sources: Sources) -> list[dict[str, Any]]:
    """A curve per codec that was measured, that of the paper's method first; points are means over images and seeds.

    A learned codec's points are its experiments at the last checkpoint.
    """
    codecs = dict.fromkeys([*sources.learned_curves, *sources.measurements["codec"].unique()])
    found = {codec: own for codec in codecs if len(own := measured_rows(sources, codec))}
    for codec in sources.learned_curves.keys() & found.keys():
        found[codec] = found[codec].assign(setting=found[codec]["experiment"])
    styles = looks(found)
    return [
        {
            "id": codec,
            "label": registry.title(codec),
            "kind": "measured",
            "colour": styles[codec].colour,
            "marker": styles[codec].marker,
            "hollow": styles[codec].hollow,
            "shown": True,
            "points": _points(own),
        }
        for codec, own in found.items()
    ]


def from_papers(shown: bool) -> list[dict[str, Any]]:
    """The published curves of Figure 3; `shown`: whether they are drawn from the start."""
    return [
        {
            "id": name,
            "label": curve.codec,
            "kind": "published",
            "colour": "",
            "marker": PUBLISHED_MARKER,
            "hollow": True,
            "shown": shown,
            "points": [
                {"setting": "", "bpp": _short(bpp), "ms_ssim": _short(quality), "ms_ssim_db": _short(decibel)}
                | ({} if math.isnan(psnr) else {"psnr_db": _short(psnr)})
                for bpp, quality, decibel, psnr in zip(
                    curve.bpp, curve.ms_ssim, curve.ms_ssim_db, curve.psnr_db, strict=True
                )
            ],
        }
        for name, curve in published.curves("figure-3").items()
    ]


def _points(rows: pd.DataFrame) -> list[dict[str, Any]]:
    means = rows.groupby("setting")[list(VALUES)].mean().sort_values("bpp").reset_index()
    means["ms_ssim_db"] = ms_ssim_db(means["ms_ssim"].to_numpy(float))
    means = means[np.isfinite(means["ms_ssim_db"])]  # a lossless point has no place on a scale of decibels
    return [
        {key: value if key == "setting" else _short(value) for key, value in row.items() if not pd.isna(value)}
        for row in means.to_dict("records")
    ]


def _short(value: float) -> float:
    return float(f"{value:.6g}")
