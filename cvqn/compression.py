"""Picture to file and back with any trained model: the public functions.

Examples:
    >>> from cvqn.codecs.shipped import folder_of_quality
    >>> from cvqn.codecs.store import load_model
    >>> from cvqn.images import read_picture, write_picture
    >>> model = load_model(folder_of_quality(3))
    >>> data = compress(model, read_picture("photo.png"))
    >>> write_picture("back.png", decompress(model, data))
"""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from cvqn.bitstream.errors import ImageTooLargeError
from cvqn.bitstream.rangecoder import DEFAULT
from cvqn.codecs import container, registry
from cvqn.codecs.interface import Picture
from cvqn.codecs.store import Stored, load_model
from cvqn.images import check_picture

SUFFIX = "cvqn"


def compress(stored: Stored, picture: Picture) -> bytes:
    """The complete file of a picture, uint8 `[H, W, 3]`, sides from 1 to 65535.

    The picture is not modified. A model can be used for any number of calls, but by one thread at a time.

    Raises:
        ImageTooLargeError: a side is longer than the file's header can hold.
        ValueError: the array has another type or shape, or no pixels.
    """
    return compress_batch(stored, [picture])[0]


def compress_batch(stored: Stored, pictures: Sequence[Picture]) -> list[bytes]:
    """The complete files of several pictures, uint8 `[H, W, 3]`, which go through the network together.

    Raises:
        ImageTooLargeError: a side is longer than the file's header can hold.
        ValueError: there is no picture, the sizes differ, or an array has another type or shape.
    """
    for picture in pictures:
        check_picture(picture)
    if len({picture.shape for picture in pictures}) != 1:
        raise ValueError(f"{len(pictures)} pictures; there must be one at least, and all of one size")
    height, width, _ = pictures[0].shape
    if max(height, width) > container.LARGEST_SIDE:  # `pack` would find this only after encoding
        raise ImageTooLargeError(f"a picture of {width}x{height} pixels: sides are at most {container.LARGEST_SIDE}")
    return [container.pack(height, width, stored.model_id, payload) for payload in stored.model.encode(pictures)]


def decompress(stored: Stored, data: bytes, *, max_pixels: int = container.MAX_PIXELS) -> Picture:
    """The picture in a file, a new and writable array, uint8 `[H, W, 3]`.

    Raises:
        BitstreamError: the file is damaged, was made with another model, or holds a picture of more than `max_pixels`
            pixels; see cvqn.bitstream.errors.
        ValueError: `data` is not bytes.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ValueError(f"a file's bytes, not {type(data).__name__}; read it first")
    header, payload = container.unpack(bytes(data), stored.model_id, max_pixels=max_pixels)
    return stored.model.decode(payload, header.height, header.width)


class StoredCodec:
    """A trained model with the interface of a codec to be measured; its quality is fixed, so `quality` is None."""

    suffix = SUFFIX

    def __init__(self, folder: str | Path, device: str = "cpu"):
        self.stored, self.device = load_model(folder, device), device
        self.model_bytes = sum(path.stat().st_size for path in Path(folder).iterdir())
        self.name, self.title = self.stored.codec, registry.title(self.stored.codec)

    def encode(self, picture: Picture, quality: None = None) -> bytes:
        return compress(self.stored, picture)

    def decode(self, data: bytes) -> Picture:
        return decompress(self.stored, data)

    def versions(self) -> dict[str, str]:
        return {name: version(name) for name in ("cvqn", "torch", "numpy")} | {"range coder": DEFAULT.name}

    def settings(self) -> dict[str, object]:
        return {"model_id": self.stored.model_id.hex(), **self.stored.about}

    @property
    def threads(self) -> int:
        """CPU threads of the transforms."""
        import torch

        return torch.get_num_threads()

    def rates(self, picture: Picture, data: bytes) -> dict[str, float]:
        return self.stored.model.rates(picture)
