import hashlib
import os
import subprocess

import pytest

from cvqn.errors import CvqnError
from cvqn.lab.data import download as module
from cvqn.lab.data.download import Pin, Unreachable, download, file_digest
from cvqn.lab.data.fetch import mirror

DATA = os.urandom(3 << 20)  # three chunks
PIN = Pin("sha256", hashlib.sha256(DATA).hexdigest(), len(DATA))


@pytest.fixture
def served(server):
    server.files["/file"] = DATA
    return server


def test_the_file_comes_whole(served, tmp_path):
    path = download(f"{served.url}/file", tmp_path / "sub" / "file", PIN)
    assert path.read_bytes() == DATA
    assert served.requests == [("/file", None)]
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_broken_connection_is_resumed_where_it_broke(served, tmp_path):
    served.faults = ["drop", "drop", None]
    assert download(f"{served.url}/file", tmp_path / "file", PIN).read_bytes() == DATA
    half = len(DATA) // 2
    assert [wanted for _, wanted in served.requests] == [None, f"bytes={half}-", f"bytes={half + half // 2}-"]


def test_an_earlier_part_is_resumed(served, tmp_path):
    (tmp_path / "file.part").write_bytes(DATA[:1000])
    assert download(f"{served.url}/file", tmp_path / "file", PIN).read_bytes() == DATA
    assert served.requests == [("/file", "bytes=1000-")]


def test_a_server_without_ranges_starts_over(served, tmp_path):
    (tmp_path / "file.part").write_bytes(DATA[:1000])
    served.faults = ["no ranges"]
    assert download(f"{served.url}/file", tmp_path / "file", PIN).read_bytes() == DATA
    assert len(served.requests) == 1


@pytest.mark.parametrize("part", [b"of another file", DATA + b"too long", bytes(len(DATA))])
def test_a_part_of_another_file_is_fetched_again_from_the_start(served, tmp_path, part):
    (tmp_path / "file.part").write_bytes(part)
    assert download(f"{served.url}/file", tmp_path / "file", PIN).read_bytes() == DATA


def test_unknown_sizes_resume_too(served, tmp_path):
    served.faults = ["drop", None]
    pin = Pin("md5", hashlib.md5(DATA).hexdigest())
    assert download(f"{served.url}/file", tmp_path / "file", pin).read_bytes() == DATA
    (tmp_path / "file").rename(tmp_path / "file.part")  # interrupted between the last byte and the new name
    served.requests.clear()
    assert download(f"{served.url}/file", tmp_path / "file", pin).read_bytes() == DATA
    assert served.requests == []


def test_passing_failures_are_tried_again(served, tmp_path):
    served.faults = [503, 500, 429, None]
    assert download(f"{served.url}/file", tmp_path / "file", PIN).read_bytes() == DATA


def test_lasting_failures_end_it(served, tmp_path):
    served.faults = [503] * 10
    with pytest.raises(Unreachable, match="503"):
        download(f"{served.url}/file", tmp_path / "file", PIN)
    assert len(served.requests) == 1 + len(module.WAITS)


def test_an_absent_file_is_asked_for_once(served, tmp_path):
    with pytest.raises(Unreachable, match="404"):
        download(f"{served.url}/other", tmp_path / "other", PIN)
    assert len(served.requests) == 1


def test_no_server_is_unreachable(served, tmp_path):
    url = served.url
    served.server_close()
    with pytest.raises(Unreachable, match="refused"):
        download(f"{url}/file", tmp_path / "file", PIN)


def test_another_file_is_refused_and_removed(served, tmp_path):
    served.files["/file"] = DATA[:-1] + bytes([DATA[-1] ^ 1])
    found = hashlib.sha256(served.files["/file"]).hexdigest()
    with pytest.raises(CvqnError, match=f"file from http.*{found}, expected {PIN.digest}"):
        download(f"{served.url}/file", tmp_path / "file", PIN)
    assert list(tmp_path.iterdir()) == []


def test_another_size_is_refused_before_it_is_fetched(served, tmp_path):
    served.files["/file"] = DATA * 2
    with pytest.raises(CvqnError, match=f"{2 * len(DATA)} bytes, expected {len(DATA)}"):
        download(f"{served.url}/file", tmp_path / "file", PIN)
    assert (tmp_path / "file.part").stat().st_size == 0


def test_a_folder_that_cannot_be_is_named(served, tmp_path):
    (tmp_path / "taken").touch()
    with pytest.raises(CvqnError, match=r"taken/file.part: cannot write"):
        download(f"{served.url}/file", tmp_path / "taken" / "file", PIN)


def test_git_digest_is_gits(tmp_path):
    (tmp_path / "file").write_bytes(DATA)
    expected = subprocess.run(["git", "hash-object", tmp_path / "file"], capture_output=True, text=True, check=True)
    assert file_digest(tmp_path / "file", "git") == expected.stdout.strip()


def test_the_mirror_must_be_a_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("CVQN_MIRROR", raising=False)
    assert mirror() is None
    monkeypatch.setenv("CVQN_MIRROR", str(tmp_path))
    assert mirror() == tmp_path
    monkeypatch.setenv("CVQN_MIRROR", str(tmp_path / "absent"))
    with pytest.raises(CvqnError, match=r"CVQN_MIRROR=.*absent: not a folder"):
        mirror()
