"""How long a batch of 32 crops of 256 px takes to come out of a pack, on one core: at most 5 ms are allowed.

    python -m benchmarks.crops

The pack is in the page cache. The first 30 batches after opening also map its pages; the later ones find them mapped.
"""

import json
import tempfile
import time
from pathlib import Path

import numpy as np

from cvqn.data.pack import Pack

IMAGES, HEIGHT, WIDTH = 48, 1356, 2040  # 398 MB, larger than any processor's cache
BATCH, SIZE = 32, 256
LIMIT_MS = 5.0


def measure() -> list[dict]:
    """Rows of `what`, `median`, `p90`, `limit` and `unit`."""
    with tempfile.TemporaryDirectory() as folder:
        pack = _pack(Path(folder))
        generator = np.random.default_rng(0)
        out = np.empty((BATCH, SIZE, SIZE, 3), np.uint8)
        times = []
        for _ in range(1030):
            corners = generator.integers([HEIGHT - SIZE + 1, WIDTH - SIZE + 1], size=(BATCH, 2))
            specs = np.column_stack([generator.integers(IMAGES, size=BATCH), corners])
            begin = time.perf_counter()
            pack.crops(specs, SIZE, out)
            times.append(1e3 * (time.perf_counter() - begin))
    name = f"batch of {BATCH} crops of {SIZE} px"
    return [_row(f"{name}, first 30", times[:30]), _row(f"{name}, pages mapped", times[30:])]


def _row(what: str, times: list[float]) -> dict:
    median, p90 = np.quantile(times, [0.5, 0.9])
    return {"what": what, "median": float(median), "p90": float(p90), "limit": LIMIT_MS, "unit": "ms"}


def _pack(folder: Path) -> Pack:
    size = HEIGHT * WIDTH * 3
    np.save(folder / "pack.npy", np.frombuffer(np.random.default_rng(0).bytes(IMAGES * size), np.uint8))
    images = [
        {"name": str(i), "set": "noise", "offset": i * size, "height": HEIGHT, "width": WIDTH, "pixels_sha256": ""}
        for i in range(IMAGES)
    ]
    (folder / "pack.json").write_text(json.dumps({"images": images}))
    return Pack.open(folder / "pack.npy")


if __name__ == "__main__":
    for row in measure():
        print(f"{row['what']}: median {row['median']:.2f}, 90th percentile {row['p90']:.2f}, limit {row['limit']} ms")
