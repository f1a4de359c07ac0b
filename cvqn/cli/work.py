"""What a command on pictures does to each file."""

from pathlib import Path
from typing import NamedTuple, Protocol

Pair = tuple[Path, Path]
"""An input and its output."""


class Outcome(NamedTuple):
    """The result for one input."""

    line: str
    """What is printed about it."""
    facts: dict[str, object]
    """The same for --json."""
    notices: list[str]
    """A line for each conversion that loses something."""


class Work(Protocol):
    """What a command does to each file; it is sent to other processes."""

    def prepare(self) -> None:
        """Load what is slow to load.

        Raises:
            CvqnError: something is missing without which no file can be made.
        """

    def options(self) -> dict[str, object]:
        """The options that affect an output; plain values."""

    def __call__(self, source: Path, target: Path) -> Outcome:
        """Make `target` from `source`.

        Raises:
            CvqnError, OSError, MemoryError: this one cannot be made; a batch continues with the next.
        """
