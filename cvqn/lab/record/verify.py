"""Check recorded results without a GPU and without training: decode every bitstream again and measure it again.

What must agree: every file with its recorded checksum; every bitstream with what coding gives again, byte for byte;
rates exactly; MS-SSIM and PSNR within 1e-4; then the tables, metrics and verdicts made from the new measurements.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

import baselines
from cvqn.lab.settings import configuration as config
from cvqn.compression import CvqnCodec
from cvqn.lab.data.index import read_index
from cvqn.errors import CvqnError
from cvqn.codecs.interface import Codec
from cvqn.lab.evaluation.measure import measure
from cvqn.lab.record import recode, retable
from cvqn.lab.record.differences import table_difference
from cvqn.lab.record.record import RESULTS, read_record, read_recorded_jobs, require_recorded

METRICS = 1e-4
EXACT = {"codec", "setting", "image", "width", "height", "bytes", "bpp", "bound_bpp"}


@dataclass(frozen=True)
class Finding:
    """One thing that was checked; `difference` says how it differs from the record, nothing when it agrees.

    `unchecked` says why it could not be checked.
    """

    what: str
    difference: str = ""
    unchecked: str = ""


def verify(scale: str, only: Sequence[str] = ()) -> Iterator[Finding]:
    """Check the recorded results of a scale, which must be here (`cvqn restore`), as its evaluation set must be.

    Args:
        only: names of codecs or settings to decode; of the others the recorded measurements are taken.

    Raises:
        CvqnError: something that is needed is missing or damaged.
    """
    results = RESULTS / scale
    recorded, jobs = read_record(scale), read_recorded_jobs(scale)
    require_recorded(recorded)
    yield Finding(f"{len(recorded['files'])} files: SHA-256")
    index = Path("data/sets") / config.read(results / "config.yaml")["data"]["evaluation"] / "index.json"
    read_index(index)
    tables = sorted(results.glob("measurements/**/*.csv"))
    chosen = [table for table in tables if not only or {table.stem, table.parent.name} & set(only)]
    if not chosen:
        raise CvqnError(f"{' '.join(only)}: no such codec or run in {results / 'measurements'}")
    with tempfile.TemporaryDirectory() as scratch:
        retable.lay_out(Path(scratch), results)
        for table in tqdm(chosen, desc=f"verify {scale}", unit="table", disable=None):
            yield from _measure_again(table, index, results, Path(scratch) / table)
        for path, difference in retable.differences(Path(scratch), scale, recorded["files"], jobs):
            yield Finding(f"{path}: made again", difference)


def _measure_again(table: Path, index: Path, results: Path, output: Path) -> Iterator[Finding]:
    name = "cvqn" if table.parent.name == "cvqn" else table.stem
    settings = recode.settings(table)
    archives = [results / "bitstreams" / name / f"{setting}.tar" for setting in settings]
    codec = _codec(name, results, settings[0])
    measure(codec, index, archives, output)
    yield Finding(f"{table}: decoded and measured", table_difference(table, output, METRICS, EXACT))
    for archive in archives:
        yield Finding(f"{archive}: coded", *recode.difference(codec, archive, index))


def _codec(name: str, results: Path, setting: str) -> Codec:
    if name != "cvqn":
        return baselines.codec(name)
    run = setting.removesuffix("-best")
    return CvqnCodec(results / "runs" / run / ("model" if setting == run else "best"))
