import io

import numpy as np
import pytest
from PIL import Image as PillowImage
from skimage import data as skimage_data

from cvqn.errors import CvqnError
from cvqn.images import write_png
from cvqn.lab.data.duplicates import ALIKE, Excluded, orientations, thumbnail
from cvqn.lab.data.index import describe

PHOTOGRAPHS = {
    name: np.ascontiguousarray(getattr(skimage_data, name)()[::2, ::2])
    for name in ("astronaut", "chelsea", "coffee", "hubble_deep_field", "immunohistochemistry", "retina", "rocket")
}


def jpeg(picture, quality):
    file = io.BytesIO()
    PillowImage.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(PillowImage.open(file))


def scaled(picture, width, height):
    return np.asarray(PillowImage.fromarray(picture).resize((width, height), PillowImage.Resampling.LANCZOS))


@pytest.fixture(scope="module")
def excluded(tmp_path_factory):
    """The photographs, to be excluded."""
    folder = tmp_path_factory.mktemp("excluded")
    for name, picture in PHOTOGRAPHS.items():
        write_png(folder / f"{name}.png", picture)
    return Excluded([describe(folder / f"{name}.png", "free") for name in PHOTOGRAPHS])


@pytest.fixture
def refuse(excluded, tmp_path):
    """Ask whether a picture may be used."""

    def refuse(picture):
        write_png(tmp_path / "new.png", picture)
        image = describe(tmp_path / "new.png", "free")
        excluded.refuse_pixels(image)
        excluded.refuse_alike(image, thumbnail(picture))

    return refuse


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize(
    "change",
    [
        lambda picture: picture.copy(),
        lambda picture: jpeg(picture, 15),
        lambda picture: jpeg(scaled(picture, 256, 171)[:, ::-1], 60),
        lambda picture: np.rot90(picture),
        lambda picture: scaled(picture.transpose(1, 0, 2), 300, 400)[::-1],
        lambda picture: (255 * (picture / 255) ** 0.8).astype(np.uint8),
        lambda picture: np.repeat(picture.mean(2, keepdims=True), 3, axis=2).astype(np.uint8),
    ],
    ids=["same", "jpeg", "small and mirrored", "turned", "transposed", "brighter", "grey"],
)
def test_a_changed_copy_is_refused_and_both_are_named(refuse, name, change):
    with pytest.raises(CvqnError, match=rf"new\.png: .*{name}\.png"):
        refuse(change(PHOTOGRAPHS[name]))


def test_other_photographs_are_not():
    small = {name: thumbnail(picture) for name, picture in PHOTOGRAPHS.items()}
    for name, left in small.items():
        for other, right in small.items():
            if name != other:
                assert max(float(np.vdot(left, form)) for form in orientations(right)) < 0.9 < ALIKE


def test_flat_pictures_are_alike_to_nothing(refuse):
    refuse(np.full((100, 100, 3), 77, np.uint8))


def test_nothing_excluded_refuses_nothing():
    Excluded([]).refuse_alike(None, thumbnail(PHOTOGRAPHS["coffee"]))


def test_thumbnails_are_normalised_and_turn_with_the_picture():
    picture = PHOTOGRAPHS["coffee"]
    small = thumbnail(picture)
    assert small.shape == (24, 24)
    assert abs(small.mean()) < 1e-6
    assert np.linalg.norm(small) == pytest.approx(1)
    assert np.allclose(thumbnail(np.rot90(picture)), np.rot90(small), atol=0.01)
    assert np.allclose(thumbnail(picture[:, ::-1]), small[:, ::-1], atol=0.01)
    assert len({form.tobytes() for form in orientations(small)}) == 8
