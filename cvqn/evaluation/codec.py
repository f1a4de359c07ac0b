"""The interface behind which every codec is measured, conventional or learned."""

from typing import Protocol

import numpy as np


class Codec(Protocol):
    """A still-image codec. A picture is uint8 `[H, W, 3]`, RGB, 0..255; a quality is the codec's own scale.

    `suffix` ends the names of its files, without the dot. A conventional codec also has `quality_range`, the lowest
    and the highest quality it takes.
    """

    name: str
    suffix: str

    def encode(self, picture: np.ndarray, quality: float) -> bytes:
        """The complete file of `picture`."""

    def decode(self, data: bytes) -> np.ndarray:
        """The picture in `data`.

        Raises:
            CvqnError: `data` is truncated or not a file of this codec.
        """

    def versions(self) -> dict[str, str]:
        """Every library or program that decides the bytes, with its version."""

    def settings(self) -> dict[str, object]:
        """The settings that hold for every quality."""
