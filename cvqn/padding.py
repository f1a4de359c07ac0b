"""Pictures continued to the sizes that networks take."""

import numpy as np


def pad_to_multiple(picture: np.ndarray, multiple: int) -> np.ndarray:
    """`[H, W, 3]` continued by its last row and column until both sides are multiples of `multiple`."""
    rows, columns = (-side % multiple for side in picture.shape[:2])
    return np.pad(picture, ((0, rows), (0, columns), (0, 0)), mode="edge") if rows or columns else picture
