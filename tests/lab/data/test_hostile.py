"""Manifests and tables that somebody else made: what is wrong is refused in one line. tests/fuzz has the rest."""

import csv
import io
import time

import pytest
import yaml

from cvqn.errors import CvqnError
from cvqn.lab.data.manifest import read_manifest
from tests.fuzz.targets import ARCHIVE, IMAGE, MANIFESTS, NO_YAML, ROW

OUTSIDE = ["../a.png", "/etc/passwd", "..", ".", "", ".hidden", "b\\a.png", "a\0.png", "a\n.png", "b/../../a.png", "a/",
           "é" * 128]  # fmt: skip


@pytest.fixture
def read(tmp_path):
    """Write a manifest, with the rows of its table, and read it."""

    def read(content, rows=(ROW,)):
        (tmp_path / "x.yaml").write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        table = io.StringIO()
        writer = csv.DictWriter(table, {key: None for row in rows for key in row})
        writer.writeheader()
        writer.writerows(rows)
        (tmp_path / "x.csv").write_text(table.getvalue(), newline="")
        return read_manifest("x", tmp_path)

    return read


def refused(read, *arguments):
    with pytest.raises(CvqnError, match=r"x\.yaml(, line \d+)?: ") as error:
        read(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("kind", MANIFESTS)
def test_what_is_changed_below_was_right(read, kind):
    assert read(MANIFESTS[kind]).image_count == 1


@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_lead_out_of_the_folder_are_refused(read, name):
    assert "images.0.file" in refused(read, {**MANIFESTS["files"], "images": [{**IMAGE, "file": name}]})
    packaged = {**MANIFESTS["packages"]["images"][0], "path": name}
    assert "images.0.path" in refused(read, {**MANIFESTS["packages"], "images": [packaged]})
    assert refused(read, {**MANIFESTS["rebuilt"], "table": name})
    for key in ("file", "git_blob", "path"):
        assert refused(read, MANIFESTS["rebuilt"], [{**ROW, key: name}])


@pytest.mark.parametrize("blob", ["../../../x", "1" * 39, "1" * 41, "G" * 40, "1" * 40 + "\n", "1" * 39 + "/"])
def test_a_git_blob_is_a_checksum(read, blob):
    """It becomes the name of the file that is downloaded."""
    assert "images.0.git_blob" in refused(read, MANIFESTS["rebuilt"], [{**ROW, "git_blob": blob}])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("width", "0"),
        ("width", "-5"),
        ("height", "1e9"),
        ("height", "9" * 5000),
        ("height", "many"),
        ("repository", "../one"),
        ("repository", "some/other"),
        ("sha256", "0"),
        ("licence", ""),
        ("extra", "column"),
    ],
)
def test_rows_of_a_table_are_checked(read, key, value):
    refused(read, MANIFESTS["rebuilt"], [{**ROW, key: value}])


def test_tables_that_are_none_are_refused(read, tmp_path):
    refused(read, MANIFESTS["rebuilt"], [])
    refused(read, MANIFESTS["rebuilt"], [{key: ROW[key] for key in ROW if key != "git_blob"}])
    for content in (b"\xff\xfe\0", b"file\n" + b"x" * 200_000, b'"', b"file,width\na.jpg,1,2,3,4\n"):
        (tmp_path / "x.csv").write_bytes(content)
        with pytest.raises(CvqnError, match=r"x\.yaml: "):
            read_manifest("x", tmp_path)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("packages", {"images": [{**IMAGE, "package": "os.path", "path": "a"}]}),
        ("packages", {"images": [{**IMAGE, "package": "../x", "path": "a"}]}),
        ("packages", {"images": [IMAGE]}),
        ("files", {"images": [{key: IMAGE[key] for key in ("file", "sha256")}]}),
        ("files", {"images": [{**IMAGE, "bytes": True}]}),
        ("files", {"images": [{**IMAGE, "bytes": 1 << 60}]}),
        ("files", {"images": {"a": IMAGE}}),
        ("files", {"base_url": "https://host/ /"}),
        ("files", {"base_url": "ftp://host/"}),
        ("files", {"folder": 3}),
        ("files", {"title": "two\nlines"}),
        ("files", {"table": "x.csv"}),
        ("archive", {"archive": {**ARCHIVE, "url": "https://host/../a.txt"}}),
        ("archive", {"archive": {**ARCHIVE, "url": "https://host/.zip"}}),
        ("archive", {"archive": {**ARCHIVE, "sha256": None}}),
        ("archive", {"archive": {**ARCHIVE, "unpacked_limit": float("inf")}}),
        ("archive", {"count": 0}),
        ("rebuilt", {"commits": {"some/one": "../../x"}}),
        ("rebuilt", {"commits": {"some/one/other": "abcdef0"}}),
        ("rebuilt", {"table": "../x.csv"}),
        ("rebuilt", {"table": ["x.csv"]}),
    ],
)
def test_keys_of_a_manifest_are_checked(read, kind, changes):
    refused(read, {**MANIFESTS[kind], **changes})


@pytest.mark.parametrize("text", NO_YAML, ids=range(len(NO_YAML)))
def test_yaml_that_is_no_manifest_is_refused_in_seconds(read, text):
    begin = time.monotonic()
    refused(read, text)
    assert time.monotonic() - begin < 10
