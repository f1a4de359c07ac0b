"""Tables, metrics and verdicts of a scale made again from other measurements, aside, by the workflow's own rules."""

import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from cvqn.errors import CvqnError
from cvqn.record.differences import json_difference, table_difference
from cvqn.record.provenance import ROOT

TOLERANCE = 1e-3  # decibel and percent magnify differences of MS-SSIM


def lay_out(scratch: Path, results: Path) -> None:
    """In `scratch` a scale's results as links and its measurements as copies, without what is made of them."""
    there = scratch / results
    there.mkdir(parents=True)
    for part in ("config.yaml", "runs", "bitstreams", "analysis"):
        (there / part).symlink_to((results / part).resolve())
    shutil.copytree(results / "measurements", there / "measurements")
    (scratch / "data").symlink_to(Path("data").resolve())


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
        sys.executable, "-m", "snakemake", *targets, "--snakefile", ROOT / "Snakefile", "--directory", scratch,
        "--configfile", Path(f"workflow/scales/{scale}.yaml").resolve(), "--profile", "none", "--cores", "1",
        "--allowed-rules", *sorted(set(targets.values())), "--quiet", "all", "--nocolor",
    ]  # fmt: skip
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(command, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False)
    if run.returncode:
        logs = sorted((scratch / "results" / scale / "logs").rglob("*.log"))
        said = [
            line for log in logs for line in log.read_text(encoding="utf-8").splitlines() if "error" in line.lower()
        ]
        raise CvqnError(
            f"{scale}: the tables could not be made again: {(said or run.stderr.splitlines() or ['?'])[-1]}"
        )
