"""The integer context model of a group, evaluated for runs of consecutive positions."""

import numpy as np

from cvqn.bitstream.integer_model import HOLLOW, SOLID, IntegerLayer, IntegerModel
from cvqn.bitstream.order import REACH, CodingOrder, Neighbours

TILE = 512  # positions whose inputs are gathered at a time, so that they stay in the processor's cache


class IntegerInference:
    """Evaluates a context model along a coding order and keeps the activations that later positions can see.

    Activations are rows in coding order, in arrays that slide along it: position p is in row p - shift. Row 0 is zero
    and represents every place outside the volume. All sums are of integers below 2^24, and the factor 2^-shift is part
    of weights and biases, so floats give the exact result in any order of summation. That holds for matrix products,
    not for other convolution algorithms (Winograd, FFT).

    Args:
        model: the group's integer model.
        order: the group's coding order.
        stride: the most steps that are written or evaluated at a time.
        dtype: float32, or float64 with the same results.
    """

    def __init__(self, model: IntegerModel, order: CodingOrder, stride: int, dtype: type[np.floating] = np.float32):
        self._neighbours, self._shift = Neighbours(order), -1
        longest = order.longest(stride)
        self._history = order.longest(REACH)
        self._rows = 1 + self._history + max(self._history, longest)
        self._layers = [Layer(layer, dtype) for layer in model.layers]
        self._levels = np.arange(model.levels)
        self._one_hot = np.zeros((self._rows, model.levels), dtype)
        self._x1, self._y, self._x2 = (np.zeros((self._rows, model.width), dtype) for _ in range(3))
        self._gathered = np.empty(min(longest, TILE) * SOLID * max(model.width, model.levels), dtype)
        self._logits = np.empty((model.levels, longest), dtype).T  # level by level, as `frequencies` likes it

    def write(self, span: slice, symbols: np.ndarray) -> None:
        """Make the symbols `[n]` of these positions visible to later ones."""
        np.equal(symbols[:, None], self._levels, out=self._one_hot[self._rows_of(span)])

    def logits(self, span: slice) -> np.ndarray:
        """Logits `[n, Q]` in 1/256 bit of these positions, which are whole steps; valid until the next call.

        Before the call, the symbols of all steps before each position's own must have been written, and all positions
        before the span evaluated.
        """
        here = self._rows_of(span)
        seen = self._neighbours.seen(span) - self._shift
        results = self._x1[here], self._y[here], self._x2[here], self._logits[: len(seen)]
        for start in range(0, len(seen), TILE):
            tile = slice(start, start + TILE)
            self._evaluate(seen[tile], *(result[tile] for result in results))
        return results[-1]

    def _evaluate(self, seen: np.ndarray, x1: np.ndarray, y: np.ndarray, x2: np.ndarray, logits: np.ndarray) -> None:
        """The four layers at positions whose taps see these rows, `[n, 14]`."""
        first, residual1, residual2, last = self._layers
        first.apply(self._gather(self._one_hot, seen[:, :HOLLOW]), x1)
        residual1.apply(self._gather(self._x1, seen), y)
        residual2.apply(self._gather(self._y, seen), x2, add=x1)
        last.apply(self._gather(self._x2, seen), logits)

    def _rows_of(self, span: slice) -> slice:
        """The rows of these positions, after sliding the arrays along if they would not fit."""
        if span.stop - self._shift > self._rows:
            shift = span.start - self._history - 1
            for array in (self._one_hot, self._x1, self._y, self._x2):
                array[1 : 1 + self._history] = array[1 + shift - self._shift : span.start - self._shift]
            self._shift = shift
        return slice(span.start - self._shift, span.stop - self._shift)

    def _gather(self, array: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """What the taps see, `[n, taps * features]`, of an array `[rows, features]`; PADDING becomes row 0."""
        count, taps = rows.shape
        features = array.shape[1]
        gathered = self._gathered[: rows.size * features]
        array.take(rows, axis=0, out=gathered.reshape(count, taps, features), mode="clip")
        return gathered.reshape(count, taps * features)


class Layer:
    """An integer layer in floats: weight `[taps * inputs, outputs]` and bias `[outputs]`, both times 2^-shift."""

    def __init__(self, layer: IntegerLayer, dtype: type[np.floating]):
        self._weight = np.ldexp(layer.weight.astype(dtype), -layer.shift).reshape(-1, layer.bias.size)
        self._bias = np.ldexp(layer.bias.astype(dtype), -layer.shift)
        self._low, self._high = layer.limits.astype(dtype)

    def apply(self, inputs: np.ndarray, out: np.ndarray, add: np.ndarray | None = None) -> None:
        """clip(floor(inputs weight + bias) + add) of inputs `[n, taps * inputs]`, into out `[n, outputs]`."""
        np.matmul(inputs, self._weight, out=out)
        out += self._bias
        np.floor(out, out=out)
        if add is not None:
            out += add
        np.clip(out, self._low, self._high, out=out)
