"""How codecs and groups are told apart in every figure: colours and markers."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle

# Okabe and Ito's palette, which the common colour blindnesses tell apart.
BLACK, ORANGE, SKY, GREEN, YELLOW = "#000000", "#e69f00", "#56b4e9", "#009e73", "#f0e442"
BLUE, VERMILLION, PURPLE, GREY = "#0072b2", "#d55e00", "#cc79a7", "#8a8a8a"
GROUPS = (SKY, ORANGE, VERMILLION)


@dataclass(frozen=True)
class Look:
    """A codec's colour and marker; `hollow` where it shares its colour with another."""

    colour: str
    marker: str
    hollow: bool = False


KNOWN = {
    "cvqn": Look(VERMILLION, "o"),
    "bpg-444": Look(BLUE, "s"),
    "webp": Look(GREEN, "^"),
    "jpeg2000": Look(ORANGE, "D"),
    "jpeg2000-5-3": Look(ORANGE, "d", hollow=True),
    "jpeg-420": Look(PURPLE, "v"),
    "jpeg-444": Look(PURPLE, "<", hollow=True),
    "avif": Look(SKY, "P"),
    "jpegxl": Look(BLACK, "X"),
    "heic": Look(GREY, "*"),
    "mentzer-2018": Look(BLACK, "p", hollow=True),
    "factorized": Look(SKY, "h", hollow=True),
    "hyperprior": Look(BLUE, ">", hollow=True),
}
OTHERS = ((GREEN, "8"), (ORANGE, "H"), (VERMILLION, "p"), (GREY, "h"))


def looks(codecs: Iterable[str]) -> dict[str, Look]:
    """The looks of codecs; those without one of their own take turns at `OTHERS`."""
    others = cycle(OTHERS)
    return {codec: KNOWN.get(codec) or Look(*next(others)) for codec in codecs}


def lighter(colour: str, share: float = 0.45) -> str:
    """A colour mixed with that share of white."""
    parts = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(part + (255 - part) * share):02x}" for part in parts)
