"""Runs: the training of an experiment with one seed, at one of its checkpoints; builds and parses their names."""

import re
from dataclasses import dataclass
from typing import Literal, Self, get_args

from cvqn.errors import CvqnError

Checkpoint = Literal["last", "best", "held-out"]
"""Of a training: its end; its best MS-SSIM on `data.selection`, by default the evaluation set; on `data.held_out`."""
CHECKPOINTS: tuple[Checkpoint, ...] = get_args(Checkpoint)
SELECTED = CHECKPOINTS[1:]
PATTERN = r"[a-z][a-z0-9-]*-seed\d+"
"""Matches the name of a run, without a checkpoint."""
AT_CHECKPOINT = f"(-({'|'.join(SELECTED)}))?"
"""Matches what follows PATTERN in the name of a run at a checkpoint."""


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
        return self.training if self.checkpoint == "last" else f"{self.training}-{self.checkpoint}"

    def at(self, checkpoint: Checkpoint) -> "Run":
        """The same training at a checkpoint."""
        return Run(self.experiment, self.seed, checkpoint)

    @classmethod
    def parse(cls, name: str) -> Self:
        """The run with this name.

        Raises:
            CvqnError: `name` is not the name of a run.
        """
        match = re.fullmatch(rf"(?P<experiment>[a-z][a-z0-9-]*)-seed(?P<seed>\d+)(?P<at>{AT_CHECKPOINT})", name)
        if match is None:
            raise CvqnError(
                f"{name!r}: not the name of a run, <experiment>-seed<k>, which may end in -{' or -'.join(SELECTED)}"
            )
        checkpoint: Checkpoint = next((one for one in SELECTED if match["at"] == f"-{one}"), "last")
        return cls(match["experiment"], int(match["seed"]), checkpoint)
