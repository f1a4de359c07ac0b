"""Integer models and symbols for tests, made of hash output, so that they are the same everywhere."""

import hashlib

import numpy as np

from cvqn.bitstream.integer_model import LAYER_TAPS, OUTPUT_LIMITS, IntegerLayer, IntegerModel

SHIFTS = (6, 8, 8, 6)
# (channels, levels) of each group, rows, columns
SMALL = ([(1, 2), (2, 5), (3, 16)], 3, 2)
MEDIUM = ([(2, 3), (4, 5), (2, 7)], 8, 9)
MARGINED = ([(3, 6), (2, 3)], 5, 7)


def hashed(label: str, count: int, low: int, high: int) -> np.ndarray:
    """`count` integers in low..high, int64, nearly uniform; they depend on the label alone."""
    data = hashlib.shake_256(label.encode()).digest(4 * count)
    return np.frombuffer(data, dtype="<u4").astype(np.int64) % (high - low + 1) + low


def integer_model(levels: int, width: int, label: str = "model") -> IntegerModel:
    """A model whose activations use their range and whose logits spread over a few bits."""
    layers = []
    for index, taps in enumerate(LAYER_TAPS):
        inputs, outputs = (levels if index == 0 else width), (levels if index == 3 else width)
        largest = 8000 if index == 0 else int(1500 / np.sqrt(taps * width))
        name = f"{label} {levels} {width} {index}"
        weight = hashed(f"{name} weight", taps * inputs * outputs, -largest, largest).reshape(taps, inputs, outputs)
        shift = SHIFTS[index] + hashed(f"{name} shift", outputs, 0, 1)
        bias = hashed(f"{name} bias", outputs, -(1 << 12), 1 << 12) + (1 << (shift - 1))
        arrays = (weight, bias, shift, np.array(OUTPUT_LIMITS[index]))
        layers.append(IntegerLayer(*(array.astype(np.int32) for array in arrays)))
    return IntegerModel(tuple(layers))


def hashed_symbols(shape: tuple[int, int, int], levels: int, label: str = "symbols") -> np.ndarray:
    """Symbols `[C_g, h, w]`, int64; small ones are more frequent."""
    drawn = hashed(f"{label} {levels} {shape}", int(np.prod(shape)), 0, levels**2 - 1)
    return np.sqrt(drawn).astype(np.int64).reshape(shape)


def case(
    groups: list[tuple[int, int]], rows: int, columns: int, width: int = 8
) -> tuple[list[IntegerModel], list[np.ndarray]]:
    """Models of one width and symbols of groups given as (channels, levels)."""
    models = [integer_model(levels, width, f"group {index}") for index, (_, levels) in enumerate(groups)]
    return models, [hashed_symbols((channels, rows, columns), levels) for channels, levels in groups]
