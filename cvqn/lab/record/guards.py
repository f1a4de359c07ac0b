"""What must hold before results are certified: DVC itself would certify anything."""

import re
from collections.abc import Sequence
from pathlib import Path

from cvqn.lab.settings import configuration as config
from cvqn.errors import CvqnError
from cvqn.files import sha256_file
from cvqn.lab.record.commands import git, snakemake
from cvqn.lab.record.differences import leaves
from cvqn.lab.record.jobs import checksums, running
from cvqn.lab.record.stage import Stage

RECORDS = (":!results", ":!dvc.lock", ":!ro-crate-metadata.json")


def require_clean_tree(stage: Stage) -> None:
    """Everything but results must be committed, and git must not ignore what it is to hold.

    Raises:
        CvqnError: a file is not committed, or one of the stage's is ignored.
    """
    changed = git("status", "--porcelain", "--untracked-files=all", "--", ".", *RECORDS).splitlines()
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise CvqnError(f"{changed[0][3:]}{more}: not committed; a record belongs to one commit, so commit first")
    for path, cached in stage.outputs:
        if not cached and _ignored(path):
            raise CvqnError(f"{path}: ignored by git, which is to keep it; delete the scale's line from .gitignore")


def require_configuration(scale: str, overlays: Sequence[str]) -> None:
    """The workflow must have run with the configuration that the stage's command names.

    Asked before any Snakemake is started, which would write the stage's configuration in place of the one that ran.

    Raises:
        CvqnError: it ran with another one, or not at all, or the overlays are of another scale.
    """
    path = Path("results") / scale / "config.yaml"
    wanted = config.resolve(overlays)
    named = f"params.yaml {' '.join(overlays)}"
    if wanted["scale"] != scale:
        raise CvqnError(
            f"{named}: of scale {wanted['scale']}, not {scale}; correct the command of the stage in dvc.yaml"
        )
    if not path.is_file():
        raise CvqnError(f"{path}: not there; run the workflow, then record")
    ran, wanted = dict(leaves(config.read(path))), dict(leaves(wanted))
    for key in dict.fromkeys([*wanted, *ran]):
        if ran.get(key) != wanted.get(key):
            raise CvqnError(
                f"{path}: {key} is {ran.get(key)}, but {wanted.get(key)} by {named}; run the workflow with these, "
                "or name in dvc.yaml those that it ran with"
            )


def require_finished(scale: str, overlays: Sequence[str]) -> None:
    """The workflow must have nothing left to do, and nothing may be at work.

    Raises:
        CvqnError: a Snakemake is running, or jobs are left.
    """
    require_idle()
    files = ("--profile", "workflow/profiles/local", "--configfile", *overlays)
    targets = ["all", "extras"] if Path(f"results/{scale}/tables/extras.csv").exists() else ["all"]
    plan = snakemake(*targets, *files, "--cores", "1", "--dry-run", "--quiet", "rules")
    if "Nothing to be done" in plan:
        return
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", plan, re.MULTILINE))
    left = ", ".join(f"{rule} {count}" for rule, count in jobs.items() if rule not in ("all", "total"))
    raise CvqnError(f"{scale}: the workflow is not finished, left to run: {left}; run it, then record")


def require_idle() -> None:
    """Raises CvqnError when a Snakemake is at work in this folder."""
    for lock in running():
        raise CvqnError(f"{lock}: a Snakemake is running here; wait, or if it was killed: snakemake --unlock")


def require_made_by_jobs(files: list[str], jobs: dict[str, dict], before: dict[str, str]) -> None:
    """Every file must be as the job left it that made it; the configuration is written whenever the workflow is read.

    A file's time says so, or else its checksum, which later jobs saw or an earlier record has.

    Args:
        files: paths relative to the project.
        jobs: records of jobs by output, file or folder.
        before: SHA-256 of files in the record so far.

    Raises:
        CvqnError: no job made a file, or it was changed since.
    """
    seen = checksums(jobs)
    for path in files:
        if Path(path).name == "config.yaml":
            continue
        record = jobs.get(path) or next((jobs[str(up)] for up in Path(path).parents if str(up) in jobs), None)
        if record is None:
            raise CvqnError(f"{path}: no job of the workflow made this file; delete it, then run the workflow")
        if abs(Path(path).stat().st_mtime - record["endtime"]) < 0.01 or path not in jobs:
            continue
        if sha256_file(path) not in seen.get(path, set()) | {before.get(path)}:
            raise CvqnError(f"{path}: changed after the job that made it; delete it and run the workflow")


def _ignored(path: str) -> bool:
    try:
        git("check-ignore", "--quiet", "--no-index", path)
    except CvqnError:
        return False
    return True
