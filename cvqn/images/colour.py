"""Conversion of colours to sRGB, by a picture's ICC profile."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageCms

SAME = 3  # levels of 255 by which profiles of sRGB differ, because their curves are rounded differently


def conversion(profile: bytes | None, grey: bool) -> Callable[[Image.Image], Image.Image] | None:
    """A function from an image of mode L or RGB to one in sRGB, or None if there is nothing to convert.

    There is nothing to convert without a profile, with one that cannot be read or is made for other pixels (a grey
    profile applies to grey pictures only), or with one that maps every colour to itself within `SAME` levels.
    """
    if not profile:
        return None
    try:
        source, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        mode = {"GRAY": "L", "RGB": "RGB"}.get(source.profile.xcolor_space.strip())
        if mode is None or (mode == "L" and not grey):
            return None
        # compared by the colours that the profile states; a perceptual table may change those of sRGB itself
        stated = ImageCms.buildTransform(source, srgb, mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC)
        if _changes(stated.apply, mode) <= SAME:
            return None
        transform = ImageCms.buildTransform(source, srgb, mode, "RGB")
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
        return None
    return lambda image: transform.apply(image.convert(mode))


def _changes(apply: Callable[[Image.Image], Image.Image], mode: str) -> int:
    """The largest change in levels that a conversion makes to any grey or any mixture of 17 levels of each primary."""
    greys = np.arange(256, dtype=np.uint8)[None, :, None]
    if mode == "L":
        colours = greys
    else:
        levels = np.r_[0:256:16, 255].astype(np.uint8)
        grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
        colours = np.concatenate([greys.repeat(3, axis=2), grid], axis=1)
    converted = np.asarray(apply(Image.fromarray(colours.squeeze(2) if mode == "L" else colours)))
    return int(np.abs(converted.astype(int) - colours).max())
