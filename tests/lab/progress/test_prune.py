import os
import signal
import time

import pytest

from cvqn.cli import main
from cvqn.errors import CvqnError
from cvqn.lab.progress import prune
from cvqn.lab.provenance.plan import make_plan
from cvqn.lab.settings import configuration


def of(made, entry):
    return next(one for one in prune.kept(made.root) if one.name == entry.folder.name)


@pytest.fixture
def unused(made, tiny):
    """An unfinished training with settings that no plan has."""
    changed = configuration.merge(tiny.plain(), {"experiments": {"c16": {"training": {"alpha": 7}}}})
    entry = made.entry("c16-seed1", make_plan(configuration.validated(changed, "test")))
    entry.state_path.write_bytes(b"x" * 1000)
    return entry


def test_entries_with_what_uses_them(made, unused):
    finished = made.finish("c16-seed1")
    assert [one.name for one in prune.kept(made.root)] == [unused.folder.name, finished.folder.name]
    assert (of(made, unused).state, of(made, unused).bytes, of(made, unused).freed) == ("unfinished", 1000, 1000)
    assert of(made, unused).uses == ()
    assert of(made, finished).state == "finished"
    assert of(made, finished).uses == ("results/tiny/runs/c16-seed1", made.plan.path)
    assert of(made, finished).bytes > 20
    assert of(made, finished).freed == 0  # the outputs are links


def test_age_is_of_the_newest_file(made, unused):
    os.utime(unused.state_path, (time.time() - 86400,) * 2)
    assert of(made, unused).days == pytest.approx(1, abs=0.1)


def test_the_command_lists_asks_and_removes_what_is_named(made, unused, capsys, monkeypatch):
    finished = made.finish("c16-seed1")
    monkeypatch.setattr("builtins.input", lambda text: "")
    assert main(["prune", str(made.root)]) == 0
    assert "0 removed" in capsys.readouterr().out
    assert unused.folder.exists()
    monkeypatch.setattr("builtins.input", lambda text: "unused")
    assert main(["prune", str(made.root)]) == 0
    assert not unused.folder.exists()
    assert finished.finished
    assert main(["prune", str(made.root), "--yes", finished.folder.name]) == 0
    assert list((made.root / "trainings").iterdir()) == []
    assert (made.root / "runs/c16-seed1/last/model.json").read_text() == "model"
    assert main(["prune", str(made.root)]) == 0
    assert "empty" in capsys.readouterr().out


def test_what_is_being_trained_stays_and_so_does_everything_when_a_name_is_wrong(made, unused):
    entries = prune.kept(made.root)
    with unused.claim(), pytest.raises(CvqnError, match="trains this"):
        prune.remove(entries, [unused.folder.name])
    with pytest.raises(CvqnError, match="no such entry"):
        prune.remove(entries, [unused.folder.name, "c16-seed1-nothing"])
    assert unused.folder.exists()


def test_what_a_killed_removal_left_is_no_entry_and_goes_with_the_next(made, unused, monkeypatch):
    child = os.fork()
    if not child:
        monkeypatch.setattr(prune.shutil, "rmtree", lambda _: os.kill(os.getpid(), signal.SIGKILL))
        prune.remove(prune.kept(made.root), [unused.folder.name])
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert [path.name for path in (made.root / "trainings").iterdir()] == [f"{unused.folder.name}.removed"]
    assert prune.kept(made.root) == []
    unused.folder.mkdir()
    unused.state_path.write_bytes(b"trained again")
    prune.remove(prune.kept(made.root), [unused.folder.name])
    assert list((made.root / "trainings").iterdir()) == []


def test_a_training_of_a_plan_whose_images_are_not_here_is_not_unused(made, unused, tmp_path):
    finished = made.finish("c16-seed1", publish=False)
    settings = configuration.merge(made.plan.configuration.plain(), {"data": {"train": ["photos"]}})
    other = make_plan(configuration.validated(settings, "test"))
    other.write()
    perhaps = f"{other.path}, perhaps (its images are not here)"
    assert of(made, finished).uses == (perhaps, made.plan.path)
    assert of(made, unused).uses == (perhaps,)
    (tmp_path / "data").unlink()
    everywhere = (perhaps, f"{made.plan.path}, perhaps (its images are not here)")
    assert of(made, finished).uses == of(made, unused).uses == everywhere
