"""What the files of a scale tell about it: its newest plan, its store of trainings and its record."""

import re
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from cvqn.errors import CvqnError
from cvqn.files import read_json
from cvqn.lab.data.index import read_index
from cvqn.lab.data.manifest import read_manifest
from cvqn.lab.data.pack import Pack
from cvqn.lab.provenance.plan import Plan, key, read_plan
from cvqn.lab.provenance.snakemake_records import begun, read_jobs
from cvqn.lab.provenance.training import FILE
from cvqn.lab.settings import configuration as configurations
from cvqn.lab.settings.configuration import Configuration
from cvqn.lab.settings.paths import Results
from cvqn.lab.settings.runs import PATTERN, Run
from cvqn.lab.training.job import Selecting, training_key
from cvqn.lab.training.store import Entry

ENTRY = re.compile(rf"(?P<training>{PATTERN})-(?P<key>[0-9a-f]{{12}})")


class Scale:
    """The results of a scale, in the folder `root`, and the data beside it, `../../data`.

    Args:
        plan: a plan that has not been written yet, to use as the newest.
    """

    def __init__(self, root: Path, plan: Plan | None = None):
        self.root, self.results, self._given = root, Results(root.as_posix()), plan
        self.data = root.parent.parent / "data"

    @cached_property
    def plans(self) -> list[Plan]:
        """The plans, the newest first; files that this version cannot read are left out."""
        paths = sorted(self.root.glob("plans/*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        return [plan for plan in (self._given, *map(_readable, paths)) if plan is not None]

    @cached_property
    def configuration(self) -> Configuration:
        """The settings of the newest plan or, without a plan, of config.yaml.

        Raises:
            CvqnError: there is no plan and no valid config.yaml.
        """
        return self.plans[0].configuration if self.plans else configurations.read(self.results.config)

    @cached_property
    def recorded(self) -> frozenset[str]:
        """The files in the scale's record, by their paths in the project."""
        path = self.root / "record" / "record.json"
        return frozenset(read_json(path)["files"] if path.exists() else ())

    @cached_property
    def pack(self) -> Pack | None:
        """The training images of the newest plan, once they are packed."""
        return self.images_of(self.configuration)[0]

    @cached_property
    def images(self) -> Selecting | None:
        """The images that select the checkpoints of the newest plan, once they are fetched."""
        return self.images_of(self.configuration)[1]

    def images_of(self, configuration: Configuration) -> tuple[Pack | None, Selecting | None]:
        """The images of settings that are trained on and that select checkpoints; None for those that are not here."""
        pack, images = None, None
        with suppress(CvqnError):
            pack = Pack.open(self.data / "packs" / f"{'+'.join(configuration.data.train)}.npy")
        with suppress(CvqnError):
            images = {
                checkpoint: read_index(self.data / "sets" / name / "index.json")
                for checkpoint, name in configuration.data.selecting.items()
            }
        return pack, images

    def runs(self) -> list[Run]:
        """The trainings that the report needs, and those beyond the paper that have begun or are recorded."""
        own = self.configuration.runs()
        return own + [run for run in self.configuration.every_run() if run not in own and self._has_begun(run)]

    def entries(self, training: str | None = None) -> list[Entry]:
        """The entries of the store, of one training or of all."""
        store = Path(self.results.store)
        names = map(ENTRY.fullmatch, sorted(path.name for path in store.glob("*")))
        found = [Entry(store, name["training"], name["key"]) for name in names if name]
        return [entry for entry in found if training in (None, _training_of(entry))]

    def entry(self, run: Run) -> Entry | None:
        """The entry of a training: the one that the newest plan asks for or, if that is unknown, the latest."""
        wanted = self.wanted(run)
        entries = [entry for entry in self.entries(run.training) if wanted in (None, entry.folder.name)]
        return max(entries, key=lambda entry: entry.folder.stat().st_mtime, default=None)

    def wanted(self, run: Run) -> str | None:
        """The name of the entry that the newest plan asks for; None without a plan or images."""
        return entry_name(self.plans[0], run, self.pack, self.images) if self.plans else None

    def origin(self, run: Run) -> str | None:
        """The name of the entry that a training's outputs were made from, by their provenance, or None."""
        path = Path(self.results.training(run.training), FILE)
        content = read_json(path) if path.exists() else None
        return content.get("key") if isinstance(content, dict) else None

    def is_done(self, run: Run) -> bool:
        """Whether the outputs of a training exist and are those that the newest plan asks for."""
        files = [*self.model_files(run), *self.results.training_files(run.training)]
        return not self.missing(files) and self.wanted(run) in (None, self.origin(run))

    def strangers(self, runs: Iterable[Run]) -> list[str]:
        """The folders of outputs from another entry than the wanted one, of which Snakemake has no record.

        If it has a record, or a job has begun, Snakemake notices the difference itself.
        """
        found = []
        for run in runs:
            files, origin = self.model_files(run), self.origin(run)
            if (
                origin is not None
                and self.wanted(run) not in (None, origin)
                and not begun(files)
                and not read_jobs(files)
            ):
                found.append(self.results.training(run.training))
        return found

    def unknown_images(self) -> dict[str, str]:
        """The images that settings of the report name, by key, and that the evaluation set's manifest does not list.

        Empty for a set whose manifest lists no images, as of an archive.

        Raises:
            CvqnError: the manifest is missing or invalid.
        """
        listed = read_manifest(self.configuration.data.evaluation, self.data / "manifests").images
        names = {Path(image.file).stem for image in listed}
        shown = self.configuration.report.shown_images
        return {key: name for key, name in shown.items() if names and name not in names}

    def missing(self, paths: Iterable[str]) -> list[str]:
        """Those of these files that do not exist."""
        return [path for path in paths if not Path(path).exists()]

    def in_record(self, paths: Iterable[str]) -> bool:
        """Whether the record has all these files."""
        return {Path("results", self.configuration.scale, Path(path).relative_to(self.root)).as_posix()
                for path in paths} <= self.recorded  # fmt: skip

    def model_files(self, run: Run) -> list[str]:
        """The files of every checkpoint of a training."""
        runs = self.configuration.at_checkpoints([run])
        return [file for one in runs for file in self.results.model_files(one.training, one.checkpoint)]

    def _has_begun(self, run: Run) -> bool:
        files = self.model_files(run)
        return bool(self.entries(run.training)) or not self.missing(files) or self.in_record(files)


def entry_name(plan: Plan, run: Run, pack: Pack | None, images: Selecting | None) -> str | None:
    """The name of a training's entry in the store; None if the plan has no such run, or without images."""
    experiment = plan.configuration.experiments.get(run.experiment)
    if experiment is None or pack is None or images is None:
        return None
    code = plan.code.get(key("train", experiment.codec))
    return f"{run.training}-{training_key(experiment, run, pack, images, code)}"


def _training_of(entry: Entry) -> str:
    return entry.folder.name.rpartition("-")[0]


def _readable(path: Path) -> Plan | None:
    try:
        return read_plan(path)
    except CvqnError:
        return None
