import io
import stat
import tarfile
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvqn.errors import CvqnError
from cvqn.lab.data.archive import unpack

FILES = {"set/HR/a.png": b"first" * 1000, "set/HR/b.png": b"second", "set/LR/a.png": b"small", "set/readme": b"text"}
WANTED = {"a.png": FILES["set/HR/a.png"], "b.png": FILES["set/HR/b.png"]}
LIMIT = 10_000


def make_zip(path, members):
    """Members are (name, bytes) or (ZipInfo, bytes)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def make_tar(path, members):
    """Members are (name, bytes) or (TarInfo, bytes)."""
    with tarfile.open(path, "w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(data) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(data))
    return path


MAKERS = {"zip": make_zip, "tar": make_tar}


@pytest.fixture(params=["zip", "tar"])
def make(request, tmp_path):
    """Write an archive `.zip` or `.tar` of members (name, bytes)."""
    return lambda members: MAKERS[request.param](tmp_path / f"set.{request.param}", members)


def run(archive, folder, count=2, limit=LIMIT):
    return unpack(archive, "*HR/*.png", count, limit, folder)


def content(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*")} if folder.exists() else {}


def test_only_the_wanted_members_come_out_flat(make, tmp_path):
    extra = {"__MACOSX/HR/._a.png": b"fork", "set/HR/.hidden.png": b"hidden"}
    assert run(make([*FILES.items(), *extra.items()]), tmp_path / "out") == ["a.png", "b.png"]
    assert content(tmp_path / "out") == WANTED


@pytest.mark.parametrize("name", ["../HR/x.png", "a/../../HR/x.png", "/HR/x.png", "C:\\HR/x.png", "HR/x\\..\\y.png"])
def test_names_that_escape_are_refused(make, tmp_path, name):
    with pytest.raises(CvqnError, match="delete it and fetch again"):
        run(make([(name, b"evil")]), tmp_path / "out", count=1)
    assert content(tmp_path / "out") == {}
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    info = tarfile.TarInfo("set/HR/x.png")
    info.type, info.linkname = kind, "/etc/passwd"
    with pytest.raises(CvqnError, match=r"set.tar.*x.png.*not a plain file"):
        run(make_tar(tmp_path / "set.tar", [(info, b"")]), tmp_path / "out", count=1)
    assert content(tmp_path / "out") == {}


def test_links_in_a_zip_are_refused(tmp_path):
    info = zipfile.ZipInfo("set/HR/x.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(CvqnError, match=r"set.zip.*x.png.*not a plain file"):
        run(make_zip(tmp_path / "set.zip", [(info, b"/etc/passwd")]), tmp_path / "out", count=1)
    assert content(tmp_path / "out") == {}


def test_bombs_are_refused_before_they_unfold(make, tmp_path):
    with pytest.raises(CvqnError, match="more than its manifest allows"):
        run(make([("HR/a.png", b"fine"), ("HR/b.png", bytes(LIMIT))]), tmp_path / "out")
    assert list(content(tmp_path / "out")) == ["a.png"]


def test_more_members_than_declared_are_refused(make, tmp_path):
    with pytest.raises(CvqnError, match="more than its manifest allows"):
        run(make(FILES.items()), tmp_path / "out", count=1)


def test_fewer_members_than_declared_are_refused(make, tmp_path):
    with pytest.raises(CvqnError, match=r"2 members match .*, not 3"):
        run(make(FILES.items()), tmp_path / "out", count=3)


def test_two_members_of_one_name_are_refused(make, tmp_path):
    with pytest.raises(CvqnError, match=r"two members are called 'A.png'"):
        run(make([("HR/a.png", b"one"), ("x/HR/A.png", b"two")]), tmp_path / "out")


def test_a_member_larger_than_it_says_is_refused(tmp_path):
    """A zip whose directory declares 5 bytes for a member that inflates to 5000."""
    archive = make_zip(tmp_path / "set.zip", [("HR/a.png", b"first" * 1000)])
    data = archive.read_bytes()
    archive.write_bytes(data.replace((5000).to_bytes(4, "little"), (5).to_bytes(4, "little")))
    with pytest.raises(CvqnError, match=r"set.zip"):
        run(archive, tmp_path / "out", count=1)
    assert content(tmp_path / "out") == {}


@pytest.mark.parametrize("declared", [1, 4])
@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_of_more_bytes_than_its_directory_says_is_refused(tmp_path, declared, packing):
    with zipfile.ZipFile(tmp_path / "set.zip", "w", packing) as archive:
        archive.writestr("HR/a.png", b"12345")
    data = bytearray((tmp_path / "set.zip").read_bytes())
    place = data.rindex(b"PK\x01\x02") + 24
    data[place : place + 4] = declared.to_bytes(4, "little")
    (tmp_path / "set.zip").write_bytes(data)
    with pytest.raises(CvqnError, match=r"set\.zip: damaged archive"):
        run(tmp_path / "set.zip", tmp_path / "out", count=1)
    assert content(tmp_path / "out") == {}


def test_a_tar_that_ends_inside_a_member_is_refused(tmp_path):
    archive = make_tar(tmp_path / "set.tar", [("HR/a.png", bytes(5000))])
    archive.write_bytes(archive.read_bytes()[:2000])
    with pytest.raises(CvqnError, match=r"set\.tar: damaged archive"):
        run(archive, tmp_path / "out", count=1)
    assert content(tmp_path / "out") == {}


def test_what_is_no_archive_is_named(tmp_path):
    for name in ("set.zip", "set.tar"):
        (tmp_path / name).write_bytes(b"<html>404</html>" * 100)
        with pytest.raises(CvqnError, match=f"{name}: damaged archive"):
            run(tmp_path / name, tmp_path / "out")


@given(st.sampled_from(["zip", "tar"]), st.data())
@settings(max_examples=100)
def test_damage_is_an_error_or_harmless(tmp_path_factory, suffix, data):
    folder = tmp_path_factory.mktemp("damage")
    archive = MAKERS[suffix](folder / f"set.{suffix}", FILES.items())
    damaged = bytearray(archive.read_bytes())
    if data.draw(st.booleans()):
        del damaged[data.draw(st.integers(0, len(damaged) - 1)) :]
    else:
        for _ in range(data.draw(st.integers(1, 3))):
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    archive.write_bytes(damaged)
    try:
        run(archive, folder / "out")
    except CvqnError as error:
        message = str(error)
        assert message.startswith(str(archive))
    assert all("/" not in str(path.relative_to(folder / "out")) for path in (folder / "out").glob("**/*"))
    assert {path.name for path in folder.iterdir()} <= {archive.name, "out"}
    assert sum(map(len, content(folder / "out").values())) <= LIMIT
