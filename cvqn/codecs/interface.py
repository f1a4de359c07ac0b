"""Interfaces of codecs: conventional ones, learned ones, and their trained models. Nothing here imports torch."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np

from cvqn.settings import Settings, TrainingSettings

if TYPE_CHECKING:
    from torch import Tensor

    from cvqn.bitstream.integer_model import IntegerModel
    from cvqn.codecs.trainable import Trainable

Picture = np.ndarray
"""uint8 `[H, W, 3]`, RGB, 0..255, H and W at least 1."""


class Codec(Protocol):
    """A still-image codec as it is measured. A quality is on the codec's own scale; for a trained model it is None.

    A conventional codec also has `quality_range`, the lowest and the highest quality that it takes. Optional are
    `rates(picture, data)`, estimates of the rate in bits per pixel by name; `look`, a `cvqn.codecs.looks.Look` for
    figures; and of a trained model `model_bytes`, its size on disk, `device` and `threads`.
    """

    name: str
    title: str
    """Its name in tables and figures."""
    suffix: str
    """Suffix of its files, without the dot."""

    def encode(self, picture: Picture, quality: float | None) -> bytes:
        """The complete file of `picture`."""

    def decode(self, data: bytes) -> Picture:
        """The picture in `data`.

        Raises:
            CvqnError: `data` is truncated or not a file of this codec.
        """

    def versions(self) -> dict[str, str]:
        """Every library or program that affects the bytes, with its version."""

    def settings(self) -> dict[str, object]:
        """The settings that are the same at every quality."""


class Crops(Protocol):
    """Crops of the training images that stay the same for a whole training."""

    def __call__(self, count: int, patch: int, batch: int | None = None) -> Iterator["Tensor"]:
        """`count` crops in batches `[batch, 3, patch, patch]`, float32 in [0, 1], on the training's device.

        Without `batch`, all are in one batch.
        """


class LearnedCodec(Protocol):
    """A codec that is trained; an entry point in the group `cvqn.codecs` names an object of this form."""

    name: ClassVar[str]
    title: ClassVar[str]
    """Its name in tables and figures."""
    model_settings: ClassVar[type[Settings]]
    """Settings of the network; they are stored with a trained model."""
    training_settings: ClassVar[type[TrainingSettings]]
    """Settings of the training."""
    modules: ClassVar[tuple[str, ...]]
    """Modules that affect the result of a training; after an edit to one, the models are trained again."""
    coding_modules: ClassVar[tuple[str, ...]]
    """Modules that affect the bytes and pixels that a trained model makes."""
    has_channels: ClassVar[bool]
    """Whether its trained models are `HasChannels`."""
    exact: ClassVar[bool]
    """Whether a file decodes to the same symbols on every machine, because decoding them uses integers only."""
    libraries: ClassVar[tuple[str, ...]]
    """Installed distributions that affect training or coding."""

    def build(self, model: Settings, training: TrainingSettings) -> "Trainable":
        """The untrained network; random numbers come from torch's global generator, which the caller seeds."""

    def load(self, model: Settings, tensors: Mapping[str, "Tensor"], device: str) -> "TrainedModel":
        """The trained model on `device`, from the tensors that `Trainable.export` returned.

        Raises:
            CvqnError: settings and tensors do not fit together.
        """


class TrainedModel(Protocol):
    """A trained model: pictures to payloads, and back."""

    def encode(self, pictures: Sequence[Picture]) -> list[bytes]:
        """The payload of each picture, a multiple of 4 bytes; all pictures have one size."""

    def decode(self, payload: bytes, height: int, width: int) -> Picture:
        """The picture `[height, width, 3]` in a payload.

        Raises:
            BitstreamError: the payload does not decode.
        """

    def rates(self, picture: Picture) -> dict[str, float]:
        """Estimates of the rate of `picture` in bits per pixel by name, for comparison with its file; may be empty."""


class Layout(NamedTuple):
    """How the channels of a latent are assigned to groups, each with its number of levels."""

    order: list[int]
    """Channels, counted from 0, by ascending importance; each group takes the next ones."""
    sizes: list[int]
    """Channels of each group."""
    levels: list[int]
    """Levels of each group."""


@runtime_checkable
class HasChannels(Protocol):
    """A trained model whose channels can be analysed one by one."""

    layout: Layout
    integer_models: Sequence["IntegerModel"]
    """The entropy model of each group, with as many levels as the group."""
    stride: int
    """Pixels per position of the latent, along a side."""

    def symbols(self, picture: Picture) -> list[np.ndarray]:
        """The symbols of `picture`, int64 `[C_g, h, w]` of each group."""

    def read_symbols(self, payload: bytes, height: int, width: int) -> list[np.ndarray]:
        """The symbols in a payload.

        Raises:
            BitstreamError: the payload does not decode.
        """

    def write_symbols(self, symbols: Sequence[np.ndarray]) -> bytes:
        """The payload of symbols, the same on every machine."""

    def ranks(self, symbols: Sequence[np.ndarray]) -> list[np.ndarray]:
        """For each symbol, the rank 0..levels-1 of its value among the values of its group, `[C_g, h, w]`."""

    def group_values(self) -> list[np.ndarray]:
        """The values of each group in ascending order, `[levels]`, so that a rank is an index into them."""

    def values(self, symbols: Sequence[np.ndarray]) -> np.ndarray:
        """The quantized latent of symbols, float32 `[C, h, w]` in its own order of channels."""

    def merge(self, groups: Sequence[np.ndarray]) -> np.ndarray:
        """Arrays `[C_g, ...]` of each group as `[C, ...]` in the latent's own order of channels."""

    def reconstruct(self, values: np.ndarray, height: int, width: int) -> list[Picture]:
        """The pictures `[height, width, 3]` of quantized latents `[B, C, h, w]`."""

    def code_lengths(self, symbols: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Ideal code length of each channel in bits, `[C_g]` of each group."""

    def importance(self) -> tuple[str, list[float] | None]:
        """The method that ordered the channels, and the learned weight of each channel, or None without weights."""
