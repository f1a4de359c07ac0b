"""A restore that fails leaves every file as it was."""

import errno
import json
import os
import re
import shutil

import pytest

from cvqn.cli import main
from cvqn.errors import CvqnError
from cvqn.lab.record import restore as restoring
from cvqn.lab.record.release import release
from cvqn.lab.record.restore import restore
from tests.workflow.test_damaged_results import damages

pytestmark = pytest.mark.workflow


@pytest.fixture
def restored(recorded, tmp_path, monkeypatch):
    """A copy of a finished and recorded project, all of whose files are there, as the current folder."""
    copy = recorded.copy(tmp_path)
    monkeypatch.chdir(copy.folder)
    return copy


def files_of(repository):
    """Content, time and kind of every file of the results, and of Snakemake's records."""
    folders = (repository.results, repository.folder / ".snakemake" / "metadata")
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns, path.is_symlink())
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    }


def hashes(lock):
    """Of the outputs in dvc.lock that DVC keeps, by the last part of their paths."""
    found = dict(re.findall(r"path: results/tiny/(\w+)\n +hash: md5\n +md5: (\S+)", lock))
    return {name: found[name] for name in ("runs", "figures", "report")}


def wrong_locks(lock):
    """Texts of dvc.lock, each wrong in one way."""
    right = hashes(lock)
    for name, other in (("runs", "figures"), ("figures", "report"), ("report", "runs")):
        yield lock.replace(right[name], right[other])
    yield lock.replace(right["runs"], "0" * 32 + ".dir")
    yield lock.replace(right["figures"], "d41d8cd98f00b204e9800998ecf8427e")
    yield lock[: len(lock) // 2]
    yield re.sub(r"(?s)(  outs:\n).*", r"\1", lock)
    yield ""


def test_a_wrong_lock_is_refused_and_changes_nothing(restored, capsys):
    lock = restored.folder / "dvc.lock"
    whole, before = lock.read_text(), files_of(restored)
    assert len(before) > 100
    for text in wrong_locks(whole):
        assert text != whole
        lock.write_text(text)
        capsys.readouterr()
        code = main(["restore", "tiny"])
        said = capsys.readouterr().err
        assert code == 2, (text, said)
        assert said.count("\n") == 1, said
        assert "dvc.lock" in said or "DVC" in said, said
        assert files_of(restored) == before, said
    lock.write_text(whole)
    shutil.rmtree(restored.results / "runs" / "c16-seed1")
    assert main(["restore", "tiny"]) == 0
    results = {path: file[0] for path, file in before.items() if "/metadata/" not in path}
    assert {path: file[0] for path, file in files_of(restored).items() if "/metadata/" not in path} == results


def of_another_version(data):
    """Records that no code of this version writes, each of which is JSON."""
    content = json.loads(data)
    yield json.dumps({**content, "format": 2})
    yield json.dumps({**content, "scale": "small"})
    for path in ("results/tiny/runs/../../../../x", "/etc/x", "results/small/config.yaml", "results/tiny/./x", "x"):
        yield json.dumps({**content, "files": {**content["files"], path: "0" * 64}})


@pytest.mark.parametrize("file", ["record.json", "jobs.json"])
def test_a_damaged_record_is_named_and_changes_nothing(restored, capsys, file):
    path = restored.results / "record" / file
    whole = path.read_bytes()
    wrong = [data for _, data in damages(path)]
    wrong += [text.encode() for text in (of_another_version(whole) if file == "record.json" else ['{"a": {}}', "[3]"])]
    before = files_of(restored)
    del before[str(path)]
    for data in wrong:
        path.unlink()
        if data is not None:
            path.write_bytes(data)
        for command in ("restore", "verify") if file == "record.json" else ("restore",):
            assert main([command, "tiny"]) == 2, data
            said = capsys.readouterr().err
            assert said.count("\n") == 1, said
            assert file in said
        found = files_of(restored)
        found.pop(str(path), None)
        assert found == before
        path.write_bytes(whole)


@pytest.mark.parametrize(
    ("when", "linking"), [("checkout", True), ("unpack", True), ("unpack", False), ("records", True)]
)
def test_what_was_removed_on_the_way_comes_back(restored, monkeypatch, tmp_path, when, linking):
    packed = release("tiny", tmp_path / "released")
    shutil.rmtree(restored.results / "figures")  # what was not there is not there afterwards either
    before = files_of(restored)

    def remove(*arguments):
        shutil.rmtree(restored.results / "runs")
        page = restored.results / "report" / "index.html"
        page.unlink()  # as DVC does, which writes through no link
        page.write_bytes(b"half")
        (restored.results / "figures").mkdir(exist_ok=True)
        (restored.results / "figures" / "figure1.png").write_bytes(b"half")
        raise KeyboardInterrupt

    real = restoring.dvc
    if when == "checkout":
        monkeypatch.setattr(restoring, "dvc", lambda *call: remove() if call[0] == "checkout" else real(*call))
    else:
        monkeypatch.setattr(restoring, "_unpack" if when == "unpack" else "write_jobs", remove)
    if not linking:
        refusal = OSError(errno.EPERM, "no links here")
        monkeypatch.setattr(os, "link", lambda *_, **__: (_ for _ in ()).throw(refusal))
    with pytest.raises(KeyboardInterrupt):
        restore("tiny", None if when == "checkout" else str(packed))
    assert files_of(restored) == before
    assert not (restored.results / "figures").exists()
    assert not list((restored.folder / ".dvc/tmp").glob("tmp*"))


def test_a_record_that_names_other_bytes_than_the_lock(restored):
    record = restored.results / "record/record.json"
    text = record.read_text()
    record.write_text(re.sub(r'(runs/c16-seed1/last/model.json": ")(.)', lambda m: m[1] + "f0"[m[2] == "f"], text))
    shutil.rmtree(restored.results / "runs/c16-seed1")
    before = files_of(restored)
    with pytest.raises(CvqnError, match=r"dvc\.lock: names another results/tiny/runs/c16-seed1/last/model\.json"):
        restore("tiny")
    assert files_of(restored) == before
