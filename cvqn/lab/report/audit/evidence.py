"""The results of a scale as the audit needs them; what is missing raises NotMeasured."""

import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from cvqn.documents import read_checked
from cvqn.lab.provenance.training import FILE, Provenance, read_provenance
from cvqn.lab.report.audit.verdicts import NotMeasured
from cvqn.lab.report.job_files import AGAIN, Identities
from cvqn.lab.report.runs import MeasuredExperiment
from cvqn.lab.report.sources import Sources
from cvqn.lab.settings.runs import CHECKPOINTS, Checkpoint, Run


@dataclass(frozen=True, eq=False)
class Evidence(Sources):
    """The results of one scale.

    `checkpoint` is the one to judge if a training has several; the paper's protocol is `best`.
    """

    checkpoint: Checkpoint = "best"

    @property
    def resamplings(self) -> int:
        """Resamplings of the images behind every interval."""
        return self.configuration.report.bootstrap

    @property
    def table_experiments(self) -> tuple[str, ...]:
        """The experiments of Tables 1 and 2."""
        report = self.configuration.report
        return tuple(dict.fromkeys([*report.table1, *report.table2]))

    @cached_property
    def identities(self) -> tuple[str, Identities]:
        """Path and content of the statements that hold by definition.

        Raises:
            NotMeasured: they were not checked.
        """
        path = self.results.identities
        if not os.path.exists(path):
            raise NotMeasured("the identities were not checked")
        return path, read_checked(Identities, Path(path), AGAIN)

    @cached_property
    def at_others(self) -> "dict[Checkpoint, Evidence]":
        """The same results with every training judged at another checkpoint, by checkpoint."""
        others = (checkpoint for checkpoint in CHECKPOINTS if checkpoint != self.checkpoint)
        return {checkpoint: replace(self, checkpoint=checkpoint) for checkpoint in others}

    def of(self, name: str) -> MeasuredExperiment | None:
        """The runs of an experiment at the checkpoint that is judged, or None if none was measured."""
        return (
            self.measured.by_protocol(name) if self.checkpoint == "best" else self.measured.get(name, self.checkpoint)
        )

    def trainings(self, name: str) -> list[str]:
        """The folders of the trainings of an experiment."""
        return [self.results.training(run.training) for run in self.runs if run.experiment == name]

    def experiment(self, name: str) -> MeasuredExperiment:
        """The runs of an experiment at the checkpoint that is judged.

        Raises:
            NotMeasured: no run of it was measured.
        """
        found = self.of(name)
        if found is None:
            raise self._missing(name, f"no run of {name} was measured")
        return found

    def analysed_runs(self, name: str) -> list[str]:
        """The names of an experiment's runs whose channels were analysed.

        Raises:
            NotMeasured: there are none.
        """
        found = [run.name for run in self.analysed if run.experiment == name]
        if not found:
            raise self._missing(name, f"no run of {name} was analysed")
        return found

    def provenance(self, name: str) -> tuple[str, Provenance]:
        """Path and content of the provenance of an experiment's first run.

        Raises:
            NotMeasured: that run has none.
        """
        path = self._of_first_run(name, FILE)
        return path, read_provenance(Path(path).parent)

    def log(self, name: str) -> str:
        """The training log of an experiment's first run.

        Raises:
            NotMeasured: that run has none.
        """
        return self._of_first_run(name, "log.csv")

    def logs(self) -> dict[str, list[str]]:
        """The existing training logs, by experiment."""
        found: dict[str, list[str]] = {}
        for run in self.runs:
            path = f"{self.results.training(run.training)}/log.csv"
            if os.path.exists(path):
                found.setdefault(run.experiment, []).append(path)
        return found

    def _of_first_run(self, name: str, file: str) -> str:
        run = Run(name, self.configuration.seeds[0])
        path = f"{self.results.training(run.training)}/{file}"
        if run not in self.runs or not os.path.exists(path):
            raise self._missing(name, f"the training {run.training} left no {file}")
        return path

    def _missing(self, name: str, what: str) -> NotMeasured:
        extra = "; it is one of the extras, which the target `extras` runs and judges"
        return NotMeasured(what + extra * (name in self.configuration.extras))
