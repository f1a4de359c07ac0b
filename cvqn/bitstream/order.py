"""The order in which the symbols of a group are coded: wavefronts of positions that do not depend on each other.

Position (c, h, w) has the step t = 4c + 2h + w. Every tap of a kernel except a solid kernel's centre reaches a smaller
t, so all positions of one step, its front, can be coded together. Fronts are computed on demand, and nothing here takes
memory in proportion to the volume, because its size may be the claim of a damaged file.

A volume may have a margin: positions around it whose symbol is known beforehand. They have steps too, and are evaluated
because later positions see their activations, but are not coded.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np

from cvqn.bitstream.errors import ImageTooLargeError

# (channel, row, column) of the taps in raster order up to the centre, which is the last.
TAPS = tuple(itertools.product((-1, 0), (-1, 0, 1), (-1, 0, 1)))[:14]
REACH = 7  # the tap (-1, -1, -1) is 4 + 2 + 1 steps back, and no tap is further
INDEX = np.intp  # NumPy's own index type; it would cast any other to this one
PADDING = -(1 << 30)  # number of a place outside the volume; minus any position it stays negative and fits into 32 bits


class Margin(NamedTuple):
    """Known symbols around a volume, which its context model sees and which are not coded."""

    front: int = 0
    """Channels before the first."""
    side: int = 0
    """Rows above and below, columns left and right."""
    symbol: int = 0
    """The symbol of every position in the margin."""


NO_MARGIN = Margin()


class CodingOrder:
    """The order of the positions of one group and its margin: by step, then coded positions first, then raster order.

    Args:
        shape: (C_g, h, w) of the coded volume, each at least 1.
        margin: around the volume.

    Attributes:
        shape: as given.
        edges: the number of the first position of each step, and at the end the number of positions.
        plane: shape of a (channel, row) plane that includes the margin, an empty row before and after, and an empty
            channel before the first: (C_g + 1, h + 2) without a margin.

    Raises:
        ImageTooLargeError: 2^30 positions or more.
    """

    def __init__(self, shape: tuple[int, int, int], margin: Margin = NO_MARGIN):
        self.shape, self._margin = shape, margin
        channels, height, width = shape[0] + margin.front, shape[1] + 2 * margin.side, shape[2] + 2 * margin.side
        self._whole = (channels, height, width)
        if math.prod(self._whole) >= -PADDING:
            raise ImageTooLargeError(f"a group of {channels}x{height}x{width} symbols; one has less than 2^30")
        counts, coded = _counts(self._whole), _counts(shape)
        self.edges: list[int] = [0, *counts.cumsum().tolist()]
        before = 4 * margin.front + 3 * margin.side
        self._coded: list[int] = np.pad(coded, (before, len(counts) - before - len(coded))).tolist()

        self.plane = (channels + 1, height + 2)
        rows = np.arange(channels * height, dtype=INDEX).reshape(channels, height)
        lead = 4 * np.arange(channels, dtype=INDEX)[:, None] + 2 * np.arange(height, dtype=INDEX)
        around = ((1, 0), (1, 1))
        self._lead = np.pad(lead, around, constant_values=self.steps).ravel()  # the step of the first column
        self._start = np.pad(rows * width - lead, around).ravel()
        self._inner = np.pad(np.pad(np.ones(shape[:2], bool), ((margin.front, 0), (margin.side,) * 2)), around).ravel()

    @property
    def steps(self) -> int:
        """4 (C_g - 1) + 2 (h - 1) + (w - 1) + 1, of the sides with their margin."""
        return len(self.edges) - 1

    def longest(self, steps: int) -> int:
        """The largest number of positions in this many consecutive steps."""
        return max(self.edges[min(first + steps, self.steps)] - edge for first, edge in enumerate(self.edges))

    def span(self, first: int, last: int) -> slice:
        """The positions of the steps from `first` up to but not including `last`; empty beyond the end of the group."""
        return slice(self.edges[min(first, self.steps)], self.edges[min(last, self.steps)])

    def coded(self, step: int) -> slice:
        """The coded positions of a step, which come before those in the margin."""
        if step >= self.steps:
            return self.span(step, step)
        return slice(self.edges[step], self.edges[step] + self._coded[step])

    def front(self, step: int) -> np.ndarray:
        """Flat indices into `plane` of the positions of a step, in coding order."""
        column, width, side = step - self._lead, self._whole[2], self._margin.side
        inside = (column >= 0) & (column < width)
        if not self._margin.front and not side:
            return np.flatnonzero(inside)
        coded = self._inner & (column >= side) & (column < width - side)
        return np.concatenate([np.flatnonzero(coded), np.flatnonzero(inside & ~coded)])

    def to_stream(self, volume: np.ndarray) -> np.ndarray:
        """Symbols `[C_g, h, w]` and those of the margin as one array in coding order."""
        whole = np.full(self._whole, self._margin.symbol, dtype=volume.dtype)
        whole[self._inside] = volume
        return np.concatenate([whole.ravel()[self._places(step)] for step in range(self.steps)])

    def from_stream(self, stream: np.ndarray) -> np.ndarray:
        """The inverse of `to_stream`, without the margin."""
        whole = np.empty_like(stream)
        for step, (first, last) in enumerate(itertools.pairwise(self.edges)):
            whole[self._places(step)] = stream[first:last]
        return np.ascontiguousarray(whole.reshape(self._whole)[self._inside])

    def _places(self, step: int) -> np.ndarray:
        """Flat indices into the volume of the positions of a step."""
        places: np.ndarray = self._start[self.front(step)] + step
        return places

    @property
    def _inside(self) -> tuple[slice, slice, slice]:
        """The coded part of the volume with its margin."""
        front, side, _ = self._margin
        rows, columns = (slice(side, side + length) for length in self.shape[1:])
        return slice(front, None), rows, columns


class Neighbours:
    """Finds the positions under the taps, step by step, from the numbers of the last eight steps' positions."""

    def __init__(self, order: CodingOrder):
        self._order, self._step = order, 0
        size, row = math.prod(order.plane), order.plane[1]
        self._numbers = np.full((REACH + 1, size), PADDING, dtype=INDEX)  # step t in [t mod 8], as `plane`
        taps = np.array(TAPS, dtype=INDEX)
        steps = np.arange(REACH + 1)[:, None] + taps @ np.array((4, 2, 1), dtype=INDEX)
        self._offsets = (steps % (REACH + 1) * size + taps[:, 0] * row + taps[:, 1]).astype(INDEX)

    def seen(self, span: slice) -> np.ndarray:
        """Numbers of the positions under the 14 taps of the span's positions, INDEX `[n, 14]`; PADDING if outside.

        Spans must consist of whole steps, and each must begin where the last one ended.
        """
        found = [np.empty((0, len(TAPS)), INDEX)]
        while (first := self._order.edges[self._step]) < span.stop:
            slot, front = self._step % (REACH + 1), self._order.front(self._step)
            self._numbers[slot] = PADDING
            self._numbers[slot, front] = np.arange(first, first + len(front))
            found.append(self._numbers.ravel().take(front[:, None] + self._offsets[slot]))
            self._step += 1
        return np.concatenate(found)


def _counts(shape: tuple[int, int, int]) -> np.ndarray:
    """How many positions of a volume each step has, int64 `[steps]`."""
    counts = np.ones(1, dtype=np.int64)
    for side, stride in zip(shape, (4, 2, 1), strict=True):
        comb = np.zeros(stride * (side - 1) + 1, dtype=np.int64)
        comb[::stride] = 1
        counts = np.convolve(counts, comb)
    return counts
