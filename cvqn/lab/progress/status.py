"""How far the trainings of a scale are, from the files they write and, where there is one, SLURM's queue."""

import csv
import json
import math
import re
import shutil
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cvqn.lab.settings import configuration

FRESH_SECONDS = 600  # without a queue to ask, a training whose log is older than this does not run
SPEED_ROWS = 20  # rows of the log over which speed is averaged
PAUSED = "run the same command to go on"
ERROR = re.compile(r"(cvqn: error: |[\w.]*(Error|Exception)\b)")


@dataclass(frozen=True)
class Training:
    """One run: `state` is done, running, waiting or failed; `steps` and `seconds_left` are None where nothing tells."""

    run: str
    state: str
    step: int
    steps: int | None
    seconds_left: float | None
    note: str = ""


@dataclass(frozen=True)
class Job:
    """A job in SLURM's queue: its id, its state and why it waits or where it runs."""

    number: str
    state: str
    where: str


def trainings(results: Path) -> list[Training]:
    """The state of every training of the scale in folder `results`, which holds config.yaml.

    Runs outside `rule all` are listed once they have begun.

    Raises:
        CvqnError: there is no valid config.yaml.
    """
    config = configuration.read(results / "config.yaml")
    extras = configuration.runs(config, config["extras"])
    wanted = configuration.runs(config) | {
        run: extra for run, extra in extras.items() if _folder(results, run).exists()
    }
    images = _image_count(results, config)
    jobs = queue()
    return [_training(results, run, settings["training"], images, jobs) for run, settings in wanted.items()]


def queue() -> dict[str, Job] | None:
    """The trainings of this user in SLURM's queue, by run; None where there is no SLURM or it does not answer."""
    if shutil.which("squeue") is None:
        return None
    command = ["squeue", "--me", "--noheader", "--format=%i|%T|%R|%Z|%k"]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode:
        return None
    jobs = {}
    for line in answer.stdout.splitlines():
        number, state, where, folder, comment = line.split("|", 4)
        if comment.startswith("rule_train_wildcards_") and Path(folder) == Path.cwd():
            jobs[comment.removeprefix("rule_train_wildcards_")] = Job(number, state, where)
    return jobs


def table(rows: list[Training]) -> str:
    """The trainings as text, a line each, and a line that counts them."""
    lines = [("training", "state", "steps", "time left", "")]
    lines += [
        (row.run, row.state, f"{row.step}/{row.steps or '?'}", duration(row.seconds_left), row.note) for row in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    text = ["  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[4]]).rstrip()
            for line in lines]  # fmt: skip
    counts = [
        f"{sum(row.state == state for row in rows)} {state}" for state in ("done", "running", "waiting", "failed")
    ]
    return "\n".join([*text, f"{len(rows)} trainings: {', '.join(counts)}"])


def duration(seconds: float | None) -> str:
    """Hours and minutes, `?` for None."""
    if seconds is None:
        return "?"
    minutes = math.ceil(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _training(results: Path, run: str, training: dict, images: int | None, jobs: dict[str, Job] | None) -> Training:
    folder = _folder(results, run)
    steps_an_epoch = training["epoch_steps"] or (images and math.ceil(images / training["batch"]))
    steps = steps_an_epoch and training["epochs"] * steps_an_epoch
    if (folder / "provenance.json").exists() and (folder / "model" / "model.safetensors").exists():
        steps = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))["steps"]
        return Training(run, "done", steps, steps, 0)
    log = max(folder.glob("log-*.csv"), key=lambda path: path.stat().st_mtime, default=None)
    step, speed = _progress(log)
    left = (steps - step) * training["batch"] / speed if steps and speed else None
    state, note = _state(results, run, log, (jobs or {}).get(run), asked_queue=jobs is not None)
    return Training(run, state, step, steps, left, note)


def _state(results: Path, run: str, log: Path | None, job: Job | None, asked_queue: bool) -> tuple[str, str]:
    """State of an unfinished training and what there is to say about it."""
    marker = _folder(results, run) / "diverged.json"
    if job is not None:
        where = f"job {job.number}: {job.state.lower()} {job.where}"
        return ("running" if job.state in ("RUNNING", "COMPLETING") else "waiting"), where
    if marker.exists():
        return "failed", f"diverged: {json.loads(marker.read_text(encoding='utf-8'))['reason']}"
    error = _last_error(results / "logs" / "train" / f"{run}.log")
    if error:
        return "failed", error
    if log is None:
        return "waiting", ""
    if not asked_queue and time.time() - log.stat().st_mtime < FRESH_SECONDS:
        return "running", ""
    return "waiting", "begun, goes on from its last save"


def _last_error(log: Path) -> str | None:
    """The last line of a job's log if it tells of an error that is not a pause."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n") if log.exists() else []
    last = next((line for line in reversed(lines) if line.strip()), "")
    return last.removeprefix("cvqn: error: ") if ERROR.match(last) and PAUSED not in last else None


def _progress(log: Path | None) -> tuple[int, float | None]:
    """Last logged step, and images per second over the last rows."""
    if log is None:
        return 0, None
    with open(log, encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if None not in row.values()]
    if not rows:
        return 0, None
    with suppress(ValueError):  # the last row is being written
        speeds = [float(row["images_per_s"]) for row in rows[-SPEED_ROWS:]]
        return int(rows[-1]["step"]), len(speeds) / sum(1 / speed for speed in speeds)
    return int(rows[-1]["step"]), None


def _image_count(results: Path, config: dict) -> int | None:
    """Training images in the pack, None before there is one."""
    index = results.parent.parent / "data" / "packs" / f"{'+'.join(config['data']['train'])}.json"
    return len(json.loads(index.read_text(encoding="utf-8"))["images"]) if index.exists() else None


def _folder(results: Path, run: str) -> Path:
    return results / "runs" / run
