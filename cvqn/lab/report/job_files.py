"""The fields that the report reads from the JSON files of jobs."""

from typing import Annotated

from pydantic import Field

from cvqn.documents import Document

AGAIN = "make it again"
Correlations = dict[str, float | None]
"""Rank correlations by the column of the loss; None if it was not measured."""


class Importance(Document):
    """importance.json of an analysed run."""

    run: str
    kind: str
    order_rank_correlation: Correlations = Field(default_factory=dict)
    weights_rank_correlation: Correlations = Field(default_factory=dict)


class SoftQuantizer(Document):
    """The soft quantizer against equation (4)."""

    largest_difference: float
    hard_differences: int
    points: int
    levels: Annotated[list[int], Field(min_length=1)]


class Identities(Document):
    """identities.json: the statements that hold by definition."""

    soft_quantizer: SoftQuantizer


class JudgedClaim(Document):
    """A claim of an audit with its verdict."""

    id: str
    verdict: str


class Audit(Document):
    """The fields of audit.json that comparisons need."""

    scale: str
    counts: dict[str, int]
    claims: list[JudgedClaim]
