"""Whatever goes wrong is one clear line, and the record is as it was."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def repository(recorded, tmp_path_factory):
    """One copy for all cases: each of them undoes what it did."""
    return recorded.copy(tmp_path_factory.mktemp("refusals"))


@contextlib.contextmanager
def aside(path):
    """Within it the file or folder is not there, or is what the test puts in its place."""
    with tempfile.TemporaryDirectory() as other:
        away = Path(shutil.move(path, other))
        yield away
        if path.exists():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.move(away, path)


@contextlib.contextmanager
def edited(path, addition=b"\n"):
    """Within it the file has one more line, and the time that it had."""
    with aside(path) as away:
        path.write_bytes(away.read_bytes() + addition)
        os.utime(path, ns=(away.stat().st_atime_ns, away.stat().st_mtime_ns))
        yield


@contextlib.contextmanager
def created(path):
    """Within it there is such a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    yield
    path.unlink()


@contextlib.contextmanager
def damaged_cache(repository):
    """Within it one model in DVC's cache has another content."""
    path = max(repository.objects(repository.folder / ".dvc/cache"), key=lambda path: path.stat().st_size)
    path.chmod(0o644)
    with edited(path):
        path.chmod(0o444)
        yield


@contextlib.contextmanager
def broken_remote(repository):
    """Within it the remote holds nothing and takes nothing."""
    with aside(repository.remote):
        repository.remote.mkdir()
        (repository.remote / "files").write_text("in the way")
        yield


@contextlib.contextmanager
def locked(repository):
    """Within it another process holds the lock of `cvqn record`."""
    with open(repository.folder / ".dvc/tmp/cvqn.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


CASES = {
    "dirty tree": (lambda r: edited(r.folder / "params.yaml"), "params.yaml: not committed"),
    "new module": (lambda r: created(r.folder / "cvqn/new.py"), "cvqn/new.py: not committed"),
    "half finished": (lambda r: aside(r.results / "measurements/webp.csv"), "left to run: measure 1"),
    "edited settings": (
        lambda r: edited(r.results / "config.yaml", b"# edited"),
        "config.yaml: changed after the job that made it",
    ),
    "missing remote": (lambda r: aside(r.remote), "cvqn-dvc-remote: the DVC remote is not there"),
    "broken remote": (broken_remote, "dvc push scale@tiny:"),
    "damaged cache": (damaged_cache, "damaged, its MD5 is"),
    "edited table": (lambda r: edited(r.results / "tables/table1.md"), "table1.md: changed after the job that made it"),
    "edited page": (lambda r: edited(r.results / "report/index.html"), "index.html: made again: line"),
    "edited measurements": (
        lambda r: edited(r.results / "measurements/webp.json"),
        "webp.json: changed after the job that made it",
    ),
    "stray file": (lambda r: created(r.results / "runs/c16-seed1/notes"), "notes: no job of the workflow made this"),
    "workflow at work": (lambda r: created(r.folder / ".snakemake/locks/0.input.lock"), "a Snakemake is running here"),
    "record at work": (locked, "another cvqn record or restore is running"),
}


@pytest.mark.parametrize("case", CASES)
def test_refused(repository, case):
    spoil, message = CASES[case]
    before = repository.record()
    with spoil(repository):
        output = repository.cvqn("record", "tiny", code=2)
        assert repository.record() == before
    assert message in output
    assert output.count("\n") == 1


def test_a_record_can_be_made_after_all_that(repository):
    before = repository.record()
    repository.cvqn("record", "tiny")
    assert repository.record() == before


def test_a_scale_without_a_stage_or_hidden_from_git(repository):
    assert "name a scale of dvc.yaml" in repository.cvqn("record", "mini", code=2)
    with edited(repository.folder / ".gitignore", b"/results/tiny/\n"):
        repository.git("commit", "--quiet", "--all", "--message", "hide tiny")
        assert "delete the scale's line from .gitignore" in repository.cvqn("record", "tiny", code=2)
        repository.git("reset", "--quiet", "--soft", "HEAD~1")
    repository.git("reset", "--quiet")
    assert repository.git("status", "--porcelain") == ""


def test_restore_without_a_remote_or_with_a_damaged_one(recorded, tmp_path):
    clone = recorded.clone(tmp_path / "clone")
    clone.remote = tmp_path / "remote"
    clone.dvc("remote", "modify", "--local", "beside", "url", str(clone.remote))
    assert "the DVC remote is not there" in clone.cvqn("restore", "tiny", code=2)
    shutil.copytree(recorded.remote, clone.remote)
    victim = max(clone.objects(clone.remote), key=lambda path: path.stat().st_size)
    victim.chmod(0o644)
    content = victim.read_bytes()
    victim.write_bytes(content[:-1] + b"?")
    assert f"{clone.remote}: the DVC remote cannot be reached or lacks files" in clone.cvqn("restore", "tiny", code=2)
    assert not (clone.results / "runs").exists()
    assert not (clone.folder / ".snakemake/metadata").exists()
    victim.write_bytes(content)
    assert "all as recorded" in clone.cvqn("restore", "tiny")


def test_restore_does_not_overwrite_results_of_ones_own(recorded, tmp_path):
    clone = recorded.clone(tmp_path / "clone")
    own = clone.results / "runs/c16-seed1/log.csv"
    own.parent.mkdir(parents=True)
    own.write_text("step\n1\n")
    output = clone.cvqn("restore", "tiny", code=2)
    assert "results/tiny/runs/c16-seed1/log.csv: not as in the record; move it out" in output
    assert own.read_text() == "step\n1\n"
