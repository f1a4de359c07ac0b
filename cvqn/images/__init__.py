"""Pictures in files: uint8 arrays `[height, width, 3]`, sRGB, 0..255."""

import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, features

from cvqn.errors import CvqnError
from cvqn.files import atomic_write, scan_folder
from cvqn.images.colour import conversion
from cvqn.images.depth import check_reducible, reduced
from cvqn.images.foreign import FORMATS, open_foreign
from cvqn.images.headers import examine
from cvqn.images.parts import Essence, RefusedError, length_of
from cvqn.images.tiff import orientation_of

LARGEST_PICTURE = 1 << 27  # pixels; room for 100 megapixels, and a limit to what a small file can expand to
LARGEST_MEMORY = (7 << 27) + (1 << 20)  # bytes; the largest picture in Pillow's 4 bytes per pixel and the result's 3
BYTES_PER_ROW = 8  # Pillow's pointer to each row, which of a picture one pixel wide is more than its pixels
LARGEST_PIPE = 1 << 29  # bytes; more than the pixels of the largest picture
READABLE = {
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".ppm", ".pgm", ".pbm", ".pnm", ".bmp", ".tif", ".tiff", ".webp",
    ".heic", ".heif", ".hif", ".jxl",
}  # fmt: skip
if features.check("avif"):
    READABLE.add(".avif")
_WRITERS = {".png": "PNG", ".ppm": "PPM", ".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF"}
_GREY = ("1", "L", "LA")
_STRIP = 1 << 20  # pixels converted at a time, so that a picture is in memory at most twice
_TURNED = {  # how to turn a picture upright, by EXIF orientation
    2: lambda picture: picture[:, ::-1],
    3: lambda picture: picture[::-1, ::-1],
    4: lambda picture: picture[::-1],
    5: lambda picture: picture.transpose(1, 0, 2),
    6: lambda picture: np.rot90(picture, -1),
    7: lambda picture: picture[::-1, ::-1].transpose(1, 0, 2),
    8: lambda picture: np.rot90(picture),
}


class Conversions(NamedTuple):
    """Conversions that lose something; pictures that need one are refused unless it is asked for."""

    background: tuple[int, int, int] | None = None
    """sRGB, 0..255; transparent pixels are blended with it, by a weighted mean of the encoded values."""
    reduce_depth: bool = False
    """Reduce samples of more than 8 bits to 8: the upper 8 bits in PNG and TIFF, the nearest level elsewhere."""
    max_pixels: int = LARGEST_PICTURE
    """Larger pictures are refused; values above `LARGEST_PICTURE` count as that."""
    notice: Callable[[str], None] = lambda message: None
    """Called with one line for each conversion that was done."""


def read_picture(path: str | Path, conversions: Conversions = Conversions()) -> np.ndarray:  # noqa: B008
    """The picture in a file, a new and writable array, uint8 `[H, W, 3]`.

    Grey is repeated in the three channels. Palettes and 1-bit pictures become RGB. Alpha that is opaque everywhere is
    dropped. EXIF orientation is applied. Colours are converted to sRGB by the ICC profile, unless it cannot be read or
    is itself that of sRGB. Nothing else in the file affects the result: comments, thumbnails and other metadata may be
    damaged.

    Raises:
        CvqnError: the file is missing, truncated or not a picture; its library is not installed; it has no defined
            conversion (CMYK, several frames), or needs one that `conversions` does not ask for (transparency, more than
            8 bits per sample); or, found before any pixel is decoded, it has more pixels than allowed or would take
            more than `LARGEST_MEMORY`.
    """
    try:
        with open(path, "rb") as file:
            return decode_picture(file, path, conversions)
    except OSError as error:
        raise CvqnError(f"{path}: cannot be read ({error.strerror or error})") from error


def decode_picture(
    file: BinaryIO | bytes,
    name: str | Path,
    conversions: Conversions = Conversions(),  # noqa: B008
) -> np.ndarray:
    """Like `read_picture`, for an open file or the bytes of one; errors call it by `name`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of oddities in files; its bomb warning is an error below
            known = examine(_seekable(file))
            if known is None:
                raise CvqnError(f"{name}: not a picture of a known format ({', '.join(sorted(READABLE))})")
            _check(known, known.size, name, conversions)
            picture, orientation = _decoded(known, name, conversions)
            return np.ascontiguousarray(_TURNED.get(orientation, lambda as_it_is: as_it_is)(picture))
    except CvqnError:
        raise
    except RefusedError as error:
        raise CvqnError(f"{name}: {error}") from error
    except Image.DecompressionBombError as error:
        raise CvqnError(f"{name}: larger than {LARGEST_PICTURE:,} pixels; cut it into parts") from error
    except MemoryError as error:
        raise CvqnError(f"{name}: not enough memory for a picture of this size; cut it into parts") from error
    except Exception as error:  # Pillow's decoders raise many types on damaged input
        raise CvqnError(
            f"{name}: damaged, truncated or of an unsupported kind ({error}); replace or convert it"
        ) from error


def check_picture(picture: np.ndarray) -> None:
    """Raise ValueError unless `picture` is a uint8 array `[H, W, 3]` with H and W at least 1."""
    if not isinstance(picture, np.ndarray):
        raise ValueError(f"a picture is a numpy array, uint8 [H, W, 3], not {type(picture).__name__}")
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise ValueError(f"a picture is uint8 [H, W, 3], not {picture.dtype} {list(picture.shape)}")


def check_suffix(path: str | Path) -> None:
    """Raise CvqnError unless `write_picture` can write a file with this suffix."""
    suffix = Path(path).suffix.lower()
    if suffix not in _WRITERS:
        raise CvqnError(f"{path}: pictures are written as {', '.join(_WRITERS)}, not as {suffix or 'no suffix'}")


def write_png(path: str | Path, picture: np.ndarray) -> None:
    """Write a picture, uint8 `[H, W, 3]`, as PNG; the file is whole or absent.

    Raises:
        CvqnError: the folder cannot be written to, or the disk is full.
        ValueError: `picture` is another kind of array.
    """
    _save(path, picture, "PNG")


def write_picture(path: str | Path, picture: np.ndarray) -> None:
    """Like `write_png`, in the lossless format that the suffix names: .png, .ppm, .bmp, .tif or .tiff.

    Raises:
        CvqnError: the suffix is another, the folder cannot be written to, or the disk is full.
        ValueError: `picture` is another kind of array.
    """
    check_suffix(path)
    _save(path, picture, _WRITERS[Path(path).suffix.lower()])


def list_pictures(folder: str | Path) -> list[Path]:
    """The picture files directly in a folder, judged by suffix, sorted by name.

    Raises:
        CvqnError: `folder` is not a folder, cannot be read, or holds no picture.
    """
    paths, _ = scan_folder(folder, READABLE)
    if not paths:
        raise CvqnError(f"{folder}: holds no picture ({', '.join(sorted(READABLE))})")
    return paths


def _seekable(file: BinaryIO | bytes) -> BinaryIO:
    if not isinstance(file, bytes):
        if file.seekable():
            return file
        file = file.read(LARGEST_PIPE + 1)
        if len(file) > LARGEST_PIPE:
            raise RefusedError(f"more than {LARGEST_PIPE:,} bytes through a pipe; save it as a file first")
    return io.BytesIO(file)


def _check(
    known: Essence,
    size: tuple[int, int] | None,
    name: str | Path,
    conversions: Conversions,
    image: Image.Image | None = None,
) -> None:
    """Refuse what has no defined conversion; called before a decoder opens the file, and again with the image."""
    single = image is None or image.mode in ("1", "L", "P")  # assume the least until the kind of pixels is known
    memory = max(3, known.working) + (1 if single else 4)
    read_whole = known.working and known.format in ("TIFF", "WEBP", "AVIF", *FORMATS)  # before a pixel is decoded
    read = length_of(known.file) if read_whole else 0
    limit = min(LARGEST_PICTURE, conversions.max_pixels, max(0, LARGEST_MEMORY - read) // memory)
    if size and size[0] * size[1] > limit:
        raise CvqnError(f"{name}: {size[0]}x{size[1]} is larger than {limit:,} pixels; cut it into parts")
    if size and read + memory * size[0] * size[1] + BYTES_PER_ROW * size[1] > LARGEST_MEMORY:
        raise CvqnError(f"{name}: {size[0]}x{size[1]} has too many rows; cut it into parts")
    if not known.whole:
        raise CvqnError(f"{name}: damaged or truncated: too few bytes for the pixels of such a size; replace the file")
    frames = max(known.frames, getattr(image, "n_frames", 1))
    if frames > 1:
        raise CvqnError(f"{name}: has {frames} frames; extract one of them first")
    if known.bits > 8 and not conversions.reduce_depth:
        raise CvqnError(
            f"{name}: more than 8 bits per sample; convert it to 8 bits first, or compress it with --reduce-depth"
        )
    if known.bits > 8:
        check_reducible(known, image)
    elif image and image.mode not in (*_GREY, "P", "PA", "RGB", "RGBA"):
        raise CvqnError(f"{name}: pixels of kind {image.mode}; convert it to 8-bit RGB first")


def _decoded(known: Essence, name: str | Path, conversions: Conversions) -> tuple[np.ndarray, int]:
    """The picture `[H, W, 3]` as stored in the file, and the orientation that turns it upright."""
    orientation, profile = known.orientation, known.profile
    if known.format in FORMATS:
        image, profile = open_foreign(known)
    else:
        image = Image.open(known.file, formats=[known.format])
    with image:
        _check(known, image.size, name, conversions, image)
        if known.format == "AVIF":  # only Pillow's decoder reads the boxes that hold these two
            orientation = orientation_of(image.info.get("exif", b""))
            profile = image.info.get("icc_profile")
        image.load()
        if known.bits > 8:
            image = reduced(image, known)
            conversions.notice(f"{name}: samples of {known.bits} bits reduced to 8")
        return _array(image, profile, name, conversions), orientation


def _array(image: Image.Image, profile: bytes | None, name: str | Path, conversions: Conversions) -> np.ndarray:
    convert = conversion(profile, grey=image.mode in _GREY)
    picture = np.empty((image.height, image.width, 3), np.uint8)
    top, transparent = 0, False
    for strip in _strips(image):
        colours, alpha = _apart(strip)
        pixels = np.asarray(convert(colours) if convert else colours)
        pixels = pixels if pixels.ndim == 3 else pixels[:, :, None]
        if alpha is not None:
            if conversions.background is None:
                advice = "flatten it onto a background first, or use --background"
                raise CvqnError(f"{name}: has transparent pixels; {advice}")
            pixels, transparent = _laid_on(pixels, alpha, conversions.background), True
        picture[top : top + strip.height] = pixels
        top += strip.height
    if transparent:
        conversions.notice(f"{name}: transparent pixels laid on the background {conversions.background}")
    return picture


def _laid_on(pixels: np.ndarray, alpha: np.ndarray, background: tuple[int, int, int]) -> np.ndarray:
    weight = alpha.astype(np.uint16)[:, :, None]
    return ((pixels * weight + np.array(background, np.uint16) * (255 - weight) + 127) // 255).astype(np.uint8)


def _strips(image: Image.Image) -> Iterator[Image.Image]:
    rows = max(1, _STRIP // image.width)
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(top + rows, image.height)))


def _apart(image: Image.Image) -> tuple[Image.Image, np.ndarray | None]:
    """The image as L or RGB, and its opacity `[H, W]`, 0..255, if it is not opaque everywhere."""
    opacity = None
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        alpha = image.convert("RGBA").getchannel("A")
        opacity = None if alpha.getextrema() == (255, 255) else np.asarray(alpha)
        image.info.pop("transparency", None)
    return image.convert("L" if image.mode in _GREY else "RGB"), opacity


def _save(path: str | Path, picture: np.ndarray, format: str) -> None:
    check_picture(picture)
    with atomic_write(path) as file:
        Image.fromarray(picture).save(file, format=format)
