"""Published rate-distortion curves, from every installed package with an entry point in the group `cvqn.published`.

An entry point names a module with two functions: `curves(group) -> {name: curve}`, where None stands for all groups,
and `files()`, the paths of all files that it reads. A curve has `codec`, `file`, and arrays `[points]` in order of
rate: `bpp`, `ms_ssim`, `ms_ssim_db`, `psnr_db` (nan if unknown). All curves are on Kodak.
"""

import os
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from cvqn.lab.provenance.environment import source_tree

SET = "kodak"
"""The set that published curves are on."""


def curves(group: str | None = None) -> dict[str, Any]:
    """The published curves by name, all of them or those of a group."""
    return {name: curve for module in _modules() for name, curve in module.curves(group).items()}


def files() -> list[str]:
    """All files that the curves are read from, relative to the working folder."""
    return [_from_here(path) for module in _modules() for path in module.files()]


def path(curve: Any) -> str:
    """The file that a curve is read from, relative to the working folder."""
    return _from_here(curve.file)


def _from_here(path: str | Path) -> str:
    """A file's path in the working folder if that is the source tree or, as for `cvqn verify`, holds links to it."""
    there, tree = Path(path).resolve(), source_tree()
    if tree and there.is_relative_to(tree) and there.relative_to(tree).exists():
        return there.relative_to(tree).as_posix()
    return os.path.relpath(path)


@cache
def _modules() -> list[Any]:
    return [entry.load() for entry in sorted(entry_points(group="cvqn.published"), key=lambda entry: entry.name)]
