"""CompressAI's models behind the interface of a learned codec. PyTorch is imported only when a network is built."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cvqn.codecs.looks import BLUE, SKY, Look
from cvqn.errors import CvqnError
from cvqn_baselines.learned.compressai.settings import CompressaiSettings, CompressaiTraining

if TYPE_CHECKING:
    from torch import Tensor

    from cvqn_baselines.learned.compressai.trainable import TrainableCompressai
    from cvqn_baselines.learned.compressai.trained import TrainedCompressai

_NETWORK = tuple(f"cvqn_baselines.learned.compressai.{name}" for name in ("codec", "library", "settings"))


class CompressaiCodec:
    """One of CompressAI's models; `model` is the name of its class."""

    model_settings = CompressaiSettings
    training_settings = CompressaiTraining
    modules = (*_NETWORK, "cvqn_baselines.learned.compressai.trainable", "cvqn.model.ms_ssim")
    coding_modules = (
        *_NETWORK,
        "cvqn_baselines.learned.compressai.trained",
        "cvqn_baselines.learned.compressai.strings",
        "cvqn.model.tiling",
    )
    libraries = ("torch", "numpy", "compressai")
    has_channels = False

    def __init__(self, name: str, title: str, look: Look, model: str, exact: bool):
        self.name, self.title, self.look, self.model, self.exact = name, title, look, model, exact

    def build(self, model: CompressaiSettings, training: CompressaiTraining) -> "TrainableCompressai":
        self._refuse_missing()
        from cvqn_baselines.learned.compressai.trainable import TrainableCompressai

        return TrainableCompressai(self.model, model, training)

    def load(self, model: CompressaiSettings, tensors: Mapping[str, "Tensor"], device: str) -> "TrainedCompressai":
        self._refuse_missing()
        from cvqn_baselines.learned.compressai.trained import TrainedCompressai

        return TrainedCompressai(self.model, model, tensors, device)

    def _refuse_missing(self) -> None:
        from cvqn_baselines.learned.compressai.library import installed

        if not installed():
            raise CvqnError(
                f"{self.name}: needs CompressAI, which is not installed: in a clone: pip install '.[learned]'"
            )


FACTORIZED = CompressaiCodec(
    "factorized", "Factorized prior", Look(SKY, "h", hollow=True), "FactorizedPrior", exact=True
)
# Not exact: the scales that choose the coding table of each symbol are computed in floating point.
HYPERPRIOR = CompressaiCodec(
    "hyperprior", "Hyperprior", Look(BLUE, ">", hollow=True), "MeanScaleHyperprior", exact=False
)
