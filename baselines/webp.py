"""Lossy WebP: by the program cwebp if it is installed, else by Pillow, which lacks some of its options."""

import io
import shutil
import subprocess

import numpy as np
from PIL import Image

from cvqn.codecs.looks import GREEN, Look
from cvqn.errors import CvqnError
from cvqn_baselines.checks import check_input
from cvqn_baselines.pillow import decode_file, encode_file, library_versions

CWEBP_OPTIONS = ("-m", "6", "-af", "-sharp_yuv")
PILLOW_OPTIONS = {"lossless": False, "method": 6}


class WebP:
    """VP8 intra frames, chroma 4:2:0. Quality: libwebp's 0 (worst) to 100.

    cwebp adapts the loop filter's strength to the picture (-af) and keeps chroma edges sharp (-sharp_yuv), which Pillow
    cannot request from the same library. `settings` and `versions` say which of the two encoders is used.
    """

    name = "webp"
    title = "WebP"
    look = Look(GREEN, "^")
    suffix = "webp"
    quality_range = (0, 100)

    def __init__(self) -> None:
        self.program = shutil.which("cwebp")

    def encode(self, picture: np.ndarray, quality: float) -> bytes:
        check_input(self.name, picture, quality, self.quality_range)
        if self.program is None:
            return encode_file(picture, "WEBP", quality=quality, **PILLOW_OPTIONS)
        lossless = io.BytesIO()
        Image.fromarray(picture).save(lossless, format="PPM")
        command = [self.program, "-quiet", "-q", f"{quality:g}", *CWEBP_OPTIONS, "-o", "-", "--", "-"]
        process = subprocess.run(command, input=lossless.getvalue(), capture_output=True, check=False)
        if process.returncode != 0:
            raise CvqnError(f"{self.name}: {self.program} failed: {process.stderr.decode(errors='replace').strip()}")
        return process.stdout

    def decode(self, data: bytes) -> np.ndarray:
        return decode_file(data, "WEBP", self.name)

    def versions(self) -> dict[str, str]:
        decoder = library_versions("webp", "libwebp")
        if self.program is None:
            return decoder
        output = subprocess.run([self.program, "-version"], capture_output=True, check=True, text=True).stdout
        return {"cwebp": " ".join(output.split()), **decoder}

    def settings(self) -> dict[str, object]:
        if self.program is None:
            return {"encoder": "Pillow", **PILLOW_OPTIONS}
        return {"encoder": "cwebp", "options": " ".join(CWEBP_OPTIONS)}
