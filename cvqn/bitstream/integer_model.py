"""The context model of one group in integers, which the codec runs with the same result on every machine."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cvqn.errors import CvqnError

HOLLOW, SOLID = 13, 14  # taps before the centre; and with it
LAYER_TAPS = (HOLLOW, SOLID, SOLID, SOLID)
ACTIVATION = 255  # activations are in [-255, 255]
EXACT = 1 << 24  # float32 holds every integer up to here
LARGEST_WEIGHT = (1 << 15) - 1
LARGEST_SHIFT = 23
INPUT_SIZES = (1, ACTIVATION, ACTIVATION, ACTIVATION)  # the largest |input| of each layer; the first is one-hot
OUTPUT_LIMITS = ((0, ACTIVATION), (0, ACTIVATION), (-ACTIVATION, ACTIVATION), (1 - EXACT, EXACT - 1))


@dataclass(frozen=True)
class IntegerLayer:
    """One masked convolution: clip(floor((sum of weight * input + bias) / 2^shift), low, high).

    In the third layer x1, the output of the first, is added between floor and clip.
    """

    weight: np.ndarray  # int32 [taps, inputs, outputs], taps in raster order of (channel, row, column)
    bias: np.ndarray  # int32 [outputs], with 2^(shift - 1) in it where shift > 0
    shift: np.ndarray  # int32 [outputs], 0..23
    limits: np.ndarray  # int32 [2], low and high


@dataclass(frozen=True)
class IntegerModel:
    """The four layers of a group of Q levels and width K.

    0: hollow, one-hot symbols [Q] -> x1 [K]. 1: solid, x1 -> y [K]. 2: solid, y, then + x1 -> x2 [K]. 3: solid, x2 ->
    logits [Q] in 1/256 bit. Outside the volume every input is zero, the one-hot symbols too.

    Raises:
        CvqnError: a type or shape is wrong, a weight, shift or limit is out of range, or a sum could exceed the
            integers that float32 holds exactly.
    """

    layers: tuple[IntegerLayer, IntegerLayer, IntegerLayer, IntegerLayer]

    def __post_init__(self) -> None:
        if len(self.layers) != len(LAYER_TAPS):
            raise CvqnError(f"integer context model: {len(self.layers)} layers instead of {len(LAYER_TAPS)}")
        for index, layer in enumerate(self.layers):
            fault = _type_fault(layer) or self._shape_fault(index, layer) or _range_fault(index, layer)
            if fault:
                raise CvqnError(f"integer context model, layer {index}: {fault}")
        if not 2 <= self.levels <= 16:
            raise CvqnError(f"integer context model: {self.levels} levels, 2 to 16 are possible")

    @property
    def levels(self) -> int:
        """Q, the number of symbols."""
        return int(self.layers[0].weight.shape[1])

    @property
    def width(self) -> int:
        """K, the number of features."""
        return int(self.layers[0].weight.shape[2])

    def _shape_fault(self, index: int, layer: IntegerLayer) -> str | None:
        inputs = self.levels if index == 0 else self.width
        outputs = self.levels if index == 3 else self.width
        shapes = (layer.weight.shape, layer.bias.shape, layer.shift.shape, layer.limits.shape)
        expected = ((LAYER_TAPS[index], inputs, outputs), (outputs,), (outputs,), (2,))
        return None if shapes == expected else f"shapes {shapes} instead of {expected}"

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Every array under the name `<layer>.<field>`, as it is stored."""
        fields = ((index, *item) for index, layer in enumerate(self.layers) for item in vars(layer).items())
        return {f"{index}.{name}": array for index, name, array in fields}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "IntegerModel":
        """The inverse of `to_arrays`; the arrays are checked and copied.

        Raises:
            CvqnError: an array is missing or superfluous, or the constructor refuses them.
        """
        fields = tuple(IntegerLayer.__dataclass_fields__)
        expected = {f"{index}.{field}" for index in range(len(LAYER_TAPS)) for field in fields}
        if set(arrays) != expected:
            raise CvqnError(f"integer context model: missing or superfluous arrays {sorted(expected ^ set(arrays))}")
        first, second, third, fourth = (
            IntegerLayer(**{field: np.array(arrays[f"{index}.{field}"]) for field in fields})
            for index in range(len(LAYER_TAPS))
        )
        return cls((first, second, third, fourth))


def largest_sum(weight: np.ndarray, bias: np.ndarray, input_size: int) -> np.ndarray:
    """An upper bound on the absolute value of every partial sum of each output, float64 `[outputs]`.

    `weight` `[taps, inputs, outputs]` and `bias` `[outputs]` hold integers, in any type.
    """
    total: np.ndarray = np.abs(weight.astype(np.float64)).sum(axis=(0, 1)) * input_size
    return total + np.abs(bias.astype(np.float64))


def _type_fault(layer: IntegerLayer) -> str | None:
    types = {name: str(array.dtype) for name, array in vars(layer).items() if array.dtype != np.int32}
    if types:
        return f"arrays are not int32: {types}"
    return None if layer.weight.ndim == 3 else f"the weight has {layer.weight.ndim} axes instead of 3"


def _range_fault(index: int, layer: IntegerLayer) -> str | None:
    if np.abs(layer.weight.astype(np.float64)).max(initial=0) > LARGEST_WEIGHT:
        return f"a weight is larger than {LARGEST_WEIGHT}"
    if largest_sum(layer.weight, layer.bias, INPUT_SIZES[index]).max(initial=0) >= EXACT:
        return "a sum could reach 2^24 and would not be exact"
    if layer.shift.min(initial=0) < 0 or layer.shift.max(initial=0) > LARGEST_SHIFT:
        return f"a shift is not in 0..{LARGEST_SHIFT}"
    low, high = layer.limits.tolist()
    lowest, highest = OUTPUT_LIMITS[index]
    return None if lowest <= low <= high <= highest else f"limits {low}, {high} are not within {lowest}, {highest}"
