"""A trained CompressAI model: pictures to payloads and back, by its entropy models and its entropy coder.

Latents are coded on the CPU in float32, wherever the transforms run. The hyperprior's scales choose the coding table of
every symbol. If a decoder computes a scale that differs in the last bit, it may choose another table and read wrong
symbols. Here the scales are computed in float64, so two machines hardly ever choose different tables; CompressAI itself
uses float32.
"""

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from cvqn.bitstream.errors import CorruptError
from cvqn.codecs.interface import Picture
from cvqn.model.tiling import evaluate
from cvqn.padding import inside, pad_to_multiple, padded_side
from cvqn_baselines.learned.compressai.library import STRIDES, build
from cvqn_baselines.learned.compressai.settings import CompressaiSettings
from cvqn_baselines.learned.compressai.strings import pack, unpack

PREFIX = "network."  # of the network's tensors; the others belong to its training
UNIT = 16  # pixels per position of the latent y, along a side
REACH = 4  # positions of y; more than four 5x5 convolutions of stride 2 see to each side


class TrainedCompressai:
    """A trained network, its transforms on one device and the rest on the CPU."""

    def __init__(self, model: str, settings: CompressaiSettings, tensors: Mapping[str, Tensor], device: str = "cpu"):
        network = build(model, settings)
        network.load_state_dict(
            {name.removeprefix(PREFIX): one for name, one in tensors.items() if name.startswith(PREFIX)}
        )
        network.eval().requires_grad_(False)
        self._stride, self._device = STRIDES[model], device
        self._coder = _Factorized(network) if model == "FactorizedPrior" else _Hyperprior(network)
        self._analysis, self._synthesis = network.g_a.to(device), network.g_s.to(device)

    @torch.inference_mode()
    def encode(self, pictures: Sequence[Picture]) -> list[bytes]:
        """The payload of each picture; all have one size and go through the network together."""
        return [pack(strings) for strings in self._coder.compress(self._latents(pictures))]

    def decode(self, payload: bytes, height: int, width: int) -> Picture:
        """The picture `[height, width, 3]` in a payload.

        Raises:
            BitstreamError: the payload does not decode.
        """
        return self._reconstruct(self.read_latent(payload, height, width), height, width)

    @torch.inference_mode()
    def read_latent(self, payload: bytes, height: int, width: int) -> Tensor:
        """The quantized latent y in a payload, float32 `[1, M, h, w]`.

        Raises:
            CorruptError: the payload does not decode.
        """
        rows, columns = (padded_side(side, self._stride) // self._stride for side in (height, width))
        strings = unpack(payload, self._coder.strings)
        try:
            return self._coder.decompress(strings, rows, columns)
        except (RuntimeError, ValueError) as error:
            raise CorruptError(f"the payload does not decode ({error})") from error

    @torch.inference_mode()
    def rates(self, picture: Picture) -> dict[str, float]:
        """Bits per pixel from the likelihoods of the rounded latents."""
        likelihoods = self._coder.likelihoods(self._latents([picture]))
        bits = -sum(float(own.log2().sum()) for own in likelihoods)
        return {"cross_entropy_bpp": bits / (picture.shape[0] * picture.shape[1])}

    def _latents(self, pictures: Sequence[Picture]) -> Tensor:
        """Latents y `[B, M, h, w]` of pictures of one size, on the CPU."""
        stacked = np.stack([pad_to_multiple(picture, self._stride) for picture in pictures])

        def analyse(piece: Tensor) -> Tensor:
            return self._analysis(piece.to(self._device).float() / 255).cpu()

        source = torch.from_numpy(stacked).permute(0, 3, 1, 2)
        return evaluate(self._analysis, analyse, source, unit_in=UNIT, unit_out=1, overlap=REACH)

    @torch.inference_mode()
    def _reconstruct(self, latent: Tensor, height: int, width: int) -> Picture:
        def pixels(piece: Tensor) -> Tensor:
            return (self._synthesis(piece.to(self._device)).clamp(0, 1) * 255).round().byte().cpu()

        decoded = evaluate(self._synthesis, pixels, latent, unit_in=1, unit_out=UNIT, overlap=REACH)
        rows, columns = inside(height, width)
        return np.ascontiguousarray(decoded[0, :, rows, columns].permute(1, 2, 0).numpy())


class _Factorized:
    """The factorized prior: every channel of y has its own distribution."""

    strings = 1

    def __init__(self, network: nn.Module):
        self._bottleneck = network.entropy_bottleneck

    def compress(self, latents: Tensor) -> list[list[bytes]]:
        """The strings of each latent."""
        return [[string] for string in self._bottleneck.compress(latents)]

    def decompress(self, strings: list[bytes], rows: int, columns: int) -> Tensor:
        """The quantized latent y, of `rows` x `columns` positions."""
        return self._bottleneck.decompress([strings[0]], (rows, columns))

    def likelihoods(self, latents: Tensor) -> list[Tensor]:
        """The likelihood of each rounded element."""
        return [self._bottleneck(latents)[1]]


class _Hyperprior:
    """The hyperprior: a second latent z gives the mean and the scale of every element of y."""

    strings = 2

    def __init__(self, network: nn.Module):
        self._bottleneck, self._conditional = network.entropy_bottleneck, network.gaussian_conditional
        self._analysis, self._synthesis = network.h_a, copy.deepcopy(network.h_s).double()

    def compress(self, latents: Tensor) -> list[list[bytes]]:
        """The strings of z and y of each latent y."""
        side = self._analysis(latents)
        first = self._bottleneck.compress(side)
        scales, means = self._parameters(self._bottleneck.decompress(first, side.shape[-2:]))
        second = self._conditional.compress(latents, self._conditional.build_indexes(scales), means)
        return [list(pair) for pair in zip(first, second, strict=True)]

    def decompress(self, strings: list[bytes], rows: int, columns: int) -> Tensor:
        """The quantized latent y; `rows` x `columns` are the positions of z."""
        scales, means = self._parameters(self._bottleneck.decompress([strings[0]], (rows, columns)))
        return self._conditional.decompress([strings[1]], self._conditional.build_indexes(scales), means=means)

    def likelihoods(self, latents: Tensor) -> list[Tensor]:
        """The likelihood of each rounded element of z and of y."""
        rounded, likelihoods = self._bottleneck(self._analysis(latents))
        scales, means = self._parameters(rounded)
        return [likelihoods, self._conditional(latents, scales.float(), means)[1]]

    def _parameters(self, side: Tensor) -> tuple[Tensor, Tensor]:
        """Scales, float64, and means, float32, of a rounded z."""
        scales, means = self._synthesis(side.double()).chunk(2, dim=1)
        return scales, means.float()
