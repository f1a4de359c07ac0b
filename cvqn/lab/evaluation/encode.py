"""Encodes the pictures of a set into one archive of bitstreams. Imports PyTorch only if the codec does."""

import csv
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from cvqn.codecs.interface import Codec
from cvqn.files import atomic_write
from cvqn.lab.data.index import read_index
from cvqn.lab.evaluation.archive import Made, write_archive
from cvqn.lab.evaluation.clock import cpu_seconds, place, written


def encode_set(codec: Codec, quality: float | None, index: str | Path, output: str | Path) -> None:
    """Encode every image of the set at `index` into the archive `output` and its table `<output stem>.csv`.

    The files are in the order of the set's index. The table's columns are image, bytes, encode_s (the CPU seconds of
    `codec.encode`; empty on another device), device and threads.

    Raises:
        CvqnError: the set or an image is damaged, or the codec refuses the quality.
    """
    output = Path(output)
    made = Made(codec=codec.name, quality=quality, versions=codec.versions(), settings=codec.settings())
    images, where = read_index(index), place(codec)
    codec.encode(images[0].read()[:64, :64], quality)  # keeps what is loaded on the first call out of the timing
    with atomic_write(output.with_suffix(".csv"), "w") as table, atomic_write(output) as file:
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(["image", "bytes", "encode_s", *where])

        def encoded() -> Iterator[tuple[str, bytes]]:
            for image in tqdm(images, desc=f"encode {codec.name} {output.stem}", unit="image", disable=None):
                picture = image.read()
                start = cpu_seconds()
                data = codec.encode(picture, quality)
                seconds = cpu_seconds() - start
                rows.writerow([image.name, len(data), written(seconds, codec), *where.values()])
                yield image.name, data

        write_archive(file, made, codec.suffix, encoded())
