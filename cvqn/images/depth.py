"""Reduction of samples of more than 8 bits to 8, in the formats whose decoders are known to read them correctly."""

import numpy as np
from PIL import Image, TiffImagePlugin

from cvqn.images.foreign import FORMATS
from cvqn.images.parts import Essence, RefusedError, read_between

_GREYSCALE_WITH_ALPHA = b"\4"  # PNG's colour type


def check_reducible(known: Essence, image: Image.Image | None) -> None:
    """Refuse deep samples that cannot be reduced; without an image, judged by the headers alone.

    Raises:
        RefusedError: they cannot be reduced; the message says what to do.
    """
    fits = known.bits <= 16 and known.format in ("PNG", "TIFF", "PPM", "AVIF", *FORMATS)
    if image and known.format == "PNG":
        fits = fits and "transparency" not in image.info  # a 16-bit colour, which Pillow compares with 8-bit pixels
    elif isinstance(image, TiffImagePlugin.TiffImageFile):
        tags = image.tag_v2
        fits = fits and tags.get(284, 1) == 1 and tags.get(262) in (1, 2) and set(tags.get(258, ())) == {16}
        fits = fits and image.mode in ("I;16", "I;16B", "RGB", "RGBA")
    if not fits:
        raise RefusedError("more than 8 bits per sample, in a form that is not reduced; convert it to 8 bits first")


def reduced(image: Image.Image, known: Essence) -> Image.Image:
    """A loaded image with deep samples, which Pillow may have reduced itself, as one of mode L, LA, RGB or RGBA."""
    if image.mode.startswith("I"):  # grey; PPM's are spread over 16 bits by Pillow
        samples = np.asarray(image).astype(np.uint32)
        samples = (samples * 255 + 32767) // 65535 if known.format == "PPM" else samples >> 8
        return Image.fromarray(samples.astype(np.uint8))
    if known.format == "PNG" and read_between(known.file, 25, 26) == _GREYSCALE_WITH_ALPHA:
        return image.convert("LA")  # Pillow makes RGBA of it
    return image
