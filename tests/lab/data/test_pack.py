import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvqn.cli import main
from cvqn.lab.data import pack as module
from cvqn.lab.data.index import describe, write_index
from cvqn.lab.data.pack import Pack, pack
from cvqn.errors import CvqnError
from cvqn.files import sha256_file
from cvqn.images import write_png


def make_set(folder, pictures, name="set"):
    """Write pictures (name -> array) as a set and return its index."""
    for file, picture in pictures.items():
        write_png(folder / f"{file}.png", picture)
    images = [describe(folder / f"{file}.png", "CC0 1.0") for file in pictures]
    write_index(folder / "index.json", name, "0" * 64, images)
    return folder / "index.json"


@pytest.fixture
def photographs():
    """40 small pictures of different sizes, none like another."""
    generator = np.random.default_rng(0)
    return {f"p{number:02}": generator.integers(0, 256, (1 + number, 60 - number, 3), np.uint8) for number in range(40)}


@pytest.mark.parametrize("workers", [1, 2])
def test_every_image_is_there(tmp_path, photographs, workers):
    index = make_set(tmp_path / "set", photographs)
    pack([index], tmp_path / "packs" / "all.npy", workers=workers)
    packed = Pack.open(tmp_path / "packs" / "all.npy")
    assert len(packed) == 40
    assert packed.names == [f"set/{name}" for name in photographs]
    assert packed.sizes.tolist() == [list(picture.shape[:2]) for picture in photographs.values()]
    for number, picture in enumerate(photographs.values()):
        assert np.array_equal(packed[number], picture)
        assert packed.pixels_sha256s[number] == hashlib.sha256(picture.tobytes()).hexdigest()
        assert not packed[number].flags.writeable
    content = json.loads((tmp_path / "packs" / "all.json").read_text())
    assert content["sha256"] == sha256_file(tmp_path / "packs" / "all.npy")
    assert np.array_equal(
        np.load(tmp_path / "packs" / "all.npy"), np.concatenate([*map(np.ravel, photographs.values())])
    )
    assert sorted(os.listdir(tmp_path / "packs")) == ["all.json", "all.npy"]


def test_two_sets_may_share_names(tmp_path, photographs):
    left = make_set(tmp_path / "left", {"a": photographs["p20"]}, "left")
    right = make_set(tmp_path / "right", {"a": photographs["p30"]}, "right")
    assert main(["data", "pack", "--sets", str(left), str(right), "--output", str(tmp_path / "both.npy")]) == 0
    packed = Pack.open(tmp_path / "both.npy")
    assert packed.names == ["left/a", "right/a"]
    assert np.array_equal(packed[1], photographs["p30"])


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_crops_are_cut_from_their_image(data):
    sizes = data.draw(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=4))
    pictures = [np.random.default_rng(i).integers(0, 256, (h, w, 3), np.uint8) for i, (h, w) in enumerate(sizes)]
    packed = in_memory(pictures)
    size = data.draw(st.integers(1, 15))
    specs = []
    for _ in range(data.draw(st.integers(0, 5))):
        image = data.draw(st.integers(0, len(pictures) - 1))
        height, width = sizes[image]
        top, left = data.draw(st.integers(0, max(height - size, 0))), data.draw(st.integers(0, max(width - size, 0)))
        specs.append((image, top, left))
    crops = packed.crops(np.array(specs, np.int64).reshape(-1, 3), size)
    assert crops.shape == (len(specs), size, size, 3)
    for crop, (image, top, left) in zip(crops, specs, strict=True):
        height, width = sizes[image]
        extended = np.pad(pictures[image], ((0, max(size - height, 0)), (0, max(size - width, 0)), (0, 0)), mode="edge")
        assert np.array_equal(crop, extended[top : top + size, left : left + size])
        assert np.array_equal(packed.crop(image, top, left, size), crop)


def test_crops_outside_an_image_are_refused():
    packed = in_memory([np.zeros((10, 20, 3), np.uint8)])
    for top, left in ((-1, 0), (0, -1), (3, 0), (0, 13)):
        with pytest.raises(IndexError, match="set/0: no square of 8"):
            packed.crop(0, top, left, 8)
    with pytest.raises(IndexError):
        packed.crop(0, 1, 0, 12)


def test_crops_fill_what_is_given():
    packed = in_memory([np.arange(300, dtype=np.uint8).reshape(10, 10, 3)])
    out = np.empty((2, 4, 4, 3), np.uint8)
    assert packed.crops([(0, 0, 0), (0, 6, 6)], 4, out) is out
    assert np.array_equal(out[1], packed[0][6:, 6:])


def test_the_same_pixels_are_refused_before_anything_is_packed(tmp_path, photographs):
    train = make_set(tmp_path / "train", photographs)
    evaluation = make_set(tmp_path / "evaluation", {"other-name": photographs["p25"]})
    with pytest.raises(CvqnError, match=r"train/p25\.png: has the same pixels as .*evaluation/other-name\.png"):
        pack([train], tmp_path / "all.npy", [evaluation])
    assert {path.name for path in tmp_path.iterdir()} == {"train", "evaluation"}


def test_a_disguised_copy_is_refused(tmp_path, photographs):
    smooth = photographs["p25"][:6, :5].repeat(20, 0).repeat(20, 1)
    train = make_set(tmp_path / "train", {**photographs, "copy": np.rot90(smooth // 2 + 20)[::2, ::2]})
    evaluation = make_set(tmp_path / "evaluation", {"original": smooth})
    options = ["--sets", str(train), "--output", str(tmp_path / "all.npy"), "--exclude", str(evaluation)]
    assert main(["data", "pack", *options]) == 2
    with pytest.raises(CvqnError, match=r"train/copy\.png: is alike .*evaluation/original\.png"):
        pack([train], tmp_path / "all.npy", [evaluation])
    assert not (tmp_path / "all.npy").exists()


def test_a_pack_goes_on_where_it_was_interrupted(tmp_path, photographs, monkeypatch):
    index = make_set(tmp_path / "set", photographs)
    output, damaged = tmp_path / "all.npy", tmp_path / "set" / "p30.png"
    good = damaged.read_bytes()
    damaged.write_bytes(good[:-1])
    with pytest.raises(CvqnError, match=r"p30\.png: sha256 is"):
        pack([index], output, workers=1)
    assert [path.name for path in tmp_path.glob("all*")] == ["all.npy.part"]
    damaged.write_bytes(good)
    decoded = []
    read = module.Image.read
    monkeypatch.setattr(module.Image, "read", lambda image: decoded.append(image.name) or read(image))
    pack([index], output, workers=1)
    assert decoded == [f"p{number}" for number in range(30, 40)]
    assert all(
        np.array_equal(view, picture) for view, picture in zip(Pack.open(output), photographs.values(), strict=True)
    )


def test_a_killed_pack_goes_on(tmp_path, photographs):
    """Killed in the middle, the workers end too; the next call gives the same file as one that was never killed."""
    index = make_set(
        tmp_path / "set", {name: picture.repeat(20, 0).repeat(20, 1) for name, picture in photographs.items()}
    )
    pack([index], tmp_path / "straight.npy", workers=1)
    command = ["data", "pack", "--sets", index, "--output", tmp_path / "all.npy", "--workers", "2"]
    process = subprocess.Popen([sys.executable, "-m", "cvqn", *command], start_new_session=True)
    part = tmp_path / "all.npy.part"
    until(lambda: part.exists() and np.fromfile(part, np.uint8, offset=128).any())
    process.kill()
    process.wait()
    until(lambda: not alive(process.pid))
    assert not (tmp_path / "all.npy").exists()
    pack([index], tmp_path / "all.npy", workers=2)
    assert (tmp_path / "all.npy").read_bytes() == (tmp_path / "straight.npy").read_bytes()


def test_the_part_of_another_pack_does_no_harm(tmp_path, photographs):
    index = make_set(tmp_path / "set", photographs)
    (tmp_path / "all.npy.part").write_bytes(os.urandom(1000))
    pack([index], tmp_path / "all.npy", workers=1)
    assert np.array_equal(Pack.open(tmp_path / "all.npy")[39], photographs["p39"])


def test_a_decoder_that_gives_other_pixels_is_noticed(tmp_path, photographs):
    index = make_set(tmp_path / "set", photographs)
    content = json.loads(index.read_text())
    content["images"][5]["pixels_sha256"] = "0" * 64
    index.write_text(json.dumps(content))
    with pytest.raises(CvqnError, match=r"p05\.png: decodes to other pixels"):
        pack([index], tmp_path / "all.npy", workers=1)


def test_a_full_disk_is_an_error_before_anything_is_decoded(tmp_path, photographs, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    monkeypatch.setattr(module, "_place", lambda task: pytest.fail("decoded"))
    with pytest.raises(CvqnError, match=r"all\.npy\.part: cannot reserve 83,640 bytes \(No space left on device\)"):
        pack([make_set(tmp_path / "set", photographs)], tmp_path / "all.npy")


def test_what_is_no_pack_is_refused(tmp_path, photographs):
    with pytest.raises(CvqnError, match=r"all\.json: no such pack"):
        Pack.open(tmp_path / "all.npy")
    index = make_set(tmp_path / "set", photographs)
    with pytest.raises(CvqnError, match=r"all\.bin: a pack's name ends in \.npy"):
        pack([index], tmp_path / "all.bin")
    pack([index], tmp_path / "all.npy", workers=1)
    shutil.copy(tmp_path / "all.json", tmp_path / "other.json")
    for array in (np.zeros(10, np.uint8), np.zeros((2, 5), np.uint8), np.zeros(10), np.array([{}], object)):
        np.save(tmp_path / "other.npy", array)
        with pytest.raises(CvqnError, match=r"other\.npy: not a pack"):
            Pack.open(tmp_path / "other.npy")
    (tmp_path / "all.json").write_text("{}")
    with pytest.raises(CvqnError, match=r"all\.npy: not a pack"):
        Pack.open(tmp_path / "all.npy")


def in_memory(pictures):
    sizes = [picture.shape[0] * picture.shape[1] * 3 for picture in pictures]
    offsets = np.cumsum([0, *sizes])
    images = [
        {"set": "set", "name": str(number), "offset": offset, "height": len(p), "width": len(p[0]), "pixels_sha256": ""}
        for number, (p, offset) in enumerate(zip(pictures, offsets, strict=False))
    ]
    return Pack(np.concatenate([picture.ravel() for picture in pictures]), images)


def alive(session: int) -> list[int]:
    """Processes of a session that are not zombies."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(entry))
    return found


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.005)
