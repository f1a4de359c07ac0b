"""How fast PNG files of 2040x1356 are packed on all cores, in wall time."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from benchmarks.clock import median
from benchmarks.rows import Row
from cvqn.images import decode_picture, write_png
from cvqn.lab.data.index import describe, write_index
from cvqn.lab.data.pack import pack

IMAGES, HEIGHT, WIDTH = 128, 1356, 2040


def rows(device: str, images: int = IMAGES, height: int = HEIGHT, width: int = WIDTH) -> Iterator[Row]:
    """One run, since a packing is long enough to be steady, against decoding alone."""
    workers = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        index = _set(Path(folder), images, height, width)
        begin = time.perf_counter()
        pack([index], Path(folder) / "pack.npy", workers=workers)
        taken = (time.perf_counter() - begin) / images
        file = (Path(folder) / "0.png").read_bytes()
        decoding = median(lambda: decode_picture(file, "0.png"), device, 3) / workers
    what = f"packing PNG files of {width}x{height}, {workers} workers"
    limit = "decoding, and checksums"
    yield Row(what, 1 / taken, "images/s", decoding / taken, "the speed of decoding alone", limit=limit)
    yield Row("packing: pixels", height * width * 3 / taken / 1e6, "MB/s", limit="as above")


def _set(folder: Path, images: int, height: int, width: int) -> Path:
    """A photograph scaled up, with a little noise as a camera's, under many names."""
    photograph = np.asarray(Image.fromarray(data.retina()).resize((width, height)), np.int16)
    noise = np.random.default_rng(0).integers(-3, 4, photograph.shape, np.int16)
    write_png(folder / "0.png", (photograph + noise).clip(0, 255).astype(np.uint8))
    first = describe(folder / "0.png", "CC0 1.0")
    members = [first]
    for number in range(1, images):
        os.link(first.path, folder / f"{number}.png")
        members.append(first.model_copy(update={"name": str(number), "file": f"{number}.png"}))
    write_index(folder / "index.json", "retina", "", members)
    return folder / "index.json"
