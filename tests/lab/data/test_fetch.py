import hashlib
import io
import json
import os
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from PIL import Image

from cvqn.cli import main
from cvqn.errors import CvqnError
from cvqn.lab.data import fetch as module
from cvqn.lab.data.download import file_digest
from cvqn.lab.data.fetch import fetch, verify
from cvqn.lab.data.index import read_index


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def trio(server, pictures, write_manifest, root):
    """A set of three files on the server; fetches it."""
    server.files = {f"/{name}": data for name, data in pictures.items()}
    manifests = write_manifest(server.url, pictures)
    return lambda: fetch("trio", root, manifests)


def names(server):
    return [path.strip("/") for path, _ in server.requests]


def test_a_set_is_fetched_verified_and_indexed(trio, root, pictures):
    index = trio()
    assert index == root / "sets" / "trio" / "index.json"
    images = read_index(index)
    assert [image.name for image in images] == ["a", "b", "c"]
    assert [image.path.read_bytes() for image in images] == [*pictures.values()]
    assert verify("trio", root, root.parent / "manifests") == 3
    assert not (root / "downloads" / "trio").exists()


def test_only_what_is_missing_is_fetched_again(trio, server):
    index = trio()
    before = index.read_bytes()
    server.requests.clear()
    trio()
    assert server.requests == []
    (index.parent / "b.png").write_bytes(b"damaged")
    (index.parent / "c.png").unlink()
    trio()
    assert names(server) == ["b.png", "c.png"]
    assert index.read_bytes() == before
    index.unlink()
    server.requests.clear()
    trio()
    assert server.requests == []
    assert index.read_bytes() == before


def test_an_interrupted_fetch_goes_on(trio, server, root):
    server.faults = [None, 404]
    with pytest.raises(CvqnError, match=r"cannot get b\.png"):
        trio()
    assert not (root / "sets" / "trio" / "index.json").exists()
    server.requests.clear()
    trio()
    assert names(server) == ["b.png", "c.png"]


def test_a_changed_pin_is_noticed(trio, pictures, write_manifest, server, root):
    trio()
    changed = {**pictures, "c.png": pictures["a.png"]}
    server.files["/c.png"] = pictures["a.png"]
    manifests = write_manifest(server.url, changed)
    with pytest.raises(CvqnError, match=r"trio: c\.png: not as fetched"):
        verify("trio", root, manifests)
    server.requests.clear()
    trio()
    assert names(server) == ["c.png"]
    assert verify("trio", root, manifests) == 3


def test_processes_that_fetch_the_same_set_wait_for_each_other(trio, server, root, pictures):
    """What one has fetched, the others do not fetch or remove; Python's threads lock as processes do."""
    with ThreadPoolExecutor(4) as pool:
        indexes = [future.result() for future in [pool.submit(trio) for _ in range(4)]]
    assert len(set(indexes)) == 1
    assert sorted(names(server)) == [*pictures]


def test_where_files_cannot_be_locked_a_set_is_fetched_all_the_same(trio, monkeypatch):
    def unsupported(*_):
        raise OSError("no locks available")

    monkeypatch.setattr("fcntl.flock", unsupported)
    assert len(read_index(trio())) == 3


def test_an_index_that_was_damaged_is_written_again(trio, server):
    index = trio()
    before = index.read_bytes()
    server.requests.clear()
    for content in (b"", b"{}", before[:-20], before.replace(b'"width": 56', b'"width": "56"')):
        index.write_bytes(content)
        assert trio().read_bytes() == before
    assert server.requests == []


def test_an_index_cannot_pass_another_file_as_the_pinned_one(trio, pictures):
    index = trio()
    good, bad = (hashlib.sha256(pictures[name]).hexdigest() for name in ("a.png", "b.png"))
    (index.parent / "a.png").write_bytes(pictures["b.png"])
    for path in (index, index.with_name(".index.json")):
        path.write_text(path.read_text().replace(good, bad))
    trio()
    assert (index.parent / "a.png").read_bytes() == pictures["a.png"]


def test_every_picture_that_cannot_be_read_is_named(server, write_manifest, root):
    files = {f"{number}.png": b"no picture %d" % number for number in range(3)}
    server.files = {f"/{name}": data for name, data in files.items()}
    with pytest.raises(CvqnError) as error:
        fetch("trio", root, write_manifest(server.url, files))
    assert [f"{number}.png: not a picture" in line for number, line in enumerate(str(error.value).splitlines())] == [
        True
    ] * 3


def test_without_network_and_mirror_the_error_says_what_to_put_where(trio, server, root, pictures):
    server.server_close()
    digest = hashlib.sha256(pictures["a.png"]).hexdigest()
    with pytest.raises(CvqnError) as error:
        trio()
    for part in (
        "trio: cannot get a.png",
        f"{server.url}/a.png",
        f"{len(pictures['a.png'])} bytes, sha256 {digest}",
        str(root / "downloads" / "trio" / "a.png"),
        "trio/a.png",
        "CVQN_MIRROR",
    ):
        assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_put_there_by_hand_is_taken(trio, server, root, pictures):
    server.server_close()
    (root / "downloads" / "trio").mkdir(parents=True)
    for name, data in pictures.items():
        (root / "downloads" / "trio" / name).write_bytes(data)
    assert len(read_index(trio())) == 3


@pytest.mark.parametrize("place", ["trio", "."])
def test_the_mirror_comes_first(trio, server, tmp_path, pictures, monkeypatch, place):
    folder = tmp_path / "mirror" / place
    folder.mkdir(parents=True)
    for name in ("a.png", "c.png"):
        (folder / name).write_bytes(pictures[name])
    monkeypatch.setenv("CVQN_MIRROR", str(tmp_path / "mirror"))
    assert len(read_index(trio())) == 3
    assert names(server) == ["b.png"]


def test_a_wrong_file_in_the_mirror_is_named(trio, tmp_path, pictures, monkeypatch):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "a.png").write_bytes(pictures["a.png"][:-1] + b"x")
    monkeypatch.setenv("CVQN_MIRROR", str(tmp_path / "mirror"))
    with pytest.raises(CvqnError, match=r"mirror/a\.png: sha256 is .*, expected .*; replace it"):
        trio()


def test_a_pinned_file_that_is_no_picture_is_named(server, write_manifest, root):
    server.files["/text.png"] = b"no picture"
    with pytest.raises(CvqnError, match=r"text\.png: not a picture"):
        fetch("trio", root, write_manifest(server.url, {"text.png": b"no picture"}))
    assert not (root / "sets" / "trio" / "index.json").exists()


@pytest.fixture
def archive(server, pictures, tmp_path, root):
    """The three images in a zip on the server; fetches the set."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name, data in {**pictures, "d.txt": b"text"}.items():
            made.writestr(f"images/{name}", data)
    server.files["/images.zip"] = file.getvalue()
    content = {
        "set": "zipped",
        "kind": "archive",
        "title": "three",
        "licence": "CC0 1.0",
        "archive": {
            "url": f"{server.url}/images.zip",
            "md5": hashlib.md5(file.getvalue()).hexdigest(),
            "unpacked_limit": 100_000,
        },
        "members": "images/*.png",
        "count": 3,
    }
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "zipped.yaml").write_text(yaml.safe_dump(content))
    return lambda: fetch("zipped", root, tmp_path / "manifests")


def test_an_archive_is_unpacked_once(archive, server, root, pictures):
    index = archive()
    assert [image.path.read_bytes() for image in read_index(index)] == [*pictures.values()]
    assert not (root / "downloads" / "zipped").exists()
    index.unlink()  # as a workflow does before it runs the step again
    archive()
    assert len(read_index(index)) == 3
    assert names(server) == ["images.zip"]
    (index.parent / "b.png").write_bytes(b"damaged")
    archive()
    assert names(server) == ["images.zip"] * 2
    assert (index.parent / "b.png").read_bytes() == pictures["b.png"]


def test_an_archive_in_the_mirror_is_verified_in_place(archive, server, tmp_path, monkeypatch):
    (tmp_path / "mirror").mkdir()
    mirrored = tmp_path / "mirror" / "images.zip"
    mirrored.write_bytes(server.files["/images.zip"])
    monkeypatch.setenv("CVQN_MIRROR", str(tmp_path / "mirror"))
    assert len(read_index(archive())) == 3
    assert server.requests == []
    mirrored.write_bytes(b"another")
    (tmp_path / "data" / "sets" / "zipped" / "a.png").unlink()
    with pytest.raises(CvqnError, match=r"mirror/images\.zip: md5 is .*, expected"):
        archive()


def test_an_unpacked_archive_in_the_mirror_is_taken_with_a_warning(
    archive, server, tmp_path, pictures, monkeypatch, capsys
):
    (tmp_path / "mirror" / "zipped").mkdir(parents=True)
    for name, data in pictures.items():
        (tmp_path / "mirror" / "zipped" / name).write_bytes(data)
    monkeypatch.setenv("CVQN_MIRROR", str(tmp_path / "mirror"))
    assert len(read_index(archive())) == 3
    assert server.requests == []
    assert "mirror/zipped: taken as it is" in capsys.readouterr().err


@pytest.fixture
def rebuilt(server, tmp_path, root, monkeypatch):
    """One image that is cut from a source on the server; fetches the set, whose table pins what `pins` says."""
    source = tmp_path / "source.png"
    Image.effect_noise((60, 40), 50).convert("RGB").save(source)
    blob = file_digest(source, "git")
    monkeypatch.setattr(module, "BLOBS", server.url + "/repos/{repository}/git/blobs/{blob}")
    monkeypatch.setattr("cvqn.lab.data.manifest.RAW", server.url + "/{repository}/{commit}/{path}")
    folder = tmp_path / "manifests"
    folder.mkdir()
    content = {"set": "cut", "kind": "rebuilt", "title": "one", "licence": "CC0", "table": "cut.csv"}
    (folder / "cut.yaml").write_text(yaml.safe_dump({**content, "commits": {"some/one": "abcdef0"}}))
    server.source = source.read_bytes()

    def run(sha256="0" * 64, pixels_sha256="0" * 64):
        row = f"one.jpg,32,24,some/one,a b/ü.png,{blob},CC0,,{sha256},{pixels_sha256}"
        head = "file,width,height,repository,path,git_blob,licence,author,sha256,pixels_sha256"
        (folder / "cut.csv").write_text(f"{head}\n{row}\n", encoding="utf-8")
        return fetch("cut", root, folder)

    run.path, run.blob = "/some/one/abcdef0/a%20b/%C3%BC.png", f"/repos/some/one/git/blobs/{blob}"
    return run


def test_a_rebuilt_image_with_other_pixels_is_named_and_kept(rebuilt, server, capsys):
    server.files[rebuilt.path] = server.source
    (image,) = read_index(rebuilt())
    assert (image.width, image.height) == (32, 24)
    assert re.search("cut: other pixels than the manifest's .*: one.jpg", capsys.readouterr().err)
    rebuilt()
    assert len(server.requests) == 1


def test_a_rebuilt_image_with_the_pinned_pixels_passes_in_silence(rebuilt, server, capsys):
    server.files[rebuilt.path] = server.source
    (image,) = read_index(rebuilt())
    capsys.readouterr()
    (again,) = read_index(rebuilt(pixels_sha256=image.pixels_sha256))
    assert again.sha256 == image.sha256
    assert capsys.readouterr().err == ""


def test_a_source_that_history_moved_is_found_by_its_blob(rebuilt, server):
    server.files[rebuilt.blob] = server.source
    assert len(read_index(rebuilt())) == 1
    assert [path for path, _ in server.requests] == [rebuilt.path, rebuilt.blob]


def test_another_source_is_refused(rebuilt, server):
    server.files[rebuilt.path] = server.source[:-1] + b"x"
    with pytest.raises(CvqnError, match=r"git is .*, expected"):
        rebuilt()


def test_packaged_photographs_need_no_network(root, monkeypatch, capsys):
    monkeypatch.delenv("CVQN_MIRROR", raising=False)
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: pytest.fail("network"))
    assert main(["data", "fetch", "packaged-train", "packaged-evaluation", "--root", str(root)]) == 0
    train = read_index(root / "sets" / "packaged-train" / "index.json")
    evaluation = read_index(root / "sets" / "packaged-evaluation" / "index.json")
    assert [image.name for image in evaluation] == ["china", "coffee", "flower"]
    assert len(train) == 7
    assert "coffee" not in [image.name for image in train]
    assert main(["data", "verify", "packaged-train", "--root", str(root)]) == 0
    assert main(["data", "list", "--root", str(root)]) == 0
    rows = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert rows["packaged-train"][1] == "7"
    assert rows["packaged-train"][3] == "yes"
    assert rows["flickr2k"][1:4] == ["2650", "unknown", "no"]


def test_the_command_line_reports_in_one_line(root, capsys):
    assert main(["data", "fetch", "unknown-set", "--root", str(root)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("cvqn: error: unknown-set: no manifest")
    assert error.count("\n") == 1
    assert not root.exists()


@pytest.mark.skipif(not os.environ.get("CVQN_MIRROR"), reason="needs a mirror with Kodak and photos (CVQN_MIRROR)")
@pytest.mark.parametrize("name", ["kodak", "photos"])
def test_mirrored_sets_decode_to_the_pinned_pixels(root, name, capsys):
    assert main(["data", "fetch", name, "--root", str(root)]) == 0
    assert "warning" not in capsys.readouterr().err
    index = json.loads((root / "sets" / name / "index.json").read_text())
    if name == "kodak":
        assert {(image["width"], image["height"]) for image in index["images"]} == {(768, 512), (512, 768)}
    assert all(image["licence"] for image in index["images"])
