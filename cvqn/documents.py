"""Typed documents: JSON files that the program wrote, or that came from somewhere, checked when they are read."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from cvqn.errors import CvqnError
from cvqn.files import read_json


class Document(BaseModel):
    """An immutable model of a JSON file, with strict types; other keys in the file are ignored."""

    model_config = ConfigDict(strict=True, frozen=True)


class Strict(Document):
    """A `Document` without other keys."""

    model_config = ConfigDict(extra="forbid")


Model = TypeVar("Model", bound=Document)


def read_checked(model: type[Model], path: Path, advice: str) -> Model:
    """A JSON file as a model.

    Raises:
        CvqnError: the file is missing or does not fit the model; the message ends with the advice.
    """
    try:
        return checked(model, read_json(path), str(path))
    except CvqnError as error:
        raise CvqnError(f"{error}; {advice}") from error


def checked(model: type[Model], content: object, name: str) -> Model:
    """The content of the file `name` as a model.

    Raises:
        CvqnError: the content does not fit the model.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise CvqnError(f"{name}: {problem(error)}") from error


def problem(error: ValidationError) -> str:
    """The first error, as `key.number.key: what`, without quoting a value."""
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'top'}: {first['msg'].removeprefix('Value error, ')}"
