"""Settings of CompressAI's models: the network, and what its training adds to the settings of every codec."""

from typing import Annotated

from pydantic import Field

from cvqn.settings import Positive, Rate, Settings, TrainingSettings


class CompressaiSettings(Settings):
    """The network."""

    features: Positive
    """N, channels of the transforms."""
    channels: Positive
    """M, channels of the latent."""


class CompressaiTraining(TrainingSettings):
    """The training."""

    lmbda: Annotated[float, Field(gt=0)]
    """Lambda, weight of 1 - MS-SSIM against bits per pixel; CompressAI's authors use 2.4 to 220.5."""
    learning_rate: Rate
    """Learning rate of the network."""
    auxiliary_rate: Rate
    """Learning rate of the entropy bottleneck's quantiles, which only the auxiliary loss trains."""
