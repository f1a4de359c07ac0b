"""What the fields of manifests, tables, indexes and packs may hold; checked where a file of these is read."""

from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from cvqn import files
from cvqn.errors import CvqnError

LONGEST_NAME = 255  # bytes that file systems take
_PART = r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*"  # of a path: neither hidden nor "..", no separator


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


class Document(BaseModel):
    """Fields of exactly these types, which do not change. What else a file holds is for other readers."""

    model_config = ConfigDict(strict=True, frozen=True)


class Strict(Document):
    """The same for a file that holds nothing else."""

    model_config = ConfigDict(extra="forbid")


Model = TypeVar("Model", bound=Document)


def read_checked(model: type[Model], path: Path, advice: str) -> Model:
    """A JSON file that holds what a model says; CvqnError, which ends in the advice, if it is missing or does not."""
    try:
        return checked(model, files.read_json(path), str(path))
    except CvqnError as error:
        raise CvqnError(f"{error}; {advice}") from error


def checked(model: type[Model], content: object, name: str) -> Model:
    """The same for the content of the file called `name`."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise CvqnError(f"{name}: {problem(error)}") from error


def problem(error: ValidationError) -> str:
    """The first thing that is wrong, as `key.number.key: what`, without quoting a value."""
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'top'}: {first['msg'].removeprefix('Value error, ')}"
