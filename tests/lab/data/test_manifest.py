from pathlib import Path

import pytest
import yaml

from cvqn.errors import CvqnError
from cvqn.lab.data.manifest import list_sets, read_manifest

MANIFESTS = Path(__file__).parents[3] / "data" / "manifests"
COUNTS = {
    "kodak": 24,
    "div2k": 800,
    "div2k-valid": 100,
    "flickr2k": 2650,
    "clic-professional": 585,
    "clic-professional-valid": 41,
    "photos": 468,
    "packaged-train": 7,
    "packaged-evaluation": 3,
}


@pytest.mark.parametrize("name", COUNTS)
def test_the_sets_are_described(name):
    manifest = read_manifest(name, MANIFESTS)
    assert manifest.image_count == COUNTS[name]
    assert manifest.title
    assert manifest.licence
    assert set(list_sets(MANIFESTS)) == set(COUNTS)


def test_the_papers_training_set_has_4035_images():
    assert (
        sum(read_manifest(name, MANIFESTS).image_count for name in ("div2k", "flickr2k", "clic-professional")) == 4035
    )


def test_photos_name_their_public_sources():
    manifest = read_manifest("photos", MANIFESTS)
    entries = manifest.images
    astronaut = next(entry for entry in entries if entry.file == "cq100_002.jpg")
    assert manifest.url(astronaut) == (
        "https://raw.githubusercontent.com/IanManske/quantette/33f392eb280c/img/CQ100/img/astronaut.png"
    )
    assert astronaut.git_blob == "e07bf71a35b2f0a7c07827e6dd4b396b238270ad"
    assert (astronaut.width, astronaut.height) == (448, 576)
    assert all(len(entry.git_blob) == 40 and max(entry.width, entry.height) <= 576 for entry in entries)
    assert len({entry.pixels_sha256 for entry in entries}) == 468


def test_no_photograph_is_in_both_packaged_sets():
    train, evaluation = (read_manifest(f"packaged-{name}", MANIFESTS) for name in ("train", "evaluation"))
    assert not {entry.sha256 for entry in train.images} & {entry.sha256 for entry in evaluation.images}


@pytest.fixture
def change(tmp_path):
    """Change Kodak's manifest by a function and read it."""

    def change(function, name="kodak"):
        content = yaml.safe_load((MANIFESTS / f"{name}.yaml").read_text())
        function(content)
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
        return read_manifest(name, tmp_path)

    return change


def test_the_checksum_is_of_what_decides_the_images(change):
    original = read_manifest("kodak", MANIFESTS).sha256
    assert (
        change(lambda content: content.update(title="other words", base_url="https://other.host/")).sha256 == original
    )
    assert change(lambda content: content["images"][3].update(sha256="0" * 64)).sha256 != original
    archive = read_manifest("div2k", MANIFESTS)
    assert archive.model_copy(update={"members": "*.png"}).sha256 != archive.sha256


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda content: content.update(colour="red"), r"kodak\.yaml: colour: Extra inputs"),
        (lambda content: content.pop("licence"), r"kodak\.yaml: licence: Field required"),
        (lambda content: content.update(kind="other"), r"kodak\.yaml: kind: "),
        (
            lambda content: content.update(kind="archive"),
            r"kodak\.yaml: top: archive, base_url, count, images, members: missing, or not for the kind archive",
        ),
        (lambda content: content.update(set="other"), r"kodak\.yaml: set: 'other' is not the file's name"),
        (lambda content: content.update(base_url="file:///etc/"), r"kodak\.yaml: base_url"),
        (lambda content: content.update(base_url="https://host/path"), r"kodak\.yaml: base_url"),
        (lambda content: content.update(images=[]), r"kodak\.yaml: images"),
        (lambda content: content["images"][2].update(sha256="abc"), r"kodak\.yaml: images\.2\.sha256"),
        (lambda content: content["images"][0].update(bytes=0), r"kodak\.yaml: images\.0\.bytes"),
        (lambda content: content["images"][0].update(bytes="12"), r"kodak\.yaml: images\.0\.bytes"),
        (lambda content: content["images"][0].update(bytes=10**4000), r"kodak\.yaml, line \d+: a whole number"),
        (lambda content: content["images"][0].update(file="KODIM02.png"), r"KODIM02.png, kodim02.png: differ in case"),
        (
            lambda content: content["images"][0].update(file="kodim02.jpg"),
            r"kodak\.yaml: top: kodim02.jpg, kodim02.png: differ in case",
        ),
    ],
)
def test_errors_name_the_file_and_the_key(change, function, message):
    with pytest.raises(CvqnError, match=message):
        change(function)


def test_an_archive_needs_a_checksum(change):
    with pytest.raises(CvqnError, match=r"div2k\.yaml: archive"):
        change(lambda content: content["archive"].pop("sha256"), "div2k")


def test_other_files_are_refused(tmp_path):
    (tmp_path / "kodak.yaml").touch()
    with pytest.raises(CvqnError, match="known sets: kodak"):
        read_manifest("other", tmp_path)
    with pytest.raises(CvqnError, match=r"kodak\.yaml: expected a mapping"):
        read_manifest("kodak", tmp_path)
    (tmp_path / "kodak.yaml").write_text("{")
    with pytest.raises(CvqnError, match=r"kodak\.yaml, line 1: expected the node content"):
        read_manifest("kodak", tmp_path)
    with pytest.raises(CvqnError, match="no manifest"):
        read_manifest("../manifests/kodak", MANIFESTS)


def test_a_table_that_is_wrong_is_named(change, tmp_path):
    with pytest.raises(CvqnError, match=r"photos\.yaml: cannot be read .*No such file.*photos\.csv"):
        change(lambda content: None, "photos")
    table = (MANIFESTS / "photos.csv").read_text()
    (tmp_path / "photos.csv").write_text(table.replace("budgie-backgrounds_001.jpg", "../x.jpg"))
    with pytest.raises(CvqnError, match=r"photos\.yaml: images\.0\.file"):
        change(lambda content: None, "photos")
    (tmp_path / "photos.csv").write_text(table)
    with pytest.raises(CvqnError, match=r"photos\.yaml: top: cq100_001.jpg: no commit of IanManske/quantette"):
        change(lambda content: content["commits"].pop("IanManske/quantette"), "photos")
