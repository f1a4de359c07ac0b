import csv
import itertools

import pytest
import torch
from torch import nn

from benchmarks import crops, entropy_coding, ms_ssim, packing, training_step, transforms
from benchmarks.__main__ import BENCHMARKS, ON_GPU, main
from benchmarks.clock import MatrixRate, machine, one_core
from benchmarks.layers import count, flops, roofline
from benchmarks.rows import Row, markdown, read_csv, replace_section, write_csv
from benchmarks.step import Case, Step
from cvqn.bitstream.integer_model import SOLID
from cvqn.errors import CvqnError
from cvqn.model.context import MaskedConv3d
from tests import ROOT

TINY = {"paper": Case("widths", "tiny", 1, 32, 1, "a", ">= 0.65"), "small": Case("small", "tiny", 2, 32, 1, "b")}
SMALL_RUNS = {
    "training-step": lambda: training_step.rows("cpu", TINY),
    "ms-ssim": lambda: ms_ssim.rows("cpu", batch=1, size=176, repeats=1),
    "crops": lambda: crops.rows("cpu", images=2, batches=2),
    "packing": lambda: packing.rows("cpu", images=3, height=40, width=60),
    "entropy-coding": lambda: entropy_coding.rows("cpu", widths=(24,), repeats=1),
}
PAGE = ROOT / "docs" / "performance.md"


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL_RUNS)
def test_a_benchmark_yields_its_rows(name, monkeypatch):
    monkeypatch.setattr(entropy_coding, "NAIVE_SYMBOLS", 3)
    rows = list(SMALL_RUNS[name]())
    assert len({row.what for row in rows}) == len(rows) >= 2
    for row in rows:
        assert row.median > 0
        assert row.limit
        assert (row.ratio is None) == (row.of == "")
        assert row.verdict() in ("held", "missed", "")
        assert "|" not in "".join(row.text())


@pytest.mark.slow
def test_transforms_give_speed_and_memory():
    rows = {row.what: row for row in transforms.rows("cpu", "tiny", 32, 48, 1, (64, 128))}
    assert {what.partition(",")[0] for what in rows} == {"encoder", "decoder", "compress", "decompress"}
    peaks = [row.median for what, row in rows.items() if "peak memory" in what]
    assert all(100 < peak < 2000 for peak in peaks)  # torch alone takes 200 MB
    assert sum("memory per megapixel" in what for what in rows) == 2


@pytest.mark.slow
def test_what_a_gpu_run_adds_works_on_a_cpu():
    step = Step(TINY["paper"], "cpu").lean()
    step.training = step.training.model_copy(update={"precision": "bfloat16"})
    rate = MatrixRate("cpu", step.dtype, size=256)
    assert list(rate.all) == ["torch.mm"]
    layers = count(step, "cpu")
    rows = {row.what: row for row in training_step._gpu_rows(step, 1.0, layers, rate)}
    bound = rows["widths: roofline of the step"]
    assert bound.median >= flops(layers) / rate.value


def test_operations_are_those_of_the_arithmetic():
    net = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.Conv2d(5, 7, 3, stride=2, padding=1))
    images = torch.rand(2, 3, 8, 12)
    first, second = 2 * 2 * 8 * 12 * 3 * 5 * 9, 2 * 2 * 4 * 6 * 5 * 7 * 9
    layers = count(lambda: net(images), "cpu")
    assert [layer.flops for layer in layers] == [first, second]
    assert [layer.module for layer in layers] == ["Sequential.0", "Sequential.1"]
    read = images.numel() + sum(parameter.numel() for parameter in net[0].parameters())
    assert layers[0].bytes == 4 * (read + 2 * 5 * 8 * 12)
    assert all(layer.seconds > 0 for layer in layers)

    trained = flops(count(lambda: net(images).sum().backward(), "cpu"))
    assert trained == 2 * first + 3 * second  # the gradient of the images is not needed


def test_of_a_masked_convolution_only_the_taps_that_count_are_counted():
    net = nn.Sequential(MaskedConv3d(4, 6, hollow=False))
    layers = count(lambda: net(torch.rand(1, 4, 3, 5, 7)), "cpu")
    assert flops(layers) == pytest.approx(2 * 3 * 5 * 7 * 4 * 6 * SOLID)


def test_the_roofline_takes_the_worse_of_both_bounds():
    net = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1))
    layers = count(lambda: net(torch.rand(1, 3, 8, 8)), "cpu")
    assert roofline(layers, 1e9, 1e30) == pytest.approx(flops(layers) / 1e9)
    assert roofline(layers, 1e30, 1e9) == pytest.approx(layers[0].bytes / 1e9)


def test_one_core_is_one_core_and_only_within():
    torch.set_num_threads(2)
    with one_core("cpu"):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


def test_the_matrix_rate_is_the_median_of_the_fastest_library():
    moments = itertools.accumulate(itertools.count(1))  # calls take 2, 4, 6, ... seconds
    rate = MatrixRate("cpu", torch.float32, lambda _: next(moments), size=64)
    assert {"torch.mm", "NumPy"} <= set(rate.all)
    assert rate.best == "torch.mm"
    assert rate.value == rate.all["torch.mm"] == 2 * 64**3 / 4
    rate()
    rate()
    assert rate.value < 2 * 64**3 / 4


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (Row("a", 3, "ms"), ""),
        (Row("a", 3, "ms", goal="< 5 ms"), "held"),
        (Row("a", 6, "ms", 0.1, "b", "< 5 ms"), "missed"),
        (Row("a", 6, "s", 0.7, "b", ">= 0.65"), "held"),
        (Row("a", 6, "s", 0.6, "b", ">= 0.65"), "missed"),
    ],
)
def test_a_goal_is_judged_on_the_ratio_or_in_its_unit(row, verdict):
    assert row.verdict() == verdict


def test_rows_survive_the_file(tmp_path):
    measured = [("x", Row("a", 3.25, "ms", 0.5, "b", "< 5 ms", "c, d")), ("y", Row("e", 1e-9, "s"))]
    write_csv(tmp_path / "a.csv", "a machine, two cores", measured)
    assert read_csv(tmp_path / "a.csv") == ("a machine, two cores", measured)


def test_a_section_is_replaced_and_nothing_else():
    page = "before\n<!-- cpu -->\nold\n\nold\n<!-- end of cpu -->\nafter\n"
    assert replace_section(page, "cpu", "new") == "before\n<!-- cpu -->\nnew\n<!-- end of cpu -->\nafter\n"
    with pytest.raises(CvqnError, match="<!-- cuda -->"):
        replace_section(page, "cuda", "new")


@pytest.mark.parametrize(("device", "names"), [("cpu", set(BENCHMARKS)), ("cuda", set(ON_GPU))])
def test_the_page_shows_the_recorded_numbers_or_that_there_are_none(device, names):
    page, section = PAGE.read_text(), "Not measured."
    if (recorded := ROOT / "benchmarks" / "results" / f"{device}.csv").exists():
        machine_name, measured = read_csv(recorded)
        assert {name for name, _ in measured} == names
        section = markdown(machine_name, measured)
    assert replace_section(page, device, section) == page


def test_one_benchmark_by_name(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(crops, "IMAGES", 2)
    monkeypatch.setattr(crops.rows, "__defaults__", (2, 2))
    assert main(["crops", "--output", str(tmp_path)]) == 0
    with open(tmp_path / "cpu-crops.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["benchmark"] for row in rows] == ["crops", "crops"]
    assert rows[0]["machine"] == machine("cpu")
    assert "pages mapped" in capsys.readouterr().out


def test_what_cannot_be_run_is_said(tmp_path, capsys, monkeypatch):
    with pytest.raises(SystemExit):
        main(["cropz"])
    assert "cropz: not among training-step" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["crops", "--write", str(tmp_path / "page.md")])
    assert "--write takes all benchmarks" in capsys.readouterr().err
    (tmp_path / "page.md").write_text("nothing\n")
    assert main(["--write", str(tmp_path / "page.md")]) == 2
    assert "<!-- cpu -->" in capsys.readouterr().err
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["--gpu"]) == 2
    assert "torch sees no GPU" in capsys.readouterr().err
    assert set(ON_GPU) < set(BENCHMARKS)
