"""Symbols to words and back, and what they cost. The stream is ordered by step, then by group, then in raster order."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from cvqn.bitstream import rangecoder
from cvqn.bitstream.errors import CorruptError
from cvqn.bitstream.inference import IntegerInference
from cvqn.bitstream.integer_model import IntegerModel
from cvqn.bitstream.order import NO_MARGIN, CodingOrder, Margin
from cvqn.bitstream.probabilities import TOTAL, frequencies
from cvqn.bitstream.rangecoder import Coder

CHUNK = 2048  # about how many positions of the largest group are evaluated at a time if all symbols are known
BITS = np.append(np.inf, 16 - np.log2(np.arange(1, TOTAL + 1)))  # ideal code length of a symbol of this frequency


def encode_symbols(
    models: Sequence[IntegerModel],
    symbols: Sequence[np.ndarray],
    *,
    margin: Margin = NO_MARGIN,
    coder: Coder = rangecoder.DEFAULT,
    chunk: int = CHUNK,
    dtype: type[np.floating] = np.float32,
) -> bytes:
    """The payload of a file: words of 32 bits, little endian.

    Args:
        models: one per group.
        symbols: integers 0..Q-1, `[C_g, h, w]`, one array per group.
        margin: known symbols around every group, for which no bits are spent; the decoder must be given the same.
        coder: one of `rangecoder.CODERS`. Like `chunk` and `dtype`, it affects the speed but not the bytes.
        chunk: about how many positions of the largest group are evaluated at a time.
        dtype: float32 or float64.

    Raises:
        ValueError: symbols and models do not fit together.
    """
    encoder = coder.encoder()
    groups = _known_groups(models, symbols, margin, chunk, dtype)
    for group, span, rows in _fronts(groups):
        encoder.encode(groups[group].stream[span], rows)
    return encoder.words().astype("<u4").tobytes()


def decode_symbols(
    models: Sequence[IntegerModel],
    shapes: Sequence[tuple[int, int, int]],
    payload: bytes,
    *,
    margin: Margin = NO_MARGIN,
    coder: Coder = rangecoder.DEFAULT,
    dtype: type[np.floating] = np.float32,
) -> list[np.ndarray]:
    """The symbols in a payload: int64 `[C_g, h, w]`, one array for each of `shapes`.

    Decoded symbols are encoded again, and only a payload that this reproduces is accepted. Memory grows with the
    decoded symbols and the largest front, not with the volumes that `shapes` claim.

    Raises:
        CorruptError: the payload is empty or not whole words, does not decode, ends before the last symbol, or differs
            from what the encoder writes for its symbols.
        ValueError: shapes and models do not fit together.
    """
    if not payload or len(payload) % 4:
        raise CorruptError(f"a payload of {len(payload)} bytes; it must be at least one word of 4")
    symbols = zip(models, shapes, strict=True)
    if _longer_than(payload, sum(math.prod(shape) * BITS[TOTAL + 1 - model.levels] for model, shape in symbols)):
        raise CorruptError(f"a payload of {len(payload)} bytes is too short for any picture of the size that it states")
    decoder, encoder = coder.decoder(np.frombuffer(payload, dtype="<u4").astype(np.uint32)), coder.encoder()
    orders = [CodingOrder(shape, margin) for shape in shapes]
    groups = [_Group(model, order, 1, dtype, margin.symbol) for model, order in zip(models, orders, strict=True)]
    spent = 0.0
    for step in range(max(group.order.steps for group in groups)):
        for group in groups:
            span = group.order.span(step, step + 1)
            if span.start < span.stop:
                logits, coded = group.network.logits(span), group.order.coded(step)
                if coded.start < coded.stop:
                    rows = frequencies(logits[: coded.stop - coded.start])
                    group.stream[coded] = decoder.decode(rows)
                    encoder.encode(group.stream[coded], rows)
                    spent += _bits(group.stream[coded], rows).sum()
                group.stream[coded.stop : span.stop] = margin.symbol
                group.network.write(span, group.stream[span])
        if _longer_than(payload, spent):
            raise CorruptError("the payload ends before the last symbol")
    if encoder.words().astype("<u4").tobytes() != payload:
        raise CorruptError("the payload is not the one of its symbols: words were added, removed or altered at its end")
    return [group.order.from_stream(group.stream).astype(np.int64) for group in groups]


def symbol_bits(
    models: Sequence[IntegerModel], symbols: Sequence[np.ndarray], *, margin: Margin = NO_MARGIN
) -> list[np.ndarray]:
    """The ideal code length of each symbol, float64 bits `[C_g, h, w]` per group; arguments as for `encode_symbols`."""
    groups = _known_groups(models, symbols, margin, CHUNK, np.float32)
    bits = [np.empty(len(group.stream)) for group in groups]
    for group, span, rows in _fronts(groups):
        bits[group][span] = _bits(groups[group].stream[span], rows)
    return [group.order.from_stream(own) for group, own in zip(groups, bits, strict=True)]


def code_lengths(
    models: Sequence[IntegerModel], symbols: Sequence[np.ndarray], *, margin: Margin = NO_MARGIN
) -> list[np.ndarray]:
    """The ideal code length of each channel, float64 bits `[C_g]` per group; arguments as for `encode_symbols`."""
    return [bits.sum(axis=(1, 2)) for bits in symbol_bits(models, symbols, margin=margin)]


class _Group:
    """The symbols of a group in coding order, and the model that predicts them, up to `stride` steps at a time."""

    def __init__(self, model: IntegerModel, order: CodingOrder, stride: int, dtype: type[np.floating], symbol: int):
        if not 0 <= symbol < model.levels:
            raise ValueError(f"the margin's symbol, {symbol}, is not among the group's {model.levels} levels")
        self.order, self.stride = order, stride
        self.network = IntegerInference(model, order, stride, dtype)
        self.stream = np.empty(order.edges[-1], dtype=np.int32)  # the system provides memory only as it is written


def _known_groups(
    models: Sequence[IntegerModel],
    symbols: Sequence[np.ndarray],
    margin: Margin,
    chunk: int,
    dtype: type[np.floating],
) -> list[_Group]:
    """Groups with their symbols, to be evaluated about `chunk` positions at a time."""
    orders = [CodingOrder(group.shape, margin) for group in symbols]
    stride = max(1, min(chunk * order.steps // order.edges[-1] for order in orders))
    groups = [_Group(model, order, stride, dtype, margin.symbol) for model, order in zip(models, orders, strict=True)]
    for group, model, values in zip(groups, models, symbols, strict=True):
        if values.min() < 0 or values.max() >= model.levels:
            raise ValueError(f"the symbols of a group of {model.levels} levels must be in 0..{model.levels - 1}")
        group.stream[:] = group.order.to_stream(values)
    return groups


def _fronts(groups: Sequence[_Group]) -> Iterator[tuple[int, slice, np.ndarray]]:
    """All fronts of known symbols in stream order: group, coded positions, frequencies `[n, Q]`."""
    stride, total = groups[0].stride, max(group.order.steps for group in groups)
    for first in range(0, total, stride):
        block = [group.order.span(first, first + stride) for group in groups]
        rows = []
        for group, span in zip(groups, block, strict=True):
            group.network.write(span, group.stream[span])
            rows.append(frequencies(group.network.logits(span)))
        for step in range(first, min(first + stride, total)):
            for index, group in enumerate(groups):
                coded = group.order.coded(step)
                if coded.start < coded.stop:
                    before = block[index].start
                    yield index, coded, rows[index][coded.start - before : coded.stop - before]


def _bits(symbols: np.ndarray, rows: np.ndarray) -> np.ndarray:
    bits: np.ndarray = BITS[rows[np.arange(len(symbols)), symbols]]
    return bits


def _longer_than(payload: bytes, bits: float) -> bool:
    """Whether an ideal code of `bits` bits is clearly longer than a payload; real symbols cost within 1 % of ideal."""
    return 0.99 * bits > 8 * len(payload) + 64
