"""HEIC and JPEG XL, which Pillow does not read; pillow-heif and imagecodecs read them if they are installed."""

import contextlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from cvqn.images.parts import Essence, RefusedError

FORMATS = {"HEIF": ("HEIC", "pillow_heif", "pillow-heif"), "JXL": ("JPEG XL", "imagecodecs", "imagecodecs")}
"""By the name in the style of Pillow's: the format's own name, and the module and package that read it."""


def open_foreign(known: Essence) -> tuple[Image.Image, bytes | None]:
    """An upright image of 8 bits per sample, L, LA, RGB or RGBA, and its ICC profile.

    Raises:
        RefusedError: the package that reads the format is not installed, or there are several pictures.
    """
    with _installed(known.format):
        return (_open_heif if known.format == "HEIF" else _open_jxl)(known)


def _open_heif(known: Essence) -> tuple[Image.Image, bytes | None]:
    import pillow_heif

    known.file.seek(0)
    pictures = pillow_heif.open_heif(known.file)
    if len(pictures) > 1:
        raise RefusedError(f"has {len(pictures)} frames; extract one of them first")
    if pictures.premultiplied_alpha:
        raise RefusedError("opacity that is multiplied into the colours; convert it to 8-bit RGB first")
    return pictures.to_pillow(), pictures.info.get("icc_profile")  # turned upright by libheif


def _open_jxl(known: Essence) -> tuple[Image.Image, bytes | None]:
    import imagecodecs

    known.file.seek(0)
    pixels = imagecodecs.jpegxl_decode(known.file.read(), numthreads=1)
    if pixels.dtype != np.uint8:
        largest = (1 << known.bits) - 1
        pixels = ((pixels.astype(np.uint32) * 255 + largest // 2) // largest).astype(np.uint8)
    return Image.fromarray(pixels), None


@contextlib.contextmanager
def _installed(format: str) -> Iterator[None]:
    name, module, package = FORMATS[format]
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise RefusedError(f"{name} needs {package}, which is not installed: pip install {package}") from error
