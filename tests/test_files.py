import os
import stat
import threading

import pytest

from cvqn.errors import CvqnError
from cvqn.files import atomic_write, is_stream, scan_folder


def write(path, text="new"):
    with atomic_write(path, "w") as file:
        file.write(text)


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "folder" / "file"
    with atomic_write(path, "w") as file:
        file.write("first")
        assert not path.exists()
    with pytest.raises(TypeError), atomic_write(path, "w") as file:
        file.writelines(["second", None])
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["folder", "file/inside", "a" * 256, "loop"])
def test_where_nothing_can_be_written_is_named_before_the_work(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(CvqnError, match=f"{name}: cannot write"), atomic_write(tmp_path / name):
        pytest.fail("the work was begun")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "loop"]


def test_only_whole_writing_is_offered(tmp_path):
    with pytest.raises(ValueError, match="'a'"), atomic_write(tmp_path / "file", "a"):
        pass


@pytest.mark.parametrize("name", ["a" * 255, "é" * 127, os.fsdecode(b"\xff\xe9"), "-", "a\nb", " "])
def test_any_name_that_a_file_can_have(tmp_path, name):
    write(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "new"


def test_a_link_stays_and_leads_to_the_new_file(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "first").symlink_to("there/second")
    (tmp_path / "there" / "second").symlink_to("../file")
    for text in ("new", "newer"):  # the link dangles at first
        write(tmp_path / "first", text)
        assert (tmp_path / "file").read_text() == text
        assert not (tmp_path / "file").is_symlink()
    assert os.readlink(tmp_path / "first") == "there/second"
    assert os.readlink(tmp_path / "there" / "second") == "../file"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o444])
def test_mode_and_owner_of_what_is_replaced_are_kept(tmp_path, mode):
    path = tmp_path / "file"
    path.touch()
    owner = (12345, 54321) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(path, *owner)
    path.chmod(mode)
    write(path)
    after = path.stat()
    assert (stat.S_IMODE(after.st_mode), after.st_uid, after.st_gid) == (mode, *owner)


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_mode_that_is_usual(tmp_path, mask):
    before = os.umask(mask)
    try:
        write(tmp_path / "file")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~mask


def test_pipes_and_devices_are_written_to_and_stay(tmp_path):
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        read = []
        reader = threading.Thread(target=lambda read=read: read.append(pipe.read_text()))
        reader.start()
        write(path)
        reader.join()
        assert read == ["new"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    null = os.stat("/dev/null")
    write("/dev/null")
    assert os.stat("/dev/null").st_ino == null.st_ino
    with pytest.raises(CvqnError, match="no space left"):
        write("/dev/full")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe"]


def test_an_open_file_is_written_on_not_replaced(tmp_path):
    with open(tmp_path / "file", "wb", buffering=0) as file:
        file.write(b"before ")
        for name in (f"/dev/fd/{file.fileno()}", f"/proc/self/fd/{file.fileno()}"):
            assert is_stream(name)
            write(name)
        file.write(b" after")
    assert (tmp_path / "file").read_text() == "before newnew after"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_pipe_that_nobody_reads_any_more_is_an_error_that_names_it():
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.raises(CvqnError, match=f"/dev/fd/{writing}: cannot write .Broken pipe"):
        write(f"/dev/fd/{writing}")
    os.close(writing)
    with pytest.raises(CvqnError, match=r"cannot write \(Bad file descriptor"):
        write(f"/dev/fd/{writing}")


def test_nothing_goes_into_a_pipe_after_an_error(tmp_path):
    reading, writing = os.pipe()
    with pytest.raises(TypeError), atomic_write(f"/dev/fd/{writing}") as file:
        file.writelines([b"half", None])
    os.close(writing)
    assert os.read(reading, 10) == b""
    os.close(reading)


def test_an_error_of_another_file_is_not_taken_for_one_of_this(tmp_path):
    with pytest.raises(FileNotFoundError, match="another"), atomic_write(tmp_path / "file"):
        (tmp_path / "another").read_bytes()
    assert not list(tmp_path.iterdir())


def test_what_is_in_a_folder_is_listed_or_left_out_with_a_reason(tmp_path):
    for name in ("b.PNG", "a.png", "._a.png", "c.txt", ".png"):
        (tmp_path / name).touch()
    (tmp_path / "d.png").mkdir()
    os.mkfifo(tmp_path / "e.png")
    (tmp_path / "f.png").symlink_to("nowhere")
    (tmp_path / "g.png").symlink_to("a.png")
    paths, left_out = scan_folder(tmp_path, {".png"})
    assert [path.name for path in paths] == ["a.png", "b.PNG", "g.png"]
    assert set(left_out) == {"._a.png", "c.txt", ".png", "d.png", "e.png", "f.png"}
    assert "macOS" in left_out["._a.png"]
    for name, error in (("a.png", "not a folder"), ("none", "cannot be read")):
        with pytest.raises(CvqnError, match=f"{name}: {error}"):
            scan_folder(tmp_path / name, {".png"})
