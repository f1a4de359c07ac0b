"""A repository with a recorded scale."""

from pathlib import Path

import pytest

from tests.lab.record.repository import Repository, new_repository
from tests.projects import once


@pytest.fixture(scope="session")
def recorded(sources, tmp_path_factory) -> Repository:
    """A repository in which tiny has run and was recorded and committed. Tests that change it work on a copy."""

    def make(folder: Path) -> None:
        repository = new_repository(sources, folder)
        repository.snakemake("all")
        assert "recorded and pushed" in repository.cvqn("record", "tiny")
        repository.commit("tiny")

    return Repository(once(tmp_path_factory, "recorded", make) / "project")


@pytest.fixture(scope="session")
def clone(recorded, tmp_path_factory) -> Repository:
    """A clone in another place, restored, with the evaluation set. Tests leave it as it is."""
    clone = recorded.clone(tmp_path_factory.mktemp("elsewhere") / "clone")
    assert not (clone.results / "runs").exists()
    assert "2 trainings: 2 recorded, not restored" in clone.cvqn("status")
    assert "all as recorded" in clone.cvqn("restore", "tiny")
    clone.cvqn("data", "fetch", "packaged-evaluation")
    return clone


@pytest.fixture
def copy(recorded, tmp_path) -> Repository:
    """A copy of the repository and its remote."""
    return recorded.copy(tmp_path)
