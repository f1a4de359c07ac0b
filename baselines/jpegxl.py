"""JPEG XL (ISO/IEC 18181) through imagecodecs: libjxl's lossy mode."""

import imagecodecs
import numpy as np

from cvqn.codecs.looks import BLACK, Look
from cvqn.errors import CvqnError
from cvqn_baselines.checks import check_input


class JpegXl:
    """Quality: the Butteraugli distance to aim at, 25 (worst) to 0.05; 1 is meant to look like the original."""

    name = "jpegxl"
    title = "JPEG XL"
    look = Look(BLACK, "X")
    suffix = "jxl"
    quality_range = (0.05, 25)

    def encode(self, picture: np.ndarray, quality: float) -> bytes:
        check_input(self.name, picture, quality, self.quality_range)
        return imagecodecs.jpegxl_encode(picture, distance=quality, numthreads=1, **self.settings())

    def decode(self, data: bytes) -> np.ndarray:
        try:
            return imagecodecs.jpegxl_decode(data, numthreads=1)
        except (imagecodecs.JpegxlError, ValueError, RuntimeError) as error:
            raise CvqnError(f"{self.name}: damaged or truncated data ({error})") from error

    def versions(self) -> dict[str, str]:
        return {"imagecodecs": imagecodecs.__version__, "libjxl": imagecodecs.jpegxl_version().split()[-1]}

    def settings(self) -> dict[str, object]:
        return {"effort": 7, "lossless": False}
