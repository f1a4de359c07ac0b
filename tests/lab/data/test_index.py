import hashlib
import json

import pytest

from cvqn.errors import CvqnError
from cvqn.images import read_picture
from cvqn.lab.data.index import describe, read_index, set_name, write_index


@pytest.fixture
def index(tmp_path, pictures):
    images = [describe(tmp_path / name, "CC0 1.0") for name in reversed(pictures)]
    write_index(tmp_path / "index.json", "trio", "0" * 64, images)
    return tmp_path / "index.json"


def test_the_index_says_what_the_files_are(index, pictures):
    content = json.loads(index.read_text())
    assert content["set"] == set_name(index) == "trio"
    assert [entry["name"] for entry in content["images"]] == ["a", "b", "c"]
    picture = read_picture(index.parent / "c.png")
    assert content["images"][2] == {
        "name": "c",
        "file": "c.png",
        "width": 30,
        "height": 50,
        "bytes": len(pictures["c.png"]),
        "sha256": hashlib.sha256(pictures["c.png"]).hexdigest(),
        "pixels_sha256": hashlib.sha256(picture.tobytes()).hexdigest(),
        "licence": "CC0 1.0",
    }


def test_images_are_verified_before_use(index):
    image = read_index(index)[2]
    assert image.read().shape == (50, 30, 3)
    image.path.write_bytes(image.path.read_bytes()[:-1] + b"x")
    for use in (image.read, image.contents):
        with pytest.raises(CvqnError, match=rf"c\.png: sha256 is .*, expected {image.sha256}"):
            use()
    image.path.unlink()
    with pytest.raises(CvqnError, match=r"c\.png: cannot be read"):
        image.read()


@pytest.mark.parametrize(
    "change",
    [
        lambda images: images[0].pop("sha256"),
        lambda images: images[0].update(file="../a.png"),
        lambda images: images[0].update(file="/etc/passwd"),
        lambda images: images[0].update(width=0),
        lambda images: images[0].update(height="many"),
        lambda images: images[0].update(licence=None),
        lambda images: images[0].update(width=1 << 20),
        lambda images: images[0].update(width=56.0),
        lambda images: images[0].update(name="../a"),
        lambda images: images[0].update(name="b"),
        lambda images: images[0].update(folder="/etc"),
        lambda images: images[0].update(_folder="/etc"),
        lambda images: images[0].update(sha256="0" * 63),
        lambda images: images.append("text"),
        lambda images: images.clear(),
    ],
)
def test_an_index_that_is_wrong_is_refused(index, change):
    content = json.loads(index.read_text())
    change(content["images"])
    index.write_text(json.dumps(content))
    with pytest.raises(CvqnError, match=r"index\.json: .*; get the set with: cvqn data fetch"):
        read_index(index)


def test_what_is_no_index_is_refused(tmp_path):
    with pytest.raises(CvqnError, match="get the set with: cvqn data fetch kodak"):
        read_index(tmp_path / "kodak" / "index.json")
    for text in ("", "[]", "{}", "null"):
        (tmp_path / "index.json").write_text(text)
        with pytest.raises(CvqnError, match="get the set with"):
            read_index(tmp_path / "index.json")
    with pytest.raises(CvqnError, match="cannot be read"):
        read_index(tmp_path)


@pytest.mark.parametrize("size", [(31, 50), (50, 30), (15, 100)])
def test_a_picture_of_another_size_than_its_index_says_is_refused(index, size):
    content = json.loads(index.read_text())
    content["images"][2].update(width=size[0], height=size[1])
    index.write_text(json.dumps(content))
    with pytest.raises(CvqnError, match=rf"c\.png: 30x50 pixels, its index says {size[0]}x{size[1]}"):
        read_index(index)[2].read()
