"""How figures tell codecs apart: colours and markers."""

from typing import NamedTuple

# Okabe and Ito's palette, which people with the common colour vision deficiencies can tell apart.
BLACK, ORANGE, SKY, GREEN, YELLOW = "#000000", "#e69f00", "#56b4e9", "#009e73", "#f0e442"
BLUE, VERMILION, PURPLE, GREY = "#0072b2", "#d55e00", "#cc79a7", "#8a8a8a"


class Look(NamedTuple):
    """Colour and Matplotlib marker of a codec; the marker is `hollow` if another codec has the same colour."""

    colour: str
    marker: str
    hollow: bool = False
