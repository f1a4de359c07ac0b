"""Tables, metrics and verdicts of a scale made again from other measurements, aside, by the workflow's own rules."""

import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from cvqn.errors import CvqnError
from cvqn.lab.record.differences import json_difference, table_difference

TOLERANCE = 1e-3  # decibel and percent magnify differences of MS-SSIM


def lay_out(scratch: Path, results: Path) -> None:
    """In `scratch` the project as links, with one scale's results as links but for what is made of measurements.

    The measurements are copies, which may be written.
    """
    for part in Path.cwd().iterdir():
        if part.name not in ("results", ".snakemake", ".git"):
            (scratch / part.name).symlink_to(part)
    there = scratch / results
    there.mkdir(parents=True)
    for part in ("config.yaml", "runs", "bitstreams", "analysis"):
        (there / part).symlink_to((results / part).resolve())
    shutil.copytree(results / "measurements", there / "measurements")


def differences(scratch: Path, scale: str, files: Collection[str], jobs: dict[str, dict]) -> Iterator[tuple[str, str]]:
    """Make every recorded CSV and JSON that a job made of measurements again, and say how each differs.

    Args:
        scratch: the folder that `lay_out` prepared.
        scale: name of the scale.
        files: the recorded files.
        jobs: the record of the job of each.

    Raises:
        CvqnError: a rule failed.
    """
    targets = {
        path: job["rule"]
        for path, job in sorted(jobs.items())
        if path in files
        and Path(path).suffix in (".csv", ".json")
        and "/measurements/" not in path
        and any("/measurements/" in source for source in job["input"])
    }
    _make(scratch, scale, targets)
    for path in targets:
        compare = table_difference if path.endswith(".csv") else json_difference
        yield path, compare(Path(path), scratch / path, TOLERANCE)


def _make(scratch: Path, scale: str, targets: dict[str, str]) -> None:
    command = [
        sys.executable, "-m", "snakemake", *targets, "--configfile", f"results/{scale}/config.yaml",
        "--profile", "none", "--cores", "1", "--nocolor", "--allowed-rules", *sorted(set(targets.values())),
    ]  # fmt: skip
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    run = subprocess.run(command, cwd=scratch, env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        texts = [log.read_text(encoding="utf-8") for log in (scratch / "results" / scale / "logs").rglob("*.log")]
        said = [line for text in (*texts, run.stderr) for line in text.splitlines() if "rror" in line]
        raise CvqnError(f"{scale}: the tables could not be made again: {said[0] if said else 'snakemake failed'}")
