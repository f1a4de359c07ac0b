"""Recognizes a photograph after re-encoding, scaling, mirroring or turning."""

from collections.abc import Sequence

import numpy as np
from PIL import Image as PillowImage

from cvqn.errors import CvqnError
from cvqn.lab.data.index import Image

SIDE = 24  # pixels of a thumbnail
ALIKE = 0.99  # correlation of two thumbnails above which their pictures count as the same


def thumbnail(picture: np.ndarray) -> np.ndarray:
    """The picture's grey means over a 24x24 grid, float32 `[24, 24]` of mean 0 and norm 1 (all 0 if it is flat)."""
    grey = PillowImage.fromarray(picture).convert("L").resize((SIDE, SIDE), PillowImage.Resampling.BOX)
    values = np.asarray(grey, np.float32)
    values = values - values.mean()
    return values / max(float(np.linalg.norm(values)), 1.0)


def orientations(square: np.ndarray) -> list[np.ndarray]:
    """The eight mirrored and turned forms of an array `[N, N]`."""
    return [np.rot90(form, turns) for form in (square, square.T) for turns in range(4)]


class Excluded:
    """Images that must not be trained on, recognized by the checksum of their pixels and by their thumbnails."""

    def __init__(self, images: Sequence[Image]):
        self._names = [str(image.path) for image in images]
        self._by_pixels = {image.pixels_sha256: str(image.path) for image in images}
        forms = [form.ravel() for image in images for form in orientations(thumbnail(image.read()))]
        self._forms = np.array(forms, np.float32).reshape(-1, SIDE * SIDE)

    def refuse_pixels(self, image: Image) -> None:
        """Raise CvqnError, naming both, if the image has exactly the pixels of an excluded one."""
        if image.pixels_sha256 in self._by_pixels:
            self._refuse(image, self._by_pixels[image.pixels_sha256], "has the same pixels as", "")

    def refuse_alike(self, image: Image, small: np.ndarray) -> None:
        """Raise CvqnError, naming both, if the thumbnail matches that of an excluded image in any orientation."""
        correlations = self._forms @ small.ravel()
        if correlations.size and correlations.max() > ALIKE:
            best = int(correlations.argmax())
            self._refuse(
                image,
                self._names[best // 8],
                "looks the same as",
                f" (correlation of thumbnails: {correlations[best]:.4f})",
            )

    def _refuse(self, image: Image, other: str, how: str, measured: str) -> None:
        raise CvqnError(
            f"{image.path}: {how} {other}, an image of an excluded set{measured}; remove {image.name} from the set to "
            "train on"
        )
