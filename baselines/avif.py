"""AVIF (AV1 intra frames) through imagecodecs: libavif with libaom as encoder."""

import imagecodecs
import numpy as np

from cvqn.codecs.looks import SKY, Look
from cvqn.errors import CvqnError
from cvqn_baselines.checks import check_input, whole_number


class Avif:
    """4:4:4 at 8 bits, speed 2 on a scale of 0 to 10. Quality: libavif's 0 (worst) to 99; 100 is lossless."""

    name = "avif"
    title = "AVIF"
    look = Look(SKY, "P")
    suffix = "avif"
    quality_range = (0, 99)

    def encode(self, picture: np.ndarray, quality: float) -> bytes:
        check_input(self.name, picture, quality, self.quality_range)
        level = whole_number(self.name, quality)
        return imagecodecs.avif_encode(picture, level=level, numthreads=1, **self.settings())

    def decode(self, data: bytes) -> np.ndarray:
        try:
            return imagecodecs.avif_decode(data, numthreads=1)
        except (imagecodecs.AvifError, ValueError, RuntimeError) as error:
            raise CvqnError(f"{self.name}: damaged or truncated data ({error})") from error

    def versions(self) -> dict[str, str]:
        return {"imagecodecs": imagecodecs.__version__, "libavif": imagecodecs.avif_version().split()[-1]}

    def settings(self) -> dict[str, object]:
        return {"codec": "aom", "pixelformat": "444", "speed": 2}
