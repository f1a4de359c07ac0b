"""The audit as one self-contained HTML page."""

import math
from collections.abc import Callable

import jinja2

from cvqn.lab.report.inputs import TEMPLATE

WIDTH, HEIGHT, EDGE = 220, 16, 6  # of a strip, pixels


def render(audit: dict, places: dict[str, list[dict]], linked: list[str], **words: Callable[..., str]) -> str:
    """The page of an audit whose claims are given by place.

    Args:
        linked: paths of evidence that become links.
        words: functions that the template calls by name.
    """
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        audit=audit, places=places, linked=linked, strip=strip, **words, slug=lambda text: text.replace(" ", "-")
    )


def strip(measured: dict) -> dict | None:
    """Where to draw the accepted range, the interval and the estimate, in pixels; None if the value was not judged."""
    ends = [measured["value"], measured["low"], measured["high"], *measured["accepted"]]
    known = [value for value in ends if value is not None]
    if measured["verdict"] is None or measured["value"] is None or len(set(known)) < 2:
        return None
    low, high = min(known), max(known)
    scale = (WIDTH - 2 * EDGE) / (high - low) * 0.8

    def place(value: float | None, unbounded: float) -> float:
        return unbounded if value is None else round(EDGE + (0.1 * (high - low) + value - low) * scale, 1)

    band = [place(measured["accepted"][0], 0), place(measured["accepted"][1], WIDTH)]
    line = [place(measured["low"], 0), place(measured["high"], WIDTH)]
    return {
        "band": [band[0], max(band[1] - band[0], 1.5)],
        "line": line,
        "point": place(measured["value"], math.nan),
        "width": WIDTH,
        "height": HEIGHT,
    }
