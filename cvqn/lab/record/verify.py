"""Checks recorded results without a GPU and without training, by making them again and comparing.

Bitstreams are decoded, measured and coded again, and channels are analysed again, as far as the models are here or
built in. Then tables, figures, curves, metrics and audit are made again from the recorded measurements, from which they
must follow exactly. Trainings are not repeated; their models and logs are attested by checksums alone.
"""

import random
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from cvqn.codecs import registry
from cvqn.errors import CvqnError
from cvqn.lab.data.index import Image, read_index
from cvqn.lab.record import again, checksums, remake
from cvqn.lab.record.again import MeasuredTable
from cvqn.lab.record.check import ATTESTED, DAMAGED, NOT_CHECKED, Check, said
from cvqn.lab.record.commands import git
from cvqn.lab.record.differences import differences
from cvqn.lab.record.recorded import RESULTS, Recorded, read_recorded, record_folder
from cvqn.lab.settings import configuration as configurations
from cvqn.lab.settings.configuration import Configuration
from cvqn.lab.settings.paths import Results
from cvqn.lab.settings.runs import Run


def verify(scale: str, only: Sequence[str] = (), sample: int | None = None) -> Iterator[Check]:
    """Check the recorded results of a scale, as far as they are present; the evaluation set must be.

    Args:
        only: codecs or runs to decode or encode; empty: all.
        sample: decode or encode only this many files, drawn at random, and analyse no channels.

    Raises:
        CvqnError: there is no record, `only` names nothing in it, or the evaluation set is missing.
    """
    results, recorded = Results((RESULTS / scale).as_posix()), read_recorded(scale)
    yield from checksums_of(recorded)
    try:
        configuration = configurations.read(results.config)
    except CvqnError as error:
        reason = f"{error}; another version of the code wrote it, that of {recorded.commit[:12]}: check that commit out"
        yield Check(f"{results.config}: read", (results.config,), (reason,))
        yield from _trainings(recorded, results)
        yield from _without_settings(recorded, results, only, sample)
        return
    yield config(recorded.overlays, results)
    index = Path("data/sets") / configuration.data.evaluation / "index.json"
    measured = again.tables(configuration, results, recorded.files)
    wanted = [one for one in measured if not only or {one.codec, one.name} & set(only)]
    if not wanted:
        raise CvqnError(f"{' '.join(only)}: no such codec or run among the recorded measurements of {scale}")
    yield from _trainings(recorded, results)
    yield from _measured_again(wanted, index, results, sample)
    yield from _analysed_again(configuration, recorded, wanted, index, results, sample)
    try:
        jobs = recorded.jobs()
    except DAMAGED as error:
        yield Check(f"{record_folder(scale)}/jobs.json", differences=(said(error),))
        return
    yield from remake.check(recorded.files, jobs, results, recorded.versions)


def _without_settings(recorded: Recorded, results: Results, only: Sequence[str], sample: int | None) -> Iterator[Check]:
    """Check the tables of conventional codecs, which need no settings; the set is found by the names of its images."""
    for path in recorded.files:
        table = Path(path)
        if table.suffix != ".csv" or table.parent != Path(results.root, "measurements") or table.stem not in _codecs():
            continue
        try:
            rows = MeasuredTable(table.stem, table, ()).rows()
            settings = tuple(dict.fromkeys(row["setting"] for row in rows))
            index = _set_of({row["image"] for row in rows}, recorded)
        except DAMAGED as error:
            yield Check(f"{table}: decoded and measured", (path,), (said(error),))
            continue
        if not only or table.stem in only:
            yield from _measured_again([MeasuredTable(table.stem, table, settings)], index, results, sample)
    yield Check(f"all else of {results.root}: made again", unless=NOT_CHECKED, reason=f"{results.config} is not read")


def _codecs() -> list[str]:
    return [name for name in registry.names() if not registry.is_learned(name)]


def _set_of(images: Collection[str], recorded: Recorded) -> Path:
    for index in (Path("data/sets") / name / "index.json" for name in recorded.data):
        if index.exists() and {image.name for image in read_index(index)} == set(images):
            return index
    raise CvqnError(f"none of the sets {', '.join(recorded.data)} is here with these images; cvqn data fetch gets them")


def checksums_of(recorded: Recorded) -> Iterator[Check]:
    """Check every committed file of the record, and every file that DVC holds, if it is present."""
    try:
        listed = checksums.read_checksums()
    except CvqnError as error:
        yield Check(f"{checksums.LIST}: SHA-256", differences=(str(error),))
        listed = {}
    for path in checksums.not_listed(listed) if listed else []:
        yield Check(path, differences=(f"not in {checksums.LIST}",))
    for difference in checksums.changed_list():
        yield Check(f"{checksums.LIST}: as committed", differences=(difference,))
    here = {path: checksum for path, checksum in recorded.files.items() if path in listed or Path(path).is_file()}
    found = {path: checksums.changed(path, checksum) for path, checksum in (here | listed).items()}
    for path, checksum in recorded.files.items():
        if listed.get(path, checksum) != checksum:
            found[path] = found[path] or f"another SHA-256 in record.json than in {checksums.LIST}"
    for path, difference in found.items():
        if difference:
            yield Check(path, (path,) if path in recorded.files else (), (difference,))
    good = sum(not difference for difference in found.values())
    yield Check(f"{good} of {len(found)} files: SHA-256", unless=ATTESTED, reason="checksums only, not made again")
    if absent := [path for path in recorded.files if path not in here]:
        reason = f"not here; get them with: cvqn restore {recorded.scale}"
        yield Check(f"{len(absent)} files that DVC keeps", tuple(absent), unless=NOT_CHECKED, reason=reason)


def config(overlays: Sequence[str], results: Results) -> Check:
    """Check whether the settings in config.yaml are those of params.yaml and the overlays."""
    what = f"{results.config}: from params.yaml {' '.join(overlays)}"
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch, "config.yaml")
        try:
            configurations.write(configurations.resolve(overlays), output)
            found = differences(Path(results.config), output)
        except DAMAGED as error:
            found = [said(error)]
    return Check(what, (results.config,), tuple(found))


def _trainings(recorded: Recorded, results: Results) -> Iterator[Check]:
    """Compare what cannot be made again without training: models and logs."""
    folders = sorted({Path(path).parts[3] for path in recorded.files if path.startswith(f"{results.root}/runs/")})
    for name in folders:
        folder = results.training(name)
        files = tuple(path for path in recorded.files if path.startswith(f"{folder}/") and Path(path).is_file())
        if not files:
            continue
        copies = (record_folder(recorded.scale) / "runs" / name).glob("*")
        found = [
            f"{copy}: {place}"
            for copy in sorted(copies)
            if Path(folder, copy.name).is_file()
            for place in differences(copy, Path(folder, copy.name))
        ]
        yield Check(f"{folder}: trained", files, tuple(found), ATTESTED, "a training is not repeated")


def _measured_again(
    wanted: Sequence[MeasuredTable], index: Path, results: Results, sample: int | None
) -> Iterator[Check]:
    images = read_index(index)
    reasons = {one.table.as_posix(): _unable(one, results) for one in wanted}
    for table, reason in reasons.items():
        if reason:
            yield Check(f"{table}: decoded and measured", (table,), unless=NOT_CHECKED, reason=reason)
    wanted = [one for one in wanted if not reasons[one.table.as_posix()]]
    every = [(one, setting, image) for one in wanted for setting in one.settings for image in images]
    drawn = every if sample is None else random.sample(every, min(sample, len(every)))
    for one in tqdm(wanted, desc="verify", unit="table", disable=None):
        chosen = {setting: _images_of(drawn, one, setting) for setting in one.settings}
        if not any(chosen.values()):
            continue
        with tempfile.TemporaryDirectory() as scratch:
            try:
                yield from again.check(one, chosen, index, results, Path(scratch))
            except DAMAGED as error:
                table = one.table.as_posix()
                yield Check(f"{table}: decoded and measured", (table,), (said(error),))


def _unable(one: MeasuredTable, results: Results) -> str:
    try:
        return again.unable(one, results)
    except DAMAGED as error:
        return said(error)


def _images_of(drawn: Sequence[tuple[MeasuredTable, str, Image]], one: MeasuredTable, setting: str) -> list[Image]:
    found = [image for table, other, image in drawn if table is one and other == setting]
    return sorted(found, key=lambda image: image.name)


def _analysed_again(
    configuration: Configuration,
    recorded: Recorded,
    wanted: Sequence[MeasuredTable],
    index: Path,
    results: Results,
    sample: int | None,
) -> Iterator[Check]:
    for one in wanted:
        run = one.run
        if run is None or results.analysis_files(one.codec, run.name)[0] not in recorded.files:
            continue
        if sample is not None:
            files = tuple(results.analysis_files(one.codec, run.name))
            what = f"{results.analysis(one.codec, run.name)}: analysed"
            yield Check(what, files, unless=NOT_CHECKED, reason="left out with --sample")
            continue
        yield _analysis(run, one, configuration, index, results)


def _analysis(run: Run, one: MeasuredTable, configuration: Configuration, index: Path, results: Results) -> Check:
    with tempfile.TemporaryDirectory() as scratch:
        try:
            return again.check_analysis(run, configuration, index, results, Path(scratch))
        except DAMAGED as error:
            files = tuple(results.analysis_files(one.codec, run.name))
            return Check(f"{results.analysis(one.codec, run.name)}: analysed", files, (said(error),))


def other_code(scale: str) -> str:
    """A note on the commit that made a record, if its code differs from that in this folder; empty if not."""
    commit = read_recorded(scale).commit
    code = ("cvqn", "baselines", "workflow", "Snakefile", "params.yaml", ":!cvqn/models")
    try:
        changed = git("diff", "--name-only", commit, "--", *code).splitlines()
    except CvqnError:
        return f"recorded with the code of {commit[:12]}, which is not in this clone"
    if not changed:
        return ""
    return f"recorded with the code of {commit[:12]}, of which {len(changed)} files differ here"
