"""Every path under results/<scale>; arguments may be Snakemake wildcards such as `{run}`."""

from dataclasses import dataclass
from pathlib import PurePath

MODEL_FILES = ("model.json", "model.safetensors")
ANALYSIS_FILES = ("channels.csv", "groups.csv", "maps.npz", "importance.json")
TRAINING_FILES = ("log.csv", "monitor.csv", "provenance.json")
IN_GIT = (
    "config.yaml", "bitstreams", "measurements", "analysis", "curves", "tables", "metrics.json", "audit.json",
    "audit.md", "audit.html", "record",
)  # fmt: skip
"""The parts of a recorded scale's results that git holds."""


@dataclass(frozen=True)
class Results:
    """The results of a scale, in the folder `root`."""

    root: str

    @property
    def config(self) -> str:
        """The resolved configuration, for readers."""
        return f"{self.root}/config.yaml"

    @property
    def store(self) -> str:
        """The store of trainings."""
        return f"{self.root}/trainings"

    def plan(self, digest: str) -> str:
        """The plan file with this digest."""
        return f"{self.root}/plans/{digest}.json"

    def training(self, training: str) -> str:
        """The folder of a training's outputs."""
        return f"{self.root}/runs/{training}"

    def training_files(self, training: str) -> list[str]:
        """Log, monitored evaluations and provenance of a training."""
        return [f"{self.training(training)}/{name}" for name in TRAINING_FILES]

    def model(self, training: str, checkpoint: str) -> str:
        """The folder of a trained model."""
        return f"{self.training(training)}/{checkpoint}"

    def model_files(self, training: str, checkpoint: str) -> list[str]:
        """The files of a trained model."""
        return [f"{self.model(training, checkpoint)}/{name}" for name in MODEL_FILES]

    def archive(self, codec: str, setting: str) -> str:
        """The bitstreams of a codec at a quality, or of a run; the table of sizes and seconds is beside it."""
        return f"{self.root}/bitstreams/{codec}/{setting}.tar"

    def archive_table(self, codec: str, setting: str) -> str:
        """The table beside an archive."""
        return f"{self.root}/bitstreams/{codec}/{setting}.csv"

    def measurements(self, codec: str, setting: str | None = None) -> str:
        """The measurements of a conventional codec, or of one run of a learned one; their record is beside them."""
        return (
            f"{self.root}/measurements/{codec}.csv"
            if setting is None
            else (f"{self.root}/measurements/{codec}/{setting}.csv")
        )

    def analysis(self, codec: str, run: str) -> str:
        """The folder of a run's analysis by channel."""
        return f"{self.root}/analysis/{codec}/{run}"

    def analysis_files(self, codec: str, run: str) -> list[str]:
        """The files of a run's analysis."""
        return [f"{self.analysis(codec, run)}/{name}" for name in ANALYSIS_FILES]

    @property
    def identities(self) -> str:
        """The check of the statements that hold by definition."""
        return f"{self.root}/analysis/identities.json"

    def complexity(self, target: str) -> str:
        """Parameters and operations of the networks of a target."""
        return f"{self.root}/analysis/complexity-{target}.csv"

    @property
    def crops(self) -> str:
        """The folder of figure 4's crops."""
        return f"{self.root}/crops"

    @property
    def metrics(self) -> str:
        """The headline numbers."""
        return f"{self.root}/metrics.json"

    @property
    def page(self) -> str:
        """The report page."""
        return f"{self.root}/report/index.html"

    @property
    def pictures(self) -> str:
        """The folder of the decoded pictures that the report page shows."""
        return f"{self.root}/report/pictures"

    def table(self, name: str) -> str:
        """A table; the same as Markdown is beside it."""
        return f"{self.root}/tables/{name}.csv"

    def figure(self, name: str) -> str:
        """A figure; .png and .csv are beside it."""
        return f"{self.root}/figures/{name}.svg"

    def curve(self, name: str) -> str:
        """A measured rate-distortion curve."""
        return f"{self.root}/curves/{name}.csv"


def sidecar(table: str) -> str:
    """The record beside a table of measurements."""
    return table.removesuffix(".csv") + ".json"


def is_in_git(path: str) -> bool:
    """Whether a clone of the project has this file, `path` relative to the project, once its scale is recorded."""
    parts = PurePath(path).parts
    return parts[0] != "results" or parts[2] in IN_GIT
