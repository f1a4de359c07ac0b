"""Renews the record of a scale in a plain clone: its reports, and the trainings that were made again there."""

import contextlib
import functools
import json
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from cvqn.errors import CvqnError
from cvqn.files import atomic_write, sha256_file
from cvqn.lab.provenance.snakemake_records import Jobs, made_as, read_jobs, with_folders
from cvqn.lab.provenance.training import FILE, read_provenance
from cvqn.lab.record import checksums, guards, remake, verify
from cvqn.lab.record.commands import dvc
from cvqn.lab.record.dvc_stage import LOCK, Stage, read_stage
from cvqn.lab.record.record import alone, describe, made_again, undone_on_error
from cvqn.lab.record.recorded import RESULTS, Recorded, read_recorded, record_folder
from cvqn.lab.settings import configuration as configurations
from cvqn.lab.settings.configuration import Configuration
from cvqn.lab.settings.paths import Results
from cvqn.lab.settings.runs import Run


def record_reports(scale: str) -> list[str]:
    """Make settings, tables, curves, metrics and audit again from the recorded measurements, and record them.

    Everything else stays as it is recorded: measurements, analyses of channels, bitstreams, and what DVC keeps, which
    need not be here. But if jobs of the workflow have made any of it again, that is recorded and pushed. Of what DVC
    keeps, only what is here then stays in the record, with the logs of all trainings: the rest would be of another
    state. Returns the paths to commit to git.

    Raises:
        CvqnError: the tree is not clean, a file is neither as recorded nor made again by a job, a training is of other
            settings than the stage's, or a report cannot be made; then the previous record is unchanged.
    """
    stage = read_stage(scale)
    with alone():
        guards.require_clean_tree(stage)
        guards.require_idle()
        configuration = configurations.resolve(stage.overlays)
        guards.require_of_scale(stage, scale, configuration)
        recorded, results = read_recorded(scale), Results(configuration.results.as_posix())
        before = recorded.jobs()
        changed = _changed(stage, recorded)
        rules = {path: before[output].rule for path in changed if (output := made_as(path, before))}
        reports = {path for path, rule in rules.items() if rule in ("config", *remake.RULES)}  # made again below
        renews = any(path not in reports or stage.holds(path) for path in changed)
        renewed = {path: checksum for path, checksum in changed.items() if path not in reports} if renews else {}
        _require_as_recorded(recorded, [path for path in changed if path in renewed or stage.holds(path)])
        _require_its_trainings(recorded, configuration, results)
        if renews:
            stage.require_remote()
            jobs_here = read_jobs(with_folders(renewed))
            again = functools.partial(made_again, jobs_here, stage, configuration)
            trained = [path for path in renewed if Path(path).is_relative_to(Path(results.root, "runs"))]
            guards.require_made_by_jobs([path for path in renewed if path not in trained], jobs_here, {}, again)
            before |= jobs_here
            _place_logs(recorded, results)
            recorded = recorded.model_copy(update={"files": _files_here(stage, recorded, renewed)})
        with tempfile.TemporaryDirectory() as scratch:
            wanted = _reports(
                recorded, before, results, [path for path, cached in stage.outputs if renews or not cached]
            )
            made, jobs = _make(Path(scratch), configuration, results, wanted)
            if renews:  # models as evaluations have read them, logs as the reports have
                guards.require_made_by_jobs(trained, before | jobs, {}, again)
            with undone_on_error([LOCK, record_folder(scale), checksums.LIST, *map(Path, made)]):
                for path in made:
                    with open(Path(scratch, path), "rb") as source, atomic_write(path) as file:
                        shutil.copyfileobj(source, file)
                stage.commit_present()
                if renews:
                    stage.forget_absent()
                    dvc("push", stage.name)
                files = recorded.files | {path: sha256_file(path) for path in made}
                describe(stage, configuration, files).write(before | jobs)
                checksums.write_checksums()
    return [str(LOCK), str(checksums.LIST), str(RESULTS / scale)]


def _changed(stage: Stage, recorded: Recorded) -> dict[str, str]:
    """The SHA-256 of the files that are here and not as recorded, by path."""
    found = {path: sha256_file(path) for path in stage.present()}
    return {path: checksum for path, checksum in found.items() if recorded.files.get(path) != checksum}


def _place_logs(recorded: Recorded, results: Results) -> None:
    """Copy the recorded logs of the trainings that are not here, so that DVC keeps those of all trainings."""
    folder = record_folder(recorded.scale)
    for copy in sorted(folder.glob("runs/*/*")):
        place = Path(results.root, copy.relative_to(folder))
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(copy, place)


def _files_here(stage: Stage, recorded: Recorded, renewed: Mapping[str, str]) -> dict[str, str]:
    """The files of the record with those made again, less those of DVC that are not here."""
    kept = (path for path in recorded.files if Path(path).exists() or not stage.holds(path))
    return {path: recorded.files[path] for path in kept} | dict(renewed)


def _require_as_recorded(recorded: Recorded, renewed: Collection[str]) -> None:
    for check in verify.checksums_of(recorded):
        if check.differences and not set(check.files) & set(renewed):
            raise CvqnError(f"{check.what}: {check.differences[0]}; get it again with git checkout, then record")


def _require_its_trainings(recorded: Recorded, configuration: Configuration, results: Results) -> None:
    for copies in sorted((record_folder(recorded.scale) / "runs").iterdir()):
        run = Run.parse(copies.name)
        folder = Path(results.training(run.training))
        folder = folder if (folder / FILE).exists() else copies
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


def _reports(recorded: Recorded, jobs: Jobs, results: Results, among: Sequence[str]) -> list[str]:
    """The files in these outputs that the report's rules made and can make here."""
    here = [path for path in recorded.files if Path(path).is_file()]
    outputs = {path: made_as(path, jobs) for path in here if any(Path(path).is_relative_to(one) for one in among)}
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
