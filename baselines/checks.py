"""Checks of input that the conventional codecs share."""

import numpy as np

from cvqn.errors import CvqnError


def check_input(name: str, picture: np.ndarray, quality: float, quality_range: tuple[float, float]) -> None:
    """Refuse what the codec `name` cannot encode.

    Raises:
        CvqnError: `picture` is not uint8 `[H, W, 3]` with H, W >= 1, or `quality` is outside `quality_range`.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0:
        raise CvqnError(f"{name}: a picture is uint8 [H, W, 3], this is {picture.dtype} {list(picture.shape)}")
    low, high = quality_range
    if not low <= quality <= high:
        raise CvqnError(f"{name}: quality {quality:g} is outside {low:g} to {high:g}")


def whole_number(name: str, quality: float) -> int:
    """`quality` as an int.

    Raises:
        CvqnError: it is not a whole number.
    """
    if quality != int(quality):
        raise CvqnError(f"{name}: quality {quality:g} is not a whole number")
    return int(quality)
