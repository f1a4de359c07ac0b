"""Libraries that are not exact, emulated, and a coder that rounds otherwise: noticed before anything is coded."""

import numpy as np
import pytest

from cvqn.bitstream import exactness
from cvqn.bitstream.exactness import check_exactness
from cvqn.bitstream.rangecoder import CODERS, Coder, PythonDecoder, PythonEncoder
from cvqn.codecs.shipped import folder_of_quality, qualities
from cvqn.codecs.store import load_model
from cvqn.errors import CvqnError
from tests.bitstream.models import integer_model

MATMUL = np.matmul
WIDTHS = (4, 8, 24, 48)


def rounded(values, bits):
    """Float32 values with significands of so many bits, ties to even, as a conversion to TF32 (11) or bfloat16 (8)."""
    fraction, exponent = np.frexp(values.astype(np.float64))
    return np.ldexp(np.rint(np.ldexp(fraction, bits)), exponent - bits).astype(np.float32)


def strassen(a, b):
    """One level of Strassen's algorithm, whose sums of blocks are larger than those of the product."""
    rows, columns = a.shape[0], b.shape[1]
    a, b = (np.pad(one, [(0, side % 2) for side in one.shape]) for one in (a, b))
    (a11, a12), (a21, a22), (b11, b12), (b21, b22) = (
        np.hsplit(half, 2) for one in (a, b) for half in np.vsplit(one, 2)
    )
    m1, m2, m3 = MATMUL(a11 + a22, b11 + b22), MATMUL(a21 + a22, b11), MATMUL(a11, b12 - b22)
    m4, m5 = MATMUL(a22, b21 - b11), MATMUL(a11 + a12, b22)
    m6, m7 = MATMUL(a21 - a11, b11 + b12), MATMUL(a12 - a22, b21 + b22)
    return np.block([[m1 + m4 - m5 + m7, m3 + m5], [m2 + m4, m1 - m2 + m3 + m6]])[:rows, :columns]


LIBRARIES = {
    "TF32": lambda a, b: MATMUL(rounded(a, 11), rounded(b, 11)),
    "bfloat16": lambda a, b: MATMUL(rounded(a, 8), rounded(b, 8)),
    "weights in bfloat16": lambda a, b: MATMUL(a, rounded(b, 8)),
    "sums in TF32": lambda a, b: rounded(MATMUL(a, b), 11),
    "sums of 23 bits": lambda a, b: rounded(MATMUL(a, b), 23),
    "Strassen": strassen,
}


@pytest.fixture
def library(monkeypatch):
    """A function that puts another matrix product in NumPy's place."""

    def put(product):
        def matmul(a, b, out):
            out[...] = product(a, b)
            return out

        monkeypatch.setattr(np, "matmul", matmul)
        exactness._sums_are_exact.cache_clear()

    yield put
    exactness._sums_are_exact.cache_clear()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("product", LIBRARIES.values(), ids=LIBRARIES)
def test_a_library_that_is_not_exact_is_refused(library, product, width):
    library(product)
    with pytest.raises(CvqnError, match=r"not exact below 2\^24"):
        check_exactness([integer_model(5, width)])


@pytest.mark.parametrize("width", [*WIDTHS, 192])
def test_products_in_any_order_and_in_larger_types_pass(library, width):
    models = [integer_model(levels, width) for levels in (2, 16)]
    check_exactness(models)
    library(lambda a, b: MATMUL(a.astype(np.float64), b.astype(np.float64)))
    check_exactness(models)
    library(lambda a, b: sum(np.outer(a[:, i], b[i]) for i in reversed(range(a.shape[1]))) if width < 24 else a @ b)
    check_exactness(models)


def test_the_trial_reaches_the_last_integer_that_float32_holds(library):
    largest = []
    library(lambda a, b: largest.append(np.abs(MATMUL(a, b)).max(axis=0).tolist()) or MATMUL(a, b))
    check_exactness([integer_model(7, 24)])
    assert {value for row in largest for value in row} == {2**24 - 1}


@pytest.mark.parametrize("quality", qualities())
def test_a_model_is_not_loaded_with_such_a_library(library, quality):
    load_model(folder_of_quality(quality))
    library(LIBRARIES["TF32"])
    with pytest.raises(CvqnError, match="TF32") as caught:
        load_model(folder_of_quality(quality))
    assert "\n" not in str(caught.value)


def test_a_coder_that_gives_other_words_is_refused():
    class OffByOne(PythonEncoder):
        def words(self):
            return super().words() ^ np.uint32(1)

    models = [integer_model(2, 4)]
    for coder in CODERS.values():
        check_exactness(models, coder)
    with pytest.raises(CvqnError, match="fesetround"):
        check_exactness(models, Coder("wrong", OffByOne, PythonDecoder))
