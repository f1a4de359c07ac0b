"""JPEG (ITU-T T.81) through Pillow's libjpeg-turbo: progressive, Huffman tables fitted to the picture."""

import numpy as np

from cvqn.codecs.looks import PURPLE, Look
from cvqn_baselines.checks import check_input, whole_number
from cvqn_baselines.pillow import decode_file, encode_file, library_versions


class Jpeg420:
    """Chroma at half the resolution in both directions. Quality: libjpeg's 1 (worst) to 100."""

    name = "jpeg-420"
    title = "JPEG 4:2:0"
    look = Look(PURPLE, "v")
    suffix = "jpg"
    quality_range = (1, 100)
    subsampling = "4:2:0"

    def encode(self, picture: np.ndarray, quality: float) -> bytes:
        check_input(self.name, picture, quality, self.quality_range)
        return encode_file(picture, "JPEG", quality=whole_number(self.name, quality), **self.settings())

    def decode(self, data: bytes) -> np.ndarray:
        return decode_file(data, "JPEG", self.name)

    def versions(self) -> dict[str, str]:
        return library_versions("libjpeg_turbo", "libjpeg-turbo")

    def settings(self) -> dict[str, object]:
        return {"optimize": True, "progressive": True, "subsampling": self.subsampling}


class Jpeg444(Jpeg420):
    """Chroma at full resolution. Quality: libjpeg's 1 (worst) to 100."""

    name = "jpeg-444"
    title = "JPEG 4:4:4"
    look = Look(PURPLE, "<", hollow=True)
    subsampling = "4:4:4"
