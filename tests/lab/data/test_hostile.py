"""Manifests, tables, indexes and packs that somebody else made: refused in one line, and nothing is written outside."""

import contextlib
import copy
import csv
import hashlib
import io
import json
import time

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cvqn.errors import CvqnError
from cvqn.images import write_png
from cvqn.lab.data.fetch import fetch
from cvqn.lab.data.index import describe, read_index, write_index
from cvqn.lab.data.manifest import read_manifest
from cvqn.lab.data.pack import Pack, pack

DIGEST = "0" * 64
HEAD = {"set": "x", "title": "some", "licence": "CC0"}
IMAGE = {"file": "a.png", "bytes": 3, "sha256": DIGEST}
ARCHIVE = {"url": "https://host/a.zip", "bytes": 9, "sha256": DIGEST, "unpacked_limit": 9}
MANIFESTS = {
    "files": {**HEAD, "kind": "files", "base_url": "https://host/", "images": [IMAGE]},
    "packages": {**HEAD, "kind": "packages", "images": [{**IMAGE, "package": "skimage", "path": "data/a.png"}]},
    "archive": {**HEAD, "kind": "archive", "archive": ARCHIVE, "members": "*.png", "count": 1},
    "rebuilt": {**HEAD, "kind": "rebuilt", "table": "x.csv", "commits": {"some/one": "abcdef0"}},
}
ROW = {
    "file": "a.jpg",
    "width": "32",
    "height": "24",
    "repository": "some/one",
    "path": "b/c.png",
    "git_blob": "1" * 40,
    "licence": "CC0",
    "author": "",
    "sha256": DIGEST,
    "pixels_sha256": DIGEST,
}
OUTSIDE = ["../a.png", "/etc/passwd", "..", ".", "", ".hidden", "b\\a.png", "a\0.png", "a\n.png", "b/../../a.png", "a/"]


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
    with pytest.raises(CvqnError, match=r"x\.yaml: ") as error:
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


NESTED = "&a0 {x: 1}\n" + "".join(f"b{n}: &a{n + 1} {{<<: [{', '.join([f'*a{n}'] * 9)}]}}\n" for n in range(20))


@pytest.mark.parametrize(
    "text",
    [
        "x: " + NESTED,
        "set: &a [*a]",
        "[" * 100_000,
        "{a: " * 5000,
        "set: " + "9" * 10_000,
        "set: 2020-99-99",
        "set: !!python/object/apply:os.system [true]",
        "\0",
        "- " * 20_000,
        "",
        "null",
        "3",
    ],
    ids=range(12),
)
def test_yaml_that_is_no_manifest_is_refused_in_seconds(read, text):
    begin = time.monotonic()
    refused(read, text)
    assert time.monotonic() - begin < 10


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A folder with a set of three images and a pack of it."""
    folder = tmp_path_factory.mktemp("packed")
    for number in range(3):
        picture = np.random.default_rng(number).integers(0, 256, (5 + number, 9, 3), np.uint8)
        write_png(folder / "set" / f"{number}.png", picture)
    images = [describe(folder / "set" / f"{number}.png", "CC0") for number in range(3)]
    write_index(folder / "set" / "index.json", "three", DIGEST, images)
    pack([folder / "set" / "index.json"], folder / "three.npy")
    return folder


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 70), 1 << 70),
    st.floats(),
    st.sampled_from([*OUTSIDE, DIGEST, "1.png", "file:///etc/passwd", [], {}, [[]], {"file": "a.png"}]),
    st.text(st.characters(codec="utf-8"), max_size=20),
).map(copy.deepcopy)


def mutate(data, content):
    """Change, add or remove up to three values anywhere in a structure of dictionaries and lists."""
    content = copy.deepcopy(content)
    for _ in range(data.draw(st.integers(1, 3))):
        place = content
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = data.draw(st.sampled_from(keys)) if keys else None
            if key is None or not isinstance(place[key], dict | list) or data.draw(st.booleans()):
                break
            place = place[key]
        action = data.draw(st.sampled_from(["set", "remove", "add", "repeat"]))
        if action == "set" and key is not None:
            place[key] = data.draw(VALUES)
        elif action == "remove" and key is not None:
            del place[key]
        elif isinstance(place, dict):
            place[data.draw(st.sampled_from(["file", "path", "folder", "_folder", "set", "x"]))] = data.draw(VALUES)
        elif key is not None:
            place.append(copy.deepcopy(place[key]))
    return content


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_mutated_manifest_is_refused_or_writes_into_its_own_set_alone(tmp_path_factory, monkeypatch_module, data):
    folder = tmp_path_factory.mktemp("fetch")
    kind = data.draw(st.sampled_from([*MANIFESTS]))
    content, row = mutate(data, MANIFESTS[kind]), ROW
    if kind == "rebuilt" and data.draw(st.booleans()):
        content, row = MANIFESTS[kind], mutate(data, ROW)
    (folder / "m").mkdir()
    (folder / "m" / "x.yaml").write_text(yaml.dump(content, Dumper=NoAliases, allow_unicode=True), encoding="utf-8")
    with open(folder / "m" / "x.csv", "w", encoding="utf-8", newline="") as table:
        csv.writer(table).writerows([row.keys(), row.values()])
    before = {path for path in folder.rglob("*") if path.is_file()}
    with contextlib.suppress(CvqnError):
        fetch("x", folder / "data", folder / "m")
    own = [folder / "data" / "sets" / "x", folder / "data" / "downloads" / "x"]
    new = {path for path in folder.rglob("*") if path.is_file()} - before
    assert all(path.parent in own for path in new)


class NoAliases(yaml.SafeDumper):
    """Writes what is referred to twice twice."""

    def ignore_aliases(self, data):
        return True


@pytest.fixture(scope="module")
def monkeypatch_module():
    """No network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CVQN_MIRROR", raising=False)
        patch.setattr("cvqn.lab.data.download.WAITS", ())

        def unreachable(*_, **__):
            raise OSError("no network")

        patch.setattr("urllib.request.urlopen", unreachable)
        yield


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_mutated_index_is_refused_or_read_as_it_was(packed, tmp_path_factory, data):
    original = json.loads((packed / "set" / "index.json").read_text())
    path = packed / "set" / "mutated.json"
    path.write_text(json.dumps(mutate(data, original)))
    output = tmp_path_factory.mktemp("pack") / "out.npy"
    try:
        pack([path], output)
    except CvqnError as error:
        message = str(error)
        assert "\n" not in message
        assert list(output.parent.iterdir()) == []
    else:
        made = Pack.open(output)
        for number, image in enumerate(read_index(path)):
            assert hashlib.sha256(made[number].tobytes()).hexdigest() == image.pixels_sha256
            assert made[number].shape == describe(image.path, "").read().shape


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_mutated_index_of_a_pack_is_refused_or_fits(packed, data):
    original = json.loads((packed / "three.json").read_text())
    path = packed / "mutated.npy"
    path.write_bytes((packed / "three.npy").read_bytes())
    path.with_suffix(".json").write_text(json.dumps(mutate(data, original)))
    try:
        made = Pack.open(path)
    except CvqnError as error:
        message = str(error)
        assert "\n" not in message
    else:
        assert sum(made[number].size for number in range(len(made))) == len(made.pixels) == (5 + 6 + 7) * 9 * 3


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_damaged_bytes_are_refused_or_harmless(packed, data):
    for name, read in (
        ("set/index.json", read_index),
        ("three.json", lambda path: Pack.open(path.with_suffix(".npy"))),
    ):
        damaged = bytearray((packed / name).read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
        path = packed / name.replace(".json", "-damaged.json")
        path.write_bytes(damaged)
        (packed / "three-damaged.npy").write_bytes((packed / "three.npy").read_bytes())
        with contextlib.suppress(CvqnError):
            read(path)
