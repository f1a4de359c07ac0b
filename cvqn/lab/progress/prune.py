"""Lists and removes entries of the store of trainings; no other module removes any."""

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tabulate import tabulate

from cvqn.errors import CvqnError
from cvqn.lab.data.pack import Pack
from cvqn.lab.progress.scale import Scale, entry_name
from cvqn.lab.provenance.plan import Plan
from cvqn.lab.settings.runs import Run
from cvqn.lab.training.job import Selecting
from cvqn.lab.training.store import Entry


class Planned(NamedTuple):
    """A plan with its training images and those that select checkpoints; None for those that are not here."""

    plan: Plan
    pack: Pack | None
    images: Selecting | None


@dataclass(frozen=True)
class Kept:
    """An entry of the store.

    Attributes:
        bytes: size of its files.
        freed: bytes that its removal frees; files that outputs link to stay on the disk.
        uses: the outputs made from it, and the plans that ask for it.
    """

    entry: Entry
    state: str
    days: float
    bytes: int
    freed: int
    uses: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.entry.folder.name


def kept(root: Path) -> list[Kept]:
    """The entries of the store of the scale whose results are in `root`, those that nothing uses first."""
    scale = Scale(root)
    planned = [Planned(plan, *scale.images_of(plan.configuration)) for plan in scale.plans]
    found = (_kept(scale, planned, entry) for entry in scale.entries())
    return sorted(found, key=lambda one: (bool(one.uses), one.name))


def table(entries: Sequence[Kept]) -> str:
    """The entries as text."""
    rows = [
        (one.name, one.state, f"{one.days:.1f}", f"{one.bytes / 1e6:.1f}", f"{one.freed / 1e6:.1f}",
         ", ".join(one.uses) or "nothing")
        for one in entries
    ]  # fmt: skip
    columns = ("entry", "state", "days old", "MB", "MB freed", "used by")
    sides = ("left", "left", "right", "right", "right", "left")
    return tabulate(rows, columns, tablefmt="plain", disable_numparse=True, colalign=sides)


def remove(entries: Sequence[Kept], names: Sequence[str]) -> int:
    """Remove entries by name, and the remains of interrupted removals; returns the bytes that the names free.

    Raises:
        CvqnError: there is no such entry, or it is being trained; then nothing is removed.
    """
    by_name = {one.name: one for one in entries}
    for name in names:
        if name not in by_name:
            raise CvqnError(f"{name}: no such entry; there are {', '.join(by_name) or 'none'}")
        claimant = by_name[name].entry.claimant
        if claimant is not None:
            raise CvqnError(f"{name}: {claimant} trains this; stop it first")
    chosen = [by_name[name] for name in dict.fromkeys(names)]
    for store in {one.entry.folder.parent for one in chosen}:
        for left in store.glob("*.removed"):
            shutil.rmtree(left)
    for one in chosen:
        going = one.entry.folder.with_name(f"{one.name}.removed")  # a half-removed entry must not look complete
        one.entry.folder.rename(going)
        shutil.rmtree(going)
    return sum(one.freed for one in chosen)


def _kept(scale: Scale, planned: Sequence[Planned], entry: Entry) -> Kept:
    files = [path.stat() for path in entry.folder.rglob("*") if path.is_file()]
    newest = max((stat.st_mtime for stat in files), default=entry.folder.stat().st_mtime)
    return Kept(
        entry=entry,
        state=_state(entry),
        days=(time.time() - newest) / 86400,
        bytes=sum(stat.st_size for stat in files),
        freed=sum(stat.st_size for stat in files if stat.st_nlink == 1),
        uses=(*_outputs(scale, entry), *_plans(planned, entry)),
    )


def _state(entry: Entry) -> str:
    if entry.finished:
        return "finished"
    if entry.claimant is not None:
        return "running"
    return entry.ended.how if entry.ended is not None else "unfinished"


def _outputs(scale: Scale, entry: Entry) -> list[str]:
    """The folder of outputs made from this entry, by its provenance."""
    folder = Path(scale.results.training(_run(entry).training))
    return [folder.as_posix()] if scale.origin(_run(entry)) == entry.folder.name else []


def _plans(planned: Sequence[Planned], entry: Entry) -> Iterator[str]:
    """The plans that ask for this entry, and those of which this cannot be known."""
    for plan, pack, images in planned:
        if _run(entry).experiment not in plan.configuration.experiments:
            continue
        if pack is None or images is None:
            yield f"{plan.path}, perhaps (its images are not here)"
        elif entry_name(plan, _run(entry), pack, images) == entry.folder.name:
            yield plan.path


def _run(entry: Entry) -> Run:
    return Run.parse(entry.folder.name.rpartition("-")[0])
