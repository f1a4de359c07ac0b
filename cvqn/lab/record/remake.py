"""Makes tables, figures, curves, metrics and audit again, by the workflow's own rules, in a temporary folder."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from cvqn.lab.provenance.snakemake_records import Jobs, made_as
from cvqn.lab.record.check import IN_PART, NOT_CHECKED, Check
from cvqn.lab.record.differences import differences
from cvqn.lab.record.recorded import record_folder
from cvqn.lab.settings.paths import Results

RULES = ("identities", "complexity", "crops", "table", "figure", "curves", "metrics", "audit")
"""Rules that read measurements, analyses, models, bitstreams and logs, but neither train nor measure."""
ROUNDING = 1e-6  # tolerance for results of the same code on the same numbers
LEVELS = 0.05  # tolerance for a figure's pixels, because another processor may antialias differently
DRAWN = (".png", ".svg")
PASSING = re.compile(r'<section id="cost".*?</section>|Written on [-0-9]+ [:0-9]+ UTC', re.DOTALL)


def check(files: Collection[str], jobs: Jobs, results: Results, versions: Mapping[str, str]) -> Iterator[Check]:
    """Make the files that `RULES` made again, and compare.

    They are made from the measurements, analyses, models and logs that are present, and must follow from these exactly.

    Args:
        versions: of the libraries that made the files.
    """
    outputs = {path: output for path in files if (output := made_as(path, jobs)) and jobs[output].rule in RULES}
    targets = {path: missing(output, jobs, results) for path, output in outputs.items()}
    here = [path for path in targets if Path(path).is_file()]
    for path in here:
        if targets[path]:
            reason = f"needs {', '.join(sorted(targets[path])[:3])}"
            yield Check(f"{path}: made again", (path,), unless=NOT_CHECKED, reason=reason)
    possible = [path for path in here if not targets[path]]
    with tempfile.TemporaryDirectory() as folder:
        lay_out(Path(folder), results)
        wanted = list(dict.fromkeys(outputs[path] for path in possible))
        failed = make(Path(folder), results, wanted) if wanted else ""
        for path in possible:
            yield _compared(path, Path(folder, path), failed, versions)


def check_page(files: Collection[str], results: Results) -> Iterator[Check]:
    """Make the report page again from all results that are present, and compare everything but its time and costs.

    No record has the costs, and every job that ends after the page was written changes them.
    """
    own = [path for path in files if Path(path).is_relative_to(Path(results.page).parent)]
    if not own:
        return
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        (scratch / results.root).mkdir(parents=True)
        for part in (*Path().iterdir(), *Path(results.root).iterdir()):
            if part.name != "results" and not Path(results.page).is_relative_to(part):
                (scratch / part).symlink_to(part.absolute())
        command = [sys.executable, "-m", "cvqn", "page", results.root]
        run = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
        for path in own:
            if path == results.page and (scratch / path).is_file():
                yield _lasting(path, scratch)
            else:
                yield _compared(path, scratch / path, run.stderr.strip()[-500:], {})


def _lasting(path: str, scratch: Path) -> Check:
    kept, again = scratch / "kept.html", scratch / "again.html"
    for source, target in ((Path(path), kept), (scratch / path, again)):
        target.write_text(PASSING.sub("", source.read_text(encoding="utf-8")), encoding="utf-8")
    reason = "but for the time and what the jobs took"
    return Check(f"{path}: made again", (path,), tuple(differences(kept, again, ROUNDING)), IN_PART, reason)


def _compared(path: str, again: Path, failed: str, versions: Mapping[str, str]) -> Check:
    what = f"{path}: made again"
    if not again.is_file():
        return Check(what, (path,), (f"cannot be made: {failed}",))
    found = differences(Path(path), again, LEVELS if path.endswith(".png") else ROUNDING)
    drawn_by, here = versions.get("matplotlib"), version("matplotlib")
    if found and path.endswith(DRAWN) and drawn_by != here:
        return Check(what, (path,), unless=NOT_CHECKED, reason=f"drawn by matplotlib {drawn_by}, here is {here}")
    return Check(what, (path,), tuple(found))


def lay_out(scratch: Path, results: Results) -> None:
    """Fill `scratch` with links to the project and to one scale's results, without those that the rules make.

    The logs of trainings that are not here come from the record. Packs are left out: with them, the workflow would
    refuse trainings of which this folder has no record.
    """
    for part in (*Path.cwd().iterdir(), *Path.cwd().glob("data/*")):
        if part.name not in ("results", "data", "packs", ".snakemake", ".git"):
            link = scratch / part.relative_to(Path.cwd())
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(part)
    own, there = Path(results.root), scratch / results.root
    (there / "analysis").mkdir(parents=True)
    (there / "runs").mkdir()
    for part in ("config.yaml", "measurements", "bitstreams"):
        if (own / part).exists():
            (there / part).symlink_to((own / part).resolve())
    for part in own.glob("analysis/*/"):
        (there / "analysis" / part.name).symlink_to(part.resolve())
    recorded, here = ({path.name: path for path in root.glob("runs/*/")} for root in (record_folder(own.name), own))
    for name, path in (recorded | here).items():
        (there / "runs" / name).symlink_to(path.resolve())


def make(scratch: Path, results: Results, wanted: Sequence[str], settings: str | None = None) -> str:
    """Make files in the folder that `lay_out` prepared; returns an error in one line, empty if all were made.

    Args:
        settings: the configuration, as a file in `scratch`; the recorded one if None.
    """
    command = [
        sys.executable, "-m", "snakemake", *wanted, "--configfile", settings or results.config, "--profile", "none",
        "--cores", str(os.cpu_count()), "--nocolor", "--keep-going", "--allowed-rules", "config", *RULES,
    ]  # fmt: skip
    # Import the package through the links, so that paths of evidence are relative as in results made in the clone.
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{scratch}{os.pathsep}{os.environ.get('PYTHONPATH', '')}".rstrip(os.pathsep),
    }
    run = subprocess.run(command, cwd=scratch, env=environment, capture_output=True, text=True, check=False)
    if run.returncode == 0:
        return ""
    texts = [log.read_text(encoding="utf-8") for log in sorted((scratch / results.root / "logs").rglob("*.log"))]
    lines = [line.strip() for text in (*texts, run.stderr) for line in text.splitlines() if line.strip()]
    said = [line for line in lines if line.startswith("cvqn") or "Error" in line or "Exception" in line]
    return (said or lines or ["snakemake failed"])[0]


def missing(path: str, jobs: Jobs, results: Results) -> set[str]:
    """The missing files among those that a file is made from."""
    found: set[str] = set()
    for source in jobs[path].inputs:
        if source in jobs and jobs[source].rule in RULES:
            found |= missing(source, jobs, results)
        elif not Path(source).exists() and not _kept(source, results).exists():
            found.add(source)
    return found


def _kept(source: str, results: Results) -> Path:
    """The record's copy of a training's log."""
    return Path(source.replace(f"{results.root}/runs/", f"{record_folder(Path(results.root).name)}/runs/"))
