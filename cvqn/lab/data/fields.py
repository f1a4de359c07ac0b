"""Types of the fields in manifests, their tables, indexes and packs, which are checked when such a file is read."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

LONGEST_NAME = 255  # bytes of a file name that file systems accept
_PART = r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*"  # a part of a path: not hidden, not "..", no separator


def _text(pattern: str) -> type[str]:
    return Annotated[str, StringConstraints(pattern=f"^({pattern})$", max_length=1000)]


def _short_parts(path: str) -> str:
    if max(len(part.encode()) for part in path.split("/")) > LONGEST_NAME:
        raise ValueError(f"a name of more than {LONGEST_NAME} bytes")
    return path


Text = _text(r"[^\x00-\x1f\x7f]+")
FileName = Annotated[_text(_PART), AfterValidator(_short_parts)]
InnerPath = Annotated[_text(f"{_PART}(/{_PART})*"), AfterValidator(_short_parts)]
SetName = _text("[A-Za-z0-9_][A-Za-z0-9_.-]*")  # also a part of commands and of file names that the workflow makes
PackageName = _text("[A-Za-z_][A-Za-z0-9_]*")
Repository = _text("[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9_][A-Za-z0-9_.-]*")
Commit = _text("[0-9a-f]{7,40}")
BaseUrl = _text("https?://[!-~]+/")
ArchiveUrl = _text(r"https?://[!-~]+/[A-Za-z0-9_-]+\.(zip|tar)")
Md5, Sha1, Sha256 = (_text(f"[0-9a-f]{{{digits}}}") for digits in (32, 40, 64))
Count = Annotated[int, Field(ge=1, lt=1 << 50)]
Side = Annotated[int, Field(ge=1, lt=1 << 17)]  # of a picture, in pixels
