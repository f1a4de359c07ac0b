"""Fixtures that tests of many packages use."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import settings

from cvqn.lab.settings.configuration import Configuration, merge, resolve
from cvqn.model.settings import ModelSettings, Training
from tests import ROOT
from tests.fuzz.runner import HEAD

# Another process on the machine can delay an example by more than the 200 ms that Hypothesis allows it.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

pytest_plugins = ["tests.projects", "tests.server"]


def pytest_terminal_summary(terminalreporter):
    """What tests/test_fuzz.py counted, in CI's output too."""
    calls = [one for kind in ("passed", "failed") for one in terminalreporter.stats.get(kind, []) if one.when == "call"]
    rows = [row for one in calls for name, row in one.user_properties if name == "fuzz"]
    for line in [HEAD, *sorted(rows)] if rows else []:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def tiny() -> Configuration:
    """The configuration of the scale tiny."""
    return resolve([ROOT / "workflow" / "scales" / "tiny.yaml"])


@pytest.fixture(scope="session")
def model_settings(tiny) -> Callable[..., ModelSettings]:
    """A function that gives the settings of a small three-group model; keywords change them, mappings key by key."""
    base = tiny.experiments["c16"].model.plain()
    return lambda **changes: ModelSettings.parse(merge(base, changes))


@pytest.fixture(scope="session")
def training_settings(tiny) -> Callable[..., Training]:
    """A function that gives the settings of a training of some steps; keywords change them, mappings key by key."""
    base = tiny.experiments["c16"].training.plain()
    return lambda **changes: Training.parse(merge(base, changes))


@pytest.fixture(autouse=True)
def _one_thread_and_a_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)
