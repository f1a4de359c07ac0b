import hashlib
import os
import time
from urllib.parse import quote

import numpy as np
import pytest
import yaml
from PIL import Image
from skimage import data as skimage_data

from cvqn.cli import main
from cvqn.errors import CvqnError
from cvqn.images import read_picture
from cvqn.lab.data.fetch import fetch
from cvqn.lab.data.index import read_index
from cvqn.lab.data.manifest import describe_folder, read_manifest

NAMES = [
    "a, b.png",
    "#1.jpg",
    "100 % [x] (y) {z}.jpeg",
    "- dash: colon.bmp",
    "'quoted' & \"twice\".tif",
    "Überſicht é e\u0301.webp",
    "猫 🐈\u200d⬛.PNG",
    "Screenshot 10.30\u202fAM.ppm",
    "true.pgm",
    "2020-01-01.tiff",
    "~!@$^*`|<>?;=+.jpg",
    " leading and trailing .png",
    "null.png",
    "1e5.png",
]


@pytest.fixture
def folder(tmp_path):
    """Pictures of every readable format under names that are awkward, a text, a hidden file and a folder."""
    folder = tmp_path / "my photos, [2020] #é"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        mode = "L" if name.endswith(".pgm") else "RGB"
        Image.effect_noise((20 + number, 15), 50).convert(mode).save(folder / name)
    (folder / "notes.txt").write_text("no picture")
    (folder / "._IMG_1.jpg").write_text("no picture, though its name ends as one")
    (folder / "sub.png").mkdir()
    return folder


@pytest.fixture
def manifests(tmp_path):
    return tmp_path / "data" / "manifests"


def test_a_folder_becomes_a_set(tmp_path, folder, manifests, monkeypatch, capsys):
    monkeypatch.delenv("CVQN_MIRROR", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(["data", "describe", str(folder), "--name", "mine", "--licence", "CC0 1.0"]) == 0
    manifest = read_manifest("mine", manifests)
    assert sorted(image.file for image in manifest.images) == sorted(NAMES)
    assert main(["data", "fetch", "mine"]) == 0
    images = read_index(tmp_path / "data" / "sets" / "mine" / "index.json")
    assert sorted(image.file for image in images) == sorted(NAMES)
    assert {image.licence for image in images} == {"CC0 1.0"}
    for image in images:
        assert image.path.read_bytes() == (folder / image.file).read_bytes()
        assert np.array_equal(image.read(), read_picture(folder / image.file))
    assert main(["data", "verify", "mine"]) == 0
    assert main(["data", "list"]) == 0
    assert f"mine                   {len(NAMES):6}" in capsys.readouterr().out
    sets = str(tmp_path / "data" / "sets" / "mine" / "index.json")
    assert main(["data", "pack", "--sets", sets, "--output", str(tmp_path / "mine.npy")]) == 0


def test_the_manifest_is_good_elsewhere_where_a_mirror_has_the_files(tmp_path, folder, manifests, monkeypatch):
    describe_folder(folder, "mine", "mine alone", manifests)
    (tmp_path / "mirror").mkdir()
    folder.rename(tmp_path / "mirror" / "mine")
    monkeypatch.delenv("CVQN_MIRROR", raising=False)
    with pytest.raises(CvqnError, match=r"its manifest names no URL.*CVQN_MIRROR"):
        fetch("mine", tmp_path / "data", manifests)
    monkeypatch.setenv("CVQN_MIRROR", str(tmp_path / "mirror"))
    assert len(read_index(fetch("mine", tmp_path / "data", manifests))) == len(NAMES)


def test_a_url_is_quoted(tmp_path, server, folder, manifests):
    """Somebody who publishes the files adds where they are."""
    path = describe_folder(folder, "mine", "CC0", manifests)
    content = yaml.safe_load(path.read_text())
    content.pop("folder")
    path.write_text(yaml.safe_dump({**content, "base_url": f"{server.url}/p/"}, allow_unicode=True))
    server.files = {f"/p/{quote(name)}": (folder / name).read_bytes() for name in NAMES}
    assert len(read_index(fetch("mine", tmp_path / "data", manifests))) == len(NAMES)
    assert "/p/%231.jpg" in [requested for requested, _ in server.requests]


def test_a_picture_that_changed_since_is_named(tmp_path, folder, manifests, monkeypatch):
    monkeypatch.delenv("CVQN_MIRROR", raising=False)
    describe_folder(folder, "mine", "CC0", manifests)
    Image.new("RGB", (30, 30)).save(folder / "#1.jpg")
    with pytest.raises(CvqnError, match=r"#1\.jpg: .*, expected .*; replace it"):
        fetch("mine", tmp_path / "data", manifests)


def test_every_bad_picture_is_named_at_once(folder, manifests, capsys):
    (folder / "cut.png").write_bytes((folder / "null.png").read_bytes()[:-30])
    (folder / "text, really.jpg").write_text("no picture")
    (folder / "empty.webp").touch()
    Image.new("RGBA", (20, 20)).save(folder / "clear [1].png")
    (folder / "new\nline.png").write_bytes((folder / "null.png").read_bytes())
    (folder / "back\\slash.png").write_bytes((folder / "null.png").read_bytes())
    with open(os.fsencode(folder) + b"/not utf-8 \xff.png", "wb") as file:
        file.write((folder / "null.png").read_bytes())
    assert main(["data", "describe", str(folder), "--name", "mine", "--manifests", str(manifests)]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("cvqn: error: ")]
    assert len(lines) == 7
    for bad in ("cut.png", "text, really.jpg", "empty.webp", "clear [1].png", "new\\nline", "back\\\\slash", "\\udcff"):
        assert len([line for line in lines if bad in line]) == 1, bad
    assert not manifests.exists()


def test_names_that_one_set_cannot_hold_are_named_together(folder, manifests):
    for name in ("b.png", "B.jpg", "c.png", "c.webp"):
        Image.new("RGB", (20, 20)).save(folder / name)
    with pytest.raises(CvqnError, match=r"B\.jpg, b\.png, c\.png, c\.webp: differ in case or suffix alone"):
        describe_folder(folder, "mine", "CC0", manifests)


def test_no_manifest_is_overwritten(folder, manifests):
    path = describe_folder(folder, "mine", "CC0", manifests)
    before = path.read_bytes()
    with pytest.raises(CvqnError, match=r"mine\.yaml: is there already"):
        describe_folder(folder, "mine", "other", manifests)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["../mine", "", "a b", ".mine", "ä"])
def test_a_name_must_be_plain(folder, manifests, name):
    with pytest.raises(CvqnError, match=": set: "):
        describe_folder(folder, name, "CC0", manifests)
    assert not manifests.exists()


def test_what_holds_no_picture_is_refused(tmp_path, manifests, capsys):
    for folder in (tmp_path, tmp_path / "absent"):
        assert main(["data", "describe", str(folder), "--name", "mine", "--manifests", str(manifests)]) == 2
        assert str(folder) in capsys.readouterr().err


def test_five_thousand_photographs_are_read_in_seconds(tmp_path, manifests):
    manifests.mkdir(parents=True)
    images = [{"file": f"{n}.png", "bytes": 5, "sha256": hashlib.sha256(b"%d" % n).hexdigest()} for n in range(5000)]
    content = {"set": "many", "kind": "files", "title": "many", "licence": "CC0", "images": images}
    (manifests / "many.yaml").write_text(yaml.safe_dump(content, default_flow_style=None, width=1000))
    begin = time.process_time()
    assert read_manifest("many", manifests).image_count == 5000
    assert time.process_time() - begin < 20  # of the processor, which other tests share


def test_photographs_of_a_camera_keep_their_orientation(tmp_path, manifests, monkeypatch):
    monkeypatch.delenv("CVQN_MIRROR", raising=False)
    (tmp_path / "camera").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(skimage_data.coffee()).save(tmp_path / "camera" / "IMG_1.JPG", exif=exif)
    describe_folder(tmp_path / "camera", "camera", "CC0", manifests)
    (image,) = read_index(fetch("camera", tmp_path / "data", manifests))
    assert (image.width, image.height) == (400, 600)
