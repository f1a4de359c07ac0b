"""Volumes with known symbols round them, against the reference on the whole volume, of which the inside is coded."""

import numpy as np
import pytest

from cvqn.bitstream.errors import CorruptError
from cvqn.bitstream.order import CodingOrder, Margin
from cvqn.bitstream.rangecoder import CODERS, PYTHON
from cvqn.bitstream.wavefront import code_lengths, decode_symbols, encode_symbols, symbol_bits
from tests.bitstream import reference
from tests.bitstream.models import case, hashed_symbols, integer_model

MARGIN = Margin(front=4, side=4, symbol=2)


@pytest.mark.parametrize("margin", [MARGIN, Margin(1, 0, 1), Margin(0, 2, 0), Margin(2, 1, 2)])
@pytest.mark.parametrize("size", [([(3, 6)], 5, 7), ([(1, 3), (2, 5)], 2, 1)])
def test_the_stream_is_the_references(size, margin):
    models, symbols = case(*size)
    encoder = PYTHON.encoder()
    for symbol, row in reference.stream(models, symbols, margin):
        encoder.encode(np.array([symbol], np.int32), np.array([row]))
    payload = encoder.words().astype("<u4").tobytes()
    for chunk in (1, 30, 10**6):
        assert encode_symbols(models, symbols, margin=margin, chunk=chunk) == payload
    for coder in CODERS.values():
        shapes = [group.shape for group in symbols]
        decoded = decode_symbols(models, shapes, payload, margin=margin, coder=coder)
        for group, expected in zip(decoded, symbols, strict=True):
            np.testing.assert_array_equal(group, expected)


def test_the_margin_costs_nothing_and_helps_where_it_is_right():
    models, symbols = case([(4, 6)], 6, 6)
    rows = [row[symbol] for symbol, row in reference.stream(models, symbols, MARGIN)]
    bits = symbol_bits(models, symbols, margin=MARGIN)[0]
    assert bits.shape == symbols[0].shape
    assert bits.sum() == pytest.approx(-np.log2(np.array(rows) / 65536).sum())
    np.testing.assert_allclose(code_lengths(models, symbols, margin=MARGIN)[0], bits.sum(axis=(1, 2)))


def test_another_margin_is_another_stream():
    models, symbols = case([(3, 6)], 5, 7)
    payload = encode_symbols(models, symbols, margin=MARGIN)
    shapes = [group.shape for group in symbols]
    assert payload != encode_symbols(models, symbols)
    with pytest.raises(CorruptError):  # nearly always; of this stream it is so
        decode_symbols(models, shapes, payload + payload, margin=MARGIN._replace(symbol=0))


def test_positions_that_are_coded_come_first_in_their_step():
    order = CodingOrder((2, 3, 4), MARGIN)
    volume = np.arange(24).reshape(2, 3, 4) + 100
    stream = order.to_stream(volume)
    coded = np.concatenate([stream[order.coded(step)] for step in range(order.steps + 2)])
    assert sorted(coded) == list(range(100, 124))
    expected = [volume[p] for _, p in sorted((4 * p[0] + 2 * p[1] + p[2], p) for p in np.ndindex(2, 3, 4))]
    assert coded.tolist() == expected
    np.testing.assert_array_equal(order.from_stream(stream), volume)


def test_a_symbol_that_the_model_has_not_is_refused():
    model, symbols = integer_model(3, 4), hashed_symbols((1, 2, 2), 3)
    with pytest.raises(ValueError, match="margin's symbol, 3"):
        encode_symbols([model], [symbols], margin=Margin(1, 1, 3))
