"""HEIC (HEVC intra pictures in HEIF) through pillow-heif: libheif with x265 as encoder and libde265 as decoder."""

import io

import numpy as np
import pillow_heif

from cvqn.codecs.looks import GREY, Look
from cvqn.errors import CvqnError
from cvqn_baselines.checks import check_input, whole_number

ONE_THREAD = {"x265:pools": "none", "x265:frame-threads": "1"}


class Heic:
    """4:4:4 at 8 bits. Quality: libheif's 0 (worst) to 100. The container takes about 380 bytes of each file."""

    name = "heic"
    title = "HEIC"
    look = Look(GREY, "*")
    suffix = "heic"
    quality_range = (0, 100)

    def encode(self, picture: np.ndarray, quality: float) -> bytes:
        check_input(self.name, picture, quality, self.quality_range)
        height, width = picture.shape[:2]
        file = io.BytesIO()
        pillow_heif.encode(
            "RGB",
            (width, height),
            np.ascontiguousarray(picture).tobytes(),
            file,
            quality=whole_number(self.name, quality),
            enc_params=self.settings() | ONE_THREAD,
        )
        return file.getvalue()

    def decode(self, data: bytes) -> np.ndarray:
        pillow_heif.options.DECODE_THREADS = 1
        try:
            image = pillow_heif.open_heif(data)
            return np.array(image.to_pillow().convert("RGB"))
        except (ValueError, EOFError, OSError, SyntaxError, RuntimeError, IndexError) as error:
            raise CvqnError(f"{self.name}: damaged or truncated data ({error})") from error

    def versions(self) -> dict[str, str]:
        return {
            "pillow-heif": pillow_heif.__version__,
            "libheif": pillow_heif.libheif_version(),
            "encoder": pillow_heif.libheif_info()["encoders"]["x265"],
            **pillow_heif.libheif_info()["decoders"],
        }

    def settings(self) -> dict[str, object]:
        return {"chroma": "444", "preset": "slow", "tune": "ssim"}
