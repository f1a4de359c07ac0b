"""What a model folder says of itself, model.json; without its tensors, and without torch."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from cvqn.errors import CvqnError
from cvqn.files import read_json
from cvqn.settings import Settings

FORMAT = 2
FILES = ("model.json", "model.safetensors")


class _Said(Settings):
    """What a model says of its making: these keys have these types, others are allowed."""

    model_config = ConfigDict(extra="allow")


class ImageSet(_Said):
    """A set of training images."""

    name: str
    """Of its manifest."""
    licence: str
    """Of its images."""


class TrainingImages(_Said):
    """What a model was trained on."""

    count: Annotated[int, Field(ge=0)]
    """Images in all."""
    sets: tuple[ImageSet, ...]
    """Where they are from."""


class About(_Said):
    """Where a model comes from: a run of the workflow, which has a scale and steps, or what `origin` says."""

    run: str | None = None
    """Name of the run that trained it."""
    scale: str | None = None
    """Scale of the workflow."""
    step: Annotated[int, Field(ge=0)] | None = None
    """Steps that it was trained for."""
    origin: str | None = None
    """Where a model from elsewhere is from."""
    training_images: TrainingImages | None = None
    """What it was trained on, of a shipped model."""
    training_seconds: Annotated[float, Field(ge=0)] | None = None
    """How long, of a shipped model."""
    training_machine: str | None = None
    """On what processor or GPU, of a shipped model."""
    torch: str | None = None
    """Version, of a shipped model."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.run is not None and self.origin is None and (self.scale is None or self.step is None):
            raise ValueError(f"run {self.run!r} without the scale and step of it, and without an origin")
        if self.training_seconds is not None and (self.training_machine is None or self.torch is None):
            raise ValueError("training_seconds without training_machine and torch")
        return self


class Description(Settings):
    """model.json."""

    format: int
    """Version of the format."""
    model_id: str = Field(pattern="^[0-9a-f]{8}$")
    """Four bytes of the SHA-256 over all that decides a picture: codec, settings and every tensor."""
    codec: str
    """Name of the learned codec."""
    settings: dict[str, Any]
    """What builds its network."""
    about: dict[str, Any]
    """Where the model comes from, checked as `About`: run, experiment, seed, scale, checkpoint, step."""


def describe(folder: str | Path) -> Description:
    """The description in a model folder; its tensors are not looked at.

    Raises:
        CvqnError: the folder is not a model's, its format is another, or it says of its origin what makes no sense.
    """
    folder = Path(folder)
    for name in FILES:
        if not (folder / name).is_file():
            raise CvqnError(f"{folder}: not a model folder, {name} is missing")
    content = read_json(folder / "model.json")
    if isinstance(content, dict) and content.get("format", FORMAT) != FORMAT:
        raise CvqnError(f"{folder}: model format {content['format']!r}, this version reads {FORMAT}")
    description = Description.parse(content, f"{folder / 'model.json'}: not the description of a model")
    About.parse(description.about, f"{folder / 'model.json'}: about")
    return description
