"""A quick training, as in tests/lab/training."""

from tests.lab.training.conftest import images, job  # noqa: F401
