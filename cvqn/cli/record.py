"""The record of what batches have made in a folder, from which a later call knows what is done."""

import json
import os
from enum import Enum
from pathlib import Path
from typing import NamedTuple

NAME = ".cvqn-made"


class State(Enum):
    """What exists at the path of an output before it is made."""

    ABSENT = "there is no such file"
    DONE = "made from the same input with the same options"
    OLDER = "made from another input or with other options"
    UNKNOWN = "a file that no batch made, or that has changed since"


class Record(NamedTuple):
    """The file `NAME` in a folder: for each output its SHA-256, that of its input, and the options of the command.

    Each line is a JSON object, appended in one write so that several processes can share the file. The last line of an
    output counts.
    """

    folder: Path
    options: dict[str, object]
    """The options that affect outputs; plain values."""

    def read(self) -> dict[str, dict[str, object]]:
        """The last entry of each output; truncated lines are ignored."""
        found = {}
        try:
            lines = (self.folder / NAME).read_bytes().splitlines()
        except FileNotFoundError:
            return {}
        for line in lines:
            try:
                entry = json.loads(line)
                found[entry["output"]] = {key: entry[key] for key in ("sha256", "input_sha256", "options")}
            except (ValueError, TypeError, KeyError, RecursionError):
                continue
        return found

    def state(self, made: dict[str, dict[str, object]], source: Path, target: Path) -> State:
        """The state of `target`, given what `read` returned."""
        from cvqn.files import sha256_file

        if not target.exists():
            return State.ABSENT
        entry = made.get(self._key(target))
        if entry is None or not target.is_file() or sha256_file(target) != entry["sha256"]:
            return State.UNKNOWN
        same = sha256_file(source) == entry["input_sha256"] and entry["options"] == json.loads(json.dumps(self.options))
        return State.DONE if same else State.OLDER

    def add(self, target: Path, input_sha256: str) -> None:
        """Record that `target` was made from an input with this SHA-256."""
        from cvqn.files import sha256_file

        entry = {"output": self._key(target), "sha256": sha256_file(target), "input_sha256": input_sha256}
        line = json.dumps(entry | {"options": self.options}).encode() + b"\n"
        descriptor = os.open(self.folder / NAME, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":  # the last line is truncated
                line = b"\n" + line
            os.write(descriptor, line)
        finally:
            os.close(descriptor)

    def _key(self, target: Path) -> str:
        return target.relative_to(self.folder).as_posix()
