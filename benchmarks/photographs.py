"""CVQN beside other codecs on pictures outside Kodak and its training images: python -m benchmarks.photographs

Needs `cvqn data fetch packaged-train packaged-evaluation`; the built-in models were trained on neither. It prints, for
each quality, the mean over pictures of CVQN's MS-SSIM less the other codec's at the same rate, with the number of
pictures: those for which the other codec has files of lower and of higher rate. The other codec's MS-SSIM in dB is
interpolated monotonically over log rate. Every number goes to a CSV.
"""

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.interpolate import PchipInterpolator
from tqdm import tqdm

from cvqn.codecs import registry
from cvqn.codecs.interface import Codec
from cvqn.codecs.shipped import folder_of_quality, qualities
from cvqn.compression import StoredCodec
from cvqn.lab.data.index import Image, read_index
from cvqn.lab.evaluation.metrics import ms_ssim, ms_ssim_db
from cvqn.lab.settings.configuration import resolve

OUTPUT = Path("benchmarks/results/photographs.csv")
SETS = ("packaged-train", "packaged-evaluation")
OTHERS = ("bpg-444", "heic", "webp", "jpeg2000")


def point(codec: Codec, picture: np.ndarray, quality: float | None) -> tuple[float, float]:
    """Rate in bits per pixel and MS-SSIM of a picture's file."""
    file = codec.encode(picture, quality)
    return 8 * len(file) / picture[..., 0].size, ms_ssim(picture, codec.decode(file))


def rows_of(image: Image) -> list[dict[str, object]]:
    """CVQN at each quality, beside every other codec at its rate; NaN where that codec has no file on one side."""
    picture, own = image.read(), [StoredCodec(folder_of_quality(quality)) for quality in qualities()]
    points = [point(codec, picture, None) for codec in own]
    rows = [
        {"image": image.name, "quality": q, "bpp": r, "cvqn": s} for q, (r, s) in zip(qualities(), points, strict=True)
    ]
    for name, settings in resolve(["workflow/scales/small.yaml"]).measured_codecs().items():
        if name in OTHERS:
            codec = registry.conventional(name)
            measured = dict(sorted(point(codec, picture, quality) for quality in settings))
            decibel = ms_ssim_db(np.array(list(measured.values())))
            curve = PchipInterpolator(np.log(list(measured)), decibel, extrapolate=False)
            for row in rows:
                row[name] = 1 - 10 ** (-curve(np.log(row["bpp"])) / 10)
    return rows


def main() -> None:
    """Measure, write the CSV and print the means."""
    images = [image for name in SETS for image in read_index(f"data/sets/{name}/index.json")]
    with ProcessPoolExecutor() as pool:
        found = list(tqdm(pool.map(rows_of, images), total=len(images), desc="measure", unit="picture"))
    table = pd.DataFrame([row for rows in found for row in rows])
    table.to_csv(OUTPUT, index=False, float_format="%.6g", lineterminator="\n")
    for quality, rows in table.groupby("quality"):
        leads = {name: (rows["cvqn"] - rows[name]).dropna() for name in OTHERS}
        cells = (f"{lead.mean():+.4f} ({len(lead)})" if len(lead) else "–" for lead in leads.values())
        print(f"| {quality} | {rows['bpp'].mean():.4f} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
