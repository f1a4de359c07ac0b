"""Codecs by name: the entry points in the group `cvqn.codecs` of this package and of all other installed ones.

For a conventional codec, the entry point names a class of the form `Codec` whose constructor takes no arguments; for a
learned codec, it names an object of the form `LearnedCodec`.
"""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from cvqn.codecs.interface import Codec, LearnedCodec
from cvqn.codecs.looks import Look
from cvqn.errors import CvqnError

GROUP = "cvqn.codecs"


@cache
def names() -> tuple[str, ...]:
    """The names of the installed codecs, sorted."""
    return tuple(sorted(_entries()))


@cache
def conventional(name: str) -> Codec:
    """The conventional codec called `name`.

    Raises:
        CvqnError: there is no such codec, it is a learned one, or this installation lacks what it needs.
    """
    found = _load(name)
    if not isinstance(found, type):
        raise CvqnError(f"{name}: a learned codec; it needs a trained model")
    return cast(Codec, found())


@cache
def learned(name: str) -> LearnedCodec:
    """The learned codec called `name`.

    Raises:
        CvqnError: there is no such codec, it is a conventional one, or this installation lacks what it needs.
    """
    found = _load(name)
    if isinstance(found, type):
        raise CvqnError(f"{name}: a conventional codec; it cannot be trained")
    return cast(LearnedCodec, found)


def is_learned(name: str) -> bool:
    """Whether the codec called `name` is trained.

    Raises:
        CvqnError: there is no such codec, or this installation lacks what it needs.
    """
    return not isinstance(_load(name), type)


def title(name: str) -> str:
    """The name of a codec in tables and figures; `name` itself if it is not installed."""
    return cast(Codec, _load(name)).title if name in _entries() else name


def look(name: str) -> Look | None:
    """How figures show a codec; None if it is not installed or does not say."""
    return getattr(_load(name), "look", None) if name in _entries() else None


def module_of(name: str) -> str:
    """The Python module of the codec called `name`.

    Raises:
        CvqnError: there is no such codec.
    """
    return _entry(name).module


def _load(name: str) -> object:
    try:
        return _entry(name).load()
    except ImportError as error:
        raise CvqnError(f"{name}: needs {error.name}; install it") from error


def _entry(name: str) -> EntryPoint:
    if name not in _entries():
        raise CvqnError(f"{name}: no such codec; installed: {', '.join(names())}")
    return _entries()[name]


@cache
def _entries() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        if entry.name in found and found[entry.name].value != entry.value:
            raise CvqnError(
                f"{entry.name}: two installed packages have a codec of this name ({found[entry.name].value}, "
                f"{entry.value}); uninstall one"
            )
        found[entry.name] = entry
    return found
