"""Settings of Mentzer et al. 2018: the network, and what its training adds to the settings of every codec."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cvqn.settings import Positive, Rate, Settings, TrainingSettings


class ContextSettings(Settings):
    """The context model."""

    width: Annotated[int, Field(ge=1, le=512)]
    """k, features of the masked convolutions."""
    relu_logits: bool
    """A ReLU on the logits, as in the released code."""
    padding: Literal["volume", "layers"]
    """volume: pad the input once, by the value of centre 0, as in the released code; layers: zero-pad in each layer."""


class MentzerSettings(Settings):
    """The network."""

    channels: Annotated[int, Field(ge=1, le=1024)]
    """C, channels of the latent, without the importance map's."""
    features: Positive
    """n, channels of the residual blocks."""
    width: Annotated[float, Field(gt=0, le=4)]
    """Factor on n."""
    groups: Annotated[int, Field(ge=1, le=64)]
    """B, groups of three residual blocks in encoder and decoder."""
    levels: Annotated[int, Field(ge=2, le=16)]
    """L, centres of the quantizer."""
    mask: Literal["clip", "ceiling"]
    """Mask of the latent: clip: the importance map clipped to 0..1; ceiling: the same, rounded up to 0 or 1."""
    context: ContextSettings

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        wide = self.features * self.width
        if abs(wide - round(wide)) > 1e-6 or round(wide) < 2 or round(wide) % 2:
            raise ValueError(f"width: {self.features} features times {self.width:g} must be an even number")
        return self

    @property
    def scaled_features(self) -> int:
        """n times `width`."""
        return round(self.features * self.width)


class LearningRates(Settings):
    """Learning rates of the parts of the network."""

    encoder: Rate
    """Encoder and importance map."""
    centres: Rate
    """The quantizer's centres."""
    context: Rate
    """Context model."""
    decoder: Rate
    """Decoder."""


class MentzerTraining(TrainingSettings):
    """The training."""

    alpha: Annotated[float, Field(gt=0)]
    """Weight of 1 - MS-SSIM."""
    beta: Annotated[float, Field(gt=0)]
    """Weight of the bits per symbol above the target."""
    target: Annotated[float, Field(ge=0)]
    """Bits per symbol below which the rate costs nothing; equal to 64 bpp / C."""
    rate: Literal["both", "mask"]
    """both: mean of the bits and of the bits times the mask; mask: only the bits times the mask, as in its paper."""
    context_loss: Literal["shared", "own"]
    """What trains the context model: shared: the rate, only above the target; own: its cross entropy, always."""
    weight_decay: Annotated[float, Field(ge=0)]
    """Weight of half the sum of squares of the weights of encoder and decoder."""
    centre_decay: Annotated[float, Field(ge=0)]
    """Weight of half the sum of squares of the centres."""
    centre_range: Annotated[float, Field(gt=0)]
    """The centres are drawn at random between minus and plus this value."""
    clamp: bool
    """Measure the distortion on the clipped image, as in the released code."""
    learning_rates: LearningRates
    initialization: Literal["torch", "components"]
    """torch: PyTorch's own; components: fitted to training images, see cvqn.start."""
