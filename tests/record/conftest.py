"""A quick training, as in tests/training."""

from tests.training.conftest import command, images  # noqa: F401
