"""A training step against the matrix rate, at the paper's widths and at the smaller scales', and the data it waits for.

Operations are counted layer by layer, of masked convolutions only the taps that count. See benchmarks.clock for the
clocks and the matrix rate.
"""

import os
import statistics
import time
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.clock import MatrixRate, bandwidth, one_core, seconds
from benchmarks.crops import noise_pack
from benchmarks.layers import Layer, count, flops, roofline
from benchmarks.rows import Row
from benchmarks.step import Case, Step
from cvqn.lab.training.batches import Source, crops_of_step
from cvqn.model.network import ResidualBlock

PARTS = {"encoder": ".encoder", "decoder": ".decoder", "context models": ".controller"}  # of the network
RATE = "the {} matrix rate"
REST = "; the rest: activations, attention, MS-SSIM and Adam, bound by memory"
NARROW = "convolutions of 3 to 96 channels, too few to fill the vector units"
CPU = {
    "paper": Case("paper's widths", "paper", 1, 256, 3, "convolutions" + REST, ">= 0.65"),
    "small": Case("small preset", "small", 16, 192, 3, "convolutions" + REST),
    "mini": Case("mini preset", "mini", 4, 128, 25, NARROW + REST),
}
GPU = {
    "paper": Case("paper's widths", "paper", 32, 256, 5, "convolutions; see the parts", ">= 0.4"),
    "small": Case("small preset", "small", 16, 192, 20, "convolutions; see the parts"),
}


def rows(device: str, cases: dict[str, Case] | None = None) -> Iterator[Row]:
    """Training steps of `cases`, by the names paper, small and mini, and what belongs to each."""
    cases = cases or (GPU if device == "cuda" else CPU)
    with one_core(device):
        paper = Step(cases["paper"], device).lean()
        rate = MatrixRate(device, paper.dtype)
        paper_time = _times(paper, rate)
        yield _rate_row(rate, device)
        yield from _step_rows(paper, paper_time, rate)
        if device == "cpu":
            yield _released_row(cases["paper"], paper_time)
    if device == "cpu" and len(os.sched_getaffinity(0)) > 1:
        yield _all_cores_row(paper, paper_time, rate)
    del paper
    with one_core(device):
        for name in [name for name in cases if name != "paper"]:
            step = Step(cases[name], device).lean()
            taken = _times(step, rate)
            yield from _step_rows(step, taken, rate)
            if name == "small":
                yield _data_row(step, taken)


def _times(step: Step, rate: MatrixRate) -> float:
    """The median step; matrix products in between."""
    step()
    taken = []
    for _ in range(step.case.repeats):
        rate()
        taken.append(seconds(step, step.device))
    return statistics.median(taken)


def _rate_row(rate: MatrixRate, device: str) -> Row:
    others = ", ".join(f"{name} {value / 1e9:.0f}" for name, value in rate.all.items() if name != rate.best)
    limit = f"the {'card' if device == 'cuda' else 'core'}; {rate.best}" + (f" (others: {others})" if others else "")
    return Row(f"matrix rate, {_precision(rate.dtype)}", rate.value / 1e9, "GFLOP/s", limit=limit)


def _step_rows(step: Step, taken: float, rate: MatrixRate) -> Iterator[Row]:
    case, layers = step.case, count(step, step.device)
    inside = sum(layer.seconds for layer in layers) / taken
    limit = f"{min(inside, 1):.0%} of it {case.limit}"
    what = f"training step, {case.name}, {case.batch} x {case.patch} px"
    of = RATE.format(_precision(rate.dtype))
    yield Row(what, taken, "s", flops(layers) / taken / rate.value, of, case.goal, limit)
    speed = f"crops of 256 px per {'second' if step.device == 'cuda' else 'CPU-second'}"
    yield Row(f"{case.name}: {speed}", step.crops / taken, "crops/s", limit="as the step")
    if step.device == "cuda":
        yield from _gpu_rows(step, taken, layers, rate)
    if step.device == "cuda" or case.goal:
        yield from _part_rows(step, layers, rate)


def _part_rows(step: Step, layers: list[Layer], rate: MatrixRate) -> Iterator[Row]:
    """Encoder, decoder and context models, their convolutions alone."""
    for part, module in PARTS.items():
        own = [layer for layer in layers if module in layer.module]
        taken, of = sum(layer.seconds for layer in own), RATE.format(_precision(rate.dtype))
        limits = ["the vector units"] if step.device == "cpu" else []
        if part == "context models":
            limits.append("4 of the 18 taps that are computed are masked")
        what = f"{step.case.name}: convolutions of the {part}"
        yield Row(what, taken, "s", flops(own) / taken / rate.value, of, limit="; ".join(limits))


def _gpu_rows(step: Step, taken: float, layers: list[Layer], rate: MatrixRate) -> Iterator[Row]:
    bound = roofline(layers, rate.value, bandwidth(step.device))
    limit = f"{bandwidth(step.device) / 1e9:.0f} GB/s of memory and the matrix rate, layer by layer"
    yield Row(f"{step.case.name}: roofline of the step", bound, "s", bound / taken, "the step", limit=limit)
    if step.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        step()
        memory = torch.cuda.max_memory_allocated() / 2**30
        yield Row(f"{step.case.name}: peak memory", memory, "GiB", limit="activations kept for the backward pass")
        step.run = torch.compile(step.model)
        compiled = _times(step, rate)
        limit = "what no fusion can join: the convolutions"
        yield Row(f"{step.case.name}: compiled step", compiled, "s", compiled / taken, "the eager step", limit=limit)


def _data_row(step: Step, taken: float) -> Row:
    """Choosing, cutting and converting a batch, against the step that uses it."""
    with noise_pack(16) as pack:
        source, case = Source(pack, step.device), step.case

        def load(number: int) -> None:
            source.load(crops_of_step(pack, 0, number, case.batch, case.patch), case.patch)

        load(0)
        times = [seconds(lambda: load(number), step.device) for number in range(1, 22)]  # noqa: B023
    data = statistics.median(times)
    what = f"{case.name}: a batch of {case.batch} crops of {case.patch} px, ready"
    return Row(what, 1e3 * data, "ms", data / taken, "its step", "<= 0.05", "memory; conversion to float32")


def _released_row(case: Case, lean: float) -> Row:
    """The released code's structure: GDN, planes in memory one after the other, each residual block's body twice."""
    step = Step(case, "cpu", "authors")

    def again(block: nn.Module, inputs: tuple) -> None:
        block.attention(block.conv2(F.relu(block.conv1(inputs[0]))))

    for module in step.model.modules():
        if isinstance(module, ResidualBlock):
            module.register_forward_pre_hook(again)
    step()
    taken = seconds(step, "cpu")
    limit = "its operations: each residual block's body runs twice, and GDN; one step timed"
    return Row(f"{case.name}: the released code's structure", taken, "s", taken / lean, "our step", limit=limit)


def _all_cores_row(step: Step, alone: float, rate: MatrixRate) -> Row:
    """The step on all cores in wall time."""
    cores, before = len(os.sched_getaffinity(0)), torch.get_num_threads()
    torch.set_num_threads(cores)

    def wall(_: str) -> float:
        return time.perf_counter()

    try:
        together = MatrixRate("cpu", step.dtype, wall)
        step()
        taken = []
        for _ in range(step.case.repeats):
            together()
            taken.append(seconds(step, "cpu", wall))
    finally:
        torch.set_num_threads(before)
    median = statistics.median(taken)
    share = flops(count(step, "cpu")) / median / together.value
    gains = f"{together.value / rate.value:.2f} and {alone / median:.2f}"
    limit = f"as on one core; matrix products and step are {gains} times as fast as there"
    what = f"{step.case.name}: the same step on {cores} cores, wall time"
    return Row(what, median, "s", share, f"the matrix rate on {cores} cores", limit=limit)


def _precision(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
