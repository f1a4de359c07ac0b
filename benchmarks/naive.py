"""One symbol at a time: the decoders that entropy coding is compared with.

Both begin with the symbols that one can depend on, 5 channels of 9x9, and keep nothing from one symbol to the next.
They are the network alone; the range coder comes on top.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cvqn.bitstream.integer_model import HOLLOW, IntegerModel
from cvqn.bitstream.order import TAPS
from cvqn.model.context import ContextModel

REACH = 4  # layers of 3x3x3
Position = tuple[int, int, int]


class Crop:
    """The float network called once on the crop, cut off at the volume's borders, where the network's padding begins.

    A convolution over two channels is two planar ones in one call, the fastest form at these sizes.
    """

    def __init__(self, context: ContextModel):
        self._layers = []
        for layer in (context.first, context.residual1, context.residual2, context.last):
            weight = layer.masked_weight.detach()
            both = torch.cat([weight[:, :, 1], weight[:, :, 0]])
            self._layers.append((both.contiguous(), layer.bias.detach().reshape(-1, 1, 1)))

    @torch.inference_mode()
    def logits(self, values: Tensor, position: Position) -> Tensor:
        """Logits `[Q]` at a position of the values `[C_g, h, w]`."""
        starts = [max(0, p - REACH) for p in position]
        stops = [p + 1 + reach for p, reach in zip(position, (0, REACH, REACH), strict=True)]
        crop = values[tuple(map(slice, starts, stops))].unsqueeze(1)
        first, residual1, residual2, last = self._layers
        x1 = F.relu(_convolve(crop, *first))
        x2 = x1 + _convolve(F.relu(_convolve(x1, *residual1)), *residual2)
        c, h, w = (p - start for p, start in zip(position, starts, strict=True))
        return _convolve(x2, *last)[c, :, h, w]


def _convolve(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """`[channels, inputs, h, w]` to `[channels, outputs, h, w]`."""
    own, previous = F.conv2d(features, weight, padding=1).chunk(2, dim=1)
    return own + F.pad(previous[:-1], (0, 0, 0, 0, 0, 0, 1, 0)) + bias


class Cone:
    """The integer network at only those places that the symbol depends on: 144, 56, 14 and 1 in its four layers.

    Without memory none can do with fewer multiplications. For positions at least 4 from every border but the last
    channel's, so that no padding is needed.
    """

    def __init__(self, model: IntegerModel):
        self._layers = [
            (
                np.ldexp(layer.weight.astype(np.float32), -layer.shift).reshape(-1, layer.bias.size),
                np.ldexp(layer.bias.astype(np.float32), -layer.shift),
                *layer.limits.tolist(),
            )
            for layer in model.layers
        ]
        self._one_hot = np.eye(model.levels, dtype=np.float32)
        places = [[(0, 0, 0)]]  # of logits, x2, y, x1
        for _ in range(3):
            places.append(sorted({_add(place, tap) for place in places[-1] for tap in TAPS}))
        _, x2, y, x1 = places
        self._symbols = np.array([[_add(place, tap) for tap in TAPS[:HOLLOW]] for place in x1])
        self._x1_of_y = np.array([[x1.index(_add(place, tap)) for tap in TAPS] for place in y])
        self._y_of_x2 = np.array([[y.index(_add(place, tap)) for tap in TAPS] for place in x2])
        self._x1_of_x2 = np.array([x1.index(place) for place in x2])

    def logits(self, symbols: np.ndarray, position: Position) -> np.ndarray:
        """Logits `[Q]` at a position of the symbols `[C_g, h, w]`."""
        strides = np.array([symbols[0].size, symbols.shape[2], 1])
        seen = symbols.ravel()[(self._symbols + position) @ strides]
        x1 = self._apply(0, self._one_hot[seen])
        y = self._apply(1, x1[self._x1_of_y])
        x2 = self._apply(2, y[self._y_of_x2], x1[self._x1_of_x2])
        return self._apply(3, x2[None])[0]

    def _apply(self, index: int, inputs: np.ndarray, add: np.ndarray | float = 0.0) -> np.ndarray:
        weight, bias, low, high = self._layers[index]
        return np.clip(np.floor(inputs.reshape(len(inputs), -1) @ weight + bias) + add, low, high)


def _add(place: Position, tap: Position) -> Position:
    return tuple(map(sum, zip(place, tap, strict=True)))
