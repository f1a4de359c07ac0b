"""The bitstream as docs/bitstream.md states it, in int64 and without regard to speed, to check the codec against."""

import numpy as np

from cvqn.bitstream.integer_model import IntegerModel
from cvqn.bitstream.order import NO_MARGIN, Margin


def convolve(volume: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Sum over the taps of `[C, h, w, inputs]` and `[taps, inputs, outputs]`, int64, zeros outside the volume."""
    channels, rows, columns, _ = volume.shape
    padded = np.pad(volume, ((1, 0), (1, 1), (1, 1), (0, 0)))
    total = np.zeros((channels, rows, columns, weight.shape[2]), dtype=np.int64)
    for tap, matrix in enumerate(weight.astype(np.int64)):
        c, h, w = tap // 9, tap // 3 % 3, tap % 3
        total += padded[c : c + channels, h : h + rows, w : w + columns] @ matrix
    return total


def logits(model: IntegerModel, symbols: np.ndarray) -> np.ndarray:
    """Logits `[C, h, w, Q]` of the whole volume of symbols `[C, h, w]`."""

    def layer(index, inputs, add=0):
        own = model.layers[index]
        total = (convolve(inputs, own.weight) + own.bias) >> own.shift.astype(np.int64)
        return np.clip(total + add, *own.limits.tolist())

    x1 = layer(0, np.eye(model.levels, dtype=np.int64)[symbols])
    x2 = layer(2, layer(1, x1), add=x1)
    return layer(3, x2)


def exponentials() -> list[int]:
    """E[d]: the integer next to 2^16 * 2^(-d/256), one half rounded down, by comparing 256th powers of integers."""
    table, value = [], 1 << 17  # the largest integer below twice the exact value
    for d in range(5120):
        while value**256 << d >= 1 << (17 * 256):
            value -= 1
        table.append((value + 1) // 2)
    return table


def frequencies(row: list[int], table: list[int]) -> list[int]:
    """Frequencies of one position's logits."""
    top = max(row)
    weights = [table[min(top - z, 5119)] for z in row]
    result = [1 + weight * (65536 - len(row)) // sum(weights) for weight in weights]
    result[row.index(top)] += 65536 - sum(result)
    return result


def stream(
    models: list[IntegerModel], symbols: list[np.ndarray], margin: Margin = NO_MARGIN
) -> list[tuple[int, list[int]]]:
    """All coded symbols in stream order, each with its frequencies."""
    table = exponentials()
    front, side, known = margin
    positions = []
    for group, volume in enumerate(symbols):
        whole = np.pad(volume, ((front, 0), (side, side), (side, side)), constant_values=known)
        own = logits(models[group], whole)
        for c, h, w in np.ndindex(volume.shape):
            row = own[c + front, h + side, w + side].tolist()
            positions.append(((4 * c + 2 * h + w, group, c, h, w), int(volume[c, h, w]), row))
    return [(symbol, frequencies(row, table)) for _, symbol, row in sorted(positions)]
