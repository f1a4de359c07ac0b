"""BD-rate and BD-MS-SSIM of the paper's method against every other curve."""

import pandas as pd

from cvqn.codecs import registry
from cvqn.errors import CvqnError
from cvqn.lab.evaluation.bd_rate import Comparison, RateAndQuality, Reason, bd_rate, compare
from cvqn.lab.report import published
from cvqn.lab.report.curves import measured_curves
from cvqn.lab.report.output import NOT_MEASURED, absent, markdown_page, markdown_table, percent
from cvqn.lab.report.sources import Sources


def table(sources: Sources) -> pd.DataFrame:
    """BD-rate (percent) and BD-MS-SSIM (dB) of the rate curve against every other measured and published curve.

    Each has a 95 % interval over the choice of images. If there is no number, `<delta>_reason` says why. `left_out`
    counts the resamplings of images that gave none. `paper_percent` is the BD-rate between the paper's own plotted
    points of the two codecs. Published curves are on Kodak, so they are left out for other images.

    Raises:
        CvqnError: fewer than two rate points were measured.
    """
    measured = measured_curves(sources)
    test = measured.pop(sources.method).points
    if len(test.settings) < 2:
        raise CvqnError("a BD-rate needs two rate points or more; measure the runs of report.rate_curve")
    resamplings = sources.configuration.report.bootstrap
    rows = []
    for codec, anchor in measured.items():
        delta = _bd(compare(anchor.points, test, resamplings))
        about = {"anchor": codec, "kind": "measured"}
        rows.append({**about, **delta, "paper_percent": None, "file": " ".join(anchor.files)})
    if sources.configuration.data.evaluation == published.SET:
        plotted = _plotted(sources.method)
        for name, curve in published.curves().items():
            delta = _bd(compare(_points(curve), test, resamplings))
            about = {"anchor": name, "kind": "published"}
            rows.append({**about, **delta, "paper_percent": plotted.get(name), "file": published.path(curve)})
    return pd.DataFrame(rows)


def page(table: pd.DataFrame, sources: Sources) -> str:
    """The table as Markdown, with rounded numbers."""
    method = registry.title(sources.method)
    rows = [
        {
            f"{method} against": row["anchor"],
            "curve": row["kind"],
            "BD-rate, %": _interval(row, "bd_rate_percent", 1),
            "BD-MS-SSIM, dB": _interval(row, "bd_ms_ssim_db", 2),
            "shared range": "–" if absent(row["overlap"]) else f"{100 * row['overlap']:.0f} %",
            "the paper's points, BD-rate": percent(row["paper_percent"], 1),
        }
        for row in table.to_dict("records")
    ]
    note = (
        "BD-rate is the mean difference in rate over the shared range of MS-SSIM in dB. BD-MS-SSIM is the mean "
        "difference in MS-SSIM over the shared range of log rate. Both interpolate monotonically. A negative BD-rate "
        f"favours {method}. In brackets is the 95 % interval over the choice of images, the same ones for both curves "
        "if both were measured here. A published curve, of which only the points are known, is held fixed. If a number "
        "would not be meaningful, the table gives the reason instead "
        f"(test: {method}; anchor: the other curve)."
    )
    found = markdown_table(rows) if rows else NOT_MEASURED
    return markdown_page(f"BD-rate of {method}", sources.scale, note, found)


def _plotted(method: str) -> dict[str, float]:
    """BD-rates between the points of the paper's Figure 3, by curve."""
    paper = published.curves("figure-3")
    own = paper.pop(f"figure3-{method}", None)
    found = {} if own is None else {name: bd_rate(_points(curve), _points(own)) for name, curve in paper.items()}
    return {name: delta for name, delta in found.items() if not isinstance(delta, Reason)}


def _points(curve) -> RateAndQuality:
    return curve.bpp, curve.ms_ssim_db


def _bd(comparison: Comparison) -> dict[str, float | str | None]:
    """Estimate and ends of both deltas, or the reason why there is none."""
    values: dict[str, float | str | None] = {}
    for name, delta in (("bd_rate_percent", comparison.rate_percent), ("bd_ms_ssim_db", comparison.ms_ssim_db)):
        missing = isinstance(delta, Reason)
        ends = (None, None, None) if missing else delta
        values |= dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))
        values[f"{name}_reason"] = str(delta) if missing else ""
    return values | {"overlap": comparison.overlap, "left_out": comparison.left_out}


def _interval(row: dict, name: str, digits: int) -> str:
    if absent(row[name]):
        return f"no number: {row[f'{name}_reason']}"
    return f"{row[name]:+.{digits}f} [{row[f'{name}_low']:+.{digits}f}, {row[f'{name}_high']:+.{digits}f}]"
