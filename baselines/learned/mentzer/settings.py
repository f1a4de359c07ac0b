"""Settings of Mentzer et al. 2018: the network, and what its training takes beyond any codec's."""

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
    """volume: continued once by the value of centre 0, as in the released code; layers: by zeros in each layer."""


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
    """What the latent is multiplied by: the importance map clipped to 0..1, or that rounded up to 0 or 1."""
    context: ContextSettings

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        wide = self.features * self.width
        if abs(wide - round(wide)) > 1e-6 or round(wide) < 2 or round(wide) % 2:
            raise ValueError(f"width: {self.features} features times {self.width:g} must be an even number")
        return self

    @property
    def scaled_features(self) -> int:
        """n times the factor on it."""
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
    """Bits per symbol below which the rate costs nothing: 64 bpp / C."""
    rate: Literal["both", "mask"]
    """Rate: half of the bits, half of the bits times the mask; or the latter alone, as in its paper."""
    context_loss: Literal["shared", "own"]
    """What trains the context model: the rate, which ends at the target; or its own cross entropy, always."""
    weight_decay: Annotated[float, Field(ge=0)]
    """L2 on the weights of encoder and decoder: this times half the sum of their squares."""
    centre_decay: Annotated[float, Field(ge=0)]
    """The same on the centres."""
    centre_range: Annotated[float, Field(gt=0)]
    """Centres start at random within +- this."""
    clamp: bool
    """Measure the distortion on the clipped image, as in the released code."""
    learning_rates: LearningRates
    initialization: Literal["torch", "components"]
    """torch: the library's; components: fitted to the images, see cvqn.start."""
