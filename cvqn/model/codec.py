"""CVQN behind the interface of a learned codec. PyTorch is imported only when a network is built."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cvqn.codecs.looks import VERMILION, Look
from cvqn.model.settings import ModelSettings, Training

if TYPE_CHECKING:
    from torch import Tensor

    from cvqn.model.trainable import TrainableCVQN
    from cvqn.model.trained import TrainedCVQN

_NETWORK = tuple(
    f"cvqn.model.{name}"
    for name in ("cvqn", "network", "importance", "controller", "quantizer", "context", "integers", "settings")
)


class CVQNCodec:
    """The codec of the paper."""

    name = "cvqn"
    title = "CVQN"
    look = Look(VERMILION, "o")
    model_settings = ModelSettings
    training_settings = Training
    modules = (
        *_NETWORK,
        *(f"cvqn.model.{name}" for name in ("trainable", "ms_ssim", "initialization", "start", "export")),
        "cvqn.start", "cvqn.bitstream.integer_model", "cvqn.bitstream.probabilities",
    )  # fmt: skip
    coding_modules = (
        *_NETWORK, "cvqn.model.trained", "cvqn.model.tiling", "cvqn.padding",
        *(f"cvqn.bitstream.{name}" for name in
          ("integer_model", "inference", "order", "probabilities", "rangecoder", "wavefront")),
    )  # fmt: skip
    libraries = ("torch", "numpy", "constriction")
    has_channels = True
    exact = True

    def build(self, model: ModelSettings, training: Training) -> "TrainableCVQN":
        from cvqn.model.trainable import TrainableCVQN

        return TrainableCVQN(model, training)

    def load(self, model: ModelSettings, tensors: Mapping[str, "Tensor"], device: str) -> "TrainedCVQN":
        from cvqn.model.trained import TrainedCVQN

        return TrainedCVQN(model, tensors, device)


CODEC = CVQNCodec()
