"""provenance.json: what a finished training was made from, and what it cost."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from cvqn.documents import Document, read_checked

FILE = "provenance.json"
Amount = Annotated[float, Field(ge=0)]
Number = Annotated[int, Field(ge=1)]


class ImageSet(Document):
    """A data set, and the checksum of its manifest."""

    name: str
    manifest_sha256: str


class Images(Document):
    """The images of a training."""

    count: Number
    pack_sha256: str
    sets: list[ImageSet]

    @property
    def names(self) -> list[str]:
        """The names of the sets."""
        return [one.name for one in self.sets]


class Gpu(Document):
    """The GPU of a training."""

    name: str


class Provenance(Document):
    """The fields of provenance.json that are read; `cvqn.lab.training.job` writes the file."""

    key: str
    """The name of the store's entry that the training's outputs were made from."""
    seed: int
    settings: dict[str, Any]
    code: dict[str, str]
    training_images: Images
    selecting_images: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """The images that select checkpoints, by checkpoint."""
    optimizer: str
    steps: Number
    seconds: Amount
    cpu_seconds: Amount
    gpu: Gpu | None
    peak_memory_bytes: Number | None
    source: dict[str, Any] | None
    machine: dict[str, Any]
    libraries: dict[str, str | None]

    @property
    def gpu_name(self) -> str | None:
        """The GPU's name, or None if the training used none."""
        return self.gpu and self.gpu.name


def read_provenance(training: str | Path) -> Provenance:
    """The provenance in the folder of a finished training.

    Raises:
        CvqnError: it is missing or damaged.
    """
    return read_checked(Provenance, Path(training) / FILE, "train again")
