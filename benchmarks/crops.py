"""How long a batch of 32 crops of 256 px takes to come out of a pack, on one core: at most 5 ms are allowed.

The pack is in the page cache. The first 30 batches after opening also map its pages; the later ones find them mapped.
On a GPU the pack is in its memory, and a batch is crops chosen, cut and converted.
"""

import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.clock import one_core, seconds
from benchmarks.rows import Row
from cvqn.lab.data.pack import Pack
from cvqn.lab.training.batches import Source, crops_of_step

IMAGES, HEIGHT, WIDTH = 48, 1356, 2040  # 398 MB, larger than any processor's cache
BATCH, SIZE = 32, 256
FIRST = 30
LIMIT = "< 5 ms"


def rows(device: str, images: int = IMAGES, batches: int = 1000) -> Iterator[Row]:
    """The first batches and the later ones, beside copies of as many bytes that are in one piece."""
    name = f"batch of {BATCH} crops of {SIZE} px"
    with one_core(device), noise_pack(images) as pack:
        if device == "cuda":
            source = Source(pack, device)
            times = [
                seconds(lambda: source.load(crops_of_step(pack, 0, step, BATCH, SIZE), SIZE), device)  # noqa: B023
                for step in range(FIRST + batches)
            ]
            median = 1e3 * statistics.median(times[FIRST:])
            yield Row(f"{name} on the device", median, "ms", goal=LIMIT, limit="kernel launches and random reads")
            return
        generator = np.random.default_rng(0)
        out = np.empty((BATCH, SIZE, SIZE, 3), np.uint8)
        taken, copies = [], []
        for _ in range(FIRST + batches):
            corners = generator.integers([HEIGHT - SIZE + 1, WIDTH - SIZE + 1], size=(BATCH, 2))
            specs = np.column_stack([generator.integers(images, size=BATCH), corners])
            taken.append(seconds(lambda: pack.crops(specs, SIZE, out), device))  # noqa: B023
            start = generator.integers(len(pack.pixels) - out.size)
            piece = pack.pixels[start : start + out.size]
            copies.append(seconds(lambda: np.copyto(out.reshape(-1), piece), device))  # noqa: B023
    yield _row(f"{name}, first {FIRST} after opening", taken[:FIRST], copies[:FIRST], "page faults of the mapped file")
    yield _row(f"{name}, pages mapped", taken[FIRST:], copies[FIRST:], "memory: rows of 768 bytes, far apart")


def _row(what: str, times: list[float], copies: list[float], limit: str) -> Row:
    median = statistics.median(times)
    return Row(what, 1e3 * median, "ms", median / statistics.median(copies), "a plain copy", LIMIT, limit)


@contextmanager
def noise_pack(images: int) -> Iterator[Pack]:
    """A pack of images of 2040x1356, all noise."""
    size = HEIGHT * WIDTH * 3
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pack.npy"
        np.save(path, np.frombuffer(np.random.default_rng(0).bytes(images * size), np.uint8))
        entry = {"set": "noise", "height": HEIGHT, "width": WIDTH, "pixels_sha256": ""}
        entries = [{"name": str(number), **entry} for number in range(images)]
        yield Pack(np.load(path, mmap_mode="r").view(np.ndarray), entries)
