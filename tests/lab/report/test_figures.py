"""Figures: their data as CSV, equal files for equal input, the scale named, measured and published told apart."""

import csv

import numpy as np
import pytest
from made_up import MadeUp, falling_influence, whole_paper
from PIL import Image

from cvqn.cli import main
from cvqn.lab.data.index import describe, write_index
from cvqn.errors import CvqnError
from cvqn.lab.report import style
from cvqn.lab.report.curves import curves_table
from cvqn.lab.report.figures import bits, crops, curves, influence, maps
from cvqn.lab.report.sources import read_channels, read_measurements


@pytest.fixture
def made_maps():
    random = np.random.default_rng(0)
    levels = np.repeat([3, 5, 7], [8, 16, 8])
    symbols = random.integers(0, levels[:, None, None], (32, 8, 12)).astype(np.uint8)
    return maps.Maps("kodim15", symbols, np.repeat([1, 2, 3], [8, 16, 8]), levels, random.permutation(32) + 1)


@pytest.fixture
def kept(monkeypatch):
    """The figures that are saved, instead of files."""
    figures = []
    for module in (influence, maps, curves, crops, bits):
        monkeypatch.setattr(module, "save", lambda figure, path: figures.append(figure))
    return figures


def texts(figure):
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")) if text.get_text()]


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_the_maps_are_drawn_in_the_order_of_importance_and_kept_as_text(tmp_path, made_maps):
    maps.draw_maps(made_maps, tmp_path / "maps.svg", "mini")
    assert {path.suffix for path in tmp_path.iterdir()} == {".svg", ".png", ".csv"}
    table = rows(tmp_path / "maps.csv")
    assert [int(row["position"]) for row in table] == list(range(1, 33))
    for row in table:
        drawn = np.array([[int(symbol, 16) for symbol in line] for line in row["symbols"].split()])
        np.testing.assert_array_equal(drawn, made_maps.maps[int(row["channel"]) - 1])
    width, height = Image.open(tmp_path / "maps.png").size
    assert width == pytest.approx(300 * style.COLUMN, abs=1)
    assert 300 < height < 2000


@pytest.mark.parametrize("kept_bytes", [0, 4, 500])
def test_truncated_maps_are_a_clear_error(tmp_path, kept_bytes):
    path = tmp_path / "maps.npz"
    np.savez(path, image=np.array("kodim15"), maps=np.zeros((32, 8, 12), np.uint8))
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(CvqnError, match=r"maps\.npz: not the maps of cvqn analyse"):
        maps.read_maps(path)


def test_equal_input_gives_equal_bytes(tmp_path, made_maps):
    for name in ("one", "two"):
        maps.draw_maps(made_maps, tmp_path / f"{name}.svg", "mini")
    for ending in ("svg", "png", "csv"):
        assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"two.{ending}").read_bytes()


def test_every_figure_below_the_papers_scale_names_it(tmp_path, kept, made_maps):
    made = whole_paper(tmp_path)
    toy = read_channels([folder for folder in made.analysis if folder.name == "toy-seed1"])
    measurements = read_measurements(made.measurements)
    table = curves_table(measurements, made.config["report"]["rate_curve"], ["figure-3"])
    for scale, note in (("mini", "scale mini: a demonstration, not a reproduction"), ("paper", "demonstration")):
        kept.clear()
        maps.draw_maps(made_maps, tmp_path / "a", scale)
        influence.draw_influence(np.zeros((64, 96, 3), np.uint8), made_maps, toy, tmp_path / "b", scale)
        curves.draw_curves(table, tmp_path / "c", scale=scale, images=24, data_set="kodak")
        bits.draw_bits(toy, tmp_path / "d", scale)
        assert len(kept) == 4
        for figure in kept:
            assert any(note in text for text in texts(figure)) == (scale == "mini")


def test_the_influence_figure_shows_every_channel_of_the_image_and_of_the_set(tmp_path, kept, made_maps):
    made = MadeUp(tmp_path)
    losses = falling_influence(32, 24)
    made.analyse("toy-seed1", losses)
    influence.draw_influence(
        np.zeros((64, 96, 3), np.uint8), made_maps, read_channels(made.analysis), tmp_path / "figure1.svg", "paper"
    )
    table = rows(tmp_path / "figure1.csv")
    image = made.images.index("kodim15")
    for channel, row in enumerate(table):
        assert float(row["ms_ssim_loss_db"]) == pytest.approx(losses[channel, image])
        assert float(row["ms_ssim_loss_db_mean"]) == pytest.approx(losses[channel].mean())
        assert float(row["psnr_loss_db_max"]) == pytest.approx(2 * losses[channel].max())
    bars = [axes.containers[0].datavalues for axes in kept[0].axes if axes.containers]
    np.testing.assert_allclose(bars[1], losses[:, image])
    assert sum("rank correlation between images: 1.00" in text for text in texts(kept[0])) == 2


def test_measured_and_published_curves_cannot_be_confused(tmp_path, kept):
    made = whole_paper(tmp_path)
    measurements = read_measurements(made.measurements)
    table = curves_table(measurements, made.config["report"]["rate_curve"], ["figure-3", "learned"])
    curves.draw_curves(table, tmp_path / "curves.svg", scale="paper", images=24, data_set="kodak")
    lines = {line.get_label(): line for line in kept[0].axes[0].get_lines()}
    published = {label: line for label, line in lines.items() if label.endswith("(published)")}
    assert len(published) == 14
    for label, line in lines.items():
        solid, marked = line.get_linestyle() == "-", line.get_marker() not in ("None", None)
        assert (solid, marked) == ((False, False) if label in published else (True, True))
        assert (line.get_linewidth() < 1) == (label in published)
    drawn = lines["CVQN"].get_xydata()
    own = [row for row in rows(tmp_path / "curves.csv") if row["curve"] == "cvqn"]
    np.testing.assert_allclose(drawn, [[float(row["bpp"]), float(row["ms_ssim_db"])] for row in own])
    np.testing.assert_allclose(drawn[:, 0], [0.129, 0.2576, 0.382, 0.51, 0.653], rtol=1e-3)
    assert {text for text in texts(kept[0]) if "packaged" in text} == set()


def test_every_codec_has_a_look_of_its_own():
    looks = {(colour, marker) for _, colour, marker in style.CODECS.values()}
    assert len(looks) == len(style.CODECS)
    assert style.codec_style("new-codec")[0] == "new-codec"


def test_the_crops_stand_beside_the_original_with_rate_and_quality(tmp_path, kept):
    lines = ["image,codec,setting,bpp,ms_ssim,psnr_db,left,top,width,height,file,measurements,bitstreams"]
    for image in ("kodim01", "kodim21"):
        for codec, bpp, quality in (("original", "", ""), ("webp", 0.2512, 0.9312), ("cvqn", 0.2576, 0.9653)):
            Image.new("RGB", (48, 32), "teal").save(tmp_path / f"{image}-{codec}.png")
            lines.append(f"{image},{codec},40,{bpp},{quality},,0,0,48,32,{image}-{codec}.png,,")
    (tmp_path / "crops.csv").write_text("\n".join(lines) + "\n")
    crops.draw_crops(tmp_path, tmp_path / "figure4.svg", "paper")
    captions = texts(kept[0])
    assert captions.count("0.251 bpp\nMS-SSIM 0.9312") == 2
    assert captions.count("0.258 bpp\nMS-SSIM 0.9653") == 2
    assert {"original", "WebP", "CVQN", "kodim01,\n48 × 32 pixels"} <= set(captions)
    assert len(rows(tmp_path / "figure4.csv")) == 6


def test_figures_by_the_command_line(tmp_path):
    made = whole_paper(tmp_path, scale="mini", images=["china", "coffee", "flower"])
    folder = next(folder for folder in made.analysis if folder.name == "toy-seed1")
    ones = np.ones(32, dtype=np.int32)
    np.savez(
        folder / "maps.npz", image=np.array("coffee"), maps=np.zeros((32, 4, 6), np.uint8), group=ones, levels=2 * ones,
        position=np.arange(1, 33),
    )  # fmt: skip
    images = []
    for name in made.images:
        Image.new("RGB", (96, 64), "olive").save(tmp_path / f"{name}.png")
        images.append(describe(tmp_path / f"{name}.png", "none"))
    write_index(tmp_path / "index.json", "made-up", "0", images)
    config = ["--config", str(tmp_path / "config.yaml")]
    analysis = ["--analysis", str(folder)]
    measurements = ["--measurements", *map(str, made.measurements)]
    given = {
        "influence": [*analysis, "--images", str(tmp_path / "index.json")],
        "maps": analysis,
        "rate-distortion": [*measurements, "--published", "figure-3"],
        "bits": ["--analysis", *map(str, made.analysis)],
    }
    for name, arguments in given.items():
        assert main(["figure", name, *config, *arguments, "--output", str(tmp_path / f"figures/{name}.svg")]) == 0
        for ending in ("svg", "png", "csv"):
            assert (tmp_path / "figures" / f"{name}.{ending}").stat().st_size > 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["influence", "--analysis", "{folder}", "--images", "{folder}/index.json"], "not the maps of cvqn analyse"),
        (["maps", "--analysis", "{folder}/nowhere"], "not the maps of cvqn analyse"),
        (["crops", "--crops", "{folder}"], "run cvqn crops first"),
        (["bits", "--analysis", "{folder}"], "cannot be read"),
        (["rate-distortion", "--measurements", "{folder}/none.csv"], "cannot be read"),
    ],
)
def test_missing_input_is_named_and_nothing_is_written(tmp_path, capsys, arguments, message):
    made = MadeUp(tmp_path)
    (tmp_path / "maps.npz").write_bytes(b"not an archive")
    command = [part.format(folder=made.folder) for part in arguments]
    config = ["--config", str(tmp_path / "config.yaml"), "--output", str(tmp_path / "figure.svg")]
    assert main(["figure", *command, *config]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("figure.*"))
