"""JPEG 2000 (ITU-T T.800) through Pillow's OpenJPEG: raw codestreams, one quality layer at a constant rate."""

import numpy as np

from cvqn.codecs.looks import ORANGE, Look
from cvqn.errors import CvqnError
from cvqn_baselines.checks import check_input
from cvqn_baselines.pillow import decode_file, encode_file, library_versions

BITS_PER_PIXEL = 24
END_OF_CODESTREAM = b"\xff\xd9"


class Jpeg2000:
    """9/7 wavelet, irreversible component transform. Quality: the rate to aim at, in bits per pixel."""

    name = "jpeg2000"
    title = "JPEG 2000, 9/7"
    look = Look(ORANGE, "D")
    suffix = "j2k"
    quality_range = (0.01, 24)
    irreversible = True

    def encode(self, picture: np.ndarray, quality: float) -> bytes:
        check_input(self.name, picture, quality, self.quality_range)
        return encode_file(picture, "JPEG2000", quality_layers=[BITS_PER_PIXEL / quality], **self.settings())

    def decode(self, data: bytes) -> np.ndarray:
        if not data.endswith(END_OF_CODESTREAM):  # OpenJPEG accepts a main header without tiles as a complete picture
            raise CvqnError(f"{self.name}: truncated data")
        return decode_file(data, "JPEG2000", self.name)

    def versions(self) -> dict[str, str]:
        return library_versions("jpg_2000", "OpenJPEG")

    def settings(self) -> dict[str, object]:
        return {"irreversible": self.irreversible, "mct": 1, "quality_mode": "rates", "no_jp2": True}


class Jpeg2000Reversible(Jpeg2000):
    """5/3 wavelet, reversible component transform. Quality: the rate to aim at, in bits per pixel."""

    name = "jpeg2000-5-3"
    title = "JPEG 2000, 5/3"
    look = Look(ORANGE, "d", hollow=True)
    irreversible = False
