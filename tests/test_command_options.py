"""What `cvqn compress`, `decompress`, `info` and `models` do with many inputs, and their options."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio
from tqdm import tqdm

from cvqn.cli import main
from cvqn.cli.record import NAME as RECORD
from cvqn.codecs import shipped
from cvqn.codecs.description import describe
from cvqn.codecs.store import load_model
from cvqn.compression import compress, decompress
from cvqn.images import read_picture, write_png
from cvqn.lab.evaluation.metrics import ms_ssim
from tests import ROOT
from tests.trained import make_model, photograph


@pytest.fixture(scope="module")
def model(tmp_path_factory, tiny):
    return make_model(tmp_path_factory.mktemp("model"), tiny.experiments["c16"].model)


@pytest.fixture
def given(tmp_path):
    """A folder with pictures, one of them in a folder of its own."""
    for number, name in enumerate(("a.png", "b.png", "inner/deep/a.png")):
        write_png(tmp_path / "in" / name, photograph(20, 30, number))
    return tmp_path / "in"


@pytest.fixture
def call(capsys, tmp_path, monkeypatch):
    """Call a command in a folder of its own; returns the exit code, and what was printed as output and errors."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        try:
            code = main([*map(str, arguments)])
        except SystemExit as ended:  # by argparse
            code = ended.code
        return code, *capsys.readouterr()

    return call


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {RECORD}


def test_folders_keep_their_relative_paths(call, given, model, tmp_path):
    (given / "inner" / "loop").symlink_to("..")
    code, _, errors = call("compress", "in", "-r", "-o", "out", "--model", model)
    assert code == 0
    assert files(tmp_path / "out") == {"a.cvqn", "b.cvqn", "inner/deep/a.cvqn"}
    assert "left out (a folder): inner/loop" in errors
    assert call("decompress", "out", "--recursive", "--output", "back", "--model", model)[0] == 0
    assert files(tmp_path / "back") == {"a.png", "b.png", "inner/deep/a.png"}
    stored = load_model(model)
    for name in files(given):
        expected = decompress(stored, compress(stored, read_picture(given / name)))
        assert np.array_equal(read_picture(tmp_path / "back" / name), expected)


def test_without_recursive_inner_folders_are_named_as_left_out(call, given, model, tmp_path):
    code, _, errors = call("compress", "in", "-o", "out", "--model", model)
    assert code == 0
    assert files(tmp_path / "out") == {"a.cvqn", "b.cvqn"}
    assert errors == "cvqn: left out (a folder): inner\n"


def test_an_output_folder_within_the_input_is_no_input(call, given, model):
    for _ in range(2):
        code, _, errors = call("compress", "in", "-r", "-o", "in/out", "--model", model)
        assert code == 0
        assert "left out" not in errors
    assert files(given / "out") == {"a.cvqn", "b.cvqn", "inner/deep/a.cvqn"}


def test_outputs_may_be_beside_their_inputs(call, given, model):
    assert call("compress", "in/a.png", "in/b.png", "-o", "in", "--model", model)[0] == 0
    assert {"a.cvqn", "b.cvqn"} < files(given)


def test_files_and_folders_together_and_a_bad_one(call, given, model, tmp_path):
    shutil.copy(given / "a.png", tmp_path / "single.png")
    code, output, errors = call("compress", "none.png", "single.png", "in/inner/deep", "-o", "out", "--model", model)
    assert code == 2
    assert "error: none.png: cannot be read (No such file or directory)" in errors
    assert "2 of 3 done; the rest failed" in errors
    assert files(tmp_path / "out") == {"single.cvqn", "a.cvqn"}
    assert output.count("\n") == 2
    code, _, errors = call("compress", "single.png", "in/a.png", "in/inner/deep", "-o", "other", "--model", model)
    assert code == 2
    assert "in/a.png, in/inner/deep/a.png: would all become other/a.cvqn" in errors
    assert files(tmp_path / "other") == {"single.cvqn"}


def test_names_may_be_before_and_after_options(call, given, model):
    assert call("compress", "in/a.png", "--model", model, "a.cvqn")[0] == 0
    assert call("compress", "--model", model, "in/a.png", "--force", "a.cvqn")[0] == 0
    assert call("compress", "in/a.png", "--model", model, "in/b.png", "-o", "out")[0] == 0
    assert call("compress", "--model", model, "--", "in/a.png", "-odd.cvqn")[0] == 0
    assert call("decompress", "--model", model, "--", "-odd.cvqn", "odd.png")[0] == 0
    assert Path("odd.png").exists()
    assert call("compress", "in/a.png", "--model", model, "b.cvqn", "--unknown")[0] == 2


def test_what_is_done_is_skipped_and_what_changed_is_made_again(call, given, model, tmp_path):
    """By content: a new date changes nothing, another picture under an old date does."""
    again = ("compress", "in", "-o", "out", "--model", model)
    assert call(*again)[0] == 0
    dates = {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in ("a.cvqn", "b.cvqn")}
    os.utime(given / "a.png")
    old = (given / "b.png").stat()
    write_png(given / "b.png", photograph(20, 30, 7))
    os.utime(given / "b.png", ns=(old.st_atime_ns, old.st_mtime_ns))
    code, output, errors = call(*again)
    assert (code, output.count("\n")) == (0, 1)
    assert "1 skipped" in errors
    assert (tmp_path / "out" / "a.cvqn").stat().st_mtime_ns == dates["a.cvqn"]
    stored = load_model(model)
    assert (tmp_path / "out" / "b.cvqn").read_bytes() == compress(stored, photograph(20, 30, 7))
    assert "2 skipped" in call(*again)[2]
    assert call(*again, "--force")[1].count("\n") == 2


def test_other_options_make_again_and_what_somebody_else_wrote_is_kept(call, given, model, tmp_path):
    again = ("compress", "in", "-o", "out", "--model", model)
    call(*again)
    assert call(*again, "--background", "white")[1].count("\n") == 2
    assert call("compress", "in", "-o", "out", "--quality", "1")[1].count("\n") == 2
    assert "2 skipped" in call("compress", "in", "-o", "out", "--quality", "1")[2]
    (tmp_path / "out" / "a.cvqn").write_bytes(b"of the user")
    code, _, errors = call("compress", "in", "-o", "out", "--quality", "1")
    assert code == 2
    assert "out/a.cvqn: exists already; --force" in errors
    assert "1 skipped" in errors
    assert (tmp_path / "out" / "a.cvqn").read_bytes() == b"of the user"


def test_nothing_slow_is_loaded_where_all_is_done(call, given, model, tmp_path):
    call("compress", "in", "-o", "out", "--model", model)
    code = f"import sys; from cvqn.cli import main; main(['compress', 'in', '-o', 'out', '--model', {str(model)!r}]); "
    run = subprocess.run(
        [sys.executable, "-c", code + "sys.exit('torch' in sys.modules)"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (run.returncode, "2 skipped" in run.stderr) == (0, True), run.stderr


@pytest.mark.parametrize(
    "damage", [lambda text: text[:-9], lambda text: b"[1]\nnull\n{}\n\xff\n" + b"[" * 99999 + b"\n" + text]
)
def test_a_damaged_record_loses_only_the_damaged_lines(call, given, model, tmp_path, damage):
    again = ("compress", "in", "-o", "out", "--model", model)
    call(*again)
    record = tmp_path / "out" / RECORD
    record.write_bytes(damage(record.read_bytes()))
    lost = not record.read_bytes().endswith(b"\n")
    code, _, errors = call(*again)
    assert code == (2 if lost else 0)
    assert ("b.cvqn: exists already" in errors) == lost
    assert call(*again, "--force")[0] == 0
    assert "2 skipped" in call(*again)[2]


def test_quiet_prints_errors_only(call, given, model):
    (given / "bad.png").write_bytes(b"no picture")
    code, output, errors = call("compress", "in", "-o", "out", "--quiet", "--model", model)
    assert (code, output) == (2, "")
    assert [line.partition(":")[2].split(":")[0] for line in errors.splitlines()] == [
        " error",
        " 2 of 3 done; the rest failed",
    ]
    assert call("compress", "in/a.png", "a.cvqn", "-q", "--model", model) == (0, "", "")


def test_a_batch_shows_one_bar_and_none_within_files(call, given, model, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    def with_a_bar(stored, picture):
        for _ in tqdm([1], desc="within", disable=None):
            return compress(stored, picture)

    monkeypatch.setattr("cvqn.compression.compress", with_a_bar)
    for options, shown in (([], True), (["--quiet"], False)):
        monkeypatch.setattr("sys.stderr", Terminal())
        assert call("compress", "in", "-o", "out", "--model", model, "--force", *options)[0] == 0
        assert ("compress: 100%" in sys.stderr.getvalue()) == shown
        assert "within" not in sys.stderr.getvalue()
        assert sys.stderr.isatty()
    assert call("compress", "in/a.png", "a.cvqn", "--model", model)[0] == 0
    assert "within: " in sys.stderr.getvalue()


def test_a_pipe_among_the_outputs_of_a_batch_is_not_written_to(call, given, model, tmp_path):
    (tmp_path / "out").mkdir()
    os.mkfifo(tmp_path / "out" / "a.cvqn")
    code, _, errors = call("compress", "in", "-o", "out", "--force", "--model", model)
    assert code == 2
    assert "out/a.cvqn: a pipe or device" in errors
    assert (tmp_path / "out" / "b.cvqn").exists()


def test_json_is_one_document(call, given, model, tmp_path):
    (given / "bad.png").write_bytes(b"no picture")
    call("compress", "in/a.png", "-o", "out", "--model", model)
    code, output, errors = call("compress", "in", "-o", "out", "--json", "--metrics", "--model", model)
    document = json.loads(output)
    assert code == 2
    assert "bad.png" in errors
    assert document["skipped"] == ["out/a.cvqn"]
    assert document["left_out"] == [{"name": "inner", "reason": "a folder"}]
    assert [line.partition(":")[0] for line in document["failed"]] == ["in/bad.png"]
    (made,) = document["files"]
    data = (tmp_path / "out" / "b.cvqn").read_bytes()
    assert (made["input"], made["output"]) == ("in/b.png", "out/b.cvqn")
    assert (made["width"], made["height"], made["bytes"], made["quality"]) == (30, 20, len(data), None)
    assert made["bpp"] == pytest.approx(len(data) * 8 / 600)
    original, decoded = read_picture(given / "b.png"), decompress(load_model(model), data)
    assert made["psnr_db"] == pytest.approx(peak_signal_noise_ratio(original, decoded))
    assert made["ms_ssim"] == pytest.approx(ms_ssim(original, decoded))
    code, output, _ = call("decompress", "out/b.cvqn", "b.ppm", "--json", "--model", model)
    assert json.loads(output)["files"] == [
        {"input": "out/b.cvqn", "output": "b.ppm", "width": 30, "height": 20, "bytes": len(data)}
    ]


@pytest.mark.parametrize("option", [["--bpp", "1"], ["--size", "900"], ["--quality", "1"], ["--model", ""]])
def test_without_a_model_there_is_one_line(call, given, monkeypatch, tmp_path, option):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    code, output, errors = call("compress", "in/a.png", "a.cvqn", *option)
    assert (code, output, errors.count("\n")) == (2, "", 1)
    assert "model" in errors
    assert json.loads(call("models", "--json")[1]) == []


def test_metrics_are_of_the_file_that_was_written(call, given, tmp_path):
    code, output, _ = call("compress", "in/a.png", "a.cvqn", "--metrics")
    assert code == 0
    original = read_picture(given / "a.png")
    decoded = decompress(load_model(shipped.folder_of_quality(3)), (tmp_path / "a.cvqn").read_bytes())
    assert (
        f"MS-SSIM {ms_ssim(original, decoded):.4f}, PSNR {peak_signal_noise_ratio(original, decoded):.2f} dB" in output
    )


def test_metrics_without_their_library_are_refused_before_any_work(call, given, monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, errors = call("compress", "in/a.png", "a.cvqn", "--metrics")
    assert code == 2
    assert "pytorch-msssim is not installed" in errors
    assert not (tmp_path / "a.cvqn").exists()


def test_a_target_takes_the_largest_file_that_fits(call, given, tmp_path):
    picture = photograph(96, 96)
    write_png(tmp_path / "photo.png", picture)
    sizes = {one: len(compress(load_model(shipped.folder_of_quality(one)), picture)) for one in shipped.qualities()}
    assert len(set(sizes.values())) == len(shipped.qualities())
    for limit in (min(sizes.values()) - 1, *sizes.values(), sorted(sizes.values())[2] - 1, 10**9):
        within = [one for one in sizes if sizes[one] <= limit]
        expected = max(within, key=sizes.get) if within else min(sizes, key=sizes.get)
        for option, value, text in (("--size", limit, f"{limit} bytes"), ("--bpp", 8 * limit / 96**2, " bpp")):
            code, output, _ = call("compress", "photo.png", "photo.cvqn", option, repr(value), "--force")
            assert code == 0
            assert f"quality {expected}: {'within' if within else 'the smallest, above'} " in output
            assert text in output
            model_id = describe(shipped.folder_of_quality(expected)).model_id
            assert (tmp_path / "photo.cvqn").read_bytes()[10:14].hex() == model_id
            assert (tmp_path / "photo.cvqn").stat().st_size == sizes[expected]
    code, output, _ = call("compress", "photo.png", "photo.cvqn", "--size", "1", "--force", "--json")
    assert json.loads(output)["files"][0]["within"] is False


@pytest.mark.parametrize(
    "wrong",
    [
        ["--size", "0"], ["--size", "-5"], ["--size", "1.5"], ["--bpp", "0"], ["--bpp", "nan"], ["--bpp", "inf"],
        ["--bpp", "-1"], ["--threads", "0"], ["--jobs", "-1"], ["--jobs", "x"], ["--max-pixels", "0"],
        ["--max-pixels", "-3"], ["--max-pixels", "9" * 30], ["--size", "9", "--quality", "2"],
        ["--size", "9", "--bpp", "1"], ["--bpp", "1", "--model", "x"], ["--bpp", "1", "--quality", "3"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_numbers_are_positive_and_targets_exclude_each_other(call, given, wrong, tmp_path):
    code, output, errors = call("compress", "in/a.png", "a.cvqn", *wrong)
    assert (code, output) == (2, "")
    assert "is needed" in errors or "not allowed with" in errors
    assert not (tmp_path / "a.cvqn").exists()


def test_a_limit_on_pixels_holds_for_both_ways(call, given, model):
    for command, source, target in (("compress", "in/a.png", "a.cvqn"), ("decompress", "a.cvqn", "a.png")):
        code, _, errors = call(command, source, target, "--max-pixels", "599", "--model", model)
        assert (code, errors.count("\n")) == (2, 1)
        assert "30x20" in errors
        assert call(command, source, target, "--max-pixels", "600", "--model", model)[0] == 0


def test_transparency_needs_a_background(call, model, tmp_path):
    pixels = np.dstack([photograph(20, 30), np.tile(np.arange(30, dtype=np.uint8) * 8, (20, 1))])
    Image.fromarray(pixels).save(tmp_path / "clear.png")
    code, _, errors = call("compress", "clear.png", "a.cvqn", "--model", model)
    assert (code, "transparent" in errors, "--background" in errors) == (2, True, True)
    code, _, errors = call("compress", "clear.png", "a.cvqn", "--background", "#f80", "--model", model)
    assert (code, errors) == (0, "cvqn: clear.png: transparent pixels laid on the background (255, 136, 0)\n")
    weight = pixels[:, :, 3:] / 255
    flat = np.floor(pixels[:, :, :3] * weight + np.array([255, 136, 0]) * (1 - weight) + 0.5).astype(np.uint8)
    assert (tmp_path / "a.cvqn").read_bytes() == compress(load_model(model), flat)
    for colour in ("whitish", "#ff000080", ""):
        code, _, errors = call("compress", "clear.png", "b.cvqn", "--background", colour, "--model", model)
        assert (code, errors.count("\n"), "not an opaque colour" in errors) == (2, 1, True)


def test_deep_samples_need_an_option(call, model, tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, (20, 30)).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    code, _, errors = call("compress", "deep.png", "a.cvqn", "--model", model)
    assert (code, "--reduce-depth" in errors) == (2, True)
    code, _, errors = call("compress", "deep.png", "a.cvqn", "--reduce-depth", "--model", model)
    assert (code, errors) == (0, "cvqn: deep.png: samples of 16 bits reduced to 8\n")
    shallow = np.repeat((deep >> 8).astype(np.uint8)[:, :, None], 3, axis=2)
    assert (tmp_path / "a.cvqn").read_bytes() == compress(load_model(model), shallow)
    assert call("compress", "deep.png", "b.cvqn", "--reduce-depth", "--quiet", "--model", model) == (0, "", "")


def test_the_models_are_listed_by_what_their_folders_say(call):
    code, output, _ = call("models")
    assert code == 0
    listed = json.loads(call("models", "--json")[1])
    assert [one["quality"] for one in listed] == shipped.qualities()
    for one, line in zip(listed, output.splitlines()[1:], strict=True):
        content = json.loads((shipped.FOLDER / f"quality-{one['quality']}" / "model.json").read_text())
        assert one["model_id"] == content["model_id"]
        assert one["experiment"] == content["about"]["experiment"]
        assert one["step"] == content["about"]["step"]
        assert one["training_images"]["count"] == content["about"]["training_images"]["count"]
        size = sum(path.stat().st_size for path in (shipped.FOLDER / f"quality-{one['quality']}").iterdir())
        assert one["bytes"] == size
        for value in (
            one["quality"],
            one["model_id"],
            one["experiment"],
            "photos",
            one["step"],
            f"{size / 1e6:.1f} MB",
        ):
            assert str(value) in line


def test_info_names_quality_and_experiment_of_a_built_in_model(call, given, model):
    call("compress", "in/a.png", "a.cvqn", "--quality", "2")
    code, output, _ = call("info", "a.cvqn")
    assert code == 0
    assert "(quality 2 of this program, experiment c16)" in output
    found = json.loads(call("info", "a.cvqn", "--json")[1])
    assert (found["quality"], found["experiment"], found["width"], found["height"]) == (2, "c16", 30, 20)
    call("compress", "in/a.png", "b.cvqn", "--model", model)
    assert "quality" not in json.loads(call("info", "b.cvqn", "--json")[1])
    with_groups = json.loads(call("info", "b.cvqn", "--json", "--model", model)[1])
    stored = load_model(model)
    assert [group["levels"] for group in with_groups["groups"]] == list(stored.model.layout.levels)
    channels = [one["channel"] for group in with_groups["groups"] for one in group["channels"]]
    assert channels == [int(one) for one in stored.model.layout.order]
    assert "group 0" in call("info", "b.cvqn", "--model", model)[1]
    assert json.loads(call("info", "quality-4", "--json")[1])["experiment"] == "c32"
    assert "quality   4 of this program" in call("info", "quality-4")[1]


@pytest.mark.parametrize(
    "about",
    [
        {"training_images": 3}, {"run": "x", "step": [1], "scale": "y"}, {"training_images": {"sets": [1], "count": 2}},
        {"training_images": {"count": 2}}, {"training_seconds": 3}, {"training_images": {"sets": None, "count": 1}},
        {"training_images": {"sets": [{"name": "x"}], "count": 1}},
    ],
    ids=str,
)  # fmt: skip
def test_odd_metadata_of_a_model_is_one_line(call, tmp_path, about):
    shutil.copytree(shipped.folder_of_quality(1), tmp_path / "odd")
    content = json.loads((tmp_path / "odd" / "model.json").read_text())
    (tmp_path / "odd" / "model.json").write_text(json.dumps(content | {"about": about}))
    code, output, errors = call("info", "odd")
    assert (code, output, errors.count("\n")) == (2, "", 1)
    assert "odd/model.json" in errors


def test_a_model_that_says_little_of_itself_is_shown(call, tmp_path):
    shutil.copytree(shipped.folder_of_quality(1), tmp_path / "bare")
    content = json.loads((tmp_path / "bare" / "model.json").read_text())
    (tmp_path / "bare" / "model.json").write_text(
        json.dumps(content | {"about": {"run": "a\nb", "scale": "s", "step": 1}})
    )
    code, output, _ = call("info", "bare")
    assert code == 0
    assert r"run       a\nb of scale s, 1 steps" in output


def test_threads_are_those_that_are_asked_for(given, model, tmp_path):
    code = (
        "import sys; from cvqn.cli import main; main(sys.argv[1:]); import os, torch; "
        "print(torch.get_num_threads(), os.environ['OMP_NUM_THREADS'])"
    )
    arguments = ["compress", "in/a.png", "a.cvqn", "--threads", "3", "--quiet", "--model", str(model)]
    run = subprocess.run([sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True)
    assert run.stdout == "3 3\n", run.stderr


@pytest.mark.slow
def test_jobs_make_the_same_files_and_go_on_after_a_bad_one(given, model, tmp_path):
    (given / "bad.png").write_bytes(b"no picture")
    command = [sys.executable, "-m", "cvqn", "compress", "in", "-r", "-o", "out", "--jobs", "2", "--model", str(model)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert run.returncode == 2
    assert "error: in/bad.png: not a picture" in run.stderr
    assert "3 of 4 done" in run.stderr
    assert run.stdout.count("\n") == 3
    assert files(tmp_path / "out") == {"a.cvqn", "b.cvqn", "inner/deep/a.cvqn"}
    stored = load_model(model)
    for name in files(tmp_path / "out"):
        picture = read_picture(given / name.replace(".cvqn", ".png"))
        assert (tmp_path / "out" / name).read_bytes() == compress(stored, picture)
    (given / "bad.png").unlink()
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (run.returncode, run.stdout) == (0, "")
    assert "3 skipped" in run.stderr


@pytest.mark.slow
def test_a_model_that_cannot_be_loaded_ends_jobs_with_one_line(given, model, tmp_path):
    shutil.copytree(model, tmp_path / "broken")
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"none")
    command = [sys.executable, "-m", "cvqn", "compress", "in", "-o", "out", "--jobs", "2", "--model", "broken"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (run.returncode, run.stderr.count("\n")) == (2, 1), run.stderr
    assert "broken/model.safetensors: damaged" in run.stderr


def started(given, out, *more):
    command = [sys.executable, "-m", "tests.slow_work", str(given), str(out), *more]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def processes_of(session: int) -> list[int]:
    """The processes of a session that are no zombies."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("number", "everyone", "code"),
    [
        (signal.SIGINT, True, 130),
        (signal.SIGINT, False, 130),
        (signal.SIGTERM, False, 143),
        (signal.SIGKILL, False, -9),
    ],
)
def test_what_ends_a_batch_in_processes_leaves_nothing_behind(given, tmp_path, number, everyone, code):
    """No part of a file and no process: Ctrl-C at a terminal reaches all, other signals the first process only."""
    out = tmp_path / "out"
    process = started(given, out)
    deadline = time.monotonic() + 60
    while len(list(out.glob(".*.part"))) < 2:
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    (os.killpg if everyone else os.kill)(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in errors
    while processes_of(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_of(process.pid) == []
    assert list(out.iterdir()) == []


def test_a_process_that_is_killed_ends_the_batch_with_one_line(given, tmp_path):
    process = started(given, tmp_path / "out", "killed")
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors.count("\n")) == (2, 1), errors
    assert "fewer --jobs" in errors
