import csv
import json
import signal
import time

import numpy as np
import pytest
import torch
from skimage import data

from cvqn.images import write_png
from cvqn.lab.data.index import describe, write_index
from cvqn.lab.data.pack import pack
from tests.lab.training.conftest import QUICK

STOP_AT_ONCE = ("--job-minutes", "0.5")


def wait_until(condition, process, deadline=60):
    """Until something holds while a process runs."""
    until = time.monotonic() + deadline
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.01)


def run_in_pieces(job, most):
    """Run a training a step at a time; the exit codes."""
    codes = []
    while not codes or codes[-1] == 75:
        codes.append(job.run(*STOP_AT_ONCE))
        assert len(codes) <= most
    return codes


@pytest.mark.slow
@pytest.mark.parametrize(("number", "expected"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 75)])
def test_an_interrupted_run_ends_bit_identical(job, number, expected):
    whole, run = job("whole"), job("run")
    assert whole.run() == 0
    process = run.start()
    wait_until(lambda: run.entries and run.entry.state_path.exists(), process)
    process.send_signal(number)
    assert process.wait(60) == expected
    assert not run.outputs.exists()
    assert run.run() == 0
    assert run.provenance["resumed_from"] > 0
    assert run.results() == whole.results()
    assert not run.entry.state_path.exists()


@pytest.mark.slow
def test_pieces_of_a_time_limit_add_up_to_the_whole(job):
    whole, run = job("whole"), job("run")
    assert whole.run() == 0
    assert run_in_pieces(run, 18) == [75] * 17 + [0]
    assert run.results() == whole.results()


def bfloat16_is_missing():
    return not any(torch.cpu.get_capabilities().get(feature) for feature in ("avx512_bf16", "amx_bf16", "bf16"))


NO_BFLOAT16 = pytest.mark.skipif(
    bfloat16_is_missing(), reason="this processor has neither avx512_bf16 nor AMX, and training refuses to emulate them"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "training",
    [
        {"colour_jitter": 0.5},
        {"vertical_flips": True},
        {"clip_norm": 0.5, "clip_value": None},
        {"schedule": "drops", "drop_epochs": [2, 3], "warmup_epochs": 0},
        {"weights": "float16"},
        {"fine_tuning": {"epochs": 1, "batch": 1, "patch": 80, "rate_factor": 0.5, "flat_share": 0.5}, "epochs": 3},
        pytest.param({"precision": "bfloat16"}, marks=NO_BFLOAT16),
    ],
    ids=lambda training: next(iter(training)),
)
def test_every_setting_of_a_training_survives_interruptions(job, training):
    short = {"training": {"epochs": 4, "epoch_steps": 2}}
    changes = short | {"experiments": {"c16": QUICK["experiments"]["c16"] | {"training": training}}}
    whole, run, plain = job("whole", **changes), job("run", **changes), job("plain", **short)
    assert whole.run() == plain.run() == 0
    assert run_in_pieces(run, 8) == [75] * 7 + [0]
    assert run.results() == whole.results()
    assert whole.results()["last"] != plain.results()["last"]  # the setting does something


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["se", "re"])
def test_a_learned_order_survives_interruptions(job, kind):
    changes = {
        "experiments": {"c16": {"model": {"importance": {"kind": kind}}}},
        "training": {"epochs": 4, "epoch_steps": 2},
    }
    whole, run = job("whole", **changes), job("run", **changes)
    assert whole.run() == 0
    run_in_pieces(run, 8)
    assert run.results() == whole.results()


@pytest.mark.slow
def test_held_out_images_select_a_checkpoint_of_their_own_and_change_no_other(job, images, capsys):
    held_out = images / "sets" / "held-out"
    for number, picture in enumerate((data.rocket()[:400, :620], data.astronaut()[256:, 300:])):
        write_png(held_out / f"{number}.png", np.ascontiguousarray(picture))
    members = [describe(held_out / f"{number}.png", "CC0 1.0") for number in range(2)]
    write_index(held_out / "index.json", "held-out", "0" * 64, members)
    plain, whole, run = job("plain"), job("whole", data={"held_out": "x"}), job("run", data={"held_out": "x"})
    assert whole.run() == 2
    assert "--monitor needs a set for each of best, held-out, but has 1" in capsys.readouterr().err
    for one in (whole, run):
        one.arguments.append(str(held_out / "index.json"))
    assert plain.run() == whole.run() == 0
    assert run_in_pieces(run, 18) == [75] * 17 + [0]
    assert run.results() == whole.results()
    for part in ("last", "best", "log"):
        assert whole.results()[part] == plain.results()[part]
    with open(whole.outputs / "monitor.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(int(row["step"]), row["selects"]) for row in rows] == [
        (step, name) for step in (6, 12, 18) for name in ("best", "held-out")
    ]
    for name in ("best", "held-out"):
        best = max((row for row in rows if row["selects"] == name), key=lambda row: float(row["ms_ssim"]))
        model = json.loads((whole.outputs / name / "model.json").read_text())
        assert (model["about"]["checkpoint"], model["about"]["step"]) == (name, int(best["step"]))
    sets = {name: one["name"] for name, one in whole.provenance["selecting_images"].items()}
    assert sets == {"best": "evaluation", "held-out": "held-out"}
    assert whole.entry.folder.name != plain.entry.folder.name


def test_other_settings_are_another_training(job):
    first = job()
    assert first.run(*STOP_AT_ONCE) == 75
    state = first.entry.state_path.read_bytes()
    second = job(learned={"cvqn": {"training": {"alpha": 64}}})
    assert second.run(*STOP_AT_ONCE) == 75
    assert len(second.entries) == 2
    assert state in [entry.state_path.read_bytes() for entry in second.entries]


def test_a_state_is_still_good_when_it_is_to_be_saved_more_often(job):
    whole = job("whole")
    assert whole.run() == 0
    assert job(training={"save_every": 3}).run(*STOP_AT_ONCE) == 75
    run = job(training={"save_every": 1})
    assert run.run() == 0
    assert run.provenance["resumed_from"] == 1
    assert run.results() == whole.results()


def test_divergence_keeps_the_last_good_state_and_is_not_tried_again(job, capsys):
    rates = {"learning_rates": {"encoder": 1.0, "decoder": 1.0, "quantizer": 1.0}}
    run = job(training={"clip_value": None}, learned={"cvqn": {"training": rates}})
    assert run.run(*STOP_AT_ONCE) == 75
    state = run.entry.state_path.read_bytes()
    assert run.run() == 76
    assert "diverged at step" in capsys.readouterr().err
    assert not run.outputs.exists()
    assert run.entry.ended.how == "diverged"
    kept = run.entry.load()
    assert all(tensor.isfinite().all() for tensor in kept["network"].values())
    assert run.entry.state_path.read_bytes() == state
    began = time.monotonic()
    assert run.run() == 76
    assert "diverged at step" in (error := capsys.readouterr().err)
    assert "ended.json to try again" in error
    assert time.monotonic() - began < 2
    (run.entry.folder / "ended.json").unlink()
    assert run.run() == 76
    assert "to try again" not in capsys.readouterr().err


def test_no_gpu_is_an_error_and_never_the_cpu(job, capsys):
    run = job(training={"device": "cuda"})
    assert run.run() == 2
    assert "torch sees no GPU" in capsys.readouterr().err
    assert run.entry.ended.how == "failed"


def test_training_refuses_an_evaluation_image(job, images, tmp_path, capsys):
    pack([images / "sets" / "evaluation" / "index.json"], tmp_path / "pack.npy", workers=1)
    run = job()
    run.arguments[run.arguments.index("--pack") + 1] = str(tmp_path / "pack.npy")
    assert run.run() == 2
    assert "holds images that select checkpoints (0, 1)" in capsys.readouterr().err


def test_other_code_than_planned_is_refused(job, capsys):
    run = job()
    plan = run.folder / "plan.json"
    text = plan.read_text()
    digest = text.split('"cvqn.model.quantizer": "')[1][:16]
    plan.write_text(text.replace(digest, "0" * 16))
    assert run.run() == 78
    assert "module cvqn.model.quantizer" in capsys.readouterr().err
    assert run.entries == []
