"""Conditions for certifying results; DVC itself would certify anything."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from cvqn.errors import CvqnError
from cvqn.files import sha256_file
from cvqn.lab.provenance.snakemake_records import Jobs, is_at_work, made_as
from cvqn.lab.record.check import AGREES, IN_PART, Check, verdicts
from cvqn.lab.record.commands import git, snakemake
from cvqn.lab.record.dvc_stage import Stage
from cvqn.lab.settings.configuration import Configuration
from cvqn.lab.settings.paths import Results

RECORDS = (":!results", ":!dvc.lock", ":!SHA256SUMS")
Made = Callable[[Sequence[str]], Iterable[Check]]
"""Makes files again and reports how they differ."""


def require_clean_tree(stage: Stage) -> None:
    """Require that everything except results is committed, and that git ignores no output that it is to hold.

    Raises:
        CvqnError: a file is not committed, or an output is ignored.
    """
    changed = git("status", "--porcelain", "--untracked-files=all", "--", ".", *RECORDS).splitlines()
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise CvqnError(f"{changed[0][3:]}{more}: not committed; a record belongs to one commit, so commit first")
    for path, cached in stage.outputs:
        if not cached and _ignored(path):
            raise CvqnError(f"{path}: must be kept in git but is ignored; delete the scale's line from .gitignore")


def require_finished(stage: Stage, scale: str, configuration: Configuration) -> None:
    """Require that the workflow has nothing left to do with the stage's configuration, and that nothing is running.

    Raises:
        CvqnError: a Snakemake is running, jobs are left, or the stage's overlays are of another scale.
    """
    require_of_scale(stage, scale, configuration)
    require_idle()
    files = ("--profile", "workflow/profiles/local", "--configfile", *stage.overlays)
    plan = snakemake(*_targets(configuration), *files, "--cores", "1", "--dry-run", "--quiet", "rules")
    if "Nothing to be done" in plan:
        return
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", plan, re.MULTILINE))
    left = ", ".join(
        f"{rule} {count}" for rule, count in jobs.items() if rule not in ("all", "extras", "learned", "total")
    )
    named = _overlays(stage)
    raise CvqnError(f"{scale}: with {named} the workflow is not finished, left to run: {left}; run it, then record")


def require_of_scale(stage: Stage, scale: str, configuration: Configuration) -> None:
    """Raise CvqnError if the stage's overlays are of another scale."""
    if configuration.scale != scale:
        raise CvqnError(
            f"{_overlays(stage)}: of scale {configuration.scale}, not {scale}; correct the command of the stage in "
            "dvc.yaml"
        )


def _overlays(stage: Stage) -> str:
    return f"params.yaml {' '.join(stage.overlays)}"


def require_idle() -> None:
    """Raise CvqnError if a Snakemake is running in this folder."""
    if is_at_work():
        raise CvqnError("a Snakemake is running here; wait, or if it was killed: snakemake --unlock")


def require_made_by_jobs(files: Sequence[str], jobs: Jobs, before: Mapping[str, str], made: Made) -> None:
    """Require that every file is as its job left it.

    This is judged by the checksums that later jobs saw, or that an earlier record has. Files without such a checksum,
    such as the audit and the page, which no job reads, are made again and compared.

    Args:
        files: paths relative to the project.
        jobs: jobs by output.
        before: SHA-256 of files in the previous record.
        made: makes files again and compares.

    Raises:
        CvqnError: no job made a file, it was changed since, or that cannot be checked.
    """
    seen: dict[str, set[str]] = defaultdict(set)
    for job in jobs.values():
        for path, checksum in job.seen.items():
            seen[path].add(checksum)
    unseen = []
    for path in files:
        if made_as(path, jobs) is None:
            raise CvqnError(f"{path}: no job of the workflow made this file; delete it, then run the workflow")
        known = seen[path] | {before[path]} if path in before else seen[path]
        if sha256_file(path) in known:
            continue
        if seen[path]:
            raise CvqnError(f"{path}: changed after the job that made it; delete it and run the workflow")
        unseen.append(path)
    checks = list(made(unseen))
    for check in checks:
        if check.differences:
            raise CvqnError(
                f"{check.what}: {check.differences[0]}: changed after the job that made it; delete it and run the "
                "workflow"
            )
    left = [path for path, verdict in verdicts(checks, unseen).items() if verdict not in (AGREES, IN_PART)]
    if left:
        raise CvqnError(f"{left[0]}: cannot confirm that its job wrote this; delete it and run the workflow")


def _targets(configuration: Configuration) -> list[str]:
    """The targets that must be finished: `all`, and those beyond the paper of which anything has been trained."""
    results = Results(configuration.results.as_posix())
    own = configuration.runs()
    begun = {
        target: any(
            run not in own and Path(results.training(run.training)).exists() for run in configuration.runs(names)
        )
        for target, names in configuration.beyond.items()
    }
    return ["all", *(target for target, has_begun in begun.items() if has_begun)]


def _ignored(path: str) -> bool:
    try:
        git("check-ignore", "--quiet", "--no-index", path)
    except CvqnError:
        return False
    return True
