import numpy as np
import pytest
import torch

from cvqn.lab.data.pack import Pack
from cvqn.lab.training.batches import LEFT_RIGHT, UPSIDE_DOWN, Source, crops_of_step, cut, fixed_crops


def pack(sizes=((40, 50), (64, 33), (48, 48))):
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    offsets = np.cumsum([0, *(picture.size for picture in pictures)])
    entries = [
        {"set": "s", "name": str(i), "offset": int(o), "height": p.shape[0], "width": p.shape[1], "pixels_sha256": ""}
        for i, (p, o) in enumerate(zip(pictures, offsets, strict=False))
    ]
    return Pack(np.concatenate([picture.ravel() for picture in pictures]), entries), pictures


def test_a_step_is_a_function_of_seed_and_step():
    images, _ = pack()
    first = crops_of_step(images, 1, 7, 4, 32)
    crops_of_step(images, 1, 8, 4, 32)
    np.testing.assert_array_equal(first, crops_of_step(images, 1, 7, 4, 32))
    assert not np.array_equal(first, crops_of_step(images, 2, 7, 4, 32))
    assert not np.array_equal(first, crops_of_step(images, 1, 8, 4, 32))


def test_every_pass_shows_every_image_once():
    images, _ = pack()
    seen = np.concatenate([crops_of_step(images, 3, step, 4, 32)[:, 0] for step in range(6)])
    for which_pass in seen.reshape(-1, 3):
        assert sorted(which_pass) == [0, 1, 2]


def test_crops_lie_inside_and_reach_both_ends():
    images, pictures = pack()
    crops = np.concatenate([crops_of_step(images, 0, step, 8, 32) for step in range(300)])
    for image, picture in enumerate(pictures):
        of_image = crops[crops[:, 0] == image]
        for axis in (1, 2):
            assert of_image[:, axis].min() == 0
            assert of_image[:, axis].max() == picture.shape[axis - 1] - 32
    assert set(crops[:, 3]) == {0, LEFT_RIGHT}


def test_vertical_flips_take_every_form_as_often_and_leave_places_alone():
    images, _ = pack()
    without, flipped = (
        np.concatenate([crops_of_step(images, 0, step, 8, 32, vertical) for step in range(300)])
        for vertical in (False, True)
    )
    np.testing.assert_array_equal(flipped[:, :3], without[:, :3])
    assert np.bincount(flipped[:, 3]).tolist() == pytest.approx([600] * 4, rel=0.15)


def test_load_cuts_mirrors_and_scales():
    images, pictures = pack()
    crops = np.array([[0, 3, 5, 0], [1, 2, 1, LEFT_RIGHT], [1, 2, 1, UPSIDE_DOWN], [0, 3, 5, LEFT_RIGHT + UPSIDE_DOWN]])
    loaded = Source(images, "cpu").load(crops, 32)
    assert loaded.dtype == torch.float32
    first, second = pictures[0][3:35, 5:37], pictures[1][2:34, 1:33]
    for image, expected in zip(loaded, (first, second[:, ::-1], second[::-1], first[::-1, ::-1]), strict=True):
        np.testing.assert_allclose(image.permute(1, 2, 0), expected / 255, atol=1e-7)


@pytest.mark.parametrize("patch", [16, 40, 70])
def test_cutting_on_the_device_gives_the_same_squares(patch):
    images, _ = pack()
    crops = np.concatenate([crops_of_step(images, 0, step, 8, patch, vertical_flips=True) for step in range(3)])
    table = torch.from_numpy(np.column_stack([images.offsets, images.sizes]))
    squares = cut(torch.from_numpy(images.pixels), table, torch.from_numpy(crops), patch)
    torch.testing.assert_close(
        squares.permute(0, 3, 1, 2).float() / 255, Source(images, "cpu").load(crops, patch), rtol=0, atol=1e-7
    )


def test_fixed_crops_do_not_move():
    images, _ = pack()
    np.testing.assert_array_equal(fixed_crops(images, 5, 10, 16), fixed_crops(images, 5, 10, 16))
