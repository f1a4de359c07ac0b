"""The golden vectors, decoded and encoded: `python -m tests.bitstream.corpus`. Needs NumPy and nothing else."""

import hashlib
import platform
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cvqn.bitstream import rangecoder
from cvqn.bitstream.integer_model import IntegerModel
from cvqn.bitstream.order import Margin
from cvqn.bitstream.wavefront import CHUNK, decode_symbols, encode_symbols
from cvqn.codecs import container

GOLDEN = Path(__file__).parent / "golden"
NAMES = ("small", "medium", "margin", "photograph")
MODEL_ID = b"gold"


class Vector(NamedTuple):
    """Symbols, the models that code them, and the file that this gives."""

    models: list[IntegerModel]
    symbols: list[np.ndarray]  # int64 [C_g, h, w]
    margin: Margin
    data: bytes


def read(name: str) -> Vector:
    """A golden vector."""
    with np.load(GOLDEN / f"{name}.npz") as arrays:
        parts = {key: array.astype(array.dtype.newbyteorder("=")) for key, array in arrays.items()}
    margin = Margin(*parts.pop("margin").tolist())
    groups: dict[str, dict[str, np.ndarray]] = {}
    for key, array in parts.items():
        group, _, field = key.partition(".")
        groups.setdefault(group, {})[field] = array
    symbols = [groups[group].pop("symbols").astype(np.int64) for group in sorted(groups)]
    models = [IntegerModel.from_arrays(groups[group]) for group in sorted(groups)]
    return Vector(models, symbols, margin, (GOLDEN / f"{name}.cvqn").read_bytes())


def check(name: str) -> None:
    """Decode and encode a golden vector in every way that there is.

    Raises:
        AssertionError: a symbol or a byte differs.
    """
    models, symbols, margin, data = read(name)
    header, payload = container.unpack(data, MODEL_ID)
    shapes = [group.shape for group in symbols]
    for coder in rangecoder.CODERS.values():
        for dtype in (np.float32, np.float64):
            decoded = decode_symbols(models, shapes, payload, margin=margin, coder=coder, dtype=dtype)
            assert all(map(np.array_equal, decoded, symbols)), f"{name}: other symbols, {coder.name}, {dtype}"
        for dtype, chunk in ((np.float32, 1), (np.float32, CHUNK), (np.float64, CHUNK)):
            encoded = encode_symbols(models, symbols, margin=margin, coder=coder, chunk=chunk, dtype=dtype)
            assert encoded == payload, f"{name}: other bytes, {coder.name}, {dtype}, {chunk}"
    assert container.pack(header.height, header.width, MODEL_ID, payload) == data, f"{name}: another header"


def check_files() -> None:
    """Compare every file of the corpus with its checksum.

    Raises:
        AssertionError: one was changed, or is missing in the list.
    """
    listed = dict(reversed(line.split()) for line in (GOLDEN / "SHA256SUMS").read_text().splitlines())
    files = {path.name: path for path in GOLDEN.iterdir() if path.suffix in (".npz", ".cvqn")}
    assert listed == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    assert {path.stem for path in files.values()} == set(NAMES)


if __name__ == "__main__":
    check_files()
    for each in NAMES:
        check(each)
    print(
        f"{len(NAMES)} golden vectors decoded and encoded: {platform.machine()}, {sys.byteorder} endian, "
        f"NumPy {np.__version__}, coders {', '.join(rangecoder.CODERS)}"
    )
