"""What reading a picture takes, measured in a process of its own, and what is refused before any of it is taken."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from cvqn import images
from cvqn.errors import CvqnError
from cvqn.images import decode_picture
from cvqn.images.headers import examine
from tests import ROOT
from tests.made_pictures import chunk, tiff

SIDE = 11585  # of a square as large as the limit allows
GIGABYTE = 1000**3
READ = """
import re
import sys
from pathlib import Path
from cvqn.errors import CvqnError
from cvqn.images import read_picture
try:
    print(*read_picture(sys.argv[1]).shape[:2])
except CvqnError as error:
    print(error)
# of this process alone: getrusage's begins with what the process that started it had
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024)
"""


def measured(path):
    """What reading a file says, the picture's size or the error, and the peak of its memory in bytes."""
    done = subprocess.run([sys.executable, "-c", READ, str(path)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said, peak = done.stdout.splitlines()
    return said, int(peak)


def flat_png(width, height, colour, depth):
    """A PNG of zeros, made row by row."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row, packer = bytes(1 + -(-width * samples * depth // 8)), zlib.compressobj(1)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    palette = chunk(b"PLTE", bytes(6)) if colour == 3 else b""
    return b"\x89PNG\r\n\x1a\n" + head + palette + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def encoded(format, width, height, mode="RGB", **options):
    file = io.BytesIO()
    Image.new(mode, (width, height)).save(file, format, **options)
    return file.getvalue()


def claiming(jpeg, width, height):
    """A JPEG whose frame states another size."""
    data, place = bytearray(jpeg), 2
    while data[place + 1] not in (0xC0, 0xC1, 0xC2):
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    data[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize(
    ("name", "make", "most"),
    [
        ("bits.png", lambda: flat_png(SIDE, SIDE, 0, 1), 4.5 * SIDE**2),
        ("palette.png", lambda: flat_png(SIDE, SIDE, 3, 1), 4.5 * SIDE**2),
        ("wide.png", lambda: flat_png(1 << 20, 100, 0, 1), 4.5 * (100 << 20)),
        ("colour.png", lambda: flat_png(SIDE, SIDE, 2, 8), GIGABYTE),
        ("progressive.jpg", lambda: encoded("JPEG", 9600, 9600, progressive=True, subsampling=0), GIGABYTE),
    ],
)
@pytest.mark.slow
def test_the_largest_pictures_take_less_than_a_gigabyte(tmp_path, name, make, most):
    (tmp_path / name).write_bytes(make())
    said, peak = measured(tmp_path / name)
    assert all(part.isdigit() for part in said.split()), said
    assert peak < most + 60e6  # of the interpreter and libraries


@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_scan_that_is_too_short_for_its_blocks_is_refused_before_memory_is_taken(tmp_path, progressive, subsampling):
    small = encoded("JPEG", 16, 16, progressive=progressive, subsampling=subsampling)
    path = tmp_path / "claim.jpg"
    path.write_bytes(claiming(small, 9000, 9000))
    said, peak = measured(path)
    assert "too few bytes" in said
    assert peak < 100e6


def test_a_png_whose_data_cannot_unfold_to_its_pixels_is_refused_before_memory_is_taken(tmp_path):
    for colour, depth in ((0, 1), (2, 8), (3, 8), (6, 8)):
        data = flat_png(64, 64, colour, depth)
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", 11000, 11000, depth, colour, 0, 0, 0))
        path = tmp_path / "claim.png"
        path.write_bytes(data[:8] + head + data[33:])
        said, peak = measured(path)
        assert "too few bytes" in said
        assert peak < 100e6


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (17, 33), (640, 480), (1000, 3)])
def test_the_shortest_files_of_flat_pictures_pass(size):
    for mode in ("L", "RGB"):
        for options in ({}, {"subsampling": 2}, {"optimize": True}, {"restart_marker_blocks": 1}):
            for progressive in (False, True):
                data = encoded("JPEG", *size, mode, quality=1, progressive=progressive, **options)
                assert examine(io.BytesIO(data)).whole
    for mode in ("1", "L", "P", "LA", "RGB", "RGBA"):
        assert examine(io.BytesIO(encoded("PNG", *size, mode, compress_level=9))).whole
    for colour, depth in ((0, 1), (0, 8), (2, 8), (3, 4), (6, 8)):
        assert examine(io.BytesIO(flat_png(3000, 3000, colour, depth))).whole


@pytest.mark.parametrize(
    ("data", "memory"),
    [
        (encoded("JPEG", 64, 64), 7),
        (encoded("JPEG", 64, 64, "L"), 4),
        (encoded("JPEG", 64, 64, progressive=True, subsampling=0), 10),
        (encoded("JPEG", 64, 64, progressive=True, subsampling=2), 7),
        (encoded("JPEG", 64, 64, "L", progressive=True), 4),
        (encoded("PNG", 64, 64), 7),
        (encoded("PNG", 64, 64, "1"), 4),
        (encoded("WEBP", 64, 64), 16),
        (encoded("AVIF", 64, 64), 16),
        (encoded("TIFF", 64, 64, compression="tiff_lzw"), 8),
        (encoded("TIFF", 64, 64, compression="jpeg"), 14),
        (tiff(np.zeros((64, 64, 3), np.uint8)), 7),
        (encoded("BMP", 64, 64), 7),
        (b"P3 64 64 255" + b" 0" * 3 * 64 * 64, 10),
    ],
)
def test_the_limit_on_memory_counts_what_each_decoder_holds(monkeypatch, data, memory):
    """At 64x64 pixels: one byte less than needed is refused, a little more than needed is enough."""
    assert decode_picture(data, "x").shape == (64, 64, 3)
    needed = memory * 64 * 64 + 8 * 64
    monkeypatch.setattr(images, "LARGEST_MEMORY", needed - 1)
    with pytest.raises(CvqnError, match=r"x: 64x64 (has too many rows|is larger than [0-9,]+ pixels); cut it"):
        decode_picture(data, "x")
    monkeypatch.setattr(images, "LARGEST_MEMORY", needed + len(data))
    assert decode_picture(data, "x").shape == (64, 64, 3)


@pytest.mark.parametrize("claim", [b"P6 1 134217728\n255\n", b"P5 2 67108864\n255\n", b"P3 1 134217728 255 "])
def test_a_claim_of_many_short_rows_is_refused_before_they_are_allocated(tmp_path, claim):
    path = tmp_path / "claim.png"
    path.write_bytes(claim + bytes(2000))
    said, peak = measured(path)
    assert "has too many rows; cut it into parts" in said
    assert peak < 100e6


def test_the_colours_of_a_jpeg_in_one_scan_each_are_held_until_the_last(monkeypatch):
    """Pillow writes no such file; the first scan is said to be of one colour, and the memory is refused by that."""
    data = bytearray(encoded("JPEG", 64, 64, subsampling=0))
    place = data.index(b"\xff\xda")
    data[place + 2 : place + 14] = struct.pack(">HBBB3B", 8, 1, 1, 0, 0, 63, 0)
    assert examine(io.BytesIO(bytes(data))).working == 6
    monkeypatch.setattr(images, "LARGEST_MEMORY", 9 * 64 * 64)
    with pytest.raises(CvqnError, match="cut it into parts"):
        decode_picture(bytes(data), "x")
