"""Everything that the audit reads, opened once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from cvqn.lab.settings import configuration
from cvqn.lab.report.audit.verdicts import NotMeasured
from cvqn.lab.report.runs import Experiment, Runs
from cvqn.lab.report.sources import read_channels, read_groups, read_json, read_measurements, run_name


@dataclass(frozen=True)
class Evidence:
    """The results of one scale. What is missing is empty; a claim that needs it says so."""

    config_path: str
    config: dict
    measurements: pd.DataFrame
    channels: pd.DataFrame
    groups: pd.DataFrame
    run_folders: dict[str, Path] = field(default_factory=dict)
    identities: tuple[str, dict] | None = None

    @property
    def scale(self) -> str:
        return self.config["scale"]

    @property
    def resamplings(self) -> int:
        return self.config["report"]["bootstrap"]

    @cached_property
    def measured(self) -> Runs:
        return Runs(self.measurements)

    def experiment(self, name: str) -> Experiment:
        """The runs of an experiment by the paper's protocol, see `Runs.by_protocol`.

        Raises:
            NotMeasured: no run of it was measured.
        """
        found = self.measured.by_protocol(name)
        if found is None:
            raise self._missing(name, f"no run of {name} was measured")
        return found

    def analysed(self, name: str) -> list[str]:
        """The names of an experiment's runs whose channels were analysed.

        Raises:
            NotMeasured: there are none.
        """
        seeds = self.config["seeds"]
        found = [run_name(name, seed) for seed in seeds if run_name(name, seed) in set(self.groups["run"])]
        if not found:
            raise self._missing(name, f"no run of {name} was analysed")
        return found

    def provenance(self, name: str) -> tuple[str, dict]:
        """Path and content of the provenance of an experiment's first run.

        Raises:
            NotMeasured: that run's folder was not given or has none.
        """
        path = self._in_run(name, "provenance.json")
        return str(path), read_json(path)

    def log(self, name: str) -> Path:
        """The training log of an experiment's first run.

        Raises:
            NotMeasured: that run's folder was not given or has none.
        """
        return self._in_run(name, "log.csv")

    def _in_run(self, name: str, file: str) -> Path:
        run = run_name(name, self.config["seeds"][0])
        path = self.run_folders[run] / file if run in self.run_folders else None
        if path is None or not path.is_file():
            raise self._missing(name, f"the training {run} left no {file}")
        return path

    def _missing(self, name: str, what: str) -> NotMeasured:
        extra = "; it is one of the extras, which the target `extras` runs and judges"
        return NotMeasured(what + extra * (name in self.config["extras"]))


def read_evidence(
    config: str | Path,
    measurements: Sequence[str | Path] = (),
    analysis: Sequence[str | Path] = (),
    runs: Sequence[str | Path] = (),
    identities: str | Path | None = None,
) -> Evidence:
    """Open the files of one scale.

    Args:
        config: the resolved configuration.
        measurements: CSVs of `cvqn measure`.
        analysis: folders of `cvqn analyse`.
        runs: folders of trainings.
        identities: JSON of `cvqn identities`.

    Raises:
        CvqnError: a file is missing or damaged.
    """
    return Evidence(
        str(config),
        configuration.read(config),
        read_measurements(measurements),
        read_channels(analysis),
        read_groups(analysis),
        {Path(folder).name: Path(folder) for folder in runs},
        None if identities is None else (str(identities), read_json(identities)),
    )
