"""Records the reports of a scale again in a plain clone, after a change of their code or words."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cvqn.errors import CvqnError
from cvqn.files import atomic_write, sha256_file
from cvqn.lab.provenance.snakemake_records import Jobs, made_as, read_jobs
from cvqn.lab.provenance.training import FILE, read_provenance
from cvqn.lab.record import checksums, guards, remake, verify
from cvqn.lab.record.dvc_stage import LOCK, read_stage
from cvqn.lab.record.record import alone, describe, undone_on_error
from cvqn.lab.record.recorded import RESULTS, Recorded, read_recorded, record_folder
from cvqn.lab.settings import configuration as configurations
from cvqn.lab.settings.configuration import Configuration
from cvqn.lab.settings.paths import Results
from cvqn.lab.settings.runs import Run


def record_reports(scale: str) -> list[str]:
    """Make settings, tables, curves, metrics and audit again from the recorded measurements, and record them.

    Everything else stays as it is recorded: measurements, analyses of channels, bitstreams, and what DVC keeps, which
    need not be here. Returns the paths to commit to git.

    Raises:
        CvqnError: the tree is not clean, a committed file is not as recorded, a training is of other settings than the
            stage's, or a report cannot be made; then the previous record is unchanged.
    """
    stage = read_stage(scale)
    with alone():
        guards.require_clean_tree(stage)
        guards.require_idle()
        configuration = configurations.resolve(stage.overlays)
        guards.require_of_scale(stage, scale, configuration)
        recorded, results = read_recorded(scale), Results(configuration.results.as_posix())
        _require_as_recorded(recorded)
        _require_its_trainings(recorded, configuration)
        before = recorded.jobs()
        with tempfile.TemporaryDirectory() as scratch:
            wanted = _reports(recorded, before, results, stage.outputs)
            made, jobs = _make(Path(scratch), configuration, results, wanted)
            with undone_on_error([LOCK, record_folder(scale), checksums.LIST, *map(Path, made)]):
                for path in made:
                    with open(Path(scratch, path), "rb") as source, atomic_write(path) as file:
                        shutil.copyfileobj(source, file)
                stage.commit_present()
                files = recorded.files | {path: sha256_file(path) for path in made}
                describe(stage, configuration, files).write(before | jobs)
                checksums.write_checksums()
    return [str(LOCK), str(checksums.LIST), str(RESULTS / scale)]


def _require_as_recorded(recorded: Recorded) -> None:
    for check in verify.checksums_of(recorded):
        if check.differences:
            raise CvqnError(f"{check.what}: {check.differences[0]}; get it again with git checkout, then record")


def _require_its_trainings(recorded: Recorded, configuration: Configuration) -> None:
    for folder in sorted((record_folder(recorded.scale) / "runs").iterdir()):
        run = Run.parse(folder.name)
        experiment = configuration.experiments.get(run.experiment)
        if experiment is None or not (folder / FILE).exists():
            continue
        made = configurations.lasting(read_provenance(folder).settings)
        if keys := list(_differing(made, configurations.lasting(experiment.plain()))):
            raise CvqnError(
                f"{run.name}: was trained with other settings than are planned now ({', '.join(keys)}); run the "
                "workflow, then cvqn record without --reports"
            )


def _differing(before: object, now: object, name: str = "") -> Iterator[str]:
    """The keys of nested settings whose values differ; a key that only one side has is of another version."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for part in before:
            if part in now:
                yield from _differing(before[part], now[part], f"{name}.{part}".lstrip("."))
    elif json.dumps(before) != json.dumps(now):
        yield name


def _reports(recorded: Recorded, jobs: Jobs, results: Results, kept: Sequence[tuple[str, bool]]) -> list[str]:
    """The files that git keeps and that the report's rules made and can make here."""
    in_git = [Path(output) for output, cached in kept if not cached]
    here = [path for path in recorded.files if Path(path).is_file()]
    outputs = {path: made_as(path, jobs) for path in here if any(Path(path).is_relative_to(one) for one in in_git)}
    return [
        path
        for path, output in outputs.items()
        if output in jobs and jobs[output].rule in remake.RULES and not remake.missing(output, jobs, results)
    ]


def _make(
    scratch: Path, configuration: Configuration, results: Results, wanted: Sequence[str]
) -> tuple[list[str], Jobs]:
    """Make reports and config.yaml in a folder of their own; returns the files and their jobs."""
    remake.lay_out(scratch, results)
    (scratch / results.config).unlink()
    configurations.write(configuration, scratch / "settings.yaml")
    files = [*wanted, results.config]
    if failed := remake.make(scratch, results, files, "settings.yaml"):
        raise CvqnError(f"a report cannot be made: {failed}")
    with contextlib.chdir(scratch):
        return files, read_jobs(files)
