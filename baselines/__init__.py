"""Conventional codecs behind the interface of `cvqn.codecs.interface`; nothing here imports torch."""

from importlib import import_module

from cvqn.errors import CvqnError
from cvqn.codecs.interface import Codec

_CLASSES = {
    "jpeg2000": "baselines.jpeg2000:Jpeg2000",
    "jpeg2000-5-3": "baselines.jpeg2000:Jpeg2000Reversible",
    "webp": "baselines.webp:WebP",
    "bpg-444": "baselines.bpg.codec:Bpg444",
    "jpeg-420": "baselines.jpeg:Jpeg420",
    "jpeg-444": "baselines.jpeg:Jpeg444",
    "avif": "baselines.avif:Avif",
    "jpegxl": "baselines.jpegxl:JpegXl",
    "heic": "baselines.heic:Heic",
}
NAMES = tuple(_CLASSES)


def codec(name: str) -> Codec:
    """The conventional codec called `name`, one of `NAMES`.

    Raises:
        CvqnError: there is no such codec, or this installation lacks the library or program that it needs.
    """
    _, class_name = _entry(name)
    return getattr(import_module(module_of(name)), class_name)()


def module_of(name: str) -> str:
    """The module of the codec called `name`.

    Raises:
        CvqnError: there is no such codec.
    """
    return _entry(name)[0]


def _entry(name: str) -> list[str]:
    if name not in _CLASSES:
        raise CvqnError(f"{name}: no such codec; there are {', '.join(NAMES)}")
    return _CLASSES[name].split(":")
