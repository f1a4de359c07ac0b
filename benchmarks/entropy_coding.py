"""How fast symbols are coded, against the matrix product that it takes at least and against one symbol at a time.

    python -m benchmarks.entropy_coding [--model DIR --images INDEX.json]

On one core, in seconds of processor time, for the latent of an image of 768x512; medians of several runs in one
process. With a trained model also the bytes of real files against the integer model's ideal code length and against the
float model's cross entropy.
"""

import argparse
import csv
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from threadpoolctl import threadpool_limits

from benchmarks.naive import REACH, Cone, Crop
from benchmarks.rows import Row
from cvqn.bitstream import rangecoder
from cvqn.bitstream.integer_model import HOLLOW, SOLID, IntegerModel
from cvqn.bitstream.wavefront import code_lengths, decode_symbols, encode_symbols
from cvqn.codecs import container
from cvqn.compression import StoredCodec
from cvqn.files import atomic_write
from cvqn.lab.data.index import read_index
from cvqn.model.context import ContextModel
from cvqn.model.export import export_context

WIDTHS = (24, 64, 192)
CHANNELS = (16, 32, 80)
LEVELS, RATIOS = (3, 5, 7), (0.25, 0.5, 0.25)
ROWS, COLUMNS = 32, 48
NAIVE_SYMBOLS = 500
# (width, a of a / b, largest or smallest ratio), C = 32
GOALS = [
    (24, "crop_s", "decode_s", ">=", 80),
    (192, "crop_s", "decode_s", ">=", 120),
    (24, "decode_s", "floor_s", "<=", 10),
    (192, "decode_s", "floor_s", "<=", 2.5),
    (24, "decode_s", "encode_s", ">=", 1.3),
]


def measure(widths: tuple[int, ...] = WIDTHS, channels: tuple[int, ...] = CHANNELS, repeats: int = 7) -> Iterator[dict]:
    """A row for each K and C: `floor_s` is the matrix products' time at the rate measured beside it, `encode_s` and
    `decode_s` the codec's, `crop_s` and `cone_s` the naive decoders' (benchmarks.naive), from 500 symbols.
    """
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for width in widths:
            contexts, models = _models(width)
            for total in channels:
                sizes = [round(total * ratio) for ratio in RATIOS]
                symbols = [_field(size, q, seed=q) for size, q in zip(sizes, LEVELS, strict=True)]
                yield _row(contexts, models, symbols, repeats)


def rows(device: str, widths: tuple[int, ...] = WIDTHS, repeats: int = 3) -> Iterator[Row]:
    """Of `measure` what C = 32 gives, with the goals."""
    goals = {(width, a, b): f"{sense} {goal}" for width, a, b, sense, goal in GOALS}
    for found in measure(widths, (32,), repeats):
        width, size = found["K"], f"768x512, C 32, K {found['K']}"
        limit = "matrix products" if width >= 64 else "gathering, frequencies and calls, as much as matrix products"
        share = found["encode_s"] / found["decode_s"]
        yield Row(f"encode symbols, {size}", found["encode_s"], "s", share, "decode", limit=limit)
        excess, goal = found["decode_s"] / found["floor_s"], goals.get((width, "decode_s", "floor_s"), "")
        yield Row(f"decode symbols, {size}", found["decode_s"], "s", excess, "its matrix products", goal, limit)
        gain, goal = found["crop_s"] / found["decode_s"], goals.get((width, "crop_s", "decode_s"), "")
        what = f"one symbol at a time, estimated from {NAIVE_SYMBOLS}, K {width}"
        yield Row(what, found["crop_s"], "s", gain, "decode", goal, "one network call per symbol")


def _row(contexts: list[ContextModel], models: list[IntegerModel], symbols: list[np.ndarray], repeats: int) -> dict:
    payload = encode_symbols(models, symbols)
    shapes = [group.shape for group in symbols]
    decoded = decode_symbols(models, shapes, payload)
    assert all((a == b).all() for a, b in zip(decoded, symbols, strict=True))

    count, width = sum(group.size for group in symbols), models[0].width
    operations = 2 * sum(
        group.size * width * (HOLLOW * model.levels + 2 * SOLID * width + SOLID * model.levels)
        for group, model in zip(symbols, models, strict=True)
    )
    rates, encode, decode = [], [], []
    for _ in range(repeats):
        rates.append(_matrix_rate())
        encode.append(_seconds(lambda: encode_symbols(models, symbols)))
        decode.append(_seconds(lambda: decode_symbols(models, shapes, payload)))
    crop, cone = _naive_seconds(contexts, models, symbols)
    rate = float(np.median(rates))
    return {
        "K": width,
        "C": sum(len(group) for group in symbols),
        "symbols": count,
        "gflop": operations / 1e9,
        "gflop_per_s": rate / 1e9,
        "floor_s": operations / rate,
        "encode_s": float(np.median(encode)),
        "decode_s": float(np.median(decode)),
        "crop_s": crop * count,
        "cone_s": cone * count,
        "bytes": len(payload),
        "ideal_bytes": sum(bits.sum() for bits in code_lengths(models, symbols)) / 8,
    }


def _seconds(function: Callable[[], object]) -> float:
    """Processor time of this thread."""
    begin = time.thread_time()
    function()
    return time.thread_time() - begin


def _matrix_rate(size: int = 1536) -> float:
    """Floating-point operations per second in a large float32 matrix product."""
    a = np.ones((size, size), np.float32)
    return 2 * size**3 / _seconds(lambda: a @ a)


def _naive_seconds(
    contexts: list[ContextModel], models: list[IntegerModel], symbols: list[np.ndarray]
) -> tuple[float, float]:
    """Seconds per symbol, the mean over 500 of them at random places, of `Crop` and of `Cone`."""
    rng = np.random.default_rng(0)
    shares = np.array([group.size for group in symbols]) / sum(group.size for group in symbols)
    crops, cones = [Crop(context) for context in contexts], [Cone(model) for model in models]
    values = [_means(q)[torch.from_numpy(group)] for q, group in zip(LEVELS, symbols, strict=True)]
    padded = [np.pad(group, ((REACH, 0), (REACH, REACH), (REACH, REACH)), mode="wrap") for group in symbols]
    crop, cone = [], []
    for group in rng.choice(len(symbols), NAIVE_SYMBOLS, p=shares):
        position = tuple(int(rng.integers(side)) for side in symbols[group].shape)
        inside = tuple(p + REACH for p in position)
        crop.append(_seconds(lambda: crops[group].logits(values[group], position)))  # noqa: B023
        cone.append(_seconds(lambda: cones[group].logits(padded[group], inside)))  # noqa: B023
    return float(np.mean(crop)), float(np.mean(cone))


def _models(width: int) -> tuple[list[ContextModel], list[IntegerModel]]:
    """Untrained networks: the time does not depend on the weights."""
    torch.manual_seed(width)
    contexts = [ContextModel(levels, width).eval() for levels in LEVELS]
    calibration = {levels: torch.from_numpy(_field(4, levels, seed=9)) for levels in LEVELS}
    return contexts, [export_context(c, _means(c.levels), [calibration[c.levels]]) for c in contexts]


def _means(levels: int) -> torch.Tensor:
    return torch.arange(levels).float() - (levels - 1) / 2


def _field(channels: int, levels: int, seed: int) -> np.ndarray:
    """Symbols `[channels, 32, 48]` that neighbours share, as in a latent."""
    noise = np.random.default_rng(seed).normal(size=(channels, ROWS, COLUMNS))
    smooth = gaussian_filter(noise, 1.0)
    return np.digitize(smooth / smooth.std(), np.linspace(-2, 2, levels + 1)[1:-1])


def measure_files(model: Path, images: Path) -> Iterator[dict]:
    """A row per image: bytes of its file, the integer model's ideal code length, the float model's cross entropy."""
    codec = StoredCodec(model)
    trained = codec.stored.model
    for image in read_index(images):
        picture = image.read()
        height, width, _ = picture.shape
        data = codec.encode(picture)
        _, payload = container.unpack(data, codec.stored.model_id)
        symbols = trained.read_symbols(payload, height, width)
        ideal = sum(bits.sum() for bits in trained.code_lengths(symbols)) / 8
        cross_entropy = codec.rates(picture, data)["cross_entropy_bpp"] * height * width / 8
        yield {"image": image.name, "bytes": len(data), "ideal_bytes": ideal, "cross_entropy_bytes": cross_entropy}


def _print_speed(rows: list[dict]) -> None:
    print(f"{rangecoder.DEFAULT.name} coder, NumPy {np.__version__}, processor seconds on one core, medians")
    print("                                            naive, estimated   decode takes      encode takes")
    print("  K   C  GFLOP  floor s  encode s  decode s    crop s  cone s  x floor  1/x crop  1/x cone   1/x decode")
    for row in rows:
        decode = row["decode_s"]
        print(
            f"{row['K']:3} {row['C']:3} {row['gflop']:6.1f} {row['floor_s']:8.3f} {row['encode_s']:9.3f} {decode:9.3f} "
            f"{row['crop_s']:9.1f} {row['cone_s']:7.1f} {decode / row['floor_s']:8.1f} {row['crop_s'] / decode:9.0f} "
            f"{row['cone_s'] / decode:9.0f} {decode / row['encode_s']:12.2f}"
        )
    for width, a, b, sense, goal in GOALS:
        for row in rows:
            if (row["K"], row["C"]) == (width, 32):
                ratio = row[a] / row[b]
                verdict = "held" if (ratio >= goal if sense == ">=" else ratio <= goal) else "MISSED"
                print(f"K {width}, C 32: {a[:-2]} / {b[:-2]} = {ratio:.2f}, goal {sense} {goal}: {verdict}")


def _print_files(rows: list[dict]) -> None:
    print("image                     bytes     ideal  difference   cross entropy  difference")
    for row in rows:
        size, ideal, entropy = row["bytes"], row["ideal_bytes"], row["cross_entropy_bytes"]
        print(
            f"{row['image'][:20]:20} {size:10} {ideal:9.1f} {size - ideal:6.1f} {100 * (size / ideal - 1):6.3f} % "
            f"{entropy:11.1f} {size - entropy:6.1f} {100 * (size / entropy - 1):6.3f} %"
        )
    for name, share in (("ideal_bytes", 0.001), ("cross_entropy_bytes", 0.002)):
        excess = max((abs(row["bytes"] - row[name]) - 40) / row[name] for row in rows)
        print(
            f"largest |bytes - {name.removesuffix('_bytes')}| beyond 40 bytes: {100 * max(excess, 0):.3f} %, "
            f"goal <= {100 * share:g} %: {'held' if excess <= share else 'MISSED'}"
        )


def _write(path: Path, rows: list[dict]) -> None:
    with atomic_write(path, "w") as file:
        writer = csv.DictWriter(file, fieldnames=rows[0])
        writer.writeheader()
        writer.writerows({name: f"{v:.6g}" if isinstance(v, float) else v for name, v in row.items()} for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"), help="folder of the CSV files")
    parser.add_argument("--repeats", type=int, default=7, help="runs of which the median is taken (default 7)")
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS, help="context model widths K")
    parser.add_argument("--channels", type=int, nargs="+", default=CHANNELS, help="latent channels C, multiples of 4")
    parser.add_argument("--model", type=Path, help="folder of a trained model: also the length of real files")
    parser.add_argument("--images", type=Path, help="index.json of the images for --model")
    arguments = parser.parse_args()
    if (arguments.model is None) != (arguments.images is None):
        parser.error("--model and --images go together")
    rows = list(measure(arguments.widths, arguments.channels, arguments.repeats))
    _print_speed(rows)
    _write(arguments.output / "entropy_coding.csv", rows)
    if arguments.model:
        rows = list(measure_files(arguments.model, arguments.images))
        _print_files(rows)
        _write(arguments.output / "entropy_coding_files.csv", rows)


if __name__ == "__main__":
    main()
