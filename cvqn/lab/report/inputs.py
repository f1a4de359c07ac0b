"""The files that a report is made from. Imports nothing heavy, because every job of the workflow imports it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cvqn.lab.report import published
from cvqn.lab.settings.configuration import Configuration
from cvqn.lab.settings.paths import Results
from cvqn.lab.settings.runs import Run

CLAIMS = Path(__file__).with_name("paper.yaml")
STATEMENTS = Path(__file__).with_name("itself.yaml")
TEMPLATE = Path(__file__).parent / "audit" / "audit.html.j2"
PAGE_PARTS = tuple(
    Path(__file__).parent / "page" / name
    for name in ("page.html.j2", "page.css", "chart.js", "figures.js", "compare.js", "lists.js")
)
"""The report page's template, then the files that are inlined into it."""
Kind = Literal[
    "measurements",
    "analyses",
    "trainings",
    "complexity",
    "toy",
    "shown",
    "crops",
    "images",
    "published",
    "claims",
    "starts",
]


@dataclass(frozen=True, eq=False)
class Inputs:
    """The files of a scale by kind, including those of a target's own experiments."""

    configuration: Configuration
    results: Results
    target: str = "all"

    @property
    def runs(self) -> list[Run]:
        """Every training that is reported on; for the target `learned`, those of its curves."""
        if self.target == "learned":
            return self.configuration.runs([one for names in self.learned_curves.values() for one in names])
        beyond = self.configuration.runs(self.configuration.beyond.get(self.target, ()))
        return list(dict.fromkeys([*self.configuration.runs(), *beyond]))

    @property
    def toy(self) -> Run:
        """The run of figure 1."""
        return Run(self.configuration.report.toy, self.configuration.seeds[0])

    @property
    def shown(self) -> Run:
        """The run of Figure 3, left, and of Figure 4."""
        return Run(self.configuration.report.figure4.experiment, self.configuration.seeds[0])

    @property
    def method(self) -> str:
        """The codec of the rate curve, with which the others are compared."""
        return self.codec(self.configuration.report.rate_curve[0])

    @property
    def learned_curves(self) -> dict[str, list[str]]:
        """The experiments of each learned codec's curve; the codec of the rate curve is first."""
        found = {self.method: list(self.configuration.report.rate_curve)}
        more = self.configuration.learned_curves if self.target == "learned" else ()
        for experiment in dict.fromkeys([*self.configuration.report.learned, *more]):
            found.setdefault(self.codec(experiment), []).append(experiment)
        return found

    def files(self, *kinds: Kind) -> list[str]:
        """The files of these kinds; only codecs with channels have analyses."""
        return [file for kind in kinds for file in self._files(kind)]

    def codec(self, experiment: str) -> str:
        """The codec of an experiment."""
        return self.configuration.experiments[experiment].codec

    def analysis(self, run: Run) -> str:
        """The folder of a run's analysis."""
        return self.results.analysis(self.codec(run.experiment), run.name)

    def _files(self, kind: Kind) -> list[str]:
        match kind:
            case "measurements":
                return [*self._measurements(), *map(self.results.measurements, self.configuration.measured_codecs())]
            case "analyses":
                return [file for run in self.runs for file in self._analysis(run)]
            case "trainings":
                return [file for run in self.runs for file in self.results.training_files(run.training)]
            case "complexity":
                return [self.results.complexity(self.target)]
            case "toy":
                return self._analysis(self.toy)
            case "shown":
                return self._analysis(self.shown)
            case "crops":
                return [f"{self.results.crops}/{name}" for name in ("crops.csv", *self._pictures())]
            case "images":
                return [f"data/sets/{self.configuration.data.evaluation}/index.json"]
            case "published":
                return published.files()
            case "starts":  # most scales have none, and then no such table
                runs = self.configuration.runs(self.configuration.report.starts)
                return [self.results.measurements(self.codec(run.experiment), run.name) for run in runs]
            case "claims":
                return [os.path.relpath(CLAIMS)]

    def _measurements(self) -> list[str]:
        return [
            self.results.measurements(self.codec(run.experiment), run.name)
            for run in self.configuration.at_checkpoints(self.runs)
        ]

    def _analysis(self, run: Run) -> list[str]:
        has_channels = self.configuration.experiments[run.experiment].learned_codec.has_channels
        return self.results.analysis_files(self.codec(run.experiment), run.name) if has_channels else []

    def _pictures(self) -> list[str]:
        figure = self.configuration.report.figure4
        codecs = ["original", *self.configuration.figure4_runs()]
        return [f"{image.name}-{codec}.png" for image in figure.images for codec in codecs]
