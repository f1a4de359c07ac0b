"""Tables, figures, curves, the audit and the page, struck as they replace older ones of other measurements."""

import pytest
from made_up import MadeUp, whole_paper

from cvqn.cli import main
from cvqn.lab.provenance.plan import Plan
from cvqn.lab.report.page import page
from cvqn.lab.settings import configuration
from tests.faults import check_no_loss

ROOT = "results/mini"
COMMANDS = {
    "table": ["table", "rate-distortion", "--output", f"{ROOT}/tables/rate-distortion.csv"],
    "figure": ["figure", "figure3-curves", "--output", f"{ROOT}/figures/figure3-curves.svg"],
    "curves": ["curves", "--output", f"{ROOT}/curves"],
    "audit": ["audit", "--output", f"{ROOT}/audit.json"],
}


@pytest.fixture
def made(tmp_path) -> MadeUp:
    """Made-up results of scale mini with a plan beside them."""
    made = whole_paper(tmp_path / "out", scale="mini")
    configuration.write(made.configuration, made.path(made.results.config))
    Plan(made.configuration, {}).write(made.path("plan.json"))
    return made


@pytest.mark.parametrize("command", [*COMMANDS, "page"])
def test_what_a_report_replaces_is_whole(made, tmp_path, monkeypatch, command):
    monkeypatch.chdir(made.folder)
    monkeypatch.setattr(page, "now", lambda: "2026-01-01T00:00:00+00:00")  # the page shows when it was written
    call = ["page", ROOT] if command == "page" else [*COMMANDS[command], "--plan", "plan.json"]
    made.codec("webp", {"1": (0.93, 0.2), "2": (0.96, 0.4)})
    assert main(call) == 0
    made.codec("webp", {"1": (0.92, 0.2), "2": (0.95, 0.4), "3": (0.97, 0.6)})
    check_no_loss(lambda: main(call), made.folder, tmp_path, most=14)
