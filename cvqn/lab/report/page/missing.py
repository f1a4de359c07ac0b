"""The results of a scale that are still missing."""

import os
from collections.abc import Iterable
from typing import NamedTuple

from cvqn.lab.report import registry
from cvqn.lab.report.sources import Sources


class Part(NamedTuple):
    """A kind of result: how many there should be, and the names of those that are missing."""

    name: str
    total: int
    missing: tuple[str, ...]


def parts(sources: Sources) -> list[Part]:
    """Every kind of result that the target `all` makes."""
    configuration, results = sources.configuration, sources.results
    trainings = {run.training: results.training_files(run.training) for run in sources.runs}
    measured = {
        run.name: [results.measurements(sources.codec(run.experiment), run.name)]
        for run in configuration.at_checkpoints(sources.runs)
    }
    codecs = {codec: [results.measurements(codec)] for codec in configuration.measured_codecs()}
    entries = {
        what: [one for one in registry.possible(all_of, configuration, results) if one.target == "all"]
        for what, all_of in (("tables", registry.TABLES), ("figures", registry.FIGURES))
    }
    tables = {one.name: [results.table(one.name)] for one in entries["tables"]}
    figures = {one.name: [results.figure(one.name)] for one in entries["figures"]}
    documents = {"audit.json": [f"{results.root}/audit.json"], "metrics.json": [results.metrics]}
    return [
        _part("trainings", trainings),
        _part("measurements of trained models", measured),
        _part("measurements of conventional codecs", codecs),
        _part("tables", tables),
        _part("figures", figures),
        _part("audit and metrics", documents),
    ]


def _part(name: str, files: dict[str, list[str]]) -> Part:
    return Part(name, len(files), tuple(one for one, paths in files.items() if not _all_exist(paths)))


def _all_exist(paths: Iterable[str]) -> bool:
    return all(os.path.exists(path) for path in paths)
