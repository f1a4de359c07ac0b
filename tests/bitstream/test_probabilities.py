import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cvqn.bitstream.probabilities import EXPONENTIALS, frequencies
from tests.bitstream import reference

LOGITS = hnp.arrays(
    np.int64, st.tuples(st.integers(1, 5), st.integers(2, 16)), elements=st.integers(-(1 << 24), 1 << 24)
)


def test_the_table_is_rounded_correctly_and_never_changes():
    assert EXPONENTIALS.tolist() == reference.exponentials()
    digest = hashlib.sha256(EXPONENTIALS.astype("<i8").tobytes()).hexdigest()
    assert digest == "651d69c2fa4ba56bae4a63d0a172083600afe13439300ffe9d7994b212c5f5ad"
    assert EXPONENTIALS[0] == 1 << 16
    assert EXPONENTIALS[256] == 1 << 15
    assert EXPONENTIALS[-1] == 0


@given(LOGITS)
def test_frequencies_are_those_of_the_reference_in_any_type_and_layout(logits):
    table = EXPONENTIALS.tolist()
    expected = [reference.frequencies(row, table) for row in logits.tolist()]
    assert frequencies(logits).tolist() == expected
    assert frequencies(logits.astype(np.float32)).tolist() == expected
    assert frequencies(np.asfortranarray(logits.astype(np.float64))).tolist() == expected
    assert all(min(row) >= 1 and sum(row) == 1 << 16 for row in expected)


def test_frequencies_approach_the_softmax():
    logits = np.array([[0, 256, -512, 100, 0]])
    exact = 2.0 ** (logits / 256)
    exact /= exact.sum()
    assert np.abs(frequencies(logits) / 65536 - exact).max() < 1e-4


def test_what_is_left_over_goes_to_the_first_of_the_largest():
    assert frequencies(np.array([[0, 0, 0]])).tolist() == [[21846, 21845, 21845]]
    assert frequencies(np.array([[-9999, 7, 7]])).tolist() == [[1, 32768, 32767]]
