"""The interface behind which every codec is measured, conventional or learned."""

from pathlib import Path
from typing import Protocol

import numpy as np

from cvqn.errors import CvqnError


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


def open_codec(name: str, model: str | Path | None = None) -> Codec:
    """The codec called `name`: a conventional one of `baselines.NAMES`, or `cvqn` with the folder of its model.

    Raises:
        CvqnError: there is no such codec, or a model is missing, damaged or given to a codec that has none.
    """
    if name == "cvqn":
        if model is None:
            raise CvqnError("cvqn: this codec needs --model, the folder of a trained model")
        from cvqn.compression import CvqnCodec

        return CvqnCodec(model)
    if model is not None:
        raise CvqnError(f"{name}: only the codec cvqn takes --model")
    import baselines

    return baselines.codec(name)
