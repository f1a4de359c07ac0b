"""How codecs and groups are told apart in every table and figure: names, colours, markers."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle

# Okabe and Ito's palette, which the common colour blindnesses tell apart.
BLACK, ORANGE, SKY, GREEN, YELLOW = "#000000", "#e69f00", "#56b4e9", "#009e73", "#f0e442"
BLUE, VERMILLION, PURPLE, GREY = "#0072b2", "#d55e00", "#cc79a7", "#8a8a8a"
GROUPS = (SKY, ORANGE, VERMILLION)


@dataclass(frozen=True)
class Look:
    """A codec's name, colour and marker; `hollow` where it shares its colour with another."""

    name: str
    colour: str
    marker: str
    hollow: bool = False


KNOWN = {
    "cvqn": Look("CVQN", VERMILLION, "o"),
    "bpg-444": Look("BPG 4:4:4", BLUE, "s"),
    "webp": Look("WebP", GREEN, "^"),
    "jpeg2000": Look("JPEG 2000, 9/7", ORANGE, "D"),
    "jpeg2000-5-3": Look("JPEG 2000, 5/3", ORANGE, "d", hollow=True),
    "jpeg-420": Look("JPEG 4:2:0", PURPLE, "v"),
    "jpeg-444": Look("JPEG 4:4:4", PURPLE, "<", hollow=True),
    "avif": Look("AVIF", SKY, "P"),
    "jpegxl": Look("JPEG XL", BLACK, "X"),
    "heic": Look("HEIC", GREY, "*"),
}
OTHERS = ((BLUE, "p"), (GREEN, "h"), (PURPLE, ">"), (ORANGE, "8"), (BLACK, "H"))


def looks(codecs: Iterable[str]) -> dict[str, Look]:
    """The looks of codecs; those without one of their own take turns at `OTHERS`, under their own names."""
    others = cycle(OTHERS)
    return {codec: KNOWN.get(codec) or Look(codec, *next(others)) for codec in codecs}


def name_of(codec: str) -> str:
    """How a codec is called in text."""
    return KNOWN[codec].name if codec in KNOWN else codec


def lighter(colour: str, share: float = 0.45) -> str:
    """A colour mixed with that share of white."""
    parts = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(part + (255 - part) * share):02x}" for part in parts)
