"""A trained model of Mentzer et al. 2018: pictures to payloads and back."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from cvqn.bitstream.wavefront import decode_symbols, encode_symbols
from cvqn.codecs.interface import Picture
from cvqn.model.integers import from_tensors
from cvqn.model.tiling import evaluate
from cvqn.padding import inside, pad_to_multiple, padded_side
from cvqn_baselines.learned.mentzer.model import Mentzer
from cvqn_baselines.learned.mentzer.network import STRIDE, reach
from cvqn_baselines.learned.mentzer.settings import MentzerSettings


class TrainedMentzer:
    """A trained network, float32, on one device, with its integer context model."""

    def __init__(self, settings: MentzerSettings, tensors: Mapping[str, Tensor], device: str = "cpu"):
        self.network = Mentzer(settings)
        self.integer_models, weights = from_tensors(tensors, 1)
        self.network.load_state_dict(weights)
        self.network.eval().requires_grad_(False).to(device)
        self._device, self._overlap = device, reach(settings.groups)

    @torch.inference_mode()
    def encode(self, pictures: Sequence[Picture]) -> list[bytes]:
        """The payload of each picture; all have one size and go through the network together."""
        models, margin = self.integer_models, self.network.margin
        return [encode_symbols(models, [symbols], margin=margin) for symbols in self.symbols(pictures)]

    def decode(self, payload: bytes, height: int, width: int) -> Picture:
        """The picture `[height, width, 3]` in a payload.

        Raises:
            BitstreamError: the payload does not decode.
        """
        return self.reconstruct(self.read_symbols(payload, height, width), height, width)

    @torch.inference_mode()
    def rates(self, picture: Picture) -> dict[str, float]:
        """Bits per pixel of the float context model's cross entropy."""
        symbols = torch.from_numpy(self.symbols([picture])).to(self._device)
        nats = self.network.nats(self.network.quantizer.centres[symbols], symbols)
        return {"cross_entropy_bpp": float(nats.sum()) / math.log(2) / (picture.shape[0] * picture.shape[1])}

    @torch.inference_mode()
    def symbols(self, pictures: Sequence[Picture]) -> np.ndarray:
        """The symbols of pictures of one size, int64 `[B, C, h, w]`."""
        stacked = np.stack([pad_to_multiple(picture, STRIDE) for picture in pictures])
        network = self.network

        def analyse(piece: Tensor) -> Tensor:
            return network.quantizer(network.analyse(piece.to(self._device).float() / 255)[0]).symbols.cpu()

        source = torch.from_numpy(stacked).permute(0, 3, 1, 2)
        sizes = {"unit_in": STRIDE, "unit_out": 1, "overlap": self._overlap}
        return evaluate(network.encoder, analyse, source, **sizes).numpy()

    def read_symbols(self, payload: bytes, height: int, width: int) -> np.ndarray:
        """The symbols in a payload, int64 `[C, h, w]`.

        Raises:
            BitstreamError: the payload does not decode.
        """
        shape = (self.network.settings.channels, *(padded_side(side, STRIDE) // STRIDE for side in (height, width)))
        return decode_symbols(self.integer_models, [shape], payload, margin=self.network.margin)[0]

    @torch.inference_mode()
    def reconstruct(self, symbols: np.ndarray, height: int, width: int) -> Picture:
        """The picture `[height, width, 3]` of symbols `[C, h, w]`."""
        network = self.network

        def pixels(piece: Tensor) -> Tensor:
            images = network.decoder(network.quantizer.centres[piece.to(self._device)])
            return (images.clamp(0, 1) * 255).round().byte().cpu()

        sizes = {"unit_in": 1, "unit_out": STRIDE, "overlap": self._overlap}
        decoded = evaluate(network.decoder, pixels, torch.from_numpy(symbols)[None], **sizes)
        rows, columns = inside(height, width)
        return np.ascontiguousarray(decoded[0, :, rows, columns].permute(1, 2, 0).numpy())
