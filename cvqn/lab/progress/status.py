"""The progress of the trainings and evaluations of a scale, from their files and, if there is one, SLURM's queue.

Why a training ended is read from its entry in the store, never guessed from the wording of a log.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tabulate import tabulate

from cvqn.lab.progress.makespan import duration
from cvqn.lab.progress.queue import Queued, last_state, queue
from cvqn.lab.progress.scale import Scale
from cvqn.lab.provenance.snakemake_records import begun, is_at_work
from cvqn.lab.settings.runs import Run
from cvqn.lab.training.log import read_csv
from cvqn.lab.training.store import Entry
from cvqn.settings import TrainingSettings

RECORDED = "recorded, not restored"
TRAINED, EVALUATED, MEASURED = ("train", "train_monitored"), ("evaluate", "evaluate_channels"), ("encode", "measure")
ENCODED = ("failed", "running")  # states of one quality that determine the codec's, the worst first
SPEED_ROWS = 20  # rows of the log over which speed is averaged
GO_ON = "run the same snakemake command to resume"


@dataclass(frozen=True)
class Row:
    """One training or evaluation; `steps` and `seconds_left` are None if unknown."""

    name: str
    state: str
    note: str = ""
    step: int = 0
    steps: int | None = None
    seconds_left: float | None = None


class Status:
    """The current state of the scale whose results are in the folder `root`.

    Raises:
        CvqnError: there is neither a plan nor a valid config.yaml.
    """

    def __init__(self, root: Path):
        self.scale = Scale(root)
        self.configuration, self.results = self.scale.configuration, self.scale.results
        self.queue = queue(root.parent.parent)
        self.at_work = is_at_work()

    def trainings(self) -> list[Row]:
        """The trainings that the report needs, and those of other targets that have begun or are recorded."""
        return [self._training(run) for run in self.scale.runs()]

    def evaluations(self) -> list[Row]:
        """A row per checkpoint, then one per conventional codec."""
        runs = self.configuration.at_checkpoints(self.scale.runs())
        rows = [self._evaluation(self.configuration.experiments[run.experiment].codec, run) for run in runs]
        return rows + [self._codec(codec) for codec in self.configuration.measured_codecs()]

    def _training(self, run: Run) -> Row:
        steps, entry = self._steps(run), self.scale.entry(run)
        queued = self._queued(TRAINED, {run.training})
        if self.scale.is_done(run):
            return Row(run.training, "done", step=steps or 0, steps=steps, seconds_left=0)
        if entry is not None and entry.finished:
            state, note = "done", "in the store of trainings; the workflow puts its files in place"
            return Row(run.training, state, note, step=steps or 0, steps=steps, seconds_left=0)
        if queued is not None:
            state, note = queued.state, queued.note
        elif entry is not None:
            state, note = self._of_entry(entry)
        else:
            files = self.scale.model_files(run)
            state, note = self._of_job(files, self._log("train", run.training))
        if state == RECORDED:
            return Row(run.training, state)
        step, speed = _progress(entry)
        left = (steps - step) * self._settings(run).batch / speed if steps and speed else None
        return Row(run.training, state, note, step, steps, left)

    def _of_entry(self, entry: Entry) -> tuple[str, str]:
        """State of a training that has begun, but is neither finished nor in the queue."""
        claimant = _claimant(entry)
        if claimant is not None:
            return "running", claimant
        ended = entry.ended
        if ended is None:
            return "failed", f"{_killed(entry)}; {GO_ON}"
        if ended.how != "paused":
            return "failed", ended.reason
        if ended.time_was_up and not self.at_work:
            return "failed", f"no attempt left: {ended.reason}"
        return "paused", ended.reason

    def _evaluation(self, codec: str, run: Run) -> Row:
        files = [self.results.measurements(codec, run.name)]
        queued = self._queued(EVALUATED, {codec, run.name})
        log = self._log("evaluate", codec, run.name)
        return self._job(f"{codec} {run.name}", files, queued, log)

    def _codec(self, codec: str) -> Row:
        qualities = self.configuration.measured_codecs()[codec]
        queued = self._queued(MEASURED, {codec})
        log = self._log("measure", codec)
        row = self._job(codec, [self.results.measurements(codec)], queued, log)
        if row.state == "waiting":  # for its archives
            archives = [self.results.archive(codec, quality) for quality in qualities]
            states = [self._of_job([path], self._log("encode", codec, Path(path).stem)) for path in archives]
            state, note = min(states, key=lambda one: ENCODED.index(one[0]) if one[0] in ENCODED else len(ENCODED))
            row = replace(row, state=state, note=note) if state in ENCODED else row
        encoded = len(qualities) if row.state in ("done", RECORDED) else len(self._encoded(codec))
        return replace(row, step=encoded, steps=len(qualities))

    def others(self) -> list[Row]:
        """The jobs in the queue that make neither models nor measurements, such as the pack of training images."""
        return [
            Row(" ".join([job.rule, *sorted(job.wildcards - {""})]), job.state, job.note)
            for job in self.queue
            if job.rule not in (*TRAINED, *EVALUATED, *MEASURED)
        ]

    def _log(self, job: str, *names: str) -> Path:
        return Path(self.results.root, "logs", job, f"{'-'.join(names)}.log")

    def _encoded(self, codec: str) -> list[Path]:
        folder = Path(self.results.archive(codec, "")).parent
        return list(folder.glob("*.tar"))

    def _job(self, name: str, files: Sequence[str], queued: Queued | None, log: Path) -> Row:
        if not self.scale.missing(files):
            return Row(name, "done")
        state, note = (queued.state, queued.note) if queued is not None else self._of_job(files, log)
        return Row(name, state, note)

    def _of_job(self, files: Sequence[str], log: Path) -> tuple[str, str]:
        """State of a job that has made none of its files and is not in the queue."""
        if self.at_work and begun(files):
            return "running", ""
        said = _last_line(log)
        if said:
            return "failed", said
        return (RECORDED, "") if self.scale.in_record(files) else ("waiting", "")

    def _queued(self, rules: Sequence[str], wildcards: set[str]) -> Queued | None:
        """The job of one of these rules with these wildcards, a running one first."""
        found = [job for job in self.queue if job.rule in rules and wildcards <= job.wildcards]
        return min(found, key=lambda job: job.state != "running", default=None)

    def _settings(self, run: Run) -> TrainingSettings:
        return self.configuration.experiments[run.experiment].training

    def _steps(self, run: Run) -> int | None:
        settings = self._settings(run)
        images = len(self.scale.pack) if self.scale.pack is not None else None
        epoch_steps = settings.epoch_steps or (images and math.ceil(images / settings.batch))
        return settings.all_epochs * epoch_steps if epoch_steps else None


def text(root: Path) -> str:
    """The state of a scale: every training, the evaluations that are neither done nor waiting, and counts."""
    status = Status(root)
    trainings, evaluations = status.trainings(), status.evaluations()
    silent = ("done", "waiting", RECORDED)
    shown = [*trainings, *(row for row in evaluations if row.state not in silent), *status.others()]
    lines = [
        (row.name, row.state, f"{row.step}/{row.steps or '?'}" if row.step or row.steps else "",
         duration(row.seconds_left) if row.state in ("running", "paused") else "", row.note)
        for row in shown
    ]  # fmt: skip
    table = tabulate(lines, ("", "state", "steps", "time left", ""), tablefmt="plain", disable_numparse=True)
    return "\n".join([f"{root}:", table, _counts("trainings", trainings), _counts("evaluations", evaluations)])


def _counts(kind: str, rows: Sequence[Row]) -> str:
    counts = Counter(row.state for row in rows)
    return f"{len(rows)} {kind}: " + ", ".join(f"{count} {state}" for state, count in counts.items())


def _claimant(entry: Entry) -> str | None:
    try:
        return entry.claimant
    except OSError:  # a store that others may only read
        return None


def _killed(entry: Entry) -> str:
    """What is known about a training that ended without a record: how its job ended by SLURM's accounting."""
    claim = entry.folder / "claim"
    job = re.search(r"SLURM job (\d+)", claim.read_text(encoding="utf-8")) if claim.exists() else None
    state = last_state(job[1]) if job else None
    ended = f"; SLURM reports job {job[1]} as {state}" if job and state else " and was probably killed"
    return f"the process ended without recording a reason{ended}"


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _progress(entry: Entry | None) -> tuple[int, float | None]:
    """Last logged step, and images per second over the last rows."""
    if entry is None or not entry.log_path.exists():
        return 0, None
    rows = read_csv(entry.log_path)
    if not rows:
        return 0, None
    with suppress(ValueError):  # the last row is being written
        speeds = [float(row["images_per_s"]) for row in rows[-SPEED_ROWS:]]
        return int(rows[-1]["step"]), len(speeds) / sum(1 / speed for speed in speeds)
    return int(rows[-1]["step"]), None
