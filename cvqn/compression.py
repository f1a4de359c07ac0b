"""Picture to file and back: the model's transforms around cvqn.codec."""

import math
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cvqn.codec import container
from cvqn.codec.errors import ImageTooLargeError
from cvqn.codec.rangecoder import DEFAULT
from cvqn.codec.wavefront import decode_symbols, encode_symbols
from cvqn.images import check_picture, pad_to_multiple
from cvqn.model.network import STRIDE
from cvqn.model.store import Stored, load_model
from cvqn.tiling import evaluate, reach

SUFFIX = "cvqn"


def latent_shape(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the latent of an image of this size."""
    return -(-height // STRIDE), -(-width // STRIDE)


def compress(stored: Stored, picture: np.ndarray, *, half: bool = False) -> bytes:
    """The complete file of a picture, uint8 `[H, W, 3]`, sides 1..65535. `half` as in `compress_batch`.

    The picture is only read. One model may serve many calls one after another, but not two threads at once.

    Raises:
        ImageTooLargeError: the picture is too large for the container.
        ValueError: not such an array: another type of number, another count of channels, no pixel.
    """
    return compress_batch(stored, [picture], half=half)[0]


@torch.inference_mode()
def compress_batch(stored: Stored, pictures: Sequence[np.ndarray], *, half: bool = False) -> list[bytes]:
    """The files of pictures of one size, uint8 `[H, W, 3]`, which go through the network together.

    With `half` the encoder computes in float16 on a GPU. Its file may hold other symbols, and is as exact as any: it
    decodes to the very symbols that were written. What may be shared: as for `compress`.

    Raises:
        ImageTooLargeError: the pictures are too large for the container.
        ValueError: no picture, pictures of several sizes, or as `compress`.
    """
    for picture in pictures:
        check_picture(picture)
    if len({picture.shape for picture in pictures}) != 1:
        raise ValueError(f"{len(pictures)} pictures; there must be one at least, and all of one size")
    height, width, _ = pictures[0].shape
    if max(height, width) > container.LARGEST_SIDE:  # said before the work, not after it
        raise ImageTooLargeError(f"a picture of {width}x{height} pixels: a side may have {container.LARGEST_SIDE}")
    groups = [group.cpu().numpy() for group in stored.model.controller.symbols(_latents(stored, pictures, half))]
    payloads = [encode_symbols(stored.integer_models, list(symbols)) for symbols in zip(*groups, strict=True)]
    return [container.pack(height, width, stored.model_id, payload) for payload in payloads]


@torch.inference_mode()
def decompress(stored: Stored, data: bytes, *, half: bool = False, **limits: int) -> np.ndarray:
    """The picture in a file, uint8 `[H, W, 3]`, new and writable. `limits` go to `container.unpack`.

    With `half` the decoder computes in float16 on a GPU, which may change pixels by a level or two. What may be
    shared: as for `compress`.

    Raises:
        BitstreamError: the file is damaged, too large, or made with another model; see cvqn.codec.errors.
        ValueError: `data` is not bytes.
    """
    header, symbols = read_symbols(stored, data, **limits)
    groups = [torch.from_numpy(group.astype(np.int64))[None] for group in symbols]
    network = stored.model.decoder

    def pixels(values: Tensor) -> Tensor:
        with _precision(stored, half):
            images = network(values.contiguous(memory_format=torch.channels_last))
        return (images.float().clamp(0, 1) * 255).round().byte()

    values = stored.model.controller.values([group.to(_device(stored)) for group in groups])
    overlap = reach(stored.model.config["blocks"])
    decoded = evaluate(network, lambda piece: pixels(piece).cpu(), values, unit_in=1, unit_out=STRIDE, overlap=overlap)
    return np.ascontiguousarray(decoded[0].permute(1, 2, 0).numpy()[: header.height, : header.width])


def read_symbols(stored: Stored, data: bytes, **limits: int) -> tuple["container.Header", list[np.ndarray]]:
    """Header and symbols `[C_g, h, w]` of each group of a file.

    Raises:
        BitstreamError, ValueError: as `decompress`.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ValueError(f"a file's bytes, not {type(data).__name__}; read it first")
    header, words = container.unpack(bytes(data), stored.model_id, **limits)
    rows, columns = latent_shape(header.height, header.width)
    shapes = [(size, rows, columns) for size in stored.model.controller.sizes]
    return header, decode_symbols(stored.integer_models, shapes, words)


class CvqnCodec:
    """A trained model behind the interface of `cvqn.evaluation.codec`; it has no quality but its own."""

    name = "cvqn"
    suffix = SUFFIX

    def __init__(self, model: str | Path, device: str = "cpu"):
        self.stored = load_model(model, device)

    def encode(self, picture: np.ndarray, quality: None = None) -> bytes:
        return compress(self.stored, picture)

    def decode(self, data: bytes) -> np.ndarray:
        return decompress(self.stored, data)

    def versions(self) -> dict[str, str]:
        return {name: version(name) for name in ("cvqn", "torch", "numpy")} | {"range coder": DEFAULT.name}

    def settings(self) -> dict[str, object]:
        return {"model_id": self.stored.model_id.hex(), **self.stored.about}

    @torch.inference_mode()
    def rates(self, picture: np.ndarray, data: bytes) -> dict[str, float]:
        """Bits per pixel of the float context model's cross entropy, and of fixed-length symbols (equation 7)."""
        pixels = picture.shape[0] * picture.shape[1]
        controlled = self.stored.model.controller(_latents(self.stored, [picture], half=False))
        nats = sum(float(group.sum()) for group in controlled.nats)
        levels = self.stored.model.controller.levels
        bound = sum(group.numel() * math.log2(q) for group, q in zip(controlled.symbols, levels, strict=True))
        return {"cross_entropy_bpp": nats / math.log(2) / pixels, "bound_bpp": bound / pixels}


def _latents(stored: Stored, pictures: Sequence[np.ndarray], half: bool) -> Tensor:
    """Latents `[B, C, h, w]` of pictures of one size, float32 on the model's device."""
    padded = torch.from_numpy(np.stack([pad_to_multiple(picture, STRIDE) for picture in pictures])).permute(0, 3, 1, 2)

    def analyse(piece: Tensor) -> Tensor:
        with _precision(stored, half):
            return stored.model.analyse(piece.to(_device(stored)).float() / 255)

    overlap = reach(stored.model.config["blocks"])
    return evaluate(stored.model.encoder, analyse, padded, unit_in=STRIDE, unit_out=1, overlap=overlap)


def _device(stored: Stored) -> torch.device:
    return next(stored.model.parameters()).device


def _precision(stored: Stored, half: bool) -> torch.autocast:
    return torch.autocast(_device(stored).type, torch.float16, enabled=half)
