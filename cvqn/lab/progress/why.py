"""Why a run or a codec would be made again: what made its results, compared with the current settings and code."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cvqn.errors import CvqnError
from cvqn.lab.progress.scale import Scale
from cvqn.lab.provenance.fingerprint import Code, changes, digest
from cvqn.lab.provenance.plan import Plan, key
from cvqn.lab.provenance.snakemake_records import Job, read_jobs
from cvqn.lab.provenance.training import FILE, read_provenance
from cvqn.lab.settings.runs import Run


def why(plan: Plan, name: str) -> list[str]:
    """The keys, modules and versions that changed, a line each, after the name of their job (`train`, `evaluate` …).

    Args:
        plan: the current settings and code.
        name: a run or a conventional codec.

    Raises:
        CvqnError: the configuration has no such run or codec, or a file is damaged.
    """
    codecs = plan.configuration.measured_codecs()
    if name in codecs:
        archives = [plan.results.archive(name, str(quality)) for quality in codecs[name]]
        jobs = [(f"encode {name}", archives), (f"measure {name}", [plan.results.measurements(name)])]
        return [line for job, files in jobs for line in _job(plan, job, files)]
    run = Run.parse(name)
    if run not in plan.configuration.at_checkpoints(plan.configuration.every_run()):
        known = ", ".join([*(one.name for one in plan.configuration.every_run()), *codecs])
        raise CvqnError(f"{name}: no such run or codec at scale {plan.configuration.scale}; it has {known}")
    codec = plan.configuration.experiments[run.experiment].codec
    measured = plan.results.measurements(codec, run.name)
    return [*_training(plan, run, codec), *_job(plan, f"evaluate {codec}", [measured])]


def _training(plan: Plan, run: Run, codec: str) -> Iterator[str]:
    folders = [Path(plan.results.training(run.training)), Path(plan.results.root, "record", "runs", run.training)]
    folder = next((one for one in folders if (one / FILE).is_file()), None)
    if folder is None:
        yield f"train {run.training}: was not trained here"
        return
    made = read_provenance(folder)
    now = json.loads(json.dumps(plan.configuration.experiments[run.experiment].plain()))
    commit = (made.source or {}).get("commit") or "COMMIT"
    modules = [_with_command(one, commit) for one in _code(made.code, plan.code[key("train", codec)])]
    found = [*_settings(made.settings, now), *modules]
    scale = Scale(Path(plan.results.root), plan)
    sets = made.training_images.names
    wanted = list(plan.configuration.data.train)
    if sets != wanted:
        found.append(f"data.train: {', '.join(sets)} became {', '.join(wanted)}")
    if not found and scale.wanted(run) not in (None, made.key):
        found.append("its training or selection images")
    yield from _lines(f"train {run.training}", found or ["nothing changed"])


def _job(plan: Plan, job: str, files: list[str]) -> Iterator[str]:
    """Differences in code, found by the hash that Snakemake keeps for a job and the plan file with the same hash.

    Settings and inputs of a job are Snakemake's to compare.
    """
    jobs = read_jobs(files)
    found: list[str] = []
    for file in files:
        if file not in jobs or not Path(file).exists():
            found.append(f"{file} is not there")
        elif not _made_with(jobs[file], plan.code[job]):
            found += _code(_code_of(jobs[file], plan, job), plan.code[job])
    unchanged = "its code has not changed; snakemake -n says whether its settings or inputs have"
    yield from _lines(job, list(dict.fromkeys(found)) or [unchanged])


def _made_with(job: Job, code: Code) -> bool:
    return any(digest(code) in str(parameter) for parameter in job.whole["params"] or ())


def _code_of(job: Job, plan: Plan, name: str) -> Code | None:
    """The code that a job was planned with, from its plan file; None if that is gone."""
    for one in Scale(Path(plan.results.root)).plans:
        code = one.code.get(name)
        if code is not None and _made_with(job, code):
            return code
    return None


def _settings(before: Any, now: Any, name: str = "") -> Iterator[str]:
    """Each key of nested settings whose value differs, such as `training.betas`."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for part in dict.fromkeys([*before, *now]):
            yield from _settings(before.get(part), now.get(part), f"{name}.{part}".lstrip("."))
    elif before != now:
        yield f"{name}: {_value(before)} became {_value(now)}"


def _code(before: Code | None, now: Code) -> list[str]:
    return ["its code (the earlier code is not known)"] if before is None else changes(before, now)


def _with_command(change: str, commit: str) -> str:
    """A change, with the command that shows it if it is in a module."""
    if not change.startswith("module "):
        return change
    return f"{change} (git diff {commit[:12]} -- {change.removeprefix('module ').replace('.', '/')}.py)"


def _value(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value)


def _lines(job: str, found: list[str]) -> Iterator[str]:
    yield from (f"{job}: {one}" for one in found)
