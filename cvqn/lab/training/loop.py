"""The training loop of any learned codec: network, optimizer, steps, export."""

import contextlib
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from cvqn.codecs.interface import LearnedCodec, Picture
from cvqn.codecs.store import save_model
from cvqn.codecs.trainable import Forward, Loss, Trainable
from cvqn.lab.data.pack import Pack
from cvqn.lab.training.augmentation import flatten, jitter_colours
from cvqn.lab.training.batches import FixedCrops, Source, crops_of_step
from cvqn.lab.training.device import autocast, prepare_device
from cvqn.lab.training.graphs import Replay
from cvqn.lab.training.log import Log, write_csv
from cvqn.lab.training.monitor import monitor
from cvqn.lab.training.optimizer import learning_rate_factor, make_optimizer, set_learning_rates
from cvqn.lab.training.store import Diverged, Entry, Paused
from cvqn.settings import Settings, TrainingSettings

CALIBRATION_CROPS = 16
MONITOR_COLUMNS = ["epoch", "step", "selects", "ms_ssim", "psnr_db", "bpp"]


@dataclass(frozen=True)
class FirstPhase:
    """A finished training whose model takes the place of a training's first phase."""

    tensors: Mapping[str, Tensor]
    """Of its last checkpoint, as exported."""
    provenance: dict[str, Any]
    log: Path


@dataclass(frozen=True)
class Task:
    """A training: codec, settings, seed and images."""

    codec: LearnedCodec
    model: Settings
    training: TrainingSettings
    seed: int
    pack: Pack
    selecting: Mapping[str, Sequence[Picture]]
    """Pictures that select checkpoints, by checkpoint, if the settings ask for any; never trained on."""
    about: dict[str, Any]
    """Written into model.json: run, experiment, scale, seed."""
    first_phase: FirstPhase | None = None
    """In place of the first phase, if fine-tuning begins with a model trained elsewhere."""

    @property
    def epoch_steps(self) -> int:
        """Steps per epoch."""
        return self.training.epoch_steps or -(-len(self.pack) // self.training.batch)

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.training.all_epochs * self.epoch_steps


@dataclass(frozen=True)
class Outcome:
    """A finished training; `write` fills a folder with its models, log and evaluations."""

    facts: dict[str, Any]
    """optimizer, steps, resumed_from (the first step of the last piece), seconds and cpu_seconds of all pieces; of
    the last piece images_on_device (whether the GPU held the training images) and peak_memory_bytes of the GPU without
    them (None on a CPU); first_phase, the provenance of the training that took its place, or None."""
    write: Callable[[Path], None]


def train(task: Task, entry: Entry, *, time_limit: float | None = None) -> Outcome:
    """Train one model or resume its training. The caller must have claimed the entry.

    On a CPU the result is bit-identical whether or not the training is interrupted, if the number of threads and the
    type of processor are the same.

    Args:
        time_limit: seconds after which to save and stop.

    Raises:
        Paused: SIGTERM, SIGINT or the time limit stopped the training; its state is saved.
        Diverged: the training diverged; the last good state is kept.
        CvqnError: this machine lacks the device or the precision, or the saved state is damaged.
    """
    began, cpu_began = time.monotonic(), time.process_time()
    training, seed, steps, epoch_steps = task.training, task.seed, task.steps, task.epoch_steps
    first_phase = task.first_phase and task.first_phase.provenance
    device = prepare_device(training)
    torch.manual_seed(seed)
    network = task.codec.build(task.model, training)
    first_step, seconds, cpu_seconds = 0, 0.0, 0.0  # the last two: of the pieces before this one
    state = entry.load()
    if state is None and task.first_phase is not None:
        network.load_state_dict({name: task.first_phase.tensors[name] for name in network.state_dict()})
        shutil.copy(task.first_phase.log, entry.log_path)
        first_step = training.epochs * epoch_steps
    elif state is None:
        torch.manual_seed(seed)  # building takes random numbers, more in some variants: from here all draw the same
        network.start(FixedCrops(Source(task.pack, "cpu"), seed))
    network.to(device)
    use_channels_last(network)
    source = Source(task.pack, device)
    crops = FixedCrops(source, seed)
    optimizer = make_optimizer(network, training, state and state["optimizer"])
    selected = {name: {"ms_ssim": -1.0, "step": 0, "weights": {}} for name in task.selecting}
    history: list[dict[str, Any]] = []
    if state is not None:
        network.load_state_dict(state["network"])
        selected, history, first_step = state["selected"], state["history"], state["step"]
        seconds, cpu_seconds, first_phase = state["seconds"], state["cpu_seconds"], state["first_phase"]
    run = torch.compile(network) if training.compile else network

    def take_step(images: Tensor) -> tuple[Forward, Loss]:
        optimizer.zero_grad(set_to_none=True)
        with autocast(training):
            forward = run(images)
        loss = network.loss(forward, images)
        loss.total.backward()
        clip_gradients(network, training)
        optimizer.step()
        return forward, loss

    replay = Replay(take_step) if training.cuda_graphs else None
    log = Log(entry.log_path, first_step)
    bar = tqdm(total=steps, initial=first_step, desc=str(task.about.get("run", "train")), unit="step", disable=None)
    with stop_requests() as stop_requested, log, bar:
        for step in range(first_step, steps):
            if training.fine_tuning and step == training.epochs * epoch_steps:
                optimizer = make_optimizer(network, training)
            batch, patch, flat_share = training.crops(step / epoch_steps)
            factor = learning_rate_factor(training, step / epoch_steps)
            set_learning_rates(optimizer, factor)
            chosen = crops_of_step(task.pack, seed, step, batch, patch, training.vertical_flips)
            images = source.load(chosen, patch)
            images = flatten(jitter_colours(images, training.colour_jitter, seed, step), flat_share, seed, step)
            forward, loss = (replay or take_step)(images)

            done, epoch = step + 1, (step + 1) // epoch_steps
            epoch_ends = done % epoch_steps == 0
            if done % training.log_every == 0 or done == steps:
                row = network.describe(forward, loss)
                refuse_divergence(entry, done, fault(network, row))
                rate = factor * optimizer.param_groups[0]["initial_lr"]
                row = {"step": done, "epoch": round(done / epoch_steps, 3), "learning_rate": rate, **row}
                log.write(row, len(images))
                bar.set_postfix(bpp=f"{row['bpp']:.3f}", ms_ssim=f"{row['ms_ssim']:.4f}", refresh=False)
            bar.update()
            if epoch_ends:
                with autocast(training):
                    network.end_epoch(epoch, crops)
                if replay is not None:
                    replay.forget()
            if epoch_ends and monitor_is_due(training, epoch):
                for name, pictures in task.selecting.items():
                    with autocast(training):
                        measured = monitor(network, pictures, device)
                    history.append({"epoch": epoch, "step": done, "selects": name, **measured})
                    if measured["ms_ssim"] > selected[name]["ms_ssim"]:
                        weights = current_weights(network)
                        selected[name] = {"ms_ssim": measured["ms_ssim"], "step": done, "weights": weights}
            time_is_up = time_limit is not None and time.monotonic() - began > time_limit
            must_stop = stop_requested() or time_is_up
            if must_stop or (epoch_ends and epoch % training.save_every == 0):
                refuse_divergence(
                    entry, done, None if torch.isfinite(loss.total) else f"the loss is {float(loss.total)}"
                )
                entry.save(
                    {
                        "network": network.state_dict(),
                        "optimizer": optimizer.state_dict(),
                        "selected": selected,
                        "history": history,
                        "step": done,
                        "seconds": seconds + time.monotonic() - began,
                        "cpu_seconds": cpu_seconds + time.process_time() - cpu_began,
                        "first_phase": first_phase,
                    }
                )
            if must_stop and done < steps:
                why = "the time limit" if time_is_up else "a request"
                raise Paused(
                    f"{entry.folder}: stopped at step {done} of {steps} by {why}; run the same command to resume",
                    time_is_up,
                )

    checkpoints = {"last": (steps, current_weights(network))}
    if training.monitor_every:
        checkpoints |= {name: (one["step"], one["weights"]) for name, one in selected.items()}

    def write(folder: Path) -> None:
        for name, (step, weights) in checkpoints.items():
            export(task, network, weights, folder / name, {**task.about, "checkpoint": name, "step": step})
        write_csv(folder / "log.csv", log.rows())
        write_csv(folder / "monitor.csv", history, header=MONITOR_COLUMNS)

    facts = {
        "optimizer": type(optimizer).__name__,
        "steps": steps,
        "resumed_from": first_step,
        "seconds": seconds + time.monotonic() - began,
        "cpu_seconds": cpu_seconds + time.process_time() - cpu_began,
        "images_on_device": source.resident,
        "peak_memory_bytes": torch.cuda.max_memory_allocated() - source.bytes_on_device if device == "cuda" else None,
        "first_phase": first_phase,
    }
    return Outcome(facts, write)


def export(task: Task, network: Trainable, weights: dict[str, Tensor], folder: Path, about: dict[str, Any]) -> None:
    """Write a trained model with these weights; afterwards the network has them and is on the CPU."""
    network.to("cpu", torch.float32).eval()
    network.load_state_dict(weights)
    if task.training.weights == "float16":
        for parameter in network.parameters():
            parameter.data = parameter.data.half().float()
    _, patch, _ = task.training.crops(task.training.all_epochs)
    [images] = FixedCrops(Source(task.pack, "cpu"), task.seed)(CALIBRATION_CROPS, patch)
    save_model(folder, task.codec.name, task.model, network.export(images), about)


def use_channels_last(network: nn.Module) -> None:
    """Store the weights of 2D convolutions channels last, which is fastest; 3D convolutions stay as they are."""
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def clip_gradients(network: nn.Module, training: TrainingSettings) -> None:
    """Clip gradients as the settings say."""
    if training.clip_value is not None:
        torch.nn.utils.clip_grad_value_(network.parameters(), training.clip_value)
    if training.clip_norm is not None:
        torch.nn.utils.clip_grad_norm_(network.parameters(), training.clip_norm)


def current_weights(network: nn.Module) -> dict[str, Tensor]:
    """A copy of the weights on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}


def fault(network: Trainable, row: dict[str, float]) -> str | None:
    """How a row of the log shows that the training has diverged, or None."""
    return network.fault(row) if np.isfinite(row["loss"]) else f"the loss is {row['loss']}"


def refuse_divergence(entry: Entry, step: int, found: str | None) -> None:
    """Raise Diverged if a fault was found at this step."""
    if found:
        kept = f"; the last good state is {entry.state_path}" if entry.state_path.exists() else ""
        raise Diverged(f"{entry.folder}: diverged at step {step}: {found}{kept}")


def monitor_is_due(training: TrainingSettings, epoch: int) -> bool:
    """Whether to evaluate after this many epochs: after every `monitor_every` of them, and at the end."""
    every = training.monitor_every
    return bool(every) and (epoch % every == 0 or epoch == training.all_epochs)


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """While active, SIGTERM and SIGINT only set a flag, which the yielded function returns."""
    requested = False

    def request(*_: object) -> None:
        nonlocal requested
        requested = True

    before = {number: signal.signal(number, request) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
