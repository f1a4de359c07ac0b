"""Picture to file and back with any trained model: the public functions.

>>> from cvqn.codecs.shipped import folder_of_quality
>>> from cvqn.codecs.store import load_model
>>> from cvqn.compression import compress, decompress
>>> model = load_model(folder_of_quality(3))
>>> data = compress(model, picture)
>>> picture = decompress(model, data)
"""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from cvqn.bitstream.rangecoder import DEFAULT
from cvqn.codecs import container
from cvqn.codecs.interface import Picture
from cvqn.codecs.store import Stored, load_model
from cvqn.errors import CvqnError

SUFFIX = "cvqn"


def compress(stored: Stored, picture: Picture) -> bytes:
    """The complete file of a picture, uint8 `[H, W, 3]`, sides from 1 to 65535, which is not changed.

    Raises:
        CvqnError: this is no such picture.
    """
    return compress_batch(stored, [picture])[0]


def compress_batch(stored: Stored, pictures: Sequence[Picture]) -> list[bytes]:
    """The files of pictures of one size, uint8 `[H, W, 3]`, which go through the network together.

    Raises:
        CvqnError: these are no such pictures.
    """
    for picture in pictures:
        _check(picture)
    height, width, _ = pictures[0].shape
    return [container.pack(height, width, stored.model_id, payload) for payload in stored.model.encode(pictures)]


def decompress(stored: Stored, data: bytes, *, max_pixels: int = container.MAX_PIXELS) -> Picture:
    """The picture in a file, uint8 `[H, W, 3]`.

    Raises:
        BitstreamError: the file is damaged, larger than `max_pixels`, or made with another model; see
            cvqn.bitstream.errors.
    """
    header, payload = container.unpack(data, stored.model_id, max_pixels=max_pixels)
    return stored.model.decode(payload, header.height, header.width)


class StoredCodec:
    """A trained model behind the interface by which every codec is measured; it has no quality but its own."""

    suffix = SUFFIX

    def __init__(self, folder: str | Path, device: str = "cpu"):
        self.stored = load_model(folder, device)
        self.name = self.stored.codec

    def encode(self, picture: Picture, quality: None = None) -> bytes:
        return compress(self.stored, picture)

    def decode(self, data: bytes) -> Picture:
        return decompress(self.stored, data)

    def versions(self) -> dict[str, str]:
        return {name: version(name) for name in ("cvqn", "torch", "numpy")} | {"range coder": DEFAULT.name}

    def settings(self) -> dict[str, object]:
        return {"model_id": self.stored.model_id.hex(), **self.stored.about}

    def rates(self, picture: Picture, data: bytes) -> dict[str, float]:
        return self.stored.model.rates(picture)


def _check(picture: Picture) -> None:
    if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        given = f"{picture.dtype} {list(picture.shape)}" if isinstance(picture, np.ndarray) else type(picture).__name__
        raise CvqnError(f"a picture is an array uint8 [H, W, 3], not {given}")
    if not picture.size:
        raise CvqnError(f"a picture of {picture.shape[1]}x{picture.shape[0]} pixels has nothing to compress")
