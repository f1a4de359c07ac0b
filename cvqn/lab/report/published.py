"""Published rate-distortion curves, from every installed package with an entry point in the group `cvqn.published`.

An entry point names a module with two functions: `curves(group) -> {name: curve}`, where None stands for all groups,
and `files()`, the paths of all files that it reads. A curve has `codec`, `file`, and arrays `[points]` in order of
rate: `bpp`, `ms_ssim`, `ms_ssim_db`, `psnr_db` (nan if unknown). All curves are on Kodak.
"""

import os
from functools import cache
from importlib.metadata import entry_points
from typing import Any

SET = "kodak"
"""The set that published curves are on."""


def curves(group: str | None = None) -> dict[str, Any]:
    """The published curves by name, all of them or those of a group."""
    return {name: curve for module in _modules() for name, curve in module.curves(group).items()}


def files() -> list[str]:
    """All files that the curves are read from, relative to the working folder."""
    return [os.path.relpath(path) for module in _modules() for path in module.files()]


def path(curve: Any) -> str:
    """The file that a curve is read from, relative to the working folder."""
    return os.path.relpath(curve.file)


@cache
def _modules() -> list[Any]:
    return [entry.load() for entry in sorted(entry_points(group="cvqn.published"), key=lambda entry: entry.name)]
