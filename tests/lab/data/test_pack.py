import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvqn.cli import main
from cvqn.errors import CvqnError
from cvqn.files import sha256_file
from cvqn.images import write_png
from cvqn.lab.data.index import describe, write_index
from cvqn.lab.data.pack import Pack, pack


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
    assert sorted(os.listdir(tmp_path / "packs")) == [".all.whole", "all.json", "all.npy"]


def test_two_sets_may_share_names(tmp_path, photographs):
    left = make_set(tmp_path / "left", {"a": photographs["p20"]}, "left")
    right = make_set(tmp_path / "right", {"a": photographs["p30"]}, "right")
    assert main(["data", "pack", "--sets", str(left), str(right), "--output", str(tmp_path / "both.npy")]) == 0
    packed = Pack.open(tmp_path / "both.npy")
    assert packed.names == ["left/a", "right/a"]
    assert np.array_equal(packed[1], photographs["p30"])


@given(st.data())
@settings(max_examples=60)
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


def test_crops_outside_an_image_are_refused():
    packed = in_memory([np.zeros((10, 20, 3), np.uint8)])
    for top, left in ((-1, 0), (0, -1), (3, 0), (0, 13)):
        with pytest.raises(IndexError, match="set/0: no square of 8"):
            packed.crops([(0, top, left)], 8)
    with pytest.raises(IndexError):
        packed.crops([(0, 1, 0)], 12)


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
    with pytest.raises(CvqnError, match=r"train/copy\.png: looks the same as .*evaluation/original\.png"):
        pack([train], tmp_path / "all.npy", [evaluation])
    assert not (tmp_path / "all.npy").exists()


def test_a_pack_that_fails_leaves_nothing_and_the_old_one(tmp_path, photographs):
    index = make_set(tmp_path / "set", photographs)
    pack([index], tmp_path / "packs" / "all.npy")
    before = {path: path.read_bytes() for path in (tmp_path / "packs").rglob("*") if path.is_file()}
    fewer = make_set(tmp_path / "fewer", dict(list(photographs.items())[:35]))
    (tmp_path / "fewer" / "p30.png").write_bytes(b"another file")
    with pytest.raises(CvqnError, match=r"p30\.png: sha256 is"):
        pack([fewer], tmp_path / "packs" / "all.npy")
    assert {path: path.read_bytes() for path in (tmp_path / "packs").rglob("*") if path.is_file()} == before


COMMAND = [sys.executable, "-m", "cvqn", "data", "pack"]


@pytest.fixture
def large(tmp_path, photographs):
    """A set of 33 MB of pixels; a function that starts a process that packs it into `all.npy`."""
    pictures = {name: picture.repeat(20, 0).repeat(20, 1) for name, picture in photographs.items()}
    index = make_set(tmp_path / "set", pictures)

    def start():
        return subprocess.Popen([*COMMAND, "--sets", index, "--output", tmp_path / "packs" / "all.npy"])

    start.index = index
    return start


def test_processes_that_make_the_same_pack_at_once_all_succeed(tmp_path, large, photographs):
    """And from when the first has it, no moment is without a whole pack."""
    output = tmp_path / "packs" / "all.npy"
    processes = [large() for _ in range(3)]
    until(lambda: output.with_suffix(".json").exists())
    while any(process.poll() is None for process in processes):
        assert len(Pack.open(output)) == 40
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sorted(os.listdir(output.parent)) == [".all.whole", "all.json", "all.npy"]
    assert json.loads(output.with_suffix(".json").read_text())["sha256"] == sha256_file(output)
    assert np.array_equal(Pack.open(output)[39][::20, ::20], photographs["p39"])


def test_a_pack_that_was_removed_has_its_name_again_without_decoding(tmp_path, photographs, monkeypatch):
    """Snakemake removes outputs before a job, in a folder shared by two clones those of the other."""
    index, other = (
        make_set(tmp_path / "set", photographs),
        make_set(tmp_path / "other", {"a": photographs["p20"]}, "other"),
    )
    output = tmp_path / "packs" / "all.npy"
    pack([index], output)
    checksum, node = sha256_file(output), output.stat().st_ino

    def remove():
        output.unlink()
        output.with_suffix(".json").unlink()

    remove()
    with monkeypatch.context() as patch:
        patch.setattr("cvqn.lab.data.pack._decode", lambda image: pytest.fail("decoded again"))
        pack([index], output)
    assert (sha256_file(output), output.stat().st_ino) == (checksum, node)
    assert Pack.open(output).names == [f"set/{name}" for name in photographs]

    remove()
    with pytest.raises(CvqnError, match="has the same pixels as"):  # what is excluded counts
        pack([index], output, exclude=[other])
    [kept] = output.parent.glob(".all.whole/*/all.npy")
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    pack([index], output)
    assert sha256_file(output) == checksum, "a damaged one is made again"
    pack([other], output)
    assert Pack.open(output).names == ["other/a"]
    assert len(list(output.parent.glob(".all.whole/*"))) == 1


def test_what_killed_processes_left_is_removed_later(tmp_path, large):
    folder = tmp_path / "packs"
    code = (
        "import sys, time; from pathlib import Path; from cvqn.lab.data import pack\n"
        "pack._decode = lambda image: time.sleep(100)\n"
        "pack.pack([Path(sys.argv[1])], Path(sys.argv[2]))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, large.index, folder / "all.npy"])
    until(lambda: any(folder.glob(".all.npy.*")))
    process.kill()
    process.wait()
    (left,) = folder.glob(".all.npy.*")
    pack([large.index], folder / "all.npy")
    assert left.exists(), "as long as it may be of a living process"
    os.utime(left, (0, 0))
    pack([large.index], folder / "all.npy")
    assert not left.exists()
    assert len(Pack.open(folder / "all.npy")) == 40


def test_an_interrupted_pack_leaves_nothing(tmp_path, large):
    code = (
        "import sys, time; from pathlib import Path; from cvqn.lab.data import pack; import cvqn.cli\n"
        "pack._decode = lambda image: time.sleep(1)\n"
        "sys.exit(cvqn.cli.main(['data', 'pack', '--sets', sys.argv[1], '--output', sys.argv[2]]))"
    )
    output = tmp_path / "packs" / "all.npy"
    process = subprocess.Popen([sys.executable, "-c", code, large.index, output], stderr=subprocess.PIPE, text=True)
    until(lambda: any(output.parent.glob(".all.npy.*")))
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert "interrupted" in process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert os.listdir(output.parent) == []


def test_no_moment_has_the_index_of_another_pack(tmp_path, photographs, monkeypatch):
    first = make_set(tmp_path / "first", {"a": photographs["p20"]})
    second = make_set(tmp_path / "second", {"b": photographs["p20"][::-1]})
    pack([first], tmp_path / "all.npy")
    replace = os.replace

    def killed(source, target):
        replace(source, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        pack([second], tmp_path / "all.npy")
    monkeypatch.undo()
    with pytest.raises(CvqnError, match=r"all\.json: cannot be read .*; make it with: cvqn data pack"):
        Pack.open(tmp_path / "all.npy")
    pack([second], tmp_path / "all.npy")
    assert Pack.open(tmp_path / "all.npy").names == ["set/b"]


def change(path, function):
    content = json.loads(path.read_text())
    function(content["images"])
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "sizes", [{"width": 54}, {"width": 5, "height": 66}, {"width": 55, "height": 6, "pixels_sha256": "0" * 64}]
)
def test_an_index_that_does_not_fit_its_pixels_is_refused(tmp_path, photographs, sizes):
    """Also where height and width are exchanged, which no checksum of the pixels shows."""
    index = make_set(tmp_path / "set", photographs)  # p05 is 55x6
    change(index, lambda images: images[5].update(sizes))
    with pytest.raises(CvqnError, match=r"p05\.png: (55x6 pixels, its index says|other pixels than its index says)"):
        pack([index], tmp_path / "all.npy")
    assert os.listdir(tmp_path) == ["set"]


@pytest.mark.parametrize("after", [0, 1, 2, 5])
def test_a_full_disk_is_a_clear_error_and_leaves_nothing(tmp_path, photographs, monkeypatch, after):
    """At the reservation, and at any write that fails all the same."""
    index, calls = make_set(tmp_path / "set", photographs), iter(range(100))

    def full(function):
        def call(*arguments):
            if next(calls) >= after:
                raise OSError(errno.ENOSPC, "No space left on device")
            return function(*arguments)

        return call

    monkeypatch.setattr(os, "posix_fallocate", full(os.posix_fallocate))
    monkeypatch.setattr(os, "fsync", full(os.fsync))
    fdopen = os.fdopen

    def opened(*arguments, **options):
        file = fdopen(*arguments, **options)
        return Full(file, full(file.write)) if "b" in file.mode else file

    monkeypatch.setattr(os, "fdopen", opened)
    with pytest.raises(CvqnError, match=r"all\.npy: no space left on the disk"):
        pack([index], tmp_path / "all.npy", workers=1)
    assert os.listdir(tmp_path) == ["set"]


class Full:
    """A file whose writes are another function's."""

    def __init__(self, file, write):
        self.file, self.write = file, write

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()


def test_a_disk_that_is_too_small(tmp_path, photographs):
    """Nothing is decoded or written for a pack that has no room, which an index may only claim to be so large."""
    index = make_set(tmp_path / "set", photographs)
    change(index, lambda images: [image.update(width=100_000, height=100_000) for image in images])
    with pytest.raises(CvqnError, match=r"all\.npy: needs 1,200,000,000,000 bytes, [0-9,]+ are free; make room"):
        pack([index], tmp_path / "all.npy")
    assert os.listdir(tmp_path) == ["set"]


def test_what_is_no_pack_is_refused(tmp_path, photographs):
    with pytest.raises(CvqnError, match=r"all\.json: cannot be read .*; make it with: cvqn data pack"):
        Pack.open(tmp_path / "all.npy")
    index = make_set(tmp_path / "set", photographs)
    with pytest.raises(CvqnError, match=r"all\.bin: a pack's name ends in \.npy"):
        pack([index], tmp_path / "all.bin")
    pack([index], tmp_path / "all.npy")
    shutil.copy(tmp_path / "all.json", tmp_path / "other.json")
    size = (tmp_path / "all.npy").stat().st_size - 128
    for array in (np.zeros(10, np.uint8), np.zeros((2, size // 2), np.uint8), np.zeros(size), np.array([{}], object)):
        np.save(tmp_path / "other.npy", array)
        with pytest.raises(CvqnError, match=r"other\.npy: missing, or not the pack that its index describes"):
            Pack.open(tmp_path / "other.npy")
    for content in (b"", (tmp_path / "all.npy").read_bytes()[:-1], (tmp_path / "all.npy").read_bytes() + b"x"):
        (tmp_path / "other.npy").write_bytes(content)
        with pytest.raises(CvqnError, match=r"other\.npy: missing, or not the pack"):
            Pack.open(tmp_path / "other.npy")


@pytest.mark.parametrize(
    "function",
    [
        lambda images: images.clear(),
        lambda images: images.pop(),
        lambda images: images.reverse() or images[0].update(width=1),
        lambda images: images[0].update(height=-1),
        lambda images: images[0].update(height=True),
        lambda images: images[0].update(width=1 << 60),
        lambda images: images[0].update(width=60.0),
        lambda images: images[0].update(offset=0),
        lambda images: images[0].update(set="../set"),
        lambda images: images[0].update(name="a/b"),
        lambda images: images[0].pop("pixels_sha256"),
        lambda images: images.append(None),
    ],
)
def test_a_packs_index_that_is_wrong_is_refused(tmp_path, photographs, function):
    pack([make_set(tmp_path / "set", photographs)], tmp_path / "all.npy")
    change(tmp_path / "all.json", function)
    with pytest.raises(CvqnError, match=r"all\.(json|npy): .*; make it with: cvqn data pack"):
        Pack.open(tmp_path / "all.npy")


def in_memory(pictures):
    images = [
        {"set": "set", "name": str(number), "height": len(picture), "width": len(picture[0]), "pixels_sha256": ""}
        for number, picture in enumerate(pictures)
    ]
    return Pack(np.concatenate([picture.ravel() for picture in pictures]), images)


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.005)
