"""Check recorded results without a GPU and without training: decode every bitstream again and measure it again.

What must agree: every file with its recorded checksum; every bitstream with what coding gives again, byte for byte;
rates exactly; MS-SSIM and PSNR within 1e-4; then the tables, metrics and verdicts made from the new measurements.
"""

import csv
import json
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from cvqn.codecs import container, registry
from cvqn.codecs.interface import Codec, HasChannels
from cvqn.compression import StoredCodec
from cvqn.errors import CvqnError
from cvqn.lab.data.index import read_index
from cvqn.lab.evaluation.measure import RUN_COLUMNS, measure
from cvqn.lab.record import retable
from cvqn.lab.record.differences import difference
from cvqn.lab.record.recorded import RESULTS, Recorded, read_recorded
from cvqn.lab.settings import configuration as configurations
from cvqn.lab.settings.configuration import Configuration
from cvqn.lab.settings.paths import Results
from cvqn.lab.settings.runs import Run

METRICS = 1e-4
EXACT = {"codec", "setting", *RUN_COLUMNS, "image", "width", "height", "bytes", "bpp", "bound_bpp"}


@dataclass(frozen=True)
class Finding:
    """One thing that was checked; `difference` says how it differs from the record, nothing when it agrees.

    `unchecked` says why it could not be checked.
    """

    what: str
    difference: str = ""
    unchecked: str = ""


@dataclass(frozen=True)
class _Measured:
    """A recorded table of measurements: of a conventional codec, or of a run."""

    codec: str
    table: Path
    run: Run | None = None

    def open(self, results: Results) -> Codec:
        if self.run is None:
            return registry.conventional(self.codec)
        return StoredCodec(results.model(self.run.training, self.run.checkpoint))

    def archives(self, results: Results) -> list[Path]:
        with open(self.table, newline="", encoding="utf-8") as file:
            settings = dict.fromkeys(row["setting"] for row in csv.DictReader(file))
        return [Path(results.archive(self.codec, setting)) for setting in settings]


def verify(scale: str, only: Sequence[str] = ()) -> Iterator[Finding]:
    """Check the recorded results of a scale, which must be here (`cvqn restore`), as its evaluation set must be.

    Args:
        only: names of codecs or runs to decode; of the others the recorded measurements are taken.

    Raises:
        CvqnError: something that is needed is missing or damaged.
    """
    results, recorded = Results((RESULTS / scale).as_posix()), read_recorded(scale)
    recorded.require_files()
    yield Finding(f"{len(recorded.files)} files: SHA-256")
    configuration = configurations.read(results.config)
    index = Path("data/sets") / configuration.data.evaluation / "index.json"
    read_index(index)
    measured = _measured(configuration, results, recorded)
    chosen = [one for one in measured if not only or {one.codec, one.table.stem} & set(only)]
    if not chosen:
        raise CvqnError(f"{' '.join(only)}: no such codec or run among the recorded measurements of {scale}")
    with tempfile.TemporaryDirectory() as scratch:
        retable.lay_out(Path(scratch), results)
        for one in tqdm(chosen, desc=f"verify {scale}", unit="table", disable=None):
            yield from _measure_again(one, index, results, Path(scratch) / one.table)
        for path, found in retable.differences(Path(scratch), results, recorded):
            yield Finding(f"{path}: made again", found)


def _measured(configuration: Configuration, results: Results, recorded: Recorded) -> list[_Measured]:
    """The recorded tables of measurements."""
    found = [_Measured(codec, Path(results.measurements(codec))) for codec in configuration.measured_codecs()]
    for run in configuration.every_run():
        experiment = configuration.experiments[run.experiment]
        for one in map(run.at, experiment.checkpoints):
            found.append(_Measured(experiment.codec, Path(results.measurements(experiment.codec, one.name)), one))
    return [one for one in found if one.table.as_posix() in recorded.files]


def _measure_again(measured: _Measured, index: Path, results: Results, output: Path) -> Iterator[Finding]:
    codec, archives = measured.open(results), measured.archives(results)
    measure(codec, index, archives, output)
    found = difference(measured.table, output, METRICS, EXACT)
    yield Finding(f"{measured.table}: decoded and measured", found)
    for archive in archives:
        yield Finding(f"{archive}: coded", *_code_again(codec, archive, index))


def _code_again(codec: Codec, archive: Path, index: Path) -> tuple[str, str]:
    """How the bytes of coding again differ, or nothing, and why they could not be compared, or nothing.

    A conventional codec encodes the picture again, which in another version of its library may give other bytes. The
    transforms of a trained model may round differently on another machine, its entropy coder may not: the decoded
    symbols are coded again.
    """
    with tarfile.open(archive, mode="r:") as tar:
        made = json.loads(tar.pax_headers["comment"])
        files = {Path(member.name).stem: tar.extractfile(member).read() for member in tar}
    if isinstance(codec, StoredCodec):
        if not isinstance(codec.stored.model, HasChannels):
            return "", "the symbols of this codec cannot be told apart from its transforms"
        again = {name: _recode(codec, data) for name, data in files.items()}
    elif made["versions"] != codec.versions():
        return "", f"made by {_versions(made['versions'])}, here is {_versions(codec.versions())}"
    else:
        again = {image.name: codec.encode(image.read(), made["quality"]) for image in read_index(index)}
    differing = [name for name, data in files.items() if again[name] != data]
    return (f"other bytes for {', '.join(differing)}" if differing else ""), ""


def _recode(codec: StoredCodec, data: bytes) -> bytes:
    model, model_id = codec.stored.model, codec.stored.model_id
    header, payload = container.unpack(data, model_id)
    symbols = model.read_symbols(payload, header.height, header.width)
    return container.pack(header.height, header.width, model_id, model.write_symbols(symbols))


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
