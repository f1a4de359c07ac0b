import io
import json
import tarfile

import numpy as np
import pytest
from safetensors.numpy import save

from cvqn.images import write_png
from cvqn.lab.record.differences import MOST, differences, places

HEADER = "image,bytes,ms_ssim,decode_s\n"
ROW = "a,100,0.95,1\n"


@pytest.mark.parametrize(
    ("second", "found"),
    [
        (HEADER + "a,100,0.95005,9\n", []),
        (HEADER + "a,100,0.9502,1\n", ["line 2, ms_ssim: 0.95 became 0.9502"]),
        (HEADER + "a,101,0.9502,1\n", ["line 2, bytes: 100 became 101", "line 2, ms_ssim: 0.95 became 0.9502"]),
        (HEADER + "a,100.001,0.95,1\n", ["line 2, bytes: 100 became 100.001"]),
        (HEADER + "b,100,0.95,1\n", ["line 2, image: a became b"]),
        (HEADER + "a,100,,1\n", ["line 2, ms_ssim: 0.95 became "]),
        (HEADER.replace("ms_ssim", "psnr_db") + ROW,
         ["line 2, ms_ssim: 0.95 became None", "line 2, psnr_db: None became 0.95"]),
    ],
)  # fmt: skip
def test_tables(tmp_path, second, found):
    paths = tmp_path / "first.csv", tmp_path / "second.csv"
    for path, text in zip(paths, (HEADER + ROW, second), strict=True):
        path.write_text(text)
    assert differences(*paths, 1e-4, {"bytes"}, "_s$") == found


def test_a_row_more_or_less(tmp_path):
    paths = tmp_path / "first.csv", tmp_path / "second.csv"
    paths[0].write_text(HEADER + ROW)
    paths[1].write_text(HEADER + ROW + ROW)
    assert "line 3, image: None became a" in differences(*paths, 1e-4)
    assert "line 3, image: a became None" in differences(*paths[::-1], 1e-4)


CLAIM = {"verdict": "reproduced", "note": "0.123", "value": 1.0}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ([CLAIM | {"value": 1.00005}], []),
        ([CLAIM | {"note": "another"}], ["claims[0].note: 0.123 became another"]),
        ([CLAIM | {"verdict": "inconclusive"}], ["claims[0].verdict: reproduced became inconclusive"]),
        ([CLAIM | {"value": 1.1}], ["claims[0].value: 1.0 became 1.1"]),
        ([{"verdict": "reproduced", "note": "0.123"}], ["claims[0].value: 1.0 became None"]),
    ],
)
def test_json(tmp_path, change, found):
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    first.write_text(json.dumps({"claims": [CLAIM]}))
    second.write_text(json.dumps({"claims": change}))
    assert differences(first, second, 1e-4) == found


YAML = "seeds: [1]\ncodecs:\n  webp: {qualities: [1, 40]}\n  avif: {qualities: []}\n"


@pytest.mark.parametrize(
    ("second", "found"),
    [
        (YAML.replace("40", "41"), ["codecs.webp.qualities[1]: 40 became 41"]),
        ("scale: new\n" + YAML, ["scale: None became new"]),
        (YAML.replace("  avif: {qualities: []}\n", ""), ["codecs.avif.qualities: [] became None"]),
        ("codecs:\n  webp: {qualities: [1, 40]}\n  avif: {qualities: []}\nseeds: [1]\n", ["byte 0"]),
        (YAML.replace("[1]", "&a [1]").replace("[]", "*a"),
         ["line 1: seeds: [1] became seeds: &a [1]",
          "line 4:   avif: {qualities: []} became   avif: {qualities: *a}"]),
        (YAML.replace("seeds: [1]", "seeds: ["), ["line 1: seeds: [1] became seeds: ["]),
    ],
)  # fmt: skip
def test_yaml_by_key_and_by_line_where_it_is_not_read(second, found):
    assert places(YAML.encode(), second.encode(), ".yaml") == found


def png(tmp_path, picture):
    write_png(tmp_path / "picture.png", picture)
    return (tmp_path / "picture.png").read_bytes()


def test_pixels_with_the_box_that_holds_them(tmp_path):
    picture = np.full((20, 30, 3), 100, np.uint8)
    other = picture.copy()
    other[5:8, 10:12, 1] = 120
    first, second = png(tmp_path, picture), png(tmp_path, other)
    assert places(first, second, ".png", 0.05) == ["6 pixels from (10, 5) to (11, 7)"]
    assert places(first, second, ".png", 0.1) == []
    assert places(first, png(tmp_path, picture[:, :7]), ".png", 0.05) == ["30x20 pixels became 7x20"]


def test_numbers_of_a_drawing_within_the_tolerance_and_its_text_exactly():
    first = b"<svg>\n<path d='M 10.5 3'/>\n<text>CVQN</text>"
    assert places(first, first.replace(b"10.5", b"10.500001"), ".svg", 1e-6) == []
    assert places(first, first.replace(b"10.5", b"10.6"), ".svg", 1e-6) == ["line 2, number 1: 10.5 became 10.6"]
    assert places(first, first.replace(b"CVQN", b"WebP"), ".svg", 1e-6) == [
        "line 3: <text>CVQN</text> became <text>WebP</text>"
    ]


def archive(**members):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return data.getvalue()


def arrays(**values):
    data = io.BytesIO()
    np.savez(data, **values)
    return data.getvalue()


ONES = np.ones(1000, np.float32)
OTHER = np.where(np.arange(1000) < 3, 2, ONES).astype(np.float32)


@pytest.mark.parametrize(
    ("suffix", "first", "second", "found"),
    [
        (".safetensors", save({"a": ONES, "b": ONES}), save({"a": ONES, "b": OTHER}), ["tensor b"]),
        (".tar", archive(a=b"1", b=b"2"), archive(a=b"1", b=b"3"), ["member b"]),
        (".npz", arrays(a=ONES, b=ONES), arrays(a=OTHER, b=ONES), ["array a"]),
        (".md", b"one\ntwo\nthree\n", b"one\n2\nthree\n", ["line 2: two became 2"]),
        ("", b"one\n", b"one \n", ["line 1: one became one "]),
        (".bin", b"\xff\x00\x01", b"\xff\x00\x02", ["byte 2"]),
        (".csv", b"a,b\n1,2\n", b"a,b\n1,2", ["byte 7"]),
        (".safetensors", save({"a": ONES}), save({"a": ONES})[:-1], [f"byte {len(save({'a': ONES})) - 1}"]),
        (".json", b'{"a": 1}', b'{"a" 1}', ["byte 4"]),
    ],
)
def test_the_place_of_a_changed_byte(suffix, first, second, found):
    assert places(first, second, suffix) == found


def test_a_share_of_an_array_as_large_as_the_tolerance_may_differ():
    assert places(arrays(a=ONES), arrays(a=OTHER), ".npz", 0.01) == []
    assert places(arrays(a=ONES), arrays(a=OTHER), ".npz", 0.001) == ["array a"]


def test_of_very_many_places_the_number():
    lines = [f"{number}\n".encode() for number in range(100)]
    found = places(b"".join(lines), b"".join(line.upper().replace(b"\n", b".\n") for line in lines), ".md")
    assert len(found) == MOST + 1
    assert found[-1] == "and 90 more places"


@pytest.mark.parametrize("second", ["a\nb\n", "a\r\nb", "a\nb\x0c"])
def test_what_ends_a_line_counts(tmp_path, second):
    paths = tmp_path / "first.html", tmp_path / "second.html"
    paths[0].write_bytes(b"a\nb")
    paths[1].write_bytes(second.encode())
    assert len(differences(*paths, 1e-6)) == 1
