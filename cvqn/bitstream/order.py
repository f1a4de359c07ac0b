"""The order in which the symbols of a group are coded: wavefronts of positions that do not depend on each other.

Position (c, h, w) has the step t = 4c + 2h + w. Every tap of a hollow kernel reaches a smaller t, every other tap of a
solid one too, but for the centre; so all positions of one step, its front, can be coded together.

A volume may have a margin: positions around it whose symbol is known beforehand. They take part in all of this, are
evaluated where later positions see their activations, and are not coded.
"""

import itertools
from typing import NamedTuple

import numpy as np

# (channel, row, column) of the taps in raster order up to the centre, which is the last.
TAPS = tuple(itertools.product((-1, 0), (-1, 0, 1), (-1, 0, 1)))[:14]
REACH = 7  # the tap (-1, -1, -1) lies 4 + 2 + 1 steps back, no tap lies further
PADDING = -(1 << 62)  # the number of a place outside the volume: before all others


class Margin(NamedTuple):
    """Known symbols around a volume, which its context model sees and which are not coded."""

    front: int = 0
    """Channels before the first."""
    side: int = 0
    """Rows above and below, columns left and right."""
    symbol: int = 0
    """The symbol that stands everywhere in it."""


NO_MARGIN = Margin()


class CodingOrder:
    """The order of the positions of one group and its margin: by t, within a step coded positions first, then raster.

    Args:
        shape: (C_g, h, w), each at least 1, of what is coded.
        margin: around it.

    Attributes:
        shape: as given.
        edges: the number of the first position of each step, in the end that of all positions.
    """

    def __init__(self, shape: tuple[int, int, int], margin: Margin = NO_MARGIN):
        self.shape, self._margin = shape, margin
        channels, height, width = shape[0] + margin.front, shape[1] + 2 * margin.side, shape[2] + 2 * margin.side
        self._whole = (channels, height, width)
        t = 4 * np.arange(channels)[:, None, None] + 2 * np.arange(height)[:, None] + np.arange(width)
        known = np.ones(self._whole, dtype=bool)
        known[self._inside] = False
        steps = t[-1, -1, -1] + 1
        self.edges: list[int] = [0, *np.bincount(t.ravel()).cumsum().tolist()]
        self._coded: list[int] = np.bincount(t[~known], minlength=steps).tolist()
        self._order: np.ndarray = (2 * t + known).ravel().argsort(kind="stable")

        # A volume with an empty place before and after each row and column, and an empty channel before the first.
        padded = (channels + 1, height + 2, width + 2)
        places = np.ravel_multi_index(np.ix_(*(np.arange(1, side + 1) for side in self._whole)), padded)
        self._places: np.ndarray = places.ravel()[self._order]
        self._numbers = np.full(np.prod(padded), PADDING, dtype=np.int64)
        self._numbers[self._places] = np.arange(len(self._places))
        self._offsets: np.ndarray = np.array(TAPS) @ np.array((padded[1] * padded[2], padded[2], 1))

    @property
    def steps(self) -> int:
        """4 (C_g - 1) + 2 (h - 1) + (w - 1) + 1, of the sides with their margin."""
        return len(self.edges) - 1

    def longest(self, steps: int) -> int:
        """The largest number of positions in so many consecutive steps."""
        return max(self.edges[min(first + steps, self.steps)] - edge for first, edge in enumerate(self.edges))

    def span(self, first: int, last: int) -> slice:
        """The positions of steps first..last, without `last`; empty for steps beyond the end of the group."""
        return slice(self.edges[min(first, self.steps)], self.edges[min(last, self.steps)])

    def coded(self, step: int) -> slice:
        """The positions of a step that are coded: its first ones."""
        if step >= self.steps:
            return self.span(step, step)
        return slice(self.edges[step], self.edges[step] + self._coded[step])

    def seen(self, span: slice) -> np.ndarray:
        """Numbers of the positions under the 14 taps of the span's positions, int64 `[n, 14]`; PADDING if outside."""
        numbers: np.ndarray = self._numbers.take(self._places[span, None] + self._offsets)
        return numbers

    def to_stream(self, volume: np.ndarray) -> np.ndarray:
        """Symbols `[C_g, h, w]`, and those of the margin, in the order of coding."""
        whole = np.full(self._whole, self._margin.symbol, dtype=volume.dtype)
        whole[self._inside] = volume
        stream: np.ndarray = whole.ravel()[self._order]
        return stream

    def from_stream(self, stream: np.ndarray) -> np.ndarray:
        """The inverse of `to_stream`; what stands in the margin is left out."""
        whole = np.empty_like(stream)
        whole[self._order] = stream
        return np.ascontiguousarray(whole.reshape(self._whole)[self._inside])

    @property
    def _inside(self) -> tuple[slice, slice, slice]:
        """What is coded of the volume with its margin."""
        front, side, _ = self._margin
        rows, columns = (slice(side, side + length) for length in self.shape[1:])
        return slice(front, None), rows, columns
