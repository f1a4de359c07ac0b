"""The sections of a configuration other than its experiments."""

from typing import Annotated, Literal

from pydantic import Field

from cvqn.lab.settings.runs import Checkpoint
from cvqn.settings import Device, Positive, Settings

Pixels = Annotated[int, Field(ge=0)]
Names = Annotated[tuple[str, ...], Field(min_length=1)]


class DataSettings(Settings):
    """Sets of images, by the names of their manifests."""

    train: Names
    """Sets to train on."""
    evaluation: str
    """Set to encode and measure; never trained on."""
    selection: str | None
    """Set whose images select the checkpoint `best` of each training; null: the evaluation set, as in the paper."""
    held_out: str | None
    """Set, other than the evaluation set, whose images (the middle of each) select a further checkpoint, `held-out`;
    null: no such checkpoint."""

    @property
    def selecting(self) -> dict[Checkpoint, str]:
        """The sets whose images select checkpoints, by checkpoint; never trained on."""
        best: dict[Checkpoint, str] = {"best": self.selection or self.evaluation}
        return best if self.held_out is None else best | {"held-out": self.held_out}

    @property
    def sets(self) -> tuple[str, ...]:
        """Every set, once."""
        return tuple(dict.fromkeys([*self.train, self.evaluation, *self.selecting.values()]))


class EvaluationSettings(Settings):
    """How trained models are evaluated."""

    device: Device
    """Where the transforms run."""
    threads: Positive
    """CPU threads of the transforms."""


class CropSettings(Settings):
    """A crop that a figure shows."""

    name: str
    """The evaluation image."""
    box: tuple[Pixels, Pixels, Pixels, Pixels]
    """Left, top, width and height in pixels."""


class Figure4Settings(Settings):
    """Figure 4."""

    experiment: str
    """Experiment whose first run is shown."""
    codecs: tuple[str, ...]
    """Codecs to compare with, each at the quality nearest in rate; learned ones only if `report.learned` has any."""
    images: Annotated[tuple[CropSettings, ...], Field(min_length=1)]
    """The crops to show."""


class ReportSettings(Settings):
    """What the tables and figures show."""

    rate_curve: Names
    """Experiments of Figure 3."""
    table1: Names
    """Experiments of Table 1, the baseline first."""
    table2: Names
    """Experiments of Table 2, the baseline first."""
    learned: tuple[str, ...]
    """Experiments of other learned codecs, one curve per codec."""
    starts: tuple[str, ...]
    """Experiments with equal numbers of steps and different initializations, for the table `starts`."""
    toy: str
    """Experiment of Figure 1."""
    every_seed: tuple[Literal["rate_curve", "table1", "table2"], ...]
    """Parts of the report whose experiments are trained with every seed; all others are trained with the first."""
    figure1_image: str
    """The image whose quantized maps Figure 1 shows."""
    figure3_image: str
    """The image whose quantized maps are kept for all other experiments, for Figure 3."""
    figure4: Figure4Settings
    bootstrap: Annotated[int, Field(ge=10)]
    """Bootstrap resamplings of the images for each interval."""

    @property
    def experiments(self) -> tuple[str, ...]:
        """Every experiment that the report needs."""
        tables = (*self.table1, *self.table2, *self.starts)
        return tuple(dict.fromkeys([*self.rate_curve, *tables, self.toy, *self.learned]))

    @property
    def shown_images(self) -> dict[str, str]:
        """The images of the evaluation set that figures show, by key."""
        crops = {f"figure4.images.{place}": image.name for place, image in enumerate(self.figure4.images)}
        return {"figure1_image": self.figure1_image, "figure3_image": self.figure3_image, **crops}

    def shown_image(self, experiment: str) -> str:
        """The image whose quantized maps of an experiment are kept for a figure."""
        return self.figure1_image if experiment == self.toy else self.figure3_image

    def shows_influence(self, experiment: str) -> bool:
        """Whether the channels' influence is measured, for Figure 1 and Table 1; it costs one decoding per channel."""
        return experiment in (self.toy, *self.table1)


class QualitySettings(Settings):
    """A conventional codec."""

    qualities: tuple[int | float, ...]
    """Qualities on the codec's own scale, see docs/baselines.md; an empty list leaves the codec out."""


class PlanSettings(Settings):
    """Assumptions of forecasts."""

    train_minutes: Annotated[float, Field(gt=0)]
    """Wall time assumed for a training that has not finished."""
