"""CVQN's settings: the network (Section 3), and what its training adds to the settings of every codec (Section 4.1)."""

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cvqn.settings import Patch, Positive, Rate, Settings, TrainingSettings

Widths = tuple[Positive, Positive, Positive, Positive]


class ImportanceSettings(Settings):
    """The channel importance module (Section 3.3)."""

    kind: Literal["none", "predefined", "se", "re"]
    """none: no order, for a single group; predefined: fixed; se: squeeze and excitation; re: reconstruction error."""
    scale_latent: bool
    """se: multiply the latent by the weights w, so that they are trained; false: only sort by w, untrained."""
    reduction: Annotated[int, Field(ge=1, le=64)]
    """se: factor by which the module narrows its channels inside; 1 in the released code."""


class QuantizerSettings(Settings):
    """The GMM quantizer (Section 3.2)."""

    rule: Literal["responsibility", "nearest"]
    """responsibility: equation (3); nearest: the released code's rule."""
    mixture: bool
    """Learn weights and variances; false: the soft quantizer."""
    variance_floor: Annotated[float, Field(ge=0, le=0.1)]
    """Added to every learned variance."""


class ContextSettings(Settings):
    """The context model of each group."""

    width: Annotated[int, Field(ge=1, le=512)]
    """K, features of the masked convolutions."""
    relu_logits: bool
    """A ReLU on the logits, as in the released code."""
    detach_input: bool
    """Stop the rate's gradient at the context model's input."""


class ModelSettings(Settings):
    """The network."""

    channels: Annotated[int, Field(ge=1, le=1024)]
    """C, channels of the latent."""
    levels: Annotated[tuple[Annotated[int, Field(ge=2, le=16)], ...], Field(min_length=1, max_length=16)]
    """q, levels of each group; the group of the least important channels first."""
    ratios: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1, max_length=16)]
    """r, share of the channels in each group."""
    width: Annotated[float, Field(gt=0, le=4)]
    """Factor on all widths of encoder and decoder."""
    encoder_widths: Widths
    """C_0 to C_3, channels into each stage of the encoder."""
    decoder_widths: Widths
    """D_0 to D_3, channels into each stage of the decoder."""
    blocks: Annotated[int, Field(ge=1, le=64)]
    """B, residual channel attention blocks per stage."""
    attention_reduction: Annotated[int, Field(ge=1, le=64)]
    """Factor by which channel attention narrows its channels inside."""
    downsampling: Literal["shuffle", "strided"]
    """shuffle: equation (1); strided: a convolution of stride 2 in the encoder."""
    gdn: bool
    """GDN after every down-sampling and before every up-sampling, as in the released code."""
    importance: ImportanceSettings
    quantizer: QuantizerSettings
    context: ContextSettings

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.ratios) != len(self.levels):
            raise ValueError(f"levels: {len(self.levels)} levels for {len(self.ratios)} ratios; one per group each")
        if not math.isclose(sum(self.ratios), 1):
            raise ValueError(f"ratios: {list(self.ratios)} add up to {sum(self.ratios):g}; they must add up to 1")
        for ratio in self.ratios:
            if not _whole(self.channels * ratio):
                raise ValueError(
                    f"ratios: {ratio:g} of {self.channels} channels is {self.channels * ratio:g}; "
                    "every group needs a whole number of channels"
                )
        for name in ("encoder_widths", "decoder_widths"):
            for width in getattr(self, name):
                if not _whole(width * self.width):
                    raise ValueError(
                        f"width: {width} of {name} times {self.width:g} must be a whole number of at least 1"
                    )
        return self

    @property
    def group_sizes(self) -> tuple[int, ...]:
        """C r_g, channels of each group."""
        return tuple(round(self.channels * ratio) for ratio in self.ratios)


class LearningRates(Settings):
    """Learning rates of the parts of the network."""

    encoder: Rate
    """Of the encoder."""
    importance: Rate
    """Of the squeeze-and-excitation module."""
    quantizer: Rate
    """Of means, weights and variances."""
    context: Rate
    """Of the context models."""
    decoder: Rate
    """Of the decoder."""


class OrderSettings(Settings):
    """When SE and RE update the order of the channels, and the crops from which RE computes it."""

    every: Positive
    """Epochs between updates."""
    freeze: Positive
    """The last epoch after which the order may change."""
    images: Positive
    """N, number of fixed crops in equation (6)."""
    patch: Patch
    """Side of these crops in pixels."""


class Training(TrainingSettings):
    """The training."""

    alpha: Annotated[float, Field(gt=0)]
    """Weight of the distortion in equation (8)."""
    beta: Annotated[float, Field(ge=0)]
    """Weight of L_GMM in equation (8)."""
    clamp: bool
    """Measure the distortion on the clipped image."""
    reflect: Annotated[int, Field(ge=0)]
    """Mirrored pixels added around image and reconstruction before MS-SSIM, which gives borders little weight."""
    learning_rates: LearningRates
    mixture_rate: Annotated[float, Field(ge=0, le=1)]
    """Factor on the quantizer's rate for its weights and variances."""
    importance: OrderSettings
    initialization: Literal["torch", "variance", "components"]
    """torch: PyTorch's own; variance: variance-preserving; components: fitted to training images, see cvqn.start."""


def _whole(value: float) -> bool:
    return round(value) >= 1 and math.isclose(value, round(value), abs_tol=1e-6)
