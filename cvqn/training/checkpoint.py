"""Resume state, divergence marker and the claim on a run's folder.

The state's name carries a hash of everything the training is a function of; a state of another hash is never used.
It is no output of the workflow, which would delete it when a job fails.
"""

import hashlib
import json
import os
from pathlib import Path
from pickle import UnpicklingError

import torch

from cvqn.errors import CvqnError
from cvqn.files import atomic_write


class Paused(CvqnError):
    """The run was asked to stop, or its time was up: the state is saved, running again goes on from it."""

    exit_code = 75


class Diverged(CvqnError):
    """The loss is not finite or the latent exploded; running again would do the same."""

    exit_code = 76


def fingerprint_of(*parts: object) -> str:
    """Twelve hexadecimal digits of the SHA-256 of JSON-serialisable parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


class ResumeFolder:
    """The files beside a run's outputs that let it go on: `state-<hash>.pt`, `log-<hash>.csv`, `diverged.json`.

    Opening it claims the folder: an earlier writer that is still alive finds the claim gone at its next save and stops.

    Args:
        folder: the run's folder.
        key: hash of configuration, image list and code.
    """

    def __init__(self, folder: Path, key: str):
        self.folder, self.key = folder, key
        self.state_path = folder / f"state-{key}.pt"
        self.log_path = folder / f"log-{key}.csv"
        self.claim_path = folder / "writer"
        self.diverged_path = folder / "diverged.json"
        folder.mkdir(parents=True, exist_ok=True)
        self._refuse_diverged()
        self.claim = f"{os.uname().nodename}:{os.getpid()}:{os.urandom(8).hex()}"
        with atomic_write(self.claim_path, "w") as file:
            file.write(self.claim)

    def stale(self) -> list[Path]:
        """States left by another configuration, image list or code."""
        return [path for path in self.folder.glob("state-*.pt") if path != self.state_path]

    def load(self) -> dict | None:
        """The saved state, or None when there is none."""
        if not self.state_path.exists():
            return None
        try:
            return torch.load(self.state_path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, ValueError, KeyError, UnpicklingError) as error:
            raise CvqnError(f"{self.state_path}: damaged ({error}); delete it to begin anew") from error

    def save(self, state: dict) -> None:
        """Write the state atomically.

        Raises:
            CvqnError: a newer process has claimed the run; nothing was written.
        """
        self.check_claim()
        with atomic_write(self.state_path) as file:
            torch.save(state, file)

    def check_claim(self) -> None:
        """Raises CvqnError when a newer process has claimed this run."""
        owner = self.claim_path.read_text(encoding="utf-8") if self.claim_path.exists() else "nobody"
        if owner != self.claim:
            raise CvqnError(f"{self.folder}: a newer process ({owner}) trains this run; this one stops without writing")

    def mark_diverged(self, reason: str) -> None:
        """Leave the marker that makes the next attempt with the same settings exit at once.

        Raises:
            CvqnError: a newer process has claimed the run; nothing was written.
        """
        self.check_claim()
        with atomic_write(self.diverged_path, "w") as file:
            json.dump({"key": self.key, "reason": reason}, file)

    def finish(self) -> None:
        """Remove everything that only a resumed run would need."""
        for path in (self.state_path, self.log_path, self.claim_path, *self.stale()):
            path.unlink(missing_ok=True)

    def _refuse_diverged(self) -> None:
        if not self.diverged_path.exists():
            return
        try:
            marker = json.loads(self.diverged_path.read_text(encoding="utf-8"))
            key, reason = marker["key"], marker["reason"]
        except (ValueError, KeyError, TypeError) as error:
            raise CvqnError(f"{self.diverged_path}: damaged ({error}); delete it to train") from error
        if key == self.key:
            raise Diverged(
                f"{self.folder}: diverged before ({reason}); change its settings, or delete {self.diverged_path}"
            )
        self.diverged_path.unlink()
