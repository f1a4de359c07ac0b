"""Pictures in files: uint8 arrays `[height, width, 3]`, sRGB, 0..255."""

import contextlib
import io
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageCms, ImageOps

from cvqn.errors import CvqnError
from cvqn.files import atomic_write

LARGEST_PICTURE = 1 << 27  # pixels; room for 100 megapixels, and a bound on what a small file can unfold to
READABLE = {".png", ".jpg", ".jpeg", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp"}
_FORMATS = ("PNG", "JPEG", "PPM", "BMP", "TIFF", "WEBP")
_WRITERS = {".png": "PNG", ".ppm": "PPM", ".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF"}
_STRIP = 256  # rows copied at a time, so that a picture is never in memory more than twice


def read_picture(path: str | Path) -> np.ndarray:
    """The picture in a file, uint8 `[H, W, 3]`, writable.

    Defined conversions: grey is repeated in the three channels; palettes and 1-bit become RGB; alpha that is opaque
    everywhere is dropped; EXIF orientation is applied; a colour profile other than sRGB is converted to sRGB, and a
    picture without a readable profile is taken as sRGB.

    Raises:
        CvqnError: the file is missing, truncated, not a picture, or holds what has no defined conversion
            (transparency, 16 bits a sample, CMYK, several frames, more than `LARGEST_PICTURE` pixels).
    """
    try:
        with open(path, "rb") as file:
            return decode_picture(file, path)
    except OSError as error:
        raise CvqnError(f"{path}: cannot be read ({error.strerror})") from error


def decode_picture(file: BinaryIO | bytes, name: str | Path) -> np.ndarray:
    """The same for an open file or the bytes of one; `name` is what errors call it."""
    file = io.BytesIO(file) if isinstance(file, bytes) else file
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of oddities in files; its bomb warning is an error below
            with Image.open(file, formats=_FORMATS) as image:
                _check(image, name)
                image.load()
                ImageOps.exif_transpose(image, in_place=True)  # else it copies what needs no turning
                return _array(_to_srgb(_without_alpha(image, name)))
    except CvqnError:
        raise
    except Image.UnidentifiedImageError as error:
        raise CvqnError(f"{name}: not a picture of a known format ({', '.join(sorted(READABLE))})") from error
    except Image.DecompressionBombError as error:
        raise CvqnError(f"{name}: larger than {LARGEST_PICTURE:,} pixels; cut it into parts") from error
    except Exception as error:  # Pillow's decoders raise many types on damaged input
        raise CvqnError(f"{name}: damaged or truncated picture ({error}); replace the file") from error


def write_png(path: str | Path, picture: np.ndarray) -> None:
    """Write a picture, uint8 `[H, W, 3]`, as PNG; the file is whole or absent.

    Raises:
        CvqnError: the folder cannot be written to or the disk is full.
    """
    _save(path, picture, "PNG")


def write_picture(path: str | Path, picture: np.ndarray) -> None:
    """The same in the lossless format that the suffix names: .png, .ppm, .bmp, .tif.

    Raises:
        CvqnError: another suffix; the folder cannot be written to or the disk is full.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _WRITERS:
        raise CvqnError(f"{path}: pictures are written as {', '.join(_WRITERS)}, not as {suffix or 'no suffix'}")
    _save(path, picture, _WRITERS[suffix])


def list_pictures(folder: str | Path) -> list[Path]:
    """The picture files right in a folder, by suffix, sorted by name.

    Raises:
        CvqnError: not a folder, or no picture in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CvqnError(f"{folder}: not a folder")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in READABLE and path.is_file())
    if not paths:
        raise CvqnError(f"{folder}: holds no picture ({', '.join(sorted(READABLE))})")
    return paths


def _check(image: Image.Image, name: str | Path) -> None:
    width, height = image.size
    if width * height > LARGEST_PICTURE:
        raise CvqnError(f"{name}: {width}x{height} is larger than {LARGEST_PICTURE:,} pixels; cut it into parts")
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise CvqnError(f"{name}: holds {image.n_frames} frames; extract the one that is meant")
    if _sample_bits(image) > 8:
        raise CvqnError(f"{name}: more than 8 bits a sample; convert it to 8 bits first")
    if image.mode not in ("1", "L", "P", "RGB", "LA", "PA", "RGBA"):
        raise CvqnError(f"{name}: pixels of kind {image.mode}; convert it to 8-bit RGB first")


def _sample_bits(image: Image.Image) -> int:
    """Pillow reads 16-bit RGB as 8-bit in silence; what the file held shows in the decoder's arguments only."""
    if image.mode.startswith(("I", "F")):
        return 32
    if image.format == "PPM":
        maximum = [argument for tile in image.tile for argument in tile[3] or () if isinstance(argument, int)]
        return max([8, *(value.bit_length() for value in maximum[-1:])])
    return 16 if any(";16" in str(tile[3]) for tile in image.tile) else 8


def _without_alpha(image: Image.Image, name: str | Path) -> Image.Image:
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            raise CvqnError(f"{name}: has transparent pixels; flatten it onto a background first")
        image = image.convert("RGB")
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def _to_srgb(image: Image.Image) -> Image.Image:
    embedded = image.info.get("icc_profile")
    if embedded:
        with contextlib.suppress(OSError, ImageCms.PyCMSError):  # an unreadable profile says nothing: sRGB is assumed
            profile = ImageCms.ImageCmsProfile(io.BytesIO(embedded))
            space = {"L": "GRAY", "RGB": "RGB "}[image.mode]
            if profile.profile.xcolor_space == space and "sRGB" not in (profile.profile.profile_description or ""):
                image = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    return image


def _array(image: Image.Image) -> np.ndarray:
    width, height = image.size
    picture = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _STRIP):
        strip = np.asarray(image.crop((0, top, width, min(top + _STRIP, height))))
        picture[top : top + _STRIP] = strip if strip.ndim == 3 else strip[:, :, None]
    return picture


def _save(path: str | Path, picture: np.ndarray, format: str) -> None:
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"a picture is uint8 [H, W, 3], not {picture.dtype} {list(picture.shape)}")
    with atomic_write(path) as file:
        Image.fromarray(picture).save(file, format=format)
