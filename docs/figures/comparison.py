"""Draws small-comparison.png: each photograph of the set packaged-evaluation by CVQN and by other codecs at its size.

python docs/figures/comparison.py [QUALITY]    # after make mini, which makes the set
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from cvqn.codecs import registry
from cvqn.codecs.interface import Codec
from cvqn.codecs.shipped import folder_of_quality
from cvqn.compression import StoredCodec
from cvqn.images import read_picture
from cvqn.lab.data.index import read_index
from cvqn.lab.evaluation.metrics import ms_ssim, psnr_db

CODECS = {"jpeg-420": "JPEG 4:2:0", "webp": "WebP", "jpeg2000": "JPEG 2000", "bpg-444": "BPG 4:4:4"}
QUALITIES = {
    "jpeg-420": range(1, 60),
    "webp": range(60),
    "jpeg2000": np.arange(0.02, 1, 0.002),
    "bpg-444": range(20, 52),
}
FOLDER = Path(__file__).parent


def nearest(codec: Codec, qualities: Sequence[float], picture: np.ndarray, size: int) -> bytes:
    """The file whose size is nearest to `size` bytes; sizes are monotone in quality."""
    first, last = 0, len(qualities) - 1
    rising = len(codec.encode(picture, qualities[first])) < len(codec.encode(picture, qualities[last]))
    while last - first > 1:
        middle = (first + last) // 2
        if (len(codec.encode(picture, qualities[middle])) < size) == rising:
            first = middle
        else:
            last = middle
    files = [codec.encode(picture, qualities[place]) for place in (first, last)]
    return min(files, key=lambda file: abs(len(file) - size))


def main(quality: int = 2) -> None:
    """Draw every photograph of the set, whole, with rate, MS-SSIM and PSNR."""
    stored = StoredCodec(folder_of_quality(quality))
    pictures = [
        (image.name, read_picture(image.path)) for image in read_index("data/sets/packaged-evaluation/index.json")
    ]
    figure = Figure(figsize=(18, 2.75 * len(pictures)), layout="constrained")
    axes = figure.subplots(len(pictures), 2 + len(CODECS))
    for (name, picture), row in zip(pictures, axes, strict=True):
        ours = stored.encode(picture)
        shown = [("original", None, picture), (f"CVQN, quality {quality}", ours, stored.decode(ours))]
        for codec_name, label in CODECS.items():
            codec = registry.conventional(codec_name)
            file = nearest(codec, QUALITIES[codec_name], picture, len(ours))
            shown.append((label, file, codec.decode(file)))
        for axis, (label, file, decoded) in zip(row, shown, strict=True):
            axis.imshow(decoded)
            axis.set_axis_off()
            numbers = name
            if file is not None:
                rate = 8 * len(file) / picture[..., 0].size
                numbers = f"{rate:.3f} bpp, {ms_ssim(picture, decoded):.3f}, {psnr_db(picture, decoded):.1f} dB"
            axis.set_title(f"{label}\n{numbers}", fontsize=11)
    figure.savefig(FOLDER / "small-comparison.png", dpi=80, metadata={"Software": None})


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
