import csv
import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cvqn.lab.training import loop
from tests.lab.training.conftest import QUICK

TUNING = {"epochs": 2, "batch": 1, "patch": 80, "rate_factor": 0.5, "flat_share": 0.5}


def steps(run):
    with open(run.outputs / "log.csv", newline="") as file:
        return [int(row["step"]) for row in csv.DictReader(file)]


def test_fine_tuning_takes_crops_of_its_own_and_a_new_optimizer(job, monkeypatch):
    seen, made = [], []

    def chosen(pack, seed, step, batch, patch, vertical_flips):
        seen.append((batch, patch))
        return drawn(pack, seed, step, batch, patch, vertical_flips)

    def optimizer(*arguments):
        made.append(len(seen))
        return make(*arguments)

    drawn, make = loop.crops_of_step, loop.make_optimizer
    monkeypatch.setattr(loop, "crops_of_step", chosen)
    monkeypatch.setattr(loop, "make_optimizer", optimizer)
    run = job(training={"epochs": 2, "fine_tuning": TUNING, "monitor_every": 3})
    assert run.run() == 0
    assert seen == [(2, 64)] * 6 + [(1, 80)] * 6
    assert made == [0, 6]
    assert steps(run) == [3, 6, 9, 12]
    assert (run.outputs / "monitor.csv").read_text().count("best") == 2  # after epochs 3 and 4, the last
    assert run.provenance["first_phase"] is None


def test_fine_tuning_begins_with_the_model_of_another_training(job, capsys):
    """At learning rates of zero the model stays what it was; the log and the provenance name both trainings."""
    first = job("first", training={"epochs": 2, "monitor_every": 0}, learned={"cvqn": {"training": {"alpha": 64}}})
    assert first.run() == 0
    rates = dict.fromkeys(("encoder", "importance", "quantizer", "context", "decoder"), 0.0) | {"context": 1e-9}
    tuned = {"epochs": 2, "fine_tuning": TUNING, "monitor_every": 0}
    still = job("still", training=tuned, learned={"cvqn": {"training": {"learning_rates": rates}}})
    assert still.run("--fine-tune", str(first.outputs)) == 0
    before, after = (load_file(one.outputs / "last" / "model.safetensors") for one in (first, still))
    for name, tensor in before.items():
        if name.startswith(("encoder", "decoder", "controller")):
            torch.testing.assert_close(after[name], tensor, rtol=0, atol=1e-7)
    assert steps(still) == [3, 6, 9, 12]
    assert still.provenance["first_phase"] == first.provenance
    assert (still.provenance["steps"], still.provenance["resumed_from"]) == (12, 6)

    moved = job("moved", training=tuned)
    assert moved.run("--fine-tune", str(first.outputs), "--job-minutes", "0.5") == 75
    assert moved.run() == 0
    assert moved.provenance["first_phase"] == first.provenance
    after = load_file(moved.outputs / "last" / "model.safetensors")
    assert not np.allclose(after["decoder.tail.weight"], before["decoder.tail.weight"], atol=1e-5)


@pytest.mark.parametrize(
    ("own", "change", "said"),
    [
        ({}, lambda content: None, "training.fine_tuning is null"),
        ({"fine_tuning": TUNING}, lambda content: content.update(seed=2), "are not those of c16-seed1"),
        ({"fine_tuning": TUNING}, lambda content: content["settings"]["model"].update(channels=5), "are not those of"),
        ({"fine_tuning": TUNING}, lambda content: content["settings"].pop("codec"), "are not those of c16-seed1"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(job, tmp_path, capsys, own, change, said):
    first = job("first", training={"epochs": 1, "warmup_epochs": 0, "monitor_every": 0})
    assert first.run() == 0
    other = tmp_path / "other"
    shutil.copytree(first.outputs, other)
    content = json.loads((other / "provenance.json").read_text())
    change(content)
    (other / "provenance.json").write_text(json.dumps(content))
    run = job("run", training={"epochs": 2, "monitor_every": 0, **own})
    assert run.run("--fine-tune", str(other)) == 2
    assert said in capsys.readouterr().err
    assert not run.outputs.exists()


def test_fine_tuning_must_be_as_long_as_its_warm_up(job, capsys):
    with pytest.raises(Exception, match="warmup_epochs: more than the 1 epochs of fine_tuning"):
        job(training={"warmup_epochs": 2, "fine_tuning": TUNING | {"epochs": 1}}, experiments=QUICK["experiments"])


def test_a_training_is_taken_over_or_fine_tuned_but_not_both(job, tmp_path, capsys):
    run = job(training={"fine_tuning": TUNING})
    with pytest.raises(SystemExit) as ended:
        run.run("--fine-tune", str(tmp_path), "--adopt", str(tmp_path))
    assert ended.value.code == 2
    assert "not allowed with argument" in capsys.readouterr().err
