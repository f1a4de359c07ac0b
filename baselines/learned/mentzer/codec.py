"""Mentzer et al. 2018 behind the interface of a learned codec. PyTorch is imported only when a network is built."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cvqn.codecs.looks import BLACK, Look
from cvqn_baselines.learned.mentzer.settings import MentzerSettings, MentzerTraining

if TYPE_CHECKING:
    from torch import Tensor

    from cvqn_baselines.learned.mentzer.trainable import TrainableMentzer
    from cvqn_baselines.learned.mentzer.trained import TrainedMentzer

_NETWORK = (
    *(f"cvqn_baselines.learned.mentzer.{name}" for name in ("codec", "model", "network", "settings")),
    "cvqn.model.context", "cvqn.model.integers",
)  # fmt: skip


class MentzerCodec:
    """The codec of "Conditional Probability Models for Deep Image Compression"."""

    name = "mentzer-2018"
    title = "Mentzer 2018"
    look = Look(BLACK, "p", hollow=True)
    model_settings = MentzerSettings
    training_settings = MentzerTraining
    modules = (
        *_NETWORK,
        "cvqn_baselines.learned.mentzer.trainable", "cvqn_baselines.learned.mentzer.start", "cvqn.start",
        "cvqn.model.ms_ssim", "cvqn.model.export", "cvqn.bitstream.integer_model", "cvqn.bitstream.probabilities",
    )  # fmt: skip
    coding_modules = (
        *_NETWORK, "cvqn_baselines.learned.mentzer.trained", "cvqn.model.tiling",
        *(f"cvqn.bitstream.{name}" for name in
          ("integer_model", "inference", "order", "probabilities", "rangecoder", "wavefront")),
    )  # fmt: skip
    libraries = ("torch", "numpy", "constriction")
    has_channels = False
    exact = True

    def build(self, model: MentzerSettings, training: MentzerTraining) -> "TrainableMentzer":
        from cvqn_baselines.learned.mentzer.trainable import TrainableMentzer

        return TrainableMentzer(model, training)

    def load(self, model: MentzerSettings, tensors: Mapping[str, "Tensor"], device: str) -> "TrainedMentzer":
        from cvqn_baselines.learned.mentzer.trained import TrainedMentzer

        return TrainedMentzer(model, tensors, device)


CODEC = MentzerCodec()
