"""Draws small-rate-distortion.png from committed measurements and prints the BD-rates of docs/results.md.

python docs/figures/rate_distortion.py [FOLDER]    # where to write instead of docs/figures

Built-in models: docs/trainings/*/kodak.csv, by `cvqn encode` and `cvqn measure` with their folders in cvqn/models.
Conventional codecs: results/small/measurements/.
"""

import sys
import tempfile
from pathlib import Path

import pandas as pd

from cvqn.lab.evaluation.bd_rate import Reason, compare
from cvqn.lab.report.curves import measured_curves
from cvqn.lab.report.figures.curves import draw
from cvqn.lab.report.sources import MEASUREMENT_COLUMNS, Sources
from cvqn.lab.settings.configuration import Configuration, resolve
from cvqn.lab.settings.paths import Results

DOCS = Path(__file__).parent.parent
ROOT = DOCS.parent
TRAININGS = ("c8-seed1", "c16-seed1", "c24-seed1", "c32-seed1")


def configuration() -> Configuration:
    """Scale small with the rate points that there are, and no other learned codec."""
    content = resolve([ROOT / "workflow" / "scales" / "small.yaml"])
    report = content.report.model_copy(
        update={"rate_curve": tuple(name.partition("-")[0] for name in TRAININGS), "learned": (), "starts": ()}
    )
    return content.model_copy(update={"report": report})


def collect(results: Results) -> None:
    """The committed measurements where the report looks for them, with every column that it needs."""
    tables = {training: DOCS / "trainings" / training / "kodak.csv" for training in TRAININGS}
    found = [(path, results.measurements("cvqn", training)) for training, path in tables.items()]
    for path in sorted((ROOT / "results" / "small" / "measurements").glob("*.csv")):
        found.append((path, results.measurements(path.stem)))
    for path, place in found:
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
        missing = [column for column in MEASUREMENT_COLUMNS if column not in rows]
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        rows.assign(**dict.fromkeys(missing, "")).to_csv(place, index=False)


def main(output: str | Path = DOCS / "figures") -> None:
    """Draw the figure into a folder; print a row per codec."""
    with tempfile.TemporaryDirectory() as folder:
        results = Results(f"{folder}/small")
        collect(results)
        sources = Sources(configuration(), results)
        draw(sources, Path(folder, "small-rate-distortion.svg"))
        picture = Path(folder, "small-rate-distortion.png").read_bytes()
        curves = measured_curves(sources)
    Path(output, "small-rate-distortion.png").write_bytes(picture)
    own = curves.pop(sources.method).points
    for codec, anchor in curves.items():
        found = compare(anchor.points, own, sources.configuration.report.bootstrap)
        delta = found.rate_percent
        words = delta if isinstance(delta, Reason) else "{:+.1f} % ({:+.1f} to {:+.1f})".format(*delta)
        print(f"{codec}: {words}, {100 * found.overlap:.0f} % of the range", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
