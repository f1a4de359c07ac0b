"""Time, the machine's rates to compare it with, and the machine's name.

On a CPU everything is measured on one core in seconds of processor time, which other programs hardly disturb, unless
said otherwise; on a GPU in seconds until the device is done.
"""

import functools
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits


@contextmanager
def one_core(device: str) -> Iterator[None]:
    """Within it the libraries of a CPU use one thread; on a GPU this changes nothing."""
    if device == "cuda":
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)


def now(device: str) -> float:
    """Seconds since some moment: processor time of this process, or wall time once the GPU is done."""
    if device == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def seconds(function: Callable[[], object], device: str, clock: Callable[[str], float] = now) -> float:
    """How long one call takes."""
    begin = clock(device)
    function()
    return clock(device) - begin


def median(function: Callable[[], object], device: str, repeats: int, *, warm: bool = False) -> float:
    """The median of `repeats` calls, after one that does not count unless there was one already (`warm`)."""
    if not warm:
        function()
    return statistics.median(seconds(function, device) for _ in range(repeats))


class MatrixRate:
    """Floating-point operations per second in large matrix products, by the fastest library at hand.

    Call it between other measurements; `value` is the median of all calls.

    Args:
        device: cpu or cuda.
        dtype: of the matrices.
        clock: as `now`.
        size: of the square matrices.
    """

    def __init__(self, device: str, dtype: torch.dtype, clock: Callable[[str], float] = now, size: int | None = None):
        self.device, self.dtype, self.clock = device, dtype, clock
        self.size = size or (8192 if device == "cuda" else 2048)
        a, b = torch.rand(2, self.size, self.size, device=device).to(dtype)
        products: dict[str, Callable[[], object]] = {"torch.mm": lambda: a @ b}
        if device == "cpu" and dtype == torch.float32:
            products["NumPy"] = lambda: a.numpy() @ b.numpy()
            if torch.backends.mkldnn.is_available():
                products["oneDNN"] = lambda: torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
        self.all = {}
        for name, product in products.items():
            product()
            self.all[name] = statistics.median(self._once(product) for _ in range(3))
        self.best = max(self.all, key=self.all.get)
        self.product = products[self.best]
        self.measured = [self.all[self.best]]

    def __call__(self) -> None:
        self.measured.append(self._once(self.product))

    @property
    def value(self) -> float:
        return statistics.median(self.measured)

    def _once(self, product: Callable[[], object]) -> float:
        return 2 * self.size**3 / seconds(product, self.device, self.clock)


@functools.cache
def bandwidth(device: str, size: int = 1 << 28) -> float:
    """Bytes per second that a copy of `size` bytes reads and writes."""
    source, target = torch.zeros(2, size, dtype=torch.uint8, device=device)
    return 2 * size / median(lambda: target.copy_(source), device, 5)


def machine(device: str) -> str:
    """Processor or GPU, cores, and the versions that matter, in a line."""
    versions = f"torch {torch.__version__}, NumPy {np.__version__}, Python {platform.python_version()}"
    cores = len(os.sched_getaffinity(0))
    host = f"{_processor()}, {cores} core{'s' * (cores > 1)}"
    if device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        host = f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}, beside {host}"
    return f"{host}; {versions}"


def _processor() -> str:
    """The processor's name with family and model where Linux says them, and torch's widest vector instructions."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    fields = dict(reversed([tuple(map(str.strip, line.split(":", 1))) for line in lines if ":" in line]))
    name = fields.get("model name") or platform.processor() or platform.machine()
    details = [f"{key.removeprefix('cpu ')} {fields[key]}" for key in ("cpu family", "model") if key in fields]
    return f"{name} ({', '.join([*details, torch.backends.cpu.get_cpu_capability()])})"
