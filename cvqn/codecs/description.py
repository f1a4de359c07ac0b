"""model.json, the description in a model folder. Reading it needs neither the tensors nor torch."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from cvqn.errors import CvqnError
from cvqn.files import read_json
from cvqn.settings import Settings

FORMAT = 2
FILES = ("model.json", "model.safetensors")


class _Said(Settings):
    """Statements about the origin of a model; keys beyond the declared ones are allowed."""

    model_config = ConfigDict(extra="allow")


class ImageSet(_Said):
    """A set of training images."""

    name: str
    """Name of its manifest."""
    licence: str
    """Licence of its images."""


class TrainingImages(_Said):
    """The images that a model was trained on."""

    count: Annotated[int, Field(ge=0)]
    """Number of images in all sets."""
    sets: tuple[ImageSet, ...]
    """The sets that they are from."""


class About(_Said):
    """Where a model comes from: a run of the workflow, which needs `scale` and `step`, or another `origin`."""

    run: str | None = None
    """Name of the run that trained it."""
    scale: str | None = None
    """Scale of the workflow."""
    step: Annotated[int, Field(ge=0)] | None = None
    """Steps that it was trained for."""
    origin: str | None = None
    """Source of a model that no run of the workflow trained."""
    training_images: TrainingImages | None = None
    """The images that a built-in model was trained on."""
    training_seconds: Annotated[float, Field(ge=0)] | None = None
    """Wall time of a built-in model's training."""
    training_machine: str | None = None
    """Processor or GPU that a built-in model was trained on."""
    torch: str | None = None
    """Version of PyTorch that a built-in model was trained with."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.run is not None and self.origin is None and (self.scale is None or self.step is None):
            raise ValueError(f"run {self.run!r} without the scale and step of it, and without an origin")
        if self.training_seconds is not None and (self.training_machine is None or self.torch is None):
            raise ValueError("training_seconds without training_machine and torch")
        return self


class Description(Settings):
    """The content of model.json."""

    format: int
    """Version of the format."""
    model_id: str = Field(pattern="^[0-9a-f]{8}$")
    """First four bytes of the SHA-256 over all that determines a picture: codec, settings and every tensor."""
    codec: str
    """Name of the learned codec."""
    settings: dict[str, Any]
    """Settings of its network."""
    about: dict[str, Any]
    """Where the model comes from, checked by `About`: run, experiment, seed, scale, checkpoint, step."""


def describe(folder: str | Path) -> Description:
    """The description in a model folder; the tensors are not read.

    Raises:
        CvqnError: the folder is not a model's, has another format, or its model.json is invalid.
    """
    folder = Path(folder)
    for name in FILES:
        if not (folder / name).is_file():
            raise CvqnError(
                f"{folder}: not a model folder, {name} is missing; name the folder that has it, or get the model again"
            )
    content = read_json(folder / "model.json")
    if isinstance(content, dict) and content.get("format", FORMAT) != FORMAT:
        raise CvqnError(
            f"{folder}: model format {content['format']!r}, this version reads {FORMAT}; use the version that made it"
        )
    description = Description.parse(content, f"{folder / 'model.json'}: not the description of a model")
    About.parse(description.about, f"{folder / 'model.json'}: about")
    return description
