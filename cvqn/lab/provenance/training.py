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
    first_phase: "Provenance | None" = None
    """Of the finished training whose model fine-tuning began with, if it did not begin with its own first phase."""

    @property
    def gpu_name(self) -> str | None:
        """The GPU's name, or None if the training used none."""
        return self.gpu and self.gpu.name

    @property
    def parts(self) -> tuple["Provenance", ...]:
        """This training, after the one that took the place of its first phase if there is one."""
        return (*(self.first_phase.parts if self.first_phase else ()), self)

    @property
    def machines(self) -> str:
        """The GPU or the processor of each part."""
        names = [part.gpu_name or str(part.machine["processor"]) for part in self.parts]
        return ", then ".join(dict.fromkeys(names))

    @property
    def all_seconds(self) -> float:
        """Wall time of all parts."""
        return sum(part.seconds for part in self.parts)

    @property
    def all_cpu_seconds(self) -> float:
        """Processor time of all parts."""
        return sum(part.cpu_seconds for part in self.parts)

    @property
    def gpu_seconds(self) -> float:
        """Wall time of the parts that ran on a GPU."""
        return sum(part.seconds for part in self.parts if part.gpu)

    @property
    def crops(self) -> int:
        """Crops seen in all phases, with repetitions."""
        training, first = self.settings["training"], self.first_phase
        tuning = training.get("fine_tuning")
        if tuning is None:
            return self.steps * int(training["batch"])
        tuned = self.steps * tuning["epochs"] // (training["epochs"] + tuning["epochs"])
        before = first.crops if first else (self.steps - tuned) * int(training["batch"])
        return before + tuned * int(tuning["batch"])


def read_provenance(training: str | Path) -> Provenance:
    """The provenance in the folder of a finished training.

    Raises:
        CvqnError: it is missing or damaged.
    """
    return read_checked(Provenance, Path(training) / FILE, "train again")
