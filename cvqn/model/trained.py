"""A trained CVQN: pictures to payloads and back, its symbols, and what each channel costs."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from cvqn.bitstream.wavefront import code_lengths, decode_symbols, encode_symbols
from cvqn.codecs.interface import Layout, Picture
from cvqn.model.cvqn import CVQN
from cvqn.model.integers import from_tensors
from cvqn.model.network import STRIDE
from cvqn.model.settings import ModelSettings
from cvqn.model.tiling import evaluate, reach
from cvqn.padding import inside, pad_to_multiple, padded_side


class TrainedCVQN:
    """A trained network, float32, on one device, with the integer context model of each group."""

    stride = STRIDE

    def __init__(self, settings: ModelSettings, tensors: Mapping[str, Tensor], device: str = "cpu"):
        self.network = CVQN(settings)
        self.integer_models, weights = from_tensors(tensors, len(settings.levels))
        self.network.load_state_dict(weights)
        self.network.eval().requires_grad_(False).to(device)
        controller = self.network.controller
        self.layout = Layout(controller.order.tolist(), list(controller.sizes), controller.levels)
        self._device, self._overlap = device, reach(settings.blocks)

    @torch.inference_mode()
    def encode(self, pictures: Sequence[Picture]) -> list[bytes]:
        """The payload of each picture; all have one size and go through the network together."""
        groups = [group.cpu().numpy() for group in self.network.controller.symbols(self._latents(pictures))]
        return [self.write_symbols(symbols) for symbols in zip(*groups, strict=True)]

    def decode(self, payload: bytes, height: int, width: int) -> Picture:
        """The picture `[height, width, 3]` in a payload.

        Raises:
            BitstreamError: the payload does not decode.
        """
        values = self.values(self.read_symbols(payload, height, width))
        return self.reconstruct(values[None], height, width)[0]

    @torch.inference_mode()
    def rates(self, picture: Picture) -> dict[str, float]:
        """Bits per pixel of the float context model's cross entropy, and of fixed-length symbols (equation 7)."""
        pixels = picture.shape[0] * picture.shape[1]
        controlled = self.network.controller(self._latents([picture]))
        nats = sum(float(group.sum()) for group in controlled.nats)
        levels = self.layout.levels
        bound = sum(group.numel() * math.log2(q) for group, q in zip(controlled.symbols, levels, strict=True))
        return {"cross_entropy_bpp": nats / math.log(2) / pixels, "bound_bpp": bound / pixels}

    @torch.inference_mode()
    def symbols(self, picture: Picture) -> list[np.ndarray]:
        """The symbols of `picture`: int64 `[C_g, h, w]` per group."""
        return [group[0].cpu().numpy() for group in self.network.controller.symbols(self._latents([picture]))]

    def read_symbols(self, payload: bytes, height: int, width: int) -> list[np.ndarray]:
        """The symbols in a payload: integers `[C_g, h, w]` per group.

        Raises:
            BitstreamError: the payload does not decode.
        """
        rows, columns = (padded_side(side, STRIDE) // STRIDE for side in (height, width))
        return decode_symbols(self.integer_models, [(size, rows, columns) for size in self.layout.sizes], payload)

    def write_symbols(self, symbols: Sequence[np.ndarray]) -> bytes:
        """The payload of symbols, the same on every machine."""
        return encode_symbols(self.integer_models, list(symbols))

    def ranks(self, symbols: Sequence[np.ndarray]) -> list[np.ndarray]:
        """For each symbol, the rank 0..Q-1 of its mean among the means of its group."""
        return [own.argsort().argsort()[group] for own, group in zip(self._means(), symbols, strict=True)]

    def group_values(self) -> list[np.ndarray]:
        """The means of each group, rising, float32 `[Q]`."""
        return [np.sort(own) for own in self._means()]

    @torch.inference_mode()
    def values(self, symbols: Sequence[np.ndarray]) -> np.ndarray:
        """The quantized latent, float32 `[C, h, w]` in its own order of channels."""
        groups = [torch.from_numpy(group.astype(np.int64))[None].to(self._device) for group in symbols]
        return self.network.controller.values(groups)[0].cpu().numpy()

    def merge(self, groups: Sequence[np.ndarray]) -> np.ndarray:
        """Arrays `[C_g, ...]` of each group as `[C, ...]` in the latent's own order of channels."""
        return np.concatenate(list(groups))[np.argsort(self.layout.order)]

    @torch.inference_mode()
    def reconstruct(self, values: np.ndarray, height: int, width: int) -> list[Picture]:
        """The pictures `[height, width, 3]` of quantized latents `[B, C, h, w]`."""
        network = self.network.decoder

        def pixels(piece: Tensor) -> Tensor:
            images = network(piece.to(self._device).contiguous(memory_format=torch.channels_last))
            return (images.clamp(0, 1) * 255).round().byte().cpu()

        source = torch.from_numpy(np.ascontiguousarray(values))
        decoded = evaluate(network, pixels, source, unit_in=1, unit_out=STRIDE, overlap=self._overlap)
        rows, columns = inside(height, width)
        cropped = decoded[:, :, rows, columns].permute(0, 2, 3, 1).numpy()
        return [np.ascontiguousarray(picture) for picture in cropped]

    def code_lengths(self, symbols: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Ideal code length of each channel in bits, `[C_g]` per group."""
        return code_lengths(self.integer_models, symbols)

    def importance(self) -> tuple[str, list[float] | None]:
        """The kind of the importance module, and for SE the running mean of w of each channel."""
        module = self.network.importance
        return self.network.settings.importance.kind, None if module is None else module.importance.tolist()

    def _means(self) -> list[np.ndarray]:
        return [quantizer.means.cpu().numpy() for quantizer in self.network.controller.quantizers]

    def _latents(self, pictures: Sequence[Picture]) -> Tensor:
        """Latents `[B, C, h, w]` of pictures of one size, float32 on the model's device."""
        stacked = np.stack([pad_to_multiple(picture, STRIDE) for picture in pictures])
        padded = torch.from_numpy(stacked).permute(0, 3, 1, 2)
        network = self.network

        def analyse(piece: Tensor) -> Tensor:
            return network.analyse(piece.to(self._device).float() / 255)

        return evaluate(network.encoder, analyse, padded, unit_in=STRIDE, unit_out=1, overlap=self._overlap)
