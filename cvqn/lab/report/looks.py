"""Colours and markers of figures."""

from collections.abc import Iterable
from itertools import cycle

from cvqn.codecs import registry
from cvqn.codecs.looks import GREEN, GREY, ORANGE, SKY, VERMILION, Look

GROUPS = (SKY, ORANGE, VERMILION)
OTHERS = (Look(GREEN, "8"), Look(ORANGE, "H"), Look(VERMILION, "p"), Look(GREY, "h"))


def looks(codecs: Iterable[str]) -> dict[str, Look]:
    """The looks of codecs; those without their own take the next of `OTHERS`."""
    others = cycle(OTHERS)
    return {codec: registry.look(codec) or next(others) for codec in codecs}


def lighter(colour: str, share: float = 0.45) -> str:
    """A colour mixed with a share of white."""
    parts = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(part + (255 - part) * share):02x}" for part in parts)
