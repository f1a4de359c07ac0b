"""Parameters and operations against those of a network that can be counted by hand."""

import csv
import sys
from types import SimpleNamespace

from cvqn.lab.evaluation.complexity import complexity, write_complexity
from tests import ROOT


def test_two_convolutions(monkeypatch):
    """12 filters of 3x8x8 at every eighth pixel each way, and back."""
    monkeypatch.syspath_prepend(ROOT / "tests" / "dummy_codec")
    from dummy_codec import CODEC, Model

    found = complexity(SimpleNamespace(learned_codec=CODEC, model=Model(channels=12), training=None))
    assert found.parameters == 2 * 12 * 3 * 8 * 8 + 12 + 3
    assert found.macs_per_pixel == 2 * 12 * 3
    for name in ("dummy_codec", "dummy_codec.network"):
        sys.modules.pop(name)


def test_every_experiment_has_a_row(tiny, tmp_path):
    write_complexity(tiny, ["c16", "mentzer-low", "factorized-low", "hyperprior-low", "c16"], tmp_path / "c.csv")
    with open(tmp_path / "c.csv", newline="") as file:
        rows = {row["experiment"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["c16", "mentzer-low", "factorized-low", "hyperprior-low"]
    assert rows["mentzer-low"]["codec"] == "mentzer-2018"
    experiment = tiny.experiments["c16"]
    network = experiment.learned_codec.build(experiment.model, experiment.training)
    named = [value for value in network.parameters() if value.requires_grad]
    assert int(rows["c16"]["parameters"]) == sum(value.numel() for value in named)
    assert all(float(row["macs_per_pixel"]) > 100 for row in rows.values())
