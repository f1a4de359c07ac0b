"""See tests/projects.py."""

from tests.projects import Project  # noqa: F401
