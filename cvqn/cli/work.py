"""What a command on pictures does to each file."""

from pathlib import Path
from typing import NamedTuple, Protocol

Pair = tuple[Path, Path]
"""An input and its output."""


class Outcome(NamedTuple):
    """What was made of one input."""

    line: str
    """What is printed of it."""
    facts: dict[str, object]
    """The same for --json."""
    notices: list[str]
    """What was converted on the way."""


class Work(Protocol):
    """What a command does to each file; it is sent to other processes."""

    def prepare(self) -> None:
        """Load what is slow, and raise CvqnError where nothing can be made without it."""

    def options(self) -> dict[str, object]:
        """What decides an output beside its input; plain values."""

    def __call__(self, source: Path, target: Path) -> Outcome:
        """Make `target` of `source`.

        Raises:
            CvqnError, OSError, MemoryError: this one cannot be made.
        """
