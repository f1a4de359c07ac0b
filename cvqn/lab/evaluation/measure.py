"""Measures archives of bitstreams: decodes every file and compares it with its original."""

import csv
import json
import platform
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from cvqn.codecs.interface import Codec
from cvqn.errors import CvqnError
from cvqn.files import atomic_write
from cvqn.lab.data.index import read_index
from cvqn.lab.evaluation.archive import Archive, read_archive
from cvqn.lab.evaluation.clock import cpu_seconds, place, written
from cvqn.lab.evaluation.metrics import ms_ssim, psnr_db
from cvqn.lab.provenance.machine import processor

RUN_COLUMNS = ["experiment", "seed", "checkpoint"]  # of a trained model; empty for a conventional codec
COLUMNS = [
    "codec", "setting", *RUN_COLUMNS, "image", "width", "height", "bytes", "bpp", "ms_ssim", "psnr_db", "encode_s",
    "decode_s",
]  # fmt: skip


@dataclass(frozen=True)
class _Encoded:
    """An archive with the table beside it: files and CPU seconds, as they are written, by image name."""

    archive: Archive
    seconds: dict[str, str]
    place: dict[str, object]


def measure(codec: Codec, index: str | Path, archives: Sequence[str | Path], output: str | Path) -> None:
    """Measure the archives that `encode_set` made from the set at `index`; write the CSV `output` and a JSON beside it.

    The CSV has one row per setting (the archive's stem) and image. `bytes` is the file's size in the archive, `bpp` its
    bits per pixel. `ms_ssim` and `psnr_db` compare the decoded 8-bit picture with the original. `encode_s` and
    `decode_s` are the CPU seconds of `codec.encode` and `codec.decode`, empty if these ran on another device. A codec
    with a method `rates(picture, data)` adds its estimates of the rate, one with `model_bytes` the size of its trained
    model. Rows of a trained model name its experiment, seed and checkpoint.

    The JSON has the versions of encoder and decoder, the settings, the machine, and the device and CPU threads.

    Raises:
        CvqnError: an archive is damaged, or of another codec or set; or the archives were made by different versions or
            settings.
    """
    images = read_index(index)
    names = {image.name for image in images}
    bitstreams = {Path(path).stem: _read(Path(path), codec, names) for path in archives}
    if len(bitstreams) < len(archives):
        raise CvqnError(f"{codec.name}: two of the archives have one name, so their settings could not be told apart")
    record = _common_record(codec, bitstreams.values())
    setting, first = next(iter(bitstreams.items()))
    record["machine"] |= {"encoding": first.place, "decoding": place(codec)}
    about = {
        setting: {column: encoded.archive.made.settings.get(column, "") for column in RUN_COLUMNS}
        for setting, encoded in bitstreams.items()
    }
    with _naming(setting, images[0].name):
        codec.decode(first.archive.files[images[0].name])  # keeps what is loaded on the first call out of the timing
    rows = []
    with tqdm(total=len(images) * len(bitstreams), desc=f"measure {codec.name}", unit="image", disable=None) as bar:
        for image in images:
            picture = image.read()
            for setting, encoded in bitstreams.items():
                with _naming(setting, image.name):
                    row = _measure_file(codec, picture, encoded.archive.files[image.name])
                row["encode_s"] = encoded.seconds[image.name]
                rows.append({"setting": setting, **about[setting], "image": image.name, **row})
                bar.update()
    rows.sort(key=lambda row: list(bitstreams).index(row["setting"]))
    columns = list(dict.fromkeys([*COLUMNS, *rows[0]]))
    output = Path(output)
    with atomic_write(output.with_suffix(".json"), "w") as sidecar, atomic_write(output, "w") as table:
        json.dump(record, sidecar, indent=2)
        writer = csv.DictWriter(table, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({"codec": codec.name, **row} for row in rows)


@contextmanager
def _naming(setting: str, image: str) -> Iterator[None]:
    """Put the names of the archive and of the image before the message of a CvqnError."""
    try:
        yield
    except CvqnError as error:
        raise CvqnError(f"{setting}.tar, {image}: {error}") from error


def _measure_file(codec: Codec, picture: np.ndarray, data: bytes) -> dict[str, object]:
    start = cpu_seconds()
    decoded = codec.decode(data)
    seconds = cpu_seconds() - start
    height, width = picture.shape[:2]
    if decoded.shape != picture.shape:
        raise CvqnError(
            f"{codec.name}: decoded {decoded.shape[1]}x{decoded.shape[0]}, the original is {width}x{height}"
        )
    row = {
        "width": width,
        "height": height,
        "bytes": len(data),
        "bpp": f"{8 * len(data) / (width * height):.8g}",
        "ms_ssim": f"{ms_ssim(picture, decoded):.8g}",
        "psnr_db": f"{psnr_db(picture, decoded):.8g}",
        "decode_s": written(seconds, codec),
    }
    if hasattr(codec, "model_bytes"):
        row["model_bytes"] = codec.model_bytes
    if hasattr(codec, "rates"):
        row |= {name: f"{rate:.8g}" for name, rate in codec.rates(picture, data).items()}
    return row


def _read(path: Path, codec: Codec, names: set[str]) -> _Encoded:
    """An archive and the table beside it."""
    archive = read_archive(path)
    try:
        with open(path.with_suffix(".csv"), newline="", encoding="utf-8") as table:
            rows = {row["image"]: row for row in csv.DictReader(table)}
        sizes = {name: int(row["bytes"]) for name, row in rows.items()}
        seconds = {name: f"{float(row['encode_s']):.6f}" if row["encode_s"] else "" for name, row in rows.items()}
        places = [{"device": row["device"], "threads": int(row["threads"])} for row in rows.values()]
    except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise CvqnError(f"{path}: without the .csv of `cvqn encode` ({error}); encode again") from error
    if archive.made.codec != codec.name:
        raise CvqnError(f"{path}: holds bitstreams of {archive.made.codec}, not of {codec.name}")
    if set(archive.files) != names:
        differing = ", ".join(sorted(set(archive.files) ^ names)[:3])
        raise CvqnError(f"{path}: does not hold the images of this set (they differ in {differing}); encode again")
    if {name: len(data) for name, data in archive.files.items()} != sizes:
        raise CvqnError(f"{path}: its .csv belongs to another archive; encode again")
    return _Encoded(archive, seconds, places[0])


def _common_record(codec: Codec, archives: Iterable[_Encoded]) -> dict[str, object]:
    """The JSON beside the table; all archives must be from one encoder with one set of settings."""
    encoders = [{"versions": one.archive.made.versions, "settings": one.archive.made.settings} for one in archives]
    if any(encoder != encoders[0] for encoder in encoders):
        raise CvqnError(f"{codec.name}: the archives were made by different versions or settings; encode them again")
    return {
        "codec": codec.name,
        **encoders[0],
        "decoder_versions": codec.versions(),
        "machine": {
            "platform": platform.platform(),
            "processor": processor(),
            "python": platform.python_version(),
        },
    }
