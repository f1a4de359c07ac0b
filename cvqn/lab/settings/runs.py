"""Runs: the training of an experiment with one seed, at one of its checkpoints; builds and parses their names."""

import re
from dataclasses import dataclass
from typing import Literal, Self

from cvqn.errors import CvqnError

Checkpoint = Literal["last", "best"]
PATTERN = r"[a-z][a-z0-9-]*-seed\d+"
"""Matches the name of a run, without a checkpoint."""


@dataclass(frozen=True, order=True)
class Run:
    """A training of an experiment with a seed, at a checkpoint."""

    experiment: str
    seed: int
    checkpoint: Checkpoint = "last"

    @property
    def training(self) -> str:
        """The name of the training, whatever the checkpoint."""
        return f"{self.experiment}-seed{self.seed}"

    @property
    def name(self) -> str:
        """The name under which this checkpoint is encoded and measured."""
        return self.training + ("-best" if self.checkpoint == "best" else "")

    def at(self, checkpoint: Checkpoint) -> "Run":
        """The same training at a checkpoint."""
        return Run(self.experiment, self.seed, checkpoint)

    @classmethod
    def parse(cls, name: str) -> Self:
        """The run with this name.

        Raises:
            CvqnError: `name` is not the name of a run.
        """
        match = re.fullmatch(rf"(?P<training>{PATTERN})(?P<best>-best)?", name)
        if match is None:
            raise CvqnError(f"{name!r}: not the name of a run, <experiment>-seed<k> or <experiment>-seed<k>-best")
        experiment, _, seed = match["training"].rpartition("-seed")
        return cls(experiment, int(seed), "best" if match["best"] else "last")
