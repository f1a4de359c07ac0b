"""Checks, by the record of each training, whether network, training and data are the paper's."""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from cvqn.lab.provenance.training import FILE, read_provenance
from cvqn.lab.report import published
from cvqn.lab.report.audit.claims import floor, paper
from cvqn.lab.report.audit.evidence import Evidence
from cvqn.lab.settings.configuration import WHERE, Configuration, resolve

FREE = {*WHERE, "log_every", "save_every", "monitor_every"}
"""Settings of a training that do not change what is trained."""
SHOWN = 3  # differences listed per experiment


def differences(evidence: Evidence, experiments: Sequence[str]) -> list[str]:
    """How the trainings of these experiments differ from the paper's: one text per experiment that differs.

    This depends on what provenance.json records, not on the name of the scale.
    """
    if experiments and evidence.configuration.data.evaluation != published.SET:
        return [f"measured on {evidence.configuration.data.evaluation} (paper: {published.SET})"]
    texts = []
    for name in dict.fromkeys(experiments):
        found = list(dict.fromkeys(one for run in evidence.trainings(name) for one in _differences(run, name)))
        if found:
            more = f" and {len(found) - SHOWN} more differences" if len(found) > SHOWN else ""
            texts.append(f"{name} was not trained as in the paper: {', '.join(found[:SHOWN])}{more}")
    return texts


def untrained(evidence: Evidence, experiments: Sequence[str]) -> list[str]:
    """A text for each of these experiments whose quality is below that of every trained model of the paper."""
    lowest, texts = floor(), []
    for name in dict.fromkeys(experiments):
        measured = evidence.of(name)
        quality = None if measured is None else measured.means("ms_ssim").mean()
        if quality is not None and quality < lowest:
            texts.append(f"MS-SSIM of {name} is {quality:.4f}, below {lowest:g}, so it does not count as trained")
    return texts


def _differences(training: str, name: str) -> Iterator[str]:
    path = Path(training, FILE)
    if not path.exists():
        yield f"{path} is missing, so it is not known what was trained"
        return
    record = read_provenance(training)
    images = record.training_images
    expected = _the_papers().experiments.get(name)
    if expected is None:
        yield "the paper has no such experiment"
        return
    given = {key: value for key, value in _leaves(record.settings) if key.removeprefix("training.") not in FREE}
    wanted = {key: value for key, value in _leaves(expected.plain()) if key.removeprefix("training.") not in FREE}
    for key in dict.fromkeys([*wanted, *given]):
        if key not in given:
            yield f"the record has no {key} (paper: {wanted[key]})"
        elif given[key] != wanted.get(key):
            yield f"{key} is {given[key]} (paper: {wanted.get(key)})"
    sets = sorted(images.names)
    if sets != sorted(_the_papers().data.train):
        yield f"trained on {', '.join(sets) or 'unknown images'} (paper: {', '.join(_the_papers().data.train)})"
    about = next(claim for claim in paper() if claim.id == "training.images")
    low, high = about.tolerance.ends(float(about.expected))
    if not low <= images.count <= high:
        yield f"{images.count} training images (paper: about {about.expected})"


@cache
def _the_papers() -> Configuration:
    return resolve([])


def _leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings under dotted keys."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
