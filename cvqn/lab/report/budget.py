"""The budget of a training: steps, images, crops and hours, by its own record."""

from typing import NamedTuple

from cvqn.lab.provenance.training import Provenance

COLUMNS = {
    "steps": ("steps", 0),
    "training_images": ("images", 0),
    "crops": ("crops", 0),
    "cpu_hours": ("CPU hours", 2),
    "gpu_hours": ("GPU hours", 2),
}
"""Columns of a table: the label and the number of decimals."""


class Budget(NamedTuple):
    """The budget of one training.

    Attributes:
        machine: the GPU's name, or cpu.
        crops: number of crops seen, with repetitions.
        cpu_hours: processor time.
        gpu_hours: wall time on a GPU, 0 without one.
    """

    machine: str
    steps: int
    training_images: int
    crops: int
    cpu_hours: float
    gpu_hours: float


def budget(record: Provenance) -> Budget:
    """The budget in the record of a training."""
    return Budget(
        next((part.gpu_name for part in record.parts if part.gpu_name), "cpu"),
        record.steps,
        record.training_images.count,
        record.crops,
        record.all_cpu_seconds / 3600,
        record.gpu_seconds / 3600,
    )


def words(found: Budget) -> str:
    """A budget in one line."""
    hours = f"{found.cpu_hours:.2f} CPU hours"
    hours += f" and {found.gpu_hours:.2f} GPU hours" if found.gpu_hours else ""
    return f"{found.steps:,} steps, {found.training_images:,} images, {found.crops:,} crops, {hours}"


def span(values: list[float], digits: int = 0) -> str:
    """The smallest and the largest of some numbers as text, or the number if all are equal."""
    low, high = (f"{value:,.{digits}f}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"
