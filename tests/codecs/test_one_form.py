"""A file has one form: the decoder refuses a longer or shorter payload, and no other payload is of the same symbols."""

import numpy as np
import pytest

from cvqn.bitstream.errors import CorruptError
from cvqn.bitstream.rangecoder import CODERS
from cvqn.bitstream.wavefront import decode_symbols
from cvqn.codecs import container, shipped
from cvqn.codecs.store import load_model
from cvqn.compression import compress, decompress
from tests.baselines.learned.conftest import folder_of  # noqa: F401
from tests.trained import photograph

MODELS = [f"quality-{quality}" for quality in shipped.qualities()] + ["mentzer-low"]
EXTRA = (0, 1, 0xFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
SIZES = ((1, 1), (40, 130))


@pytest.fixture(params=CODERS)
def coder(request, monkeypatch):
    """The range coder that every decoding uses."""
    monkeypatch.setitem(decode_symbols.__kwdefaults__, "coder", CODERS[request.param])


@pytest.fixture(params=MODELS)
def stored(request):
    """CVQN's shipped models, and a small one of Mentzer et al., whose volumes have margins."""
    if request.param in MODELS[:-1]:
        return load_model(shipped.FOLDER / request.param)
    return load_model(request.getfixturevalue("folder_of")(request.param))


def words_of(data):
    return np.frombuffer(data[container.HEADER_SIZE :], "<u4")


def symbols_of(stored, data, words):
    """What the file decodes to with other words and a checksum that fits; None if it is refused as corrupt."""
    header = container.inspect(data)
    payload = np.array(words, np.uint64).astype("<u4").tobytes()
    try:
        return stored.model.read_symbols(payload, header.height, header.width)
    except CorruptError:
        return None


def is_refused(stored, data, words):
    return symbols_of(stored, data, words) is None


def equal(some, others):
    return all(np.array_equal(one, other) for one, other in zip(some, others, strict=True))


def test_symbols_have_one_payload(stored, coder):
    for size in SIZES:
        data = compress(stored, photograph(*size))
        assert decompress(stored, data).shape == (*size, 3)
        words = words_of(data).tolist()
        symbols = symbols_of(stored, data, words)
        for extra in EXTRA:
            assert is_refused(stored, data, [*words, extra]), extra
        for count in range(1, min(4, len(words)) + 1):
            assert is_refused(stored, data, words[:-count])
        for place in range(1, min(4, len(words)) + 1):
            for step in (-1, 1, 1 << 31):
                changed = [*words]
                changed[-place] = (changed[-place] + step) % (1 << 32)
                found = symbols_of(stored, data, changed)  # it may be the payload of other symbols
                assert found is None or not equal(found, symbols), (place, step)
