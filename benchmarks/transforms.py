"""Pictures to files and back: encoder and decoder alone, the whole of compress and decompress, and their memory.

With untrained networks, whose symbols are about as many and as hard to code as a trained one's.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.clock import MatrixRate, median, one_core
from benchmarks.layers import count, flops
from benchmarks.models import noise_picture, save_untrained
from benchmarks.rows import Row
from cvqn.codecs.store import Stored, load_model
from cvqn.compression import compress_batch, decompress

HEIGHT, WIDTH = 512, 768
MEMORY_SCALE = "mini"
COLUMNS = 4096
MEMORY_ROWS = (2176, 3072)  # both above the 2^23 pixels up to which a picture is not cut into tiles


def rows(
    device: str,
    scale: str = "paper",
    height: int = HEIGHT,
    width: int = WIDTH,
    repeats: int = 2,
    tall: tuple = MEMORY_ROWS,
) -> Iterator[Row]:
    """Speed at the widths of `scale` on a picture `[height, width]`; memory of pictures `tall` rows high."""
    with tempfile.TemporaryDirectory() as folder:
        stored = load_model(save_untrained(Path(folder) / "speed", scale), device)
        with one_core(device):
            yield from _speed(stored, device, f"{scale}'s widths", height, width, repeats)
        if device == "cpu":
            yield from _memory(Path(folder), tall)


def _speed(stored: Stored, device: str, name: str, height: int, width: int, repeats: int) -> Iterator[Row]:
    model, size = stored.model.network, f"{width}x{height}, {name}"
    batch = 8 if device == "cuda" else 1
    pictures = [noise_picture(height, width)] * batch
    rate = MatrixRate(device, torch.float32)
    images = torch.rand(batch, height, width, 3, device=device).permute(0, 3, 1, 2)
    with torch.no_grad():
        latent = model.controller.quantize(model.analyse(images)).contiguous(memory_format=torch.channels_last)
        parts = {"encoder": lambda: model.analyse(images), "decoder": lambda: model.decoder(latent)}
        taken = {}
        for part, function in parts.items():
            rate()
            operations = flops(count(function, device))
            taken[part] = median(function, device, repeats, warm=True) / batch
            share = operations / batch / taken[part] / rate.value
            yield Row(f"{part}, {size}", taken[part], "s", share, "the matrix rate", limit="its convolutions")
    [data, *_] = files = compress_batch(stored, pictures)
    compress = median(lambda: compress_batch(stored, pictures), device, repeats, warm=True) / batch
    limit = "the encoder and the context model's products" if device == "cpu" else "the context model, on the CPU"
    yield Row(f"compress, {size}", compress, "s", compress / taken["encoder"], "the encoder alone", limit=limit)
    whole = median(lambda: decompress(stored, data), device, repeats)
    limit = limit.replace("encoder", "decoder")
    yield Row(f"decompress, {size}", whole, "s", whole / taken["decoder"], "the decoder alone", limit=limit)
    assert len(set(files)) == 1, "pictures of a batch are alike, so must be their files"


def _memory(folder: Path, tall: tuple[int, int]) -> Iterator[Row]:
    """Peak memory of a process that does one picture, and how it grows from one size to the next."""
    save_untrained(folder / "model", MEMORY_SCALE)
    megapixels = [rows * COLUMNS / 1e6 for rows in tall]
    for what in ("compress", "decompress"):
        peaks = [_peak(folder, what, rows) / 1e6 for rows in tall]
        size = f"{megapixels[1]:.1f} megapixels, {MEMORY_SCALE} preset"
        limit = "torch and the largest maps of a tile of 2048x2048 pixels"
        yield Row(f"{what}, peak memory, {size}", peaks[1], "MB", limit=limit)
        growth = (peaks[1] - peaks[0]) / (megapixels[1] - megapixels[0])
        limit = "the picture, its symbols and the order in which they are coded"
        yield Row(f"{what}, memory per megapixel, {MEMORY_SCALE} preset", growth, "MB", limit=limit)


def _peak(folder: Path, what: str, height: int) -> int:
    """Bytes, of a process of its own."""
    command = [sys.executable, "-m", "benchmarks.transforms", what, str(folder), str(height)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return int(done.stdout)


def _one(what: str, folder: Path, height: int) -> None:
    """What `_peak` starts: compress a picture into a file, or decompress it; print the peak of its memory in bytes."""
    torch.set_num_threads(1)
    stored, path = load_model(folder / "model"), folder / f"{height}.cvqn"
    if what == "compress":
        path.write_bytes(compress_batch(stored, [noise_picture(height, COLUMNS)])[0])
    else:
        decompress(stored, path.read_bytes())
    status = Path("/proc/self/status").read_text()  # getrusage would count what the parent had before the start
    print(1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]))


if __name__ == "__main__":
    _one(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
