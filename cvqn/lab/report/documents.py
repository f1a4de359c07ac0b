"""What the report reads of JSON files that jobs wrote; what else they hold is for people and other readers."""

from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cvqn.errors import CvqnError
from cvqn.files import read_json
from cvqn.lab.data.fields import problem

Correlations = dict[str, float | None]
"""Rank correlations by the column of the loss, None where it was not measured."""


class _Document(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class Importance(_Document):
    """importance.json of an analysed run."""

    run: str
    kind: str
    order_rank_correlation: Correlations = {}
    weights_rank_correlation: Correlations = {}


class _Images(_Document):
    count: Annotated[int, Field(ge=1)]


class Provenance(_Document):
    """provenance.json of a training."""

    training_images: _Images
    optimizer: str | None = None
    peak_memory_bytes: Annotated[int, Field(ge=1)] | None = None


class _SoftQuantizer(_Document):
    largest_difference: float
    hard_differences: int
    points: int
    levels: Annotated[list[int], Field(min_length=1)]


class Identities(_Document):
    """identities.json: the statements that hold by definition."""

    soft_quantizer: _SoftQuantizer


class _Claim(_Document):
    id: str
    verdict: str


class Audit(_Document):
    """audit.json, as far as two of them are compared."""

    scale: str
    counts: dict[str, int]
    claims: list[_Claim]


Document = TypeVar("Document", bound=_Document)


def read_document(kind: type[Document], path: str | Path) -> Document:
    """A file of this kind.

    Raises:
        CvqnError: it is missing or damaged.
    """
    return parsed(kind, read_json(Path(path)), str(path))


def parsed(kind: type[Document], content: object, name: str) -> Document:
    """The same of content that was read; `name` is what errors call it.

    Raises:
        CvqnError: it is not of this kind.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise CvqnError(f"{name}: {problem(error)}; make it again") from error
