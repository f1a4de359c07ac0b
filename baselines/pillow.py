"""Pictures through Pillow's file formats."""

import io
import struct
import warnings

import numpy as np
import PIL
from PIL import Image, features

from cvqn.errors import CvqnError

_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError, Warning)


def encode_file(picture: np.ndarray, file_format: str, **options: object) -> bytes:
    """The file that Pillow writes for the uint8 picture `[H, W, 3]`."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format=file_format, **options)
    return file.getvalue()


def decode_file(data: bytes, file_format: str, name: str) -> np.ndarray:
    """The uint8 picture `[H, W, 3]` in a file of `file_format`.

    Raises:
        CvqnError: `data` is truncated or not such a file; the message begins with `name`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=[file_format]) as image:
                return np.array(image.convert("RGB"))
    except _DAMAGED as error:
        raise CvqnError(f"{name}: damaged or truncated data ({error})") from error


def library_versions(feature: str, library: str) -> dict[str, str]:
    """Pillow's version and that of the `library` behind it, which `PIL.features` calls `feature`."""
    return {"Pillow": PIL.__version__, library: str(features.version(feature))}
