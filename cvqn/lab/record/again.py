"""Repeats recorded measurements: decodes, measures and re-encodes the archives of bitstreams."""

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cvqn.codecs import container, registry, shipped
from cvqn.codecs.interface import Codec, HasChannels
from cvqn.compression import StoredCodec
from cvqn.errors import CvqnError
from cvqn.files import atomic_write, read_json
from cvqn.lab.data.index import Image, manifest_sha256, read_index, set_name, write_index
from cvqn.lab.evaluation.analysis import analyse
from cvqn.lab.evaluation.archive import read_archive, write_archive
from cvqn.lab.evaluation.measure import RUN_COLUMNS, measure
from cvqn.lab.record.check import AGREES, IN_PART, NOT_CHECKED, Check
from cvqn.lab.record.differences import differences
from cvqn.lab.settings.configuration import Configuration
from cvqn.lab.settings.paths import Results, sidecar
from cvqn.lab.settings.runs import Run

METRICS = 1e-4
ANALYSED_AGAIN = 1e-2  # of one channel of one picture: another processor may round a few of its symbols differently
EXACT = {"codec", "setting", *RUN_COLUMNS, "image", "width", "height", "bytes", "bpp", "bound_bpp"}
SECONDS = "_s$"
OF_A_BUILT_IN_MODEL = "(_s|model_bytes)$"  # its model.json also says what it was trained on
OF_THE_MACHINE = r"^(machine|decoder_versions)\."


@dataclass(frozen=True)
class MeasuredTable:
    """A recorded table of measurements: of a conventional codec at some qualities, or of a run."""

    codec: str
    table: Path
    settings: tuple[str, ...]
    run: Run | None = None

    @property
    def name(self) -> str:
        """The name by which `--only` can select it, besides its codec."""
        return self.table.stem

    def archives(self, results: Results) -> dict[str, Path]:
        """The archive of each setting."""
        return {setting: Path(results.archive(self.codec, setting)) for setting in self.settings}

    def rows(self) -> list[dict[str, str]]:
        """The recorded measurements."""
        with open(self.table, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))


Chosen = Mapping[str, Sequence[Image]]
"""Images to check, by setting."""


def tables(configuration: Configuration, results: Results, recorded: Collection[str]) -> list[MeasuredTable]:
    """The recorded tables of measurements."""
    found = [
        MeasuredTable(codec, Path(results.measurements(codec)), tuple(map(str, qualities)))
        for codec, qualities in configuration.measured_codecs().items()
    ]
    for run in configuration.at_checkpoints(configuration.every_run()):
        codec = configuration.experiments[run.experiment].codec
        found.append(MeasuredTable(codec, Path(results.measurements(codec, run.name)), (run.name,), run))
    return [one for one in found if one.table.as_posix() in recorded]


def check(measured: MeasuredTable, chosen: Chosen, index: Path, results: Results, scratch: Path) -> Iterator[Check]:
    """Decode, measure and re-encode the archives of a table."""
    archives = {setting: path for setting, path in measured.archives(results).items() if chosen.get(setting)}
    table = measured.table.as_posix()
    codec = _open(measured, results)
    count = len(read_index(index)) * len(measured.settings)
    unless, reason = _part(sum(map(len, chosen.values())), count)
    parts = {setting: _part_of(path, chosen[setting], index, scratch / "parts") for setting, path in archives.items()}
    own = measured.run is None or _own_model(measured.run, results).is_dir()
    found = _compare(measured, codec, chosen, index, parts, scratch, SECONDS if own else OF_A_BUILT_IN_MODEL)
    files = (table, sidecar(table))
    yield Check(f"{table}: decoded and measured", files, tuple(found), unless, reason)
    for setting, path in archives.items():
        differing, why_not = _code_again(codec, path, chosen[setting])
        unless, reason = _part(len(chosen[setting]), len(read_index(index)))
        files = (path.as_posix(), path.with_suffix(".csv").as_posix())
        if why_not:
            unless, reason = NOT_CHECKED, why_not
            yield Check(f"{path}: decoded", files, unless=IN_PART, reason="every file decodes to what is recorded")
        yield Check(f"{path}: coded", files, tuple(differing), unless, reason)


def check_analysis(run: Run, configuration: Configuration, index: Path, results: Results, scratch: Path) -> Check:
    """Analyse the channels of a run again."""
    codec = configuration.experiments[run.experiment].codec
    files = tuple(results.analysis_files(codec, run.name))
    what = f"{results.analysis(codec, run.name)}: analysed"
    table = Path(results.measurements(codec, run.name))
    folder = _model_of(MeasuredTable(codec, table, (run.name,), run), results)
    if folder is None:
        return Check(what, files, unless=NOT_CHECKED, reason="its model is not here")
    report, output = configuration.report, scratch / "analysis"
    model = StoredCodec(folder).stored.model
    shown, influence = report.shown_image(run.experiment), report.shows_influence(run.experiment)
    analyse(run.name, model, index, output, maps_of=shown, influence=influence)
    found = [
        f"{file}: {place}"
        for file in files
        for place in differences(Path(file), output / Path(file).name, ANALYSED_AGAIN)
    ]
    return Check(what, files, tuple(found))


def unable(measured: MeasuredTable, results: Results) -> str:
    """Why a table cannot be measured again; empty if it can."""
    if missing := [path for path in measured.archives(results).values() if not path.is_file()]:
        return f"{missing[0]} is missing; git checkout HEAD -- {results.root} brings it back"
    return "its model is missing and is not a built-in one" if measured.run and not _model_of(measured, results) else ""


def _open(measured: MeasuredTable, results: Results) -> Codec:
    if measured.run is None:
        return registry.conventional(measured.codec)
    folder = _model_of(measured, results)
    if folder is None:
        raise CvqnError(f"{measured.table}: its model is not here")
    return StoredCodec(folder)


def _model_of(measured: MeasuredTable, results: Results) -> Path | None:
    """The model of a run: its own folder, or else the built-in model with the same id."""
    if measured.run is None:
        return None
    folder = _own_model(measured.run, results)
    return folder if folder.is_dir() else shipped.folders().get(_sidecar(measured)["settings"]["model_id"])


def _own_model(run: Run, results: Results) -> Path:
    return Path(results.model(run.training, run.checkpoint))


def _sidecar(measured: MeasuredTable) -> dict:
    return read_json(Path(sidecar(measured.table.as_posix())))


def _compare(
    measured: MeasuredTable,
    codec: Codec,
    chosen: Chosen,
    index: Path,
    archives: Mapping[str, Path],
    scratch: Path,
    ignored: str,
) -> list[str]:
    """How the table differs from new measurements; rows that are not measured again count as equal."""
    new: dict[tuple[str, str], dict[str, str]] = {}
    output = scratch / "measured.csv"
    for images in {tuple(image.name for image in images): images for images in chosen.values() if images}.values():
        of_these = [archives[setting] for setting, others in chosen.items() if list(others) == list(images)]
        measure(codec, _index_of(images, index, scratch / "images"), of_these, output)
        with open(output, newline="", encoding="utf-8") as file:
            new |= {(row["setting"], row["image"]): row for row in csv.DictReader(file)}
    rows = [new.pop((row["setting"], row["image"]), row) for row in measured.rows()] + list(new.values())
    with open(scratch / "table.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)
    found = differences(measured.table, scratch / "table.csv", METRICS, EXACT, ignored)
    beside = Path(sidecar(measured.table.as_posix()))
    of_it = differences(beside, output.with_suffix(".json"), METRICS, ignored=OF_THE_MACHINE)
    return found + [f"{beside.name}: {place}" for place in of_it]


def _code_again(codec: Codec, archive: Path, images: Sequence[Image]) -> tuple[list[str], str]:
    """Which files of an archive get other bytes when coded again; or the reason why this cannot be checked.

    A conventional codec encodes the picture again; another version of its library may give other bytes, so versions
    must match. A trained model codes the decoded symbols again, because its transforms may round differently on another
    machine, but its entropy coder must not.
    """
    found = read_archive(archive)
    made, files = found.made, found.files
    if isinstance(codec, StoredCodec):
        if not isinstance(codec.stored.model, HasChannels):
            return [], "the symbols of this codec cannot be told apart from its transforms"
        again = {image.name: _recode(codec, files[image.name]) for image in images}
    elif made.versions != codec.versions():
        return [], f"made by {_versions(made.versions)}, here is {_versions(codec.versions())}"
    else:
        again = {image.name: codec.encode(image.read(), made.quality) for image in images}
    return [f"other bytes for {name}" for name, data in again.items() if files[name] != data], ""


def _recode(codec: StoredCodec, data: bytes) -> bytes:
    model, model_id = codec.stored.model, codec.stored.model_id
    header, payload = container.unpack(data, model_id)
    symbols = model.read_symbols(payload, header.height, header.width)
    return container.pack(header.height, header.width, model_id, model.write_symbols(symbols))


def _part_of(archive: Path, images: Sequence[Image], index: Path, folder: Path) -> Path:
    """A copy of an archive and its table with only some of the images; the archive itself if these are all."""
    if len(images) == len(read_index(index)):
        return archive
    names = {image.name for image in images}
    part = folder / archive.name
    try:
        whole = read_archive(archive)
        lines = archive.with_suffix(".csv").read_text(encoding="utf-8").splitlines(keepends=True)
    except (CvqnError, OSError, UnicodeDecodeError) as error:
        raise CvqnError(f"{archive}: damaged ({error}); git checkout HEAD -- {archive} brings it back") from error
    files = ((name, data) for name, data in whole.files.items() if name in names)
    with atomic_write(part) as file:
        write_archive(file, whole.made, whole.suffix, files)
    kept = [line for number, line in enumerate(lines) if not number or line.partition(",")[0] in names]
    part.with_suffix(".csv").write_text("".join(kept), encoding="utf-8")
    return part


def _index_of(images: Sequence[Image], index: Path, folder: Path) -> Path:
    """An index of some images of a set, linked into a folder; the set's own index if these are all."""
    if len(images) == len(read_index(index)):
        return index
    folder.mkdir(parents=True, exist_ok=True)
    for image in images:
        (folder / image.file).unlink(missing_ok=True)
        (folder / image.file).symlink_to(image.path.resolve())
    write_index(folder / "index.json", set_name(index), manifest_sha256(index), images)
    return folder / "index.json"


def _part(seen: int, count: int) -> tuple[str, str]:
    return (AGREES, "") if seen == count else (IN_PART, f"{seen} of {count} files")


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
