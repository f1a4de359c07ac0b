"""Fixtures that many rooms use."""

import copy

import pytest
import torch

from cvqn.lab.settings import configuration as config

pytest_plugins = ["tests.projects"]


@pytest.fixture(scope="session")
def tiny() -> dict:
    """The resolved configuration of the scale tiny."""
    return config.resolve([config.ROOT / "workflow" / "scales" / "tiny.yaml"])


@pytest.fixture
def model_config(tiny) -> dict:
    """The section `model` of a small three-group model, to change at will."""
    return copy.deepcopy(tiny["experiments"]["c16"]["model"])


@pytest.fixture(autouse=True)
def _one_thread_and_a_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)
