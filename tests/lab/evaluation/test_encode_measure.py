"""`cvqn encode` and `cvqn measure` from index to table."""

import csv
import io
import json
import shutil
import subprocess
import sys
import tarfile
import time

import numpy as np
import pytest
from PIL import Image
from skimage import data

from cvqn.cli import main
from cvqn.codecs import container, registry
from cvqn.compression import StoredCodec
from cvqn.errors import CvqnError
from cvqn.lab.data.index import describe, write_index
from cvqn.lab.evaluation.encode import encode_set
from cvqn.lab.evaluation.measure import COLUMNS, measure
from cvqn.lab.evaluation.metrics import ms_ssim, psnr_db
from cvqn_baselines.jpeg import Jpeg420
from tests.trained import make_model


@pytest.fixture
def index(tmp_path):
    """A set of two photographs of different sizes."""
    folder = tmp_path / "set"
    folder.mkdir()
    for name, picture in (("cup", data.coffee()[:180, :201]), ("cat", data.chelsea()[:170, :163])):
        Image.fromarray(picture).save(folder / f"{name}.png")
    write_index(folder / "index.json", "two", "", [describe(path, "CC0") for path in folder.glob("*.png")])
    return folder / "index.json"


@pytest.fixture
def archive(index, tmp_path):
    path = tmp_path / "bitstreams" / "20.tar"
    encode_set(Jpeg420(), 20, index, path)
    return path


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("installed", [True, False])
def test_encode_says_which_webp_encoder_was_used(index, tmp_path, monkeypatch, capsys, installed):
    if installed and shutil.which("cwebp") is None:
        pytest.skip("cwebp is not installed")
    if not installed:
        monkeypatch.setattr(shutil, "which", lambda _: None)
        monkeypatch.setattr(registry, "conventional", registry.conventional.__wrapped__)  # not one from before
    archive = tmp_path / "1.tar"
    arguments = ["--codec", "webp", "--quality", "1", "--images", str(index), "--output", str(archive)]
    assert main(["encode", *arguments]) == 0
    said = capsys.readouterr()
    with tarfile.open(archive) as made:
        settings = json.loads(made.pax_headers["comment"])["settings"]
    used = "cwebp" if installed else "Pillow"
    assert settings["encoder"] == used
    assert f"webp: settings encoder {used}, " in said.err
    assert f"webp: versions {used} " in said.err
    assert said.out == ""


def test_the_commands(index, tmp_path):
    archives = []
    for quality in ("10", "40"):
        archives.append(str(tmp_path / "bitstreams" / "jpeg-420" / f"{quality}.tar"))
        arguments = ["--codec", "jpeg-420", "--quality", quality, "--images", str(index), "--output", archives[-1]]
        assert main(["encode", *arguments]) == 0
    table = tmp_path / "measurements" / "jpeg-420.csv"
    arguments = ["--codec", "jpeg-420", "--images", str(index), "--bitstreams", *archives, "--output", str(table)]
    assert main(["measure", *arguments]) == 0

    rows = rows_of(table)
    assert list(rows[0]) == COLUMNS
    assert [(row["setting"], row["image"]) for row in rows] == [
        ("10", "cat"),
        ("10", "cup"),
        ("40", "cat"),
        ("40", "cup"),
    ]
    for row in rows:
        with tarfile.open(tmp_path / "bitstreams" / "jpeg-420" / f"{row['setting']}.tar") as archive:
            file = archive.extractfile(f"{row['image']}.jpg").read()
        original = np.array(Image.open(index.parent / f"{row['image']}.png"))
        decoded = np.array(Image.open(io.BytesIO(file)))
        assert (int(row["height"]), int(row["width"])) == original.shape[:2]
        assert int(row["bytes"]) == len(file)
        assert float(row["bpp"]) == pytest.approx(8 * len(file) / original[..., 0].size)
        assert float(row["ms_ssim"]) == pytest.approx(ms_ssim(original, decoded), abs=1e-6)
        assert float(row["psnr_db"]) == pytest.approx(psnr_db(original, decoded), abs=1e-6)
        assert float(row["encode_s"]) > 0
        assert float(row["decode_s"]) > 0
    record = json.loads(table.with_suffix(".json").read_text())
    assert record["codec"] == "jpeg-420"
    assert record["versions"] == Jpeg420().versions()
    assert record["settings"] == Jpeg420().settings()
    assert record["machine"]["processor"]
    assert record["machine"]["encoding"] == record["machine"]["decoding"] == {"device": "cpu", "threads": 1}


def test_equal_bitstreams_make_equal_archives(index, tmp_path, archive):
    encode_set(Jpeg420(), 20, index, tmp_path / "again" / "20.tar")
    assert (tmp_path / "again" / "20.tar").read_bytes() == archive.read_bytes()
    with tarfile.open(archive) as opened:
        members = opened.getmembers()
        made = json.loads(opened.pax_headers["comment"])
    assert [member.name for member in members] == ["cat.jpg", "cup.jpg"]
    assert {(member.mtime, member.uid, member.gid, member.uname) for member in members} == {(0, 0, 0, "")}
    assert made == {
        "codec": "jpeg-420",
        "quality": 20,
        "versions": Jpeg420().versions(),
        "settings": Jpeg420().settings(),
    }
    table = rows_of(archive.with_suffix(".csv"))
    assert [(row["image"], int(row["bytes"])) for row in table] == [
        (member.name[:3], member.size) for member in members
    ]


class Estimating(Jpeg420):
    def rates(self, picture, data):
        return {"cross_entropy_bpp": len(data) / picture.size, "bound_bpp": 24.0}


def test_a_codec_that_estimates_its_rate_has_two_columns_more(index, tmp_path, archive):
    measure(Estimating(), index, [archive], tmp_path / "table.csv")
    row = rows_of(tmp_path / "table.csv")[1]
    assert list(row) == [*COLUMNS, "cross_entropy_bpp", "bound_bpp"]
    assert float(row["cross_entropy_bpp"]) == pytest.approx(int(row["bytes"]) / (180 * 201 * 3))
    assert float(row["bound_bpp"]) == 24


class OtherVersion(Jpeg420):
    def versions(self):
        return {"libjpeg-turbo": "0"}


def damaged_tar(index, archive):
    archive.write_bytes(archive.read_bytes()[:700])


def no_table(index, archive):
    archive.with_suffix(".csv").unlink()


def damaged_bitstream(index, archive):
    content = archive.read_bytes()
    start = content.index(b"\xff\xd8\xff")
    archive.write_bytes(content[: start + 60] + bytes(300) + content[start + 360 :])


def other_table(index, archive):
    table = archive.with_suffix(".csv")
    table.write_text(table.read_text().replace("cup,", "cup,1"))


def not_ours(index, archive):
    with tarfile.open(archive, "w") as opened:
        opened.addfile(tarfile.TarInfo("cat.jpg"))


def changed_image(index, archive):
    Image.fromarray(data.coffee()[:180, :202]).save(index.parent / "cup.png")


def other_set(index, archive):
    content = json.loads(index.read_text())
    del content["images"][0]
    index.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (damaged_tar, r"20\.tar: not an archive"),
        (no_table, r"20\.tar: without the \.csv of"),
        (damaged_bitstream, r"20\.tar, cat: jpeg-420: damaged"),
        (other_table, r"20\.tar: its \.csv belongs to another"),
        (not_ours, r"20\.tar: not an archive"),
        (changed_image, r"cup\.png: sha256 is"),
        (other_set, r"20\.tar: does not hold the images"),
    ],
)
def test_damage_is_an_error_and_leaves_nothing(index, tmp_path, archive, harm, message):
    harm(index, archive)
    with pytest.raises(CvqnError, match=message):
        measure(Jpeg420(), index, [archive], tmp_path / "out" / "table.csv")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_an_archive_of_another_codec_is_an_error(index, tmp_path, archive):
    with pytest.raises(CvqnError, match="jpeg-420"):
        measure(registry.conventional("jpeg-444"), index, [archive], tmp_path / "table.csv")


def test_archives_of_different_versions_are_not_one_curve(index, tmp_path, archive):
    encode_set(OtherVersion(), 30, index, tmp_path / "30.tar")
    with pytest.raises(CvqnError, match="different versions"):
        measure(Jpeg420(), index, [archive, tmp_path / "30.tar"], tmp_path / "table.csv")


def test_two_archives_of_one_name_are_an_error(index, tmp_path, archive):
    encode_set(Jpeg420(), 20, index, tmp_path / "20.tar")
    with pytest.raises(CvqnError, match="one name"):
        measure(Jpeg420(), index, [archive, tmp_path / "20.tar"], tmp_path / "table.csv")


def test_a_damaged_image_leaves_no_archive(index, tmp_path):
    changed_image(index, None)
    with pytest.raises(CvqnError, match=r"cup\.png"):
        encode_set(Jpeg420(), 20, index, tmp_path / "out" / "20.tar")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("encode --codec jpeg --quality 10 --images {index} --output {out}.tar", "no such codec"),
        ("encode --codec jpeg-420 --quality 101 --images {index} --output {out}.tar", "outside 1 to 100"),
        ("encode --codec jpeg-420 --quality 1.5 --images {index} --output {out}.tar", "whole number"),
        ("encode --codec jpeg-420 --images {index} --output {out}.tar", "--quality: a conventional codec needs it"),
        ("encode --quality 3 --model {out} --images {index} --output {out}.tar", "a trained model takes none"),
        ("encode --codec cvqn --quality 3 --images {index} --output {out}.tar", "it needs a trained model"),
        ("encode --model {out} --images {index} --output {out}.tar", "not a model folder"),
        ("encode --codec jpeg-420 --quality 10 --images {index} --output {out}.zip", "must end in .tar"),
        ("encode --codec jpeg-420 --quality 10 --images {out}/none.json --output {out}.tar", "none.json"),
        ("measure --codec jpeg-420 --images {index} --bitstreams {out}.tar --output {out}.csv", "encode again"),
        ("measure --codec jpeg-420 --images {index} --bitstreams {out}.tar --output {out}.txt", "must end in .csv"),
    ],
)
def test_bad_arguments_end_with_code_2_and_one_line(index, tmp_path, capsys, arguments, message):
    out = tmp_path / "out" / "10"
    assert main([part.format(index=index, out=out) for part in arguments.split()]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not out.parent.exists() or not list(out.parent.iterdir())


@pytest.mark.parametrize("which", ["", "--codec jpeg-420 --model model"])
def test_one_codec_is_named(index, tmp_path, capsys, which):
    with pytest.raises(SystemExit) as caught:
        main(["encode", *which.split(), "--images", str(index), "--output", str(tmp_path / "10.tar")])
    assert caught.value.code == 2
    assert "--codec" in (error := capsys.readouterr().err)
    assert error.startswith("usage: cvqn encode ")


def test_a_trained_model_goes_the_same_way(index, tmp_path, model_settings):
    folder, archive = make_model(tmp_path / "model", model_settings()), tmp_path / "bitstreams" / "c16-seed1.tar"
    which = ["--model", str(folder), "--images", str(index)]
    assert main(["encode", *which, "--output", str(archive)]) == 0
    table = tmp_path / "c16-seed1.csv"
    assert main(["measure", *which, "--bitstreams", str(archive), "--output", str(table)]) == 0
    codec, rows = StoredCodec(folder), rows_of(table)
    assert [(row["codec"], row["setting"], row["image"]) for row in rows] == [
        ("cvqn", "c16-seed1", "cat"),
        ("cvqn", "c16-seed1", "cup"),
    ]
    for row in rows:
        original = np.array(Image.open(index.parent / f"{row['image']}.png"))
        file = codec.encode(original)
        assert int(row["bytes"]) == len(file)
        assert float(row["psnr_db"]) == pytest.approx(psnr_db(original, codec.decode(file)), abs=1e-3)
        height, width, _ = original.shape
        symbols = -(-max(height, 64) // 16) * -(-max(width, 64) // 16)
        bound = symbols * (4 * np.log2(3) + 8 * np.log2(5) + 4 * np.log2(7)) / (height * width)
        assert float(row["bound_bpp"]) == pytest.approx(bound)
        payload = 8 * (len(file) - container.HEADER_SIZE) / (height * width)
        assert float(row["cross_entropy_bpp"]) == pytest.approx(payload, rel=0.02, abs=8 * 40 / (height * width))
    record = json.loads(table.with_suffix(".json").read_text())
    assert record["settings"]["model_id"] == codec.stored.model_id.hex()
    assert {"torch", "cvqn", "range coder"} <= set(record["versions"])


def test_encoding_imports_no_torch(index, tmp_path):
    program = "import sys; from cvqn.cli import main\nassert main(sys.argv[1:]) == 0\nassert 'torch' not in sys.modules"
    arguments = ["--codec", "bpg-444", "--quality", "45", "--images", str(index), "--output", str(tmp_path / "45.tar")]
    subprocess.run([sys.executable, "-c", program, "encode", *arguments], check=True)


class OnAnotherDevice(Jpeg420):
    device, threads = "cuda", 4


def test_no_time_is_written_where_another_device_took_part(index, tmp_path):
    codec = OnAnotherDevice()
    encode_set(codec, 20, index, tmp_path / "20.tar")
    for row in rows_of(tmp_path / "20.csv"):
        assert (row["encode_s"], row["device"], row["threads"]) == ("", "cuda", "4")
    measure(codec, index, [tmp_path / "20.tar"], tmp_path / "both.csv")
    assert {(row["encode_s"], row["decode_s"]) for row in rows_of(tmp_path / "both.csv")} == {("", "")}
    measure(Jpeg420(), index, [tmp_path / "20.tar"], tmp_path / "decoded.csv")
    for row in rows_of(tmp_path / "decoded.csv"):
        assert row["encode_s"] == ""
        assert float(row["decode_s"]) > 0
    machine = json.loads((tmp_path / "decoded.json").read_text())["machine"]
    assert machine["encoding"] == {"device": "cuda", "threads": 4}
    assert machine["decoding"] == {"device": "cpu", "threads": 1}


class Slow(Jpeg420):
    """Waits, as on a machine with company, while it encodes; computes in a program of its own while it decodes."""

    def encode(self, picture, quality):
        time.sleep(0.3)
        return super().encode(picture, quality)

    def decode(self, data):
        busy = "import time\nwhile time.process_time() < 0.3: pass"
        subprocess.run([sys.executable, "-S", "-c", busy], check=True)
        return super().decode(data)


def test_times_are_what_is_computed_and_not_how_long_it_is_waited_for(index, tmp_path):
    encode_set(Slow(), 20, index, tmp_path / "20.tar")
    measure(Slow(), index, [tmp_path / "20.tar"], tmp_path / "slow.csv")
    for row in rows_of(tmp_path / "slow.csv"):
        assert 0 < float(row["encode_s"]) < 0.2
        assert float(row["decode_s"]) > 0.25


def test_a_comment_that_is_no_text_is_an_error(index, tmp_path, archive):
    content = archive.read_bytes()
    assert content.count(b'"jpeg-420"') == 1
    archive.write_bytes(content.replace(b'"jpeg-420"', b'"jpeg-\xff\xff0"'))
    with pytest.raises(CvqnError, match=r"20\.tar: not an archive"):
        measure(Jpeg420(), index, [archive], tmp_path / "table.csv")


def test_a_table_that_csv_cannot_read_is_an_error(index, tmp_path, archive):
    table = archive.with_suffix(".csv")
    table.write_text(table.read_text() + "x" * 200_000 + "\n")
    with pytest.raises(CvqnError, match=r"20\.tar: without the \.csv"):
        measure(Jpeg420(), index, [archive], tmp_path / "table.csv")
