import pytest

from cvqn.errors import CvqnError
from cvqn.files import atomic_write


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "folder" / "file"
    with atomic_write(path, "w") as file:
        file.write("first")
        assert not path.exists()
    with pytest.raises(TypeError), atomic_write(path, "w") as file:
        file.writelines(["second", None])
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["folder", "file/inside", "a" * 256])
def test_where_nothing_can_be_written_is_named(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(CvqnError, match=f"{name}: cannot write"), atomic_write(tmp_path / name):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
