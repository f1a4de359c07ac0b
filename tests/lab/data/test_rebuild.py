import io

import numpy as np
import pytest
from PIL import Image
from skimage import data as skimage_data

from cvqn.errors import CvqnError
from cvqn.lab.data.rebuild import rebuild


def decoded(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "JPEG"
        assert {sampling[1:3] for sampling in image.layer} == {(1, 1)}, "no chroma subsampling"
        assert not image.getexif()
        return np.asarray(image).astype(float)


def mean_difference(left, right):
    return np.abs(left - right).mean()


def test_small_sources_are_cut_in_their_centre(tmp_path):
    picture = skimage_data.coffee()  # 600x400
    Image.fromarray(picture).save(tmp_path / "source.png")
    cut = decoded(rebuild(tmp_path / "source.png", 576, 396))
    assert cut.shape == (396, 576, 3)
    assert mean_difference(cut, picture[2:398, 12:588]) < 3
    assert mean_difference(cut, picture[4:400, 12:588]) > 4


def test_large_sources_are_scaled_to_768_first(tmp_path):
    picture = skimage_data.coffee().repeat(3, 0).repeat(3, 1)  # 1800x1200 -> 768x512
    Image.fromarray(picture).save(tmp_path / "source.png")
    cut = decoded(rebuild(tmp_path / "source.png", 576, 448))
    whole = np.asarray(Image.fromarray(picture).resize((768, 512), Image.Resampling.LANCZOS)).astype(float)
    assert mean_difference(cut, whole[32:480, 96:672]) < 3


def test_the_short_side_is_rounded(tmp_path):
    Image.new("RGB", (5184, 2672), "navy").save(tmp_path / "source.png")  # 768 x 395.85
    assert decoded(rebuild(tmp_path / "source.png", 576, 396)).shape == (396, 576, 3)
    with pytest.raises(CvqnError, match=r"source\.png: 768x396 is smaller than the crop, 576x448"):
        rebuild(tmp_path / "source.png", 576, 448)


def test_orientation_is_applied_and_upright_is_possible(tmp_path):
    picture = skimage_data.coffee()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(picture)).save(tmp_path / "source.png", exif=exif)
    assert mean_difference(decoded(rebuild(tmp_path / "source.png", 576, 396)), picture[2:398, 12:588]) < 3
    Image.fromarray(picture.transpose(1, 0, 2)).save(tmp_path / "upright.png")
    assert decoded(rebuild(tmp_path / "upright.png", 396, 576)).shape == (576, 396, 3)
