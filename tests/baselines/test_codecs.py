"""What every conventional codec must do, whatever it is."""

import io
import json
import subprocess
import sys

import imagecodecs
import numpy as np
import PIL.Image
import pytest
from skimage import data

from cvqn.codecs import registry
from cvqn.errors import CvqnError
from cvqn_baselines.webp import WebP

CONVENTIONAL = [name for name in registry.names() if not registry.is_learned(name)]
SIZES = [(1, 1), (1, 2), (2, 1), (7, 5), (15, 16), (17, 33), (131, 77), (8, 4096), (4096, 3)]


@pytest.fixture(scope="module")
def photograph():
    return data.coffee()


@pytest.fixture(params=CONVENTIONAL)
def codec(request):
    return registry.conventional(request.param)


def middle(codec):
    low, high = codec.quality_range
    return (low + high) // 2


def psnr(first, second):
    return 10 * np.log10(255**2 / max(1e-9, np.mean((first.astype(float) - second) ** 2)))


def test_a_photograph_comes_back(codec, photograph):
    decoded = codec.decode(codec.encode(photograph, middle(codec)))
    assert decoded.shape == photograph.shape
    assert decoded.dtype == np.uint8
    assert psnr(photograph, decoded) > 26


def test_quality_trades_bytes_for_distortion(codec, photograph):
    picture = photograph[:128, :160]
    files = [codec.encode(picture, quality) for quality in codec.quality_range]
    small, large = sorted(files, key=len)
    assert 2 * len(small) < len(large)
    assert psnr(picture, codec.decode(small)) + 6 < psnr(picture, codec.decode(large))


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_every_size(codec, photograph, height, width):
    tiles = (-(-height // photograph.shape[0]), -(-width // photograph.shape[1]), 1)
    picture = np.tile(photograph, tiles)[:height, :width]
    decoded = codec.decode(codec.encode(picture, middle(codec)))
    assert decoded.shape == picture.shape
    assert psnr(picture, decoded) > 20


def test_views_that_are_not_contiguous(codec, photograph):
    view = photograph[:64:2, 63::-1]
    assert codec.encode(view, middle(codec)) == codec.encode(np.ascontiguousarray(view), middle(codec))


def test_grey_stays_grey(codec, photograph):
    picture = np.repeat(photograph[:100, :99, :1], 3, axis=2)
    decoded = codec.decode(codec.encode(picture, middle(codec)))
    assert np.ptp(decoded.astype(int), axis=2).max() <= 2
    assert psnr(picture, decoded) > 26


def test_equal_input_gives_equal_bytes(codec, photograph):
    picture = photograph[:200, :200]
    assert codec.encode(picture, middle(codec)) == codec.encode(picture.copy(), middle(codec))


def test_every_truncation_is_an_error(codec, photograph):
    file = codec.encode(photograph[:64, :77], middle(codec))
    lengths = {*range(min(len(file), 700)), *range(0, len(file), 61), *range(max(0, len(file) - 70), len(file))}
    for length in sorted(lengths):
        with pytest.raises(CvqnError, match=codec.name):
            codec.decode(file[:length])


def test_damage_is_an_error_or_a_picture(codec, photograph):
    file = codec.encode(photograph[:64, :77], middle(codec))
    random = np.random.default_rng(0)
    for position in random.integers(0, len(file), 200):
        damaged = bytearray(file)
        damaged[position] ^= 1 << random.integers(0, 8)
        try:
            decoded = codec.decode(bytes(damaged))
        except CvqnError:
            continue
        assert decoded.dtype == np.uint8
        assert decoded.ndim == 3
        assert decoded.shape[2] == 3


def test_another_codecs_file_is_an_error(codec):
    other = io.BytesIO()
    PIL.Image.new("RGB", (8, 8)).save(other, format="GIF")
    with pytest.raises(CvqnError, match=codec.name):
        codec.decode(other.getvalue())


@pytest.mark.parametrize(
    "picture",
    [np.zeros((8, 8, 3)), np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), np.zeros((0, 8, 3), np.uint8)],
)
def test_what_is_no_picture_is_refused(codec, picture):
    with pytest.raises(CvqnError, match="uint8"):
        codec.encode(picture, middle(codec))


def test_qualities_outside_the_range_are_refused(codec, photograph):
    low, high = codec.quality_range
    for quality in (low - 1, high + 1, float("nan")):
        with pytest.raises(CvqnError, match="quality"):
            codec.encode(photograph[:8, :8], quality)


def test_versions_and_settings_are_told(codec):
    assert codec.versions()
    assert all(version and version != "None" for version in codec.versions().values())
    assert json.loads(json.dumps(codec.settings())) == codec.settings()


def test_what_a_codec_tells_of_itself(codec):
    assert codec.name in CONVENTIONAL
    assert codec.suffix
    assert not codec.suffix.startswith(".")
    low, high = codec.quality_range
    assert low < high
    assert registry.conventional(codec.name) is codec


def test_all_that_the_project_brings_are_there():
    ours = {"jpeg2000", "jpeg2000-5-3", "webp", "bpg-444", "jpeg-420", "jpeg-444", "avif", "jpegxl", "heic"}
    assert ours <= set(CONVENTIONAL)


def test_an_unknown_codec_is_an_error():
    with pytest.raises(CvqnError, match=r"jpeg2001: no such codec; installed:.*jpeg2000"):
        registry.conventional("jpeg2001")
    with pytest.raises(CvqnError, match="cvqn: a learned codec"):
        registry.conventional("cvqn")
    with pytest.raises(CvqnError, match="webp: a conventional codec"):
        registry.learned("webp")


def test_a_codec_whose_library_is_missing_is_an_error_that_names_it():
    program = (
        "import sys\n"
        "sys.modules['pillow_heif'] = None\n"
        "from cvqn.codecs import registry\n"
        "from cvqn.errors import CvqnError\n"
        "try: registry.conventional('heic')\n"
        "except CvqnError as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert run.stdout == "heic: needs pillow_heif; install it\n"


def test_codecs_and_encode_jobs_do_without_torch():
    program = (
        "import sys, cvqn.cli, cvqn.lab.evaluation.encode\n"
        "from cvqn.codecs import registry\n"
        f"codecs = [registry.conventional(name) for name in {CONVENTIONAL}]\n"
        "assert not {'torch', 'scipy', 'pandas', 'matplotlib'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def by_pillow(file):
    return np.array(PIL.Image.open(io.BytesIO(file)).convert("RGB"))


@pytest.mark.parametrize(
    ("name", "decode", "difference"),
    [
        ("jpeg2000", imagecodecs.jpeg2k_decode, 1),
        ("jpeg2000-5-3", imagecodecs.jpeg2k_decode, 0),
        ("webp", imagecodecs.webp_decode, 0),
        ("jpeg-420", imagecodecs.jpeg8_decode, 1),
        ("jpeg-444", imagecodecs.jpeg8_decode, 1),
        ("avif", by_pillow, 1),
    ],
)
def test_files_open_in_another_library(name, decode, difference, photograph):
    codec = registry.conventional(name)
    file = codec.encode(photograph, middle(codec))
    assert np.abs(decode(file)[..., :3].astype(int) - codec.decode(file)).max() <= difference


def test_jpeg2000_wavelets_and_component_transform(photograph):
    for name, wavelet in (("jpeg2000", 0), ("jpeg2000-5-3", 1)):
        file = registry.conventional(name).encode(photograph, 0.5)
        coding_style = file[file.index(b"\xff\x52") :]  # ITU-T T.800, A.6.1
        layers, component_transform, transformation = (
            int.from_bytes(coding_style[6:8]),
            coding_style[8],
            coding_style[13],
        )
        assert (layers, component_transform, transformation) == (1, 1, wavelet)


@pytest.mark.parametrize("rate", [0.1, 0.3, 1.0, 4.0])
def test_jpeg2000_keeps_the_rate(rate, photograph):
    for name in ("jpeg2000", "jpeg2000-5-3"):
        bits = 8 * len(registry.conventional(name).encode(photograph, rate))
        assert 0.97 * rate < bits / photograph[..., 0].size <= 1.01 * rate


def test_jpeg_is_progressive_with_the_chroma_named(photograph):
    for name, factors in (("jpeg-420", 0x22), ("jpeg-444", 0x11)):
        file = registry.conventional(name).encode(photograph, 50)
        frame = file[file.index(b"\xff\xc2") :]  # SOF2: progressive; ITU-T T.81, B.2.2
        assert frame[9] == 3
        assert frame[11] == factors


def test_webp_says_which_encoder_wrote_it(photograph, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda program: None)
    codec = WebP()
    assert codec.settings()["encoder"] == "Pillow"
    assert "cwebp" not in codec.versions()
    decoded = codec.decode(codec.encode(photograph, 50))
    assert psnr(photograph, decoded) > 28


def test_webp_by_cwebp(photograph):
    codec = registry.conventional("webp")
    if codec.program is None:
        pytest.skip("cwebp is not installed")
    assert codec.settings()["encoder"] == "cwebp"
    assert "cwebp" in codec.versions()
    assert codec.encode(photograph, 50)[12:16] == b"VP8 "  # lossy
