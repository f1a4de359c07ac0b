"""The training loop: settings, data, model, optimizer, steps."""

import ctypes
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from cvqn.data.pack import Pack
from cvqn.errors import CvqnError
from cvqn.export import export_model
from cvqn.model.cvqn import CVQN, Forward, Loss, loss
from cvqn.model.importance import reconstruction_errors
from cvqn.model.initialization import preserve_variance
from cvqn.model.ms_ssim import ms_ssim
from cvqn.model.store import save_model
from cvqn.model.transform_coder import start_as_transform_coder
from cvqn.training.batches import Source, crops_of_step, fixed_crops
from cvqn.training.checkpoint import Diverged, Paused, ResumeFolder
from cvqn.training.log import Log, write_csv
from cvqn.training.monitor import monitor
from cvqn.training.schedule import learning_rate_factor, make_optimizer, set_learning_rates

EXPLODED = 1e3  # standard deviation of a latent whose means lie a few units apart
CALIBRATION_CROPS = 16
START_PIXELS = 1 << 22  # of the crops that a transform coder is fitted to
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h


def train(
    run: dict,
    pack: Pack,
    evaluation: Sequence[np.ndarray],
    resume: ResumeFolder,
    *,
    about: dict,
    time_limit: float | None = None,
) -> dict:
    """Train one model, or go on with it, and write `model/`, `best/`, `log.csv` and `monitor.csv` into its folder.

    The state stays until the caller, with everything else written, calls `resume.finish()`.

    Bit-identical, interrupted or not, at equal thread count and processor type on a CPU.

    Args:
        run: `seed`, `model` and `training` of a resolved configuration.
        pack: the training images.
        evaluation: uint8 pictures `[H, W, 3]` on which `best/` is chosen every `monitor_every` epochs.
        resume: the claimed folder of the run.
        about: written into model.json: experiment, scale, seed.
        time_limit: seconds after which to save and stop.

    Returns:
        `optimizer`, `steps`, `resumed_from`, `seconds` and `peak_memory_bytes` of the device.

    Raises:
        Paused: SIGTERM, SIGINT or the time limit; the state is saved.
        Diverged: the last good state is kept, and a marker that stops the next attempt.
        CvqnError: no GPU where one is asked for, or a newer process took the run.
    """
    began = time.monotonic()
    training, seed = run["training"], run["seed"]
    device = prepare_device(training)
    epoch_steps = training["epoch_steps"] or -(-len(pack) // training["batch"])
    steps = training["epochs"] * epoch_steps

    model = fresh_model(run, pack)
    learned_order = run["model"]["importance"]["kind"] in ("se", "re")
    model.to(device)
    model.encoder.to(memory_format=torch.channels_last)
    model.decoder.to(memory_format=torch.channels_last)
    optimizer = make_optimizer(model, training)
    source = Source(pack, device)
    run_model = torch.compile(model) if training["compile"] else model

    best: dict = {"ms_ssim": -1.0, "step": 0, "model": None}
    history: list[dict] = []
    first_step = 0
    state = resume.load()
    if state is not None:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        best, history, first_step = state["best"], state["history"], state["step"]

    def save(step: int) -> None:
        resume.save(
            {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "best": best,
                "history": history,
                "step": step,
            }
        )

    log = Log(resume.log_path, first_step)
    bar = tqdm(total=steps, initial=first_step, desc=about.get("run", "train"), unit="step", disable=None)
    with stop_requests() as stop_requested, log, bar:
        for step in range(first_step, steps):
            epoch = step / epoch_steps
            factor = learning_rate_factor(training, epoch)
            set_learning_rates(optimizer, factor)
            crops = crops_of_step(pack, seed, step, training["batch"], training["patch"])
            images = source.load(crops, training["patch"])
            forward, terms = training_step(run_model, optimizer, images, training)

            done = step + 1
            epoch_ends = done % epoch_steps == 0
            finished_epochs = done // epoch_steps
            if done % training["log_every"] == 0 or done == steps:
                row = describe(model, forward, terms)
                problem = divergence(row)
                if problem:
                    resume.mark_diverged(f"step {done}: {problem}")
                    raise Diverged(
                        f"{resume.folder}: diverged at step {done}: {problem}"
                        + (f"; the last good state is {resume.state_path}" if resume.state_path.exists() else "")
                    )
                rate = factor * training["learning_rates"]["encoder"]
                log.write(
                    {"step": done, "epoch": round(done / epoch_steps, 3), "learning_rate": rate, **row}, len(images)
                )
                bar.set_postfix(bpp=f"{row['bpp']:.3f}", ms_ssim=f"{row['ms_ssim']:.4f}", refresh=False)
            bar.update()
            if learned_order and epoch_ends and order_is_due(training, finished_epochs):
                update_order(model, source, seed, training)
            if epoch_ends and monitor_is_due(training, finished_epochs):
                with autocast(training):
                    measured = monitor(model, evaluation, device)
                history.append({"epoch": finished_epochs, "step": done, **measured})
                if measured["ms_ssim"] > best["ms_ssim"]:
                    weights = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
                    best = {"ms_ssim": measured["ms_ssim"], "step": done, "model": weights}
            time_is_up = time_limit is not None and time.monotonic() - began > time_limit
            must_stop = stop_requested() or time_is_up
            if must_stop or (epoch_ends and finished_epochs % training["save_every"] == 0):
                if not torch.isfinite(terms.total):
                    resume.mark_diverged(f"step {done}: the loss is {float(terms.total)}")
                    raise Diverged(f"{resume.folder}: diverged at step {done}: the loss is {float(terms.total)}")
                save(done)
            if must_stop and done < steps:
                why = "the time limit" if time_is_up else "a request"
                raise Paused(
                    f"{resume.folder}: stopped at step {done} of {steps} by {why}; run the same command to go on"
                )

    finish(model, best, history, log.rows(), pack, seed, training, resume, {**about, "steps": steps})
    return {
        "optimizer": type(optimizer).__name__,
        "steps": steps,
        "resumed_from": first_step,
        "seconds": time.monotonic() - began,
        "peak_memory_bytes": torch.cuda.max_memory_allocated() if device == "cuda" else None,
    }


def fresh_model(run: dict, pack: Pack) -> CVQN:
    """The model before its first step, a function of configuration and seed, and of the images for a transform coder.

    An order that is learned (SE, RE) begins at random.
    """
    training, seed = run["training"], run["seed"]
    torch.manual_seed(seed)
    model = CVQN(run["model"])
    if run["model"]["importance"]["kind"] in ("se", "re"):
        model.controller.order.copy_(torch.randperm(len(model.controller.order)))
    if training["initialization"] == "variance":
        preserve_variance(model.encoder)
        preserve_variance(model.decoder)
    elif training["initialization"] == "transform-coder":
        crops = fixed_crops(pack, seed, START_PIXELS // training["patch"] ** 2, training["patch"])
        start_as_transform_coder(model, Source(pack, "cpu").load(crops, training["patch"]))
    return model


def training_step(
    model: CVQN, optimizer: torch.optim.Optimizer, images: Tensor, training: dict
) -> tuple[Forward, Loss]:
    """One step of Adam on images `[B, 3, patch, patch]`; nothing in it waits for the device."""
    optimizer.zero_grad(set_to_none=True)
    with autocast(training):
        forward = model(images)
    terms = loss(forward, images, alpha=training["alpha"], beta=training["beta"], clamp=training["clamp"])
    terms.total.backward()
    if training["clip_value"] is not None:
        torch.nn.utils.clip_grad_value_(model.parameters(), training["clip_value"])
    optimizer.step()
    return forward, terms


def prepare_device(training: dict) -> str:
    """Threads and determinism, and the device, which is never replaced by another.

    Raises:
        CvqnError: cuda is asked for and there is none.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(training["device"] == "cpu")
    torch.utils.deterministic.fill_uninitialized_memory = False  # nothing here reads what it has not written
    torch.backends.cudnn.benchmark = True
    torch.set_num_threads(training["threads"])
    keep_freed_memory()
    if training["device"] == "cuda" and not torch.cuda.is_available():
        raise CvqnError(
            "training.device is cuda, but torch sees no GPU; set it to cpu in a --configfile to train without"
        )
    return training["device"]


def keep_freed_memory() -> None:
    """Let glibc keep freed tensors for the next step; new pages from the system cost a tenth of a small step."""
    with suppress(OSError, AttributeError):  # another C library
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)


def autocast(training: dict) -> torch.autocast:
    """bfloat16 for convolutions where the configuration says so."""
    return torch.autocast(training["device"], torch.bfloat16, enabled=training["precision"] == "bfloat16")


@torch.no_grad()
def describe(model: CVQN, forward: Forward, terms: Loss) -> dict[str, float]:
    """One row of the log: loss terms, rate, latent spread, and for each group the share of every level."""
    row = {
        "loss": terms.total.item(),
        "ms_ssim": terms.ms_ssim.item(),
        "entropy_nats": terms.entropy.item(),
        "gmm_nats": terms.gmm.item(),
        "bpp": forward.bpp().mean().item(),
        "latent_std": forward.latent.std().item(),
    }
    groups = zip(
        model.controller.quantizers, forward.controlled.symbols, model.controller.split(forward.latent), strict=True
    )
    for group, (quantizer, symbols, latent) in enumerate(groups):
        shares = torch.bincount(symbols.flatten(), minlength=len(quantizer.means)) / symbols.numel()
        row |= {f"share_{group}_{level}": share for level, share in enumerate(shares.tolist())}
        row[f"unused_{group}"] = int((shares == 0).sum())
        row[f"monotone_{group}"] = int(quantizer.is_monotone(latent))
    return row


def divergence(row: dict[str, float]) -> str | None:
    """What is wrong with a logged step, or None."""
    if not np.isfinite(row["loss"]):
        return f"the loss is {row['loss']}"
    if not row["latent_std"] < EXPLODED:
        return f"the latent's standard deviation is {row['latent_std']:.3g}"
    return None


def order_is_due(training: dict, epochs: int) -> bool:
    """Whether SE and RE update the order after this many epochs; it is frozen from `freeze` on."""
    return epochs % training["importance"]["every"] == 0 and epochs <= training["importance"]["freeze"]


def monitor_is_due(training: dict, epochs: int) -> bool:
    """Whether to evaluate after this many epochs: every `monitor_every` and at the end."""
    every = training["monitor_every"]
    return bool(every) and (epochs % every == 0 or epochs == training["epochs"])


@torch.no_grad()
def update_order(model: CVQN, source: Source, seed: int, training: dict) -> None:
    """Sort the channels by ascending importance: SE's running mean, or equation (6) on the fixed crops."""
    if model.importance is not None:
        importance = model.importance.importance
    else:
        model.eval()
        settings = training["importance"]
        crops = fixed_crops(source.pack, seed, settings["images"], settings["patch"])
        total = torch.zeros(len(model.controller.order), device=source.device)
        with autocast(training):
            for start in range(0, len(crops), training["batch"]):
                some = crops[start : start + training["batch"]]
                images = source.load(some, settings["patch"])
                distance = lambda x, y: 1 - ms_ssim(x.float().clamp(0, 1), y)  # noqa: E731
                total += len(some) * reconstruction_errors(model.analyse(images), images, model.reconstruct, distance)
        importance = total / len(crops)
        model.train()
    model.controller.order.copy_(importance.argsort())


def finish(
    model: CVQN,
    best: dict,
    history: list[dict],
    rows: list[dict],
    pack: Pack,
    seed: int,
    training: dict,
    resume: ResumeFolder,
    about: dict,
) -> None:
    """Write the last model, the best one (the last where nothing was monitored), log and history."""
    resume.check_claim()
    model.to("cpu", torch.float32).eval()
    crops = fixed_crops(pack, seed, CALIBRATION_CROPS, training["patch"])
    calibration = Source(pack, "cpu").load(crops, training["patch"])
    last = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    checkpoints = {
        "model": ({**about, "checkpoint": "last", "step": about["steps"]}, last),
        "best": ({**about, "checkpoint": "best", "step": best["step"] or about["steps"]}, best["model"] or last),
    }
    for name, (description, weights) in checkpoints.items():
        model.load_state_dict(weights)
        if training["weights"] == "float16":
            for parameter in model.parameters():
                parameter.data = parameter.data.half().float()
        save_model(resume.folder / name, model, export_model(model, calibration), description)
    write_csv(resume.folder / "log.csv", rows)
    write_csv(resume.folder / "monitor.csv", history, header=["epoch", "step", "ms_ssim", "psnr_db", "bpp"])


@contextmanager
def stop_requests() -> Iterator:
    """Within it SIGTERM and SIGINT only set a flag, which the yielded function reads."""
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
