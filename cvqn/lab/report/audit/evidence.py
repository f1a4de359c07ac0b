"""What the audit asks of a scale's results, and what it says where they are not there."""

import os
from functools import cached_property

from cvqn.lab.report.audit.verdicts import NotMeasured
from cvqn.lab.report.documents import Identities, Provenance, read_document
from cvqn.lab.report.runs import Experiment
from cvqn.lab.report.sources import Sources
from cvqn.lab.settings.runs import Run


class Evidence(Sources):
    """The results of one scale."""

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
        return path, read_document(Identities, path)

    def experiment(self, name: str) -> Experiment:
        """The runs of an experiment by the paper's protocol, see `Runs.by_protocol`.

        Raises:
            NotMeasured: no run of it was measured.
        """
        found = self.measured.by_protocol(name)
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
        path = self._of_first_run(name, "provenance.json")
        return path, read_document(Provenance, path)

    def log(self, name: str) -> str:
        """The training log of an experiment's first run.

        Raises:
            NotMeasured: that run has none.
        """
        return self._of_first_run(name, "log.csv")

    def logs(self) -> dict[str, list[str]]:
        """The training logs that are there, by experiment."""
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
