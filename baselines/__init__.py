"""Conventional codecs behind the interface of `cvqn.evaluation.codec`; nothing here imports torch."""

from importlib import import_module

from cvqn.errors import CvqnError
from cvqn.evaluation.codec import Codec

_CLASSES = {
    "jpeg2000": "baselines.jpeg2000:Jpeg2000",
    "jpeg2000-5-3": "baselines.jpeg2000:Jpeg2000Reversible",
    "webp": "baselines.webp:WebP",
    "jpeg-420": "baselines.jpeg:Jpeg420",
    "jpeg-444": "baselines.jpeg:Jpeg444",
}
NAMES = tuple(_CLASSES)


def codec(name: str) -> Codec:
    """The conventional codec called `name`, one of `NAMES`.

    Raises:
        CvqnError: there is no such codec, or this installation lacks the library or program that it needs.
    """
    if name not in _CLASSES:
        raise CvqnError(f"{name}: no such codec; there are {', '.join(NAMES)}")
    module, class_name = _CLASSES[name].split(":")
    return getattr(import_module(module), class_name)()
