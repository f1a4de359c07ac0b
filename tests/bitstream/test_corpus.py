"""The golden vectors here; tests/bitstream/emulation.sh checks them on other processors."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from cvqn.bitstream.order import NO_MARGIN, Margin
from cvqn.bitstream.rangecoder import PYTHON
from cvqn.codecs import container
from cvqn.codecs.shipped import folder_of_quality
from cvqn.codecs.store import load_model
from cvqn.compression import compress
from tests import ROOT
from tests.bitstream import corpus, reference
from tests.bitstream.models import MARGINED, MEDIUM, SMALL, case
from tests.trained import photograph

WITHOUT_CONSTRICTION = """
import sys
sys.modules["constriction"] = None
from cvqn.bitstream import rangecoder
from tests.bitstream import corpus
assert rangecoder.DEFAULT is rangecoder.PYTHON and list(rangecoder.CODERS) == ["python"]
corpus.check("medium")
"""
LESS_PRECISE = """
import sys
import numpy as np
import torch
from cvqn.codecs import container
from cvqn.codecs.shipped import folder_of_quality
from cvqn.codecs.store import load_model
from cvqn.compression import compress
torch.set_float32_matmul_precision("medium")
torch.set_flush_denormal(True)
stored = load_model(folder_of_quality(1))
data = open("here.cvqn", "rb").read()
header, payload = container.unpack(data, stored.model_id)
symbols = stored.model.read_symbols(payload, header.height, header.width)
assert stored.model.write_symbols(symbols) == payload
np.savez("there.npz", *symbols)
open("there.cvqn", "wb").write(compress(stored, np.load("picture.npy")))
np.savez("own.npz", *stored.model.symbols(np.load("picture.npy")))
"""


def test_the_corpus_is_what_it_was():
    corpus.check_files()


@pytest.mark.parametrize("name", corpus.NAMES)
def test_the_corpus_is_read_and_written_byte_for_byte(name):
    corpus.check(name)


@pytest.mark.parametrize("name", corpus.NAMES)
def test_the_corpus_is_the_references(name):
    vector = corpus.read(name)
    encoder = PYTHON.encoder()
    for symbol, row in reference.stream(vector.models, vector.symbols, vector.margin):
        encoder.encode(np.array([symbol], np.int32), np.array([row]))
    _, payload = container.unpack(vector.data, corpus.MODEL_ID)
    assert encoder.words().astype("<u4").tobytes() == payload


@pytest.mark.parametrize(
    ("name", "size", "margin"),
    [("small", SMALL, NO_MARGIN), ("medium", MEDIUM, NO_MARGIN), ("margin", MARGINED, Margin(4, 4, 2))],
)
def test_vectors_of_hash_output_are_made_again(name, size, margin):
    vector, (models, symbols) = corpus.read(name), case(*size)
    assert vector.margin == margin
    assert all(map(np.array_equal, vector.symbols, symbols))
    for stored, made in zip(vector.models, models, strict=True):
        expected = made.to_arrays()
        assert all(np.array_equal(array, expected[key]) for key, array in stored.to_arrays().items())


def test_without_constriction_the_python_coder_reads_and_writes_them():
    subprocess.run([sys.executable, "-c", WITHOUT_CONSTRICTION], check=True, cwd=ROOT)


def test_flush_to_zero_changes_nothing():
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor has no such mode")
    try:
        assert np.float32(1e-40) * np.float32(1) == 0, "the mode is on in NumPy too"
        corpus.check("photograph")
    finally:
        torch.set_flush_denormal(False)


def test_symbols_of_a_file_are_the_same_where_the_network_is_less_precise(tmp_path):
    """Files made with and without reduced precision; each reads the other's."""
    stored, picture = load_model(folder_of_quality(1)), photograph(256, 192)
    np.save(tmp_path / "picture.npy", picture)
    (tmp_path / "here.cvqn").write_bytes(compress(stored, picture))
    environment = os.environ | {"ONEDNN_DEFAULT_FPMATH_MODE": "BF16", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", LESS_PRECISE], check=True, cwd=tmp_path, env=environment)
    for file, symbols in (("here.cvqn", "there.npz"), ("there.cvqn", "own.npz")):
        header, payload = container.unpack((tmp_path / file).read_bytes(), stored.model_id)
        read = stored.model.read_symbols(payload, header.height, header.width)
        with np.load(tmp_path / symbols) as arrays:
            assert all(map(np.array_equal, read, arrays.values()))
