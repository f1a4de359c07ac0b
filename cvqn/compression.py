"""Picture to file and back: the model's transforms around cvqn.codec."""

import math
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cvqn.codec import container
from cvqn.codec.rangecoder import DEFAULT
from cvqn.codec.wavefront import decode_symbols, encode_symbols
from cvqn.images import pad_to_multiple
from cvqn.model.network import STRIDE
from cvqn.model.store import Stored, load_model

SUFFIX = "cvqn"


def latent_shape(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the latent of an image of this size."""
    return -(-height // STRIDE), -(-width // STRIDE)


@torch.inference_mode()
def compress(stored: Stored, picture: np.ndarray) -> bytes:
    """The complete file of a picture, uint8 `[H, W, 3]`, sides up to 65535.

    Raises:
        CvqnError: the picture is too large for the container.
    """
    height, width, _ = picture.shape
    symbols = [group[0].cpu().numpy() for group in stored.model.controller.symbols(_latent(stored, picture))]
    return container.pack(height, width, stored.model_id, encode_symbols(stored.integer_models, symbols))


@torch.inference_mode()
def decompress(stored: Stored, data: bytes, **limits: int) -> np.ndarray:
    """The picture in a file, uint8 `[H, W, 3]`. `limits` go to `container.unpack`.

    Raises:
        BitstreamError: the file is damaged, too large, or made with another model; see cvqn.codec.errors.
    """
    header, symbols = read_symbols(stored, data, **limits)
    groups = [torch.from_numpy(group.astype(np.int64))[None] for group in symbols]
    device = next(stored.model.parameters()).device
    image = stored.model.decoder(stored.model.controller.values([group.to(device) for group in groups]))[0]
    decoded = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(decoded[: header.height, : header.width])


def read_symbols(stored: Stored, data: bytes, **limits: int) -> tuple["container.Header", list[np.ndarray]]:
    """Header and symbols `[C_g, h, w]` of each group of a file.

    Raises:
        BitstreamError: as `decompress`.
    """
    header, words = container.unpack(data, stored.model_id, **limits)
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
        controlled = self.stored.model.controller(_latent(self.stored, picture))
        nats = sum(float(group.sum()) for group in controlled.nats)
        levels = self.stored.model.controller.levels
        bound = sum(group.numel() * math.log2(q) for group, q in zip(controlled.symbols, levels, strict=True))
        return {"cross_entropy_bpp": nats / math.log(2) / pixels, "bound_bpp": bound / pixels}


def _latent(stored: Stored, picture: np.ndarray) -> Tensor:
    device = next(stored.model.parameters()).device
    padded = torch.from_numpy(pad_to_multiple(picture, STRIDE)).to(device)
    return stored.model.analyse(padded.permute(2, 0, 1)[None].float() / 255)
