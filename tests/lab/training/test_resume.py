import json
import signal
import time

import pytest

from cvqn.cli import main
from cvqn.errors import CvqnError
from cvqn.lab.training.checkpoint import ResumeFolder
from tests.training.conftest import results, start


def wait_for_state(process, folder, deadline=60):
    """Until the run has saved its state for the first time."""
    until = time.monotonic() + deadline
    while not list(folder.glob("state-*.pt")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "expected"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 75)])
def test_an_interrupted_run_ends_bit_identical(command, tmp_path, number, expected):
    assert main(command("whole")) == 0
    process = start(command("run"))
    wait_for_state(process, tmp_path / "run")
    process.send_signal(number)
    assert process.wait(60) == expected
    assert not (tmp_path / "run" / "model").exists()
    assert main(command("run")) == 0
    assert results(tmp_path / "run") == results(tmp_path / "whole")
    assert not list((tmp_path / "run").glob("state-*"))


@pytest.mark.slow
def test_pieces_of_a_time_limit_add_up_to_the_whole(command, tmp_path):
    assert main(command("whole")) == 0
    codes = []
    while not codes or codes[-1] == 75:
        codes.append(main([*command("run"), "--job-minutes", "0.5"]))
        assert len(codes) <= 18
    assert codes == [75] * 17 + [0]
    assert results(tmp_path / "run") == results(tmp_path / "whole")


def test_state_of_other_settings_is_ignored_with_a_warning(command, tmp_path, capsys):
    assert main([*command(), "--job-minutes", "0.5"]) == 75
    assert main([*command(training={"alpha": 64}), "--job-minutes", "0.5"]) == 75
    assert "belongs to other settings" in capsys.readouterr().out
    assert len(list((tmp_path / "run").glob("state-*.pt"))) == 2


def test_a_state_is_still_good_when_it_is_to_be_saved_more_often(command, tmp_path, capsys):
    assert main(command("whole")) == 0
    assert main([*command(training={"save_every": 3}), "--job-minutes", "0.5"]) == 75
    assert main(command(training={"save_every": 1})) == 0
    assert "belongs to other settings" not in capsys.readouterr().out
    assert json.loads((tmp_path / "run" / "provenance.json").read_text())["resumed_from"] == 1
    assert results(tmp_path / "run") == results(tmp_path / "whole")


def test_divergence_keeps_the_last_good_state_and_is_not_tried_again(command, tmp_path, capsys):
    arguments = command(
        training={"learning_rates": {"encoder": 1.0, "decoder": 1.0, "quantizer": 1.0}, "clip_value": None}
    )
    assert main([*arguments, "--job-minutes", "0.5"]) in (75, 76)
    assert main(arguments) == 76
    assert "diverged at step" in capsys.readouterr().err
    assert not (tmp_path / "run" / "model").exists()
    began = time.monotonic()
    assert main(arguments) == 76
    assert "diverged before" in capsys.readouterr().err
    assert time.monotonic() - began < 2


def test_a_writer_that_lost_its_claim_stops_without_writing(tmp_path):
    first = ResumeFolder(tmp_path, "key")
    first.save({"step": 1})
    second = ResumeFolder(tmp_path, "key")
    with pytest.raises(CvqnError, match="a newer process"):
        first.save({"step": 2})
    assert second.load() == {"step": 1}
    second.save({"step": 3})


def test_a_damaged_state_is_an_error_that_names_it(tmp_path):
    folder = ResumeFolder(tmp_path, "key")
    folder.save({"step": 1})
    folder.state_path.write_bytes(folder.state_path.read_bytes()[:100])
    with pytest.raises(CvqnError, match=r"state-key\.pt: damaged"):
        folder.load()
    folder.state_path.write_bytes(b"no state")
    with pytest.raises(CvqnError, match=r"state-key\.pt: damaged"):
        folder.load()


def test_a_damaged_marker_of_divergence_is_an_error_that_names_it(tmp_path):
    (tmp_path / "diverged.json").write_text('{"key"')
    with pytest.raises(CvqnError, match=r"diverged\.json: damaged"):
        ResumeFolder(tmp_path, "key")


def test_an_overtaken_writer_does_not_stop_its_successor(tmp_path):
    first = ResumeFolder(tmp_path, "key")
    ResumeFolder(tmp_path, "key")
    with pytest.raises(CvqnError, match="a newer process"):
        first.mark_diverged("late")
    ResumeFolder(tmp_path, "key")


def test_no_gpu_is_an_error_and_never_the_cpu(command, capsys):
    assert main(command(training={"device": "cuda"})) == 2
    assert "torch sees no GPU" in capsys.readouterr().err


def test_training_refuses_an_evaluation_image(command, images, tmp_path, capsys):
    evaluation = images / "sets" / "packaged-evaluation" / "index.json"
    assert main(["data", "pack", "--sets", str(evaluation), "--output", str(tmp_path / "pack.npy")]) == 0
    arguments = command()
    arguments[arguments.index("--pack") + 1] = str(tmp_path / "pack.npy")
    assert main(arguments) == 2
    assert "holds images of the evaluation set" in capsys.readouterr().err
