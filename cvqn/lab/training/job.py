"""The job that trains a run: its key, its entry in the store, its provenance and its outputs."""

import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cvqn.errors import CvqnError
from cvqn.files import atomic_write, read_json
from cvqn.lab.data.index import Image, read_index
from cvqn.lab.data.pack import Pack
from cvqn.lab.provenance import environment
from cvqn.lab.provenance.fingerprint import Code, changes, code_of, digest
from cvqn.lab.provenance.plan import Plan
from cvqn.lab.provenance.training import FILE, read_provenance
from cvqn.lab.settings.configuration import Experiment, lasting
from cvqn.lab.settings.runs import Run
from cvqn.lab.training.store import Entry, key_of

if TYPE_CHECKING:
    from cvqn.lab.training.loop import FirstPhase

Selecting = Mapping[str, Sequence[Image]]
"""The images that select checkpoints, by checkpoint."""


def train_run(
    plan: Plan,
    run: Run,
    pack_path: Path,
    selecting: Sequence[Path],
    *,
    job_minutes: float | None = None,
    adopt: Path | None = None,
    fine_tune: Path | None = None,
) -> None:
    """Train a run or resume its training; if it has finished, only put its files in place.

    Args:
        pack_path: the training images.
        selecting: for each selected checkpoint of the settings, index.json of the images that select it.
        job_minutes: minutes until the time limit of the cluster job.
        adopt: folder of a training that finished on another machine, to take over for this run.
        fine_tune: folder of a finished training whose model takes the place of the first phase.

    Raises:
        Paused, Diverged: as for `cvqn.lab.training.loop.train`.
        CvqnError: likewise; or the pack holds an image that selects a checkpoint, or `adopt` is another training;
            or the model of `fine_tune` has other settings, or there is nothing to fine-tune.
    """
    experiment = plan.configuration.experiments[run.experiment]
    checkpoints = list(plan.configuration.data.selecting)
    if len(selecting) != len(checkpoints):
        raise CvqnError(f"--monitor needs a set for each of {', '.join(checkpoints)}, but has {len(selecting)}")
    pack, images = Pack.open(pack_path), dict(zip(checkpoints, map(read_index, selecting), strict=True))
    _refuse_shared(pack, pack_path, images)
    key = training_key(experiment, run, pack, images)
    entry = Entry(Path(plan.results.store), run.training, key)
    limit = None if job_minutes is None else 60 * usable_minutes(job_minutes)
    if adopt is not None and not entry.finished:
        _refuse_other(adopt, run, experiment, pack_path, selecting)
        with entry.claim(limit):
            if not entry.finished:  # by another process, for which this one has waited
                entry.finish(lambda folder: _adopt(adopt, folder, entry))
    if not entry.finished:
        began = time.monotonic()
        with entry.claim(limit):
            if not entry.finished:  # by another process, for which this one has waited
                left = None if limit is None else limit - (time.monotonic() - began)
                first_phase = None if fine_tune is None else _first_phase(fine_tune, run, experiment)
                _train(plan, run, experiment, pack, pack_path, images, selecting, entry, left, first_phase)
    entry.publish(Path(plan.results.training(run.training)))


def training_key(experiment: Experiment, run: Run, pack: Pack, images: Selecting, code: Code | None = None) -> str:
    """A hash of everything that a training depends on; `code` defaults to the current code."""
    monitored = {
        name: [image.pixels_sha256 for image in those] for name, those in _monitored(experiment, images).items()
    }
    code = code_of("train", experiment.codec) if code is None else code
    return key_of(experiment.identity(), run.seed, pack.pixels_sha256s, monitored, digest(code))


def usable_minutes(job_minutes: float) -> float:
    """How many minutes a training runs before it saves and stops, if its job has `job_minutes` left."""
    return 0.95 * job_minutes - 0.5


def _train(
    plan: Plan,
    run: Run,
    experiment: Experiment,
    pack: Pack,
    pack_path: Path,
    images: Selecting,
    selecting: Sequence[Path],
    entry: Entry,
    limit: float | None,
    first_phase: "FirstPhase | None",
) -> None:
    from cvqn.lab.training.loop import Task, train  # imports torch, which plans of trainings do without
    from cvqn.lab.training.monitor import middle

    record = {
        "run": run.training,
        "seed": run.seed,
        "experiment": run.experiment,
        "settings": experiment.plain(),
        "plan": Path(plan.path).name,
        "code": code_of("train", experiment.codec),
        "key": entry.folder.name,
        "training_images": {
            "pack": str(pack_path),
            "count": len(pack),
            **environment.pack_origin(pack_path, selecting[0].parent.parent),
        },
        "selecting_images": {
            name: {"count": len(those), **environment.data_set(index)}
            for index, (name, those) in zip(selecting, images.items(), strict=True)
        },
        "began": environment.now(),
    }
    surroundings = environment.environment()
    scale = plan.configuration.scale
    about = {"run": run.training, "experiment": run.experiment, "seed": run.seed, "scale": scale}
    pictures = {
        name: [image.read() if name == "best" else middle(image.read()) for image in those]
        for name, those in _monitored(experiment, images).items()
    }
    task = Task(
        experiment.learned_codec, experiment.model, experiment.training, run.seed, pack, pictures, about, first_phase
    )
    outcome = train(task, entry, time_limit=limit)

    def write(folder: Path) -> None:
        outcome.write(folder)
        facts = {
            "ended": environment.now(),
            **outcome.facts,
            "peak_host_memory_bytes": environment.peak_memory_bytes(),
            "gpu": environment.gpu() if experiment.training.device == "cuda" else None,
            **surroundings,
        }
        with atomic_write(folder / FILE, "w") as file:
            json.dump(record | facts, file, indent=1)

    entry.finish(write)


def _first_phase(finished: Path, run: Run, experiment: Experiment) -> "FirstPhase":
    """The model of a finished training, if it fits the first phase of this one.

    Its training may have had other settings, code and images; the provenance names them.
    """
    from safetensors.torch import load_file

    from cvqn.codecs.store import load_model
    from cvqn.lab.training.loop import FirstPhase

    if experiment.training.fine_tuning is None:
        raise CvqnError(f"{run.name}: training.fine_tuning is null, so there is nothing to fine-tune")
    record, folder = read_provenance(finished), finished / "last"
    theirs = {key: record.settings.get(key) for key in ("codec", "model")}
    if theirs != {"codec": experiment.codec, "model": experiment.model.plain()} or record.seed != run.seed:
        raise CvqnError(f"{finished}: its codec, model settings or seed are not those of {run.name}; name another")
    load_model(folder)  # refuses a damaged model
    return FirstPhase(load_file(folder / "model.safetensors"), read_json(finished / FILE), finished / "log.csv")


def _adopt(finished: Path, folder: Path, entry: Entry) -> None:
    """Copy a finished training; its provenance names the new entry, and the one that it had as `adopted_from`."""
    shutil.copytree(finished, folder)
    record = read_json(folder / FILE)
    with atomic_write(folder / FILE, "w") as file:
        json.dump(record | {"key": entry.folder.name, "adopted_from": record["key"]}, file, indent=1)


def _refuse_other(finished: Path, run: Run, experiment: Experiment, pack_path: Path, selecting: Sequence[Path]) -> None:
    """Refuse a finished training that differs from the planned one in more than machine and library versions."""
    record = read_provenance(finished)

    pack = environment.pack_origin(pack_path, "")["pack_sha256"]
    compared = {
        "settings": (lasting(record.settings), lasting(experiment.plain())),
        "seed": (record.seed, run.seed),
        "images": (record.training_images.pack_sha256, pack),
    }
    if experiment.training.monitor_every:
        checksums = [environment.data_set(index)["index_sha256"] for index in selecting]
        theirs = [one.get("index_sha256") for one in record.selecting_images.values()]
        compared["images that select checkpoints"] = (theirs, checksums)
    differing = [name for name, (theirs, ours) in compared.items() if theirs != ours]
    code = changes(record.code, code_of("train", experiment.codec))
    differing += [change for change in code if change.startswith("module ")]
    if differing:
        raise CvqnError(f"{finished}: differs from {run.name} in {', '.join(differing)}; name another")
    for change in code:
        print(f"{finished}: trained with another version: {change}", file=sys.stderr)


def _refuse_shared(pack: Pack, path: Path, images: Selecting) -> None:
    trained = set(pack.pixels_sha256s)
    names = [image.name for those in images.values() for image in those if image.pixels_sha256 in trained]
    if names:
        raise CvqnError(
            f"{path}: holds images that select checkpoints ({', '.join(names)}); pack it again without them"
        )


def _monitored(experiment: Experiment, images: Selecting) -> Selecting:
    return images if experiment.training.monitor_every else {}
