"""Tables, metrics and verdicts of a scale made again from other measurements, aside, by the workflow's own rules."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from cvqn.errors import CvqnError
from cvqn.lab.record.differences import difference
from cvqn.lab.record.recorded import Recorded
from cvqn.lab.settings.paths import Results

TOLERANCE = 1e-3  # decibel and percent magnify differences of MS-SSIM


def lay_out(scratch: Path, results: Results) -> None:
    """In `scratch` the project as links, with one scale's results as links but for what is made of measurements.

    The measurements are copies, which may be written.
    """
    for part in Path.cwd().iterdir():
        if part.name not in ("results", ".snakemake", ".git"):
            (scratch / part.name).symlink_to(part)
    own, there = Path(results.root), scratch / results.root
    there.mkdir(parents=True)
    for part in ("config.yaml", "runs", "bitstreams", "analysis"):
        (there / part).symlink_to((own / part).resolve())
    shutil.copytree(own / "measurements", there / "measurements")


def differences(scratch: Path, results: Results, recorded: Recorded) -> Iterator[tuple[str, str]]:
    """Make every recorded CSV and JSON that a job made of measurements again, and say how each differs.

    Args:
        scratch: the folder that `lay_out` prepared.

    Raises:
        CvqnError: a rule failed.
    """
    measurements = f"{results.root}/measurements/"
    targets = {
        path: job.rule
        for path, job in sorted(recorded.jobs().items())
        if path in recorded.files
        and Path(path).suffix in (".csv", ".json")
        and not path.startswith(measurements)
        and any(source.startswith(measurements) for source in job.inputs)
    }
    _make(scratch, results, targets)
    for path in targets:
        yield path, difference(Path(path), scratch / path, TOLERANCE)


def _make(scratch: Path, results: Results, targets: dict[str, str]) -> None:
    command = [
        sys.executable, "-m", "snakemake", *targets, "--configfile", results.config,
        "--profile", "none", "--cores", "1", "--nocolor", "--allowed-rules", *sorted(set(targets.values())),
    ]  # fmt: skip
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    run = subprocess.run(command, cwd=scratch, env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        texts = [log.read_text(encoding="utf-8") for log in (scratch / results.root / "logs").rglob("*.log")]
        said = [line for text in (*texts, run.stderr) for line in text.splitlines() if "rror" in line]
        raise CvqnError(f"{results.root}: tables could not be made again: {said[0] if said else 'snakemake failed'}")
