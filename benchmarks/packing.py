"""How fast images of 2040x1356 are packed on all cores.

python -m benchmarks.packing
"""

import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from cvqn.data.index import describe, write_index
from cvqn.data.pack import pack
from cvqn.images import write_png

IMAGES, HEIGHT, WIDTH = 64, 1356, 2040


def measure(workers: int | None = None) -> list[dict]:
    """Rows of `what`, `median` and `unit`; one run, since a packing is long enough to be steady."""
    workers = workers or len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        index = _set(Path(folder))
        begin = time.perf_counter()
        pack([index], Path(folder) / "pack.npy", workers=workers)
        seconds = time.perf_counter() - begin
    rates = {"images/s": IMAGES / seconds, "MB/s": IMAGES * HEIGHT * WIDTH * 3 / seconds / 1e6}
    return [{"what": f"packing, {workers} workers", "median": value, "unit": unit} for unit, value in rates.items()]


def _set(folder: Path) -> Path:
    """A photograph scaled up, with a little noise as a camera's, under many names."""
    photograph = np.asarray(Image.fromarray(data.retina()).resize((WIDTH, HEIGHT)), np.int16)
    noise = np.random.default_rng(0).integers(-3, 4, photograph.shape, np.int16)
    write_png(folder / "0.png", (photograph + noise).clip(0, 255).astype(np.uint8))
    first = describe(folder / "0.png", "CC0 1.0")
    images = [first]
    for number in range(1, IMAGES):
        os.link(first.path, folder / f"{number}.png")
        images.append(replace(first, name=str(number), path=folder / f"{number}.png"))
    write_index(folder / "index.json", "retina", "", images)
    return folder / "index.json"


if __name__ == "__main__":
    for row in measure():
        print(f"{row['what']}: {row['median']:.1f} {row['unit']}")
