"""Figures: their data as CSV, equal files for equal input, the scale named, measured and published told apart."""

import contextlib
import csv

import numpy as np
import pytest
from made_up import MadeUp, falling_influence, whole_paper
from matplotlib.colors import to_rgb
from PIL import Image

from cvqn.codecs import registry as codecs
from cvqn.errors import CvqnError
from cvqn.lab.data.index import describe, write_index
from cvqn.lab.report import looks, registry, style
from cvqn.lab.report.curves import curves_table
from cvqn.lab.report.figures import bits, crops, curves, influence, maps
from cvqn.lab.report.output import write_table
from cvqn.lab.report.sources import Sources


@pytest.fixture
def made_maps():
    random = np.random.default_rng(0)
    levels = np.repeat([3, 5, 7], [8, 16, 8])
    symbols = random.integers(0, levels[:, None, None], (32, 8, 12)).astype(np.uint8)
    return maps.Maps("kodim15", symbols, np.repeat([1, 2, 3], [8, 16, 8]), levels, random.permutation(32) + 1)


@pytest.fixture
def kept(monkeypatch):
    """The figures that are saved, instead of pictures."""
    figures = []

    def keep(figure, table, path, scale):
        style.note_scale(figure, scale)
        write_table(table, path.with_suffix(".csv"))
        figures.append(figure)

    for module in (influence, maps, curves, crops, bits):
        monkeypatch.setattr(module, "save", keep)
    return figures


def texts(figure):
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")) if text.get_text()]


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def complete(made: MadeUp, shown: maps.Maps) -> None:
    """Add what the figures of pictures are made of: the maps of both runs, and a picture of each image."""
    for run in ("toy-seed1", "c32-seed1"):
        folder = made.path(made.results.analysis("cvqn", run))
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / "maps.npz", **shown._asdict())
    folder = made.folder / f"data/sets/{made.configuration.data.evaluation}"
    folder.mkdir(parents=True)
    images = []
    for name in made.images:
        Image.new("RGB", (96, 64), "olive").save(folder / f"{name}.png")
        images.append(describe(folder / f"{name}.png", "none"))
    write_index(folder / "index.json", "made-up", "0", images)


def draw(made: MadeUp, figure, name: str) -> None:
    with contextlib.chdir(made.folder):
        figure.draw(made.evidence(), made.folder / name)


def test_the_maps_are_drawn_in_the_order_of_importance_and_kept_as_text(tmp_path, made_maps):
    made = MadeUp(tmp_path)
    complete(made, made_maps)
    for name in ("one", "two"):
        draw(made, maps, f"{name}.svg")
    table = rows(tmp_path / "one.csv")
    assert [int(row["position"]) for row in table] == list(range(1, 33))
    for row in table:
        drawn = np.array([[int(symbol, 16) for symbol in line] for line in row["symbols"].split()])
        np.testing.assert_array_equal(drawn, made_maps.maps[int(row["channel"]) - 1])
    width, height = Image.open(tmp_path / "one.png").size
    assert width == pytest.approx(300 * style.COLUMN, abs=1)
    assert 300 < height < 2000
    for ending in ("svg", "png", "csv"):  # equal input gives equal bytes
        assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"two.{ending}").read_bytes()


@pytest.mark.parametrize("kept_bytes", [0, 4, 500])
def test_truncated_maps_are_a_clear_error(tmp_path, kept_bytes):
    path = tmp_path / "maps.npz"
    np.savez(path, image=np.array("kodim15"), maps=np.zeros((32, 8, 12), np.uint8))
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(CvqnError, match=r"maps\.npz: not the maps of cvqn evaluate"):
        maps.read_maps(path)


def test_every_figure_below_the_papers_scale_names_it(tmp_path, monkeypatch, kept, made_maps):
    made = whole_paper(tmp_path)
    complete(made, made_maps)
    for scale, note in (("mini", "scale mini: a demonstration, not a reproduction"), ("paper", "demonstration")):
        kept.clear()
        monkeypatch.setattr(Sources, "scale", scale)
        for figure in (maps, influence, curves, bits):
            draw(made, figure, "figure.svg")
        assert len(kept) == 4
        for figure in kept:
            assert any(note in text for text in texts(figure)) == (scale == "mini")


def test_the_influence_figure_shows_every_channel_of_the_image_and_of_the_set(tmp_path, kept, made_maps):
    made = MadeUp(tmp_path)
    losses = falling_influence(32, 24)
    made.analyse("toy-seed1", losses)
    complete(made, made_maps)
    draw(made, influence, "figure1.svg")
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
    draw(made, curves, "curves.svg")
    lines = [line for line in kept[0].axes[0].get_lines() if len(line.get_xdata()) > 1]
    thin = [line for line in lines if line.get_linewidth() < 1]
    legends = {legend.get_title().get_text(): [one.get_text() for one in legend.get_texts()]
               for legend in kept[0].legends}  # fmt: skip
    [published] = [names for title, names in legends.items() if title.startswith("published")]
    assert [line.get_label() for line in thin] == published
    assert len(published) == 8
    for line in lines:
        solid, marked = line.get_linestyle() == "-", line.get_marker() not in ("None", None)
        assert (solid, marked) == ((False, False) if line in thin else (True, True))
    named = {text.get_text() for text in kept[0].axes[0].texts}
    assert named == {line.get_label() for line in thin if len(set(to_rgb(line.get_color()))) == 1}
    assert len(named) == 4
    [drawn] = [line.get_xydata() for line in lines if line.get_label() == "CVQN" and line not in thin]
    own = [row for row in rows(tmp_path / "curves.csv") if row["curve"] == "cvqn"]
    np.testing.assert_allclose(drawn, [[float(row["bpp"]), float(row["ms_ssim_db"])] for row in own])
    np.testing.assert_allclose(drawn[:, 0], [0.129, 0.2576, 0.382, 0.51, 0.653], rtol=1e-3)
    assert {text for text in texts(kept[0]) if "packaged" in text} == set()


def test_every_codec_has_a_look_of_its_own():
    names = codecs.names()
    found = looks.looks([*names, "one", "two", "three"])
    assert len({(look.colour, look.marker) for look in found.values()}) == len(found)
    assert all(codecs.look(name) == found[name] for name in names)
    assert len({codecs.title(name) for name in names}) == len(names)
    assert codecs.title("two") == "two"


def test_the_crops_stand_beside_the_original_with_rate_and_quality(tmp_path, kept):
    made = MadeUp(tmp_path)
    folder = made.path(made.results.crops)
    folder.mkdir(parents=True)
    lines = ["image,codec,setting,bpp,ms_ssim,psnr_db,left,top,width,height,file,measurements,bitstreams"]
    for image in ("kodim01", "kodim21"):
        for codec, bpp, quality in (("original", "", ""), ("webp", 0.2512, 0.9312), ("cvqn", 0.2576, 0.9653)):
            Image.new("RGB", (48, 32), "teal").save(folder / f"{image}-{codec}.png")
            lines.append(f"{image},{codec},40,{bpp},{quality},,0,0,48,32,{image}-{codec}.png,,")
    (folder / "crops.csv").write_text("\n".join(lines) + "\n")
    draw(made, crops, "figure4.svg")
    captions = texts(kept[0])
    assert captions.count("0.251 bpp\nMS-SSIM 0.9312") == 2
    assert captions.count("0.258 bpp\nMS-SSIM 0.9653") == 2
    assert {"original", "WebP", "CVQN", "kodim01,\n48 × 32 pixels"} <= set(captions)
    assert len(rows(tmp_path / "figure4.csv")) == 6


@pytest.fixture
def project(tmp_path, made_maps):
    """A project's folder with everything that figures are made of."""
    made = whole_paper(tmp_path, scale="mini", images=["china", "coffee", "flower"])
    complete(made, made_maps._replace(image="coffee"))
    table, *pictures = (made.path(file) for file in made.evidence().files("crops"))
    table.parent.mkdir()
    lines = ["image,codec,setting,bpp,ms_ssim,psnr_db,left,top,width,height,file,measurements,bitstreams"]
    for picture in pictures:
        Image.new("RGB", (48, 32), "teal").save(picture)
        image, _, codec = picture.stem.partition("-")
        lines.append(f"{image},{codec},40,0.25,0.93,30,0,0,48,32,{picture.name},,")
    table.write_text("\n".join(lines) + "\n")
    return made


def test_figures_by_the_command_line(project):
    for entry in registry.FIGURES:
        output = project.results.figure(entry.name)
        assert project.cvqn("figure", entry.name, "--output", output) == 0
        for ending in ("svg", "png", "csv"):
            assert project.path(output).with_suffix(f".{ending}").stat().st_size > 100


def test_each_measured_curve_is_a_file(project):
    assert project.cvqn("curves", "--output", "results/mini/curves") == 0
    written = {path.stem for path in project.path("results/mini/curves").iterdir()}
    assert written == {"cvqn", "jpeg2000", "jpeg2000-5-3", "webp", "bpg-444", "jpeg-420"} & {
        "cvqn",
        *project.configuration.measured_codecs(),
    }
    own = rows(project.path("results/mini/curves/cvqn.csv"))
    assert [row["setting"] for row in own] == list(project.configuration.report.rate_curve)
    for row in own:
        measured = rows(project.path(project.results.measurements("cvqn", f"{row['setting']}-seed1")))
        assert float(row["psnr_db"]) == pytest.approx(np.mean([float(one["psnr_db"]) for one in measured]))


def test_the_figure_in_psnr_draws_psnr(project, kept, tmp_path):
    with contextlib.chdir(project.folder):
        curves.draw(project.evidence(), tmp_path / "curves.svg", **registry.entry("psnr-curves").options)
        expected = curves_table(project.evidence())
    axes = kept[0].axes[0]
    assert axes.get_ylabel() == "PSNR, dB"
    own = expected[expected["curve"] == "cvqn"].sort_values("bpp")
    np.testing.assert_allclose(axes.lines[0].get_ydata(), own["psnr_db"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("figure1", "not the maps of cvqn evaluate"),
        ("figure3-maps", "not the maps of cvqn evaluate"),
        ("figure3-curves", "no run of report.rate_curve was measured"),
        ("figure4", "run cvqn crops first"),
        ("figure-bits", "influence was not measured"),
        ("figure5", "figure5: unknown; there are figure1, "),
    ],
)
def test_missing_input_is_named_and_nothing_is_written(tmp_path, capsys, name, message):
    made = MadeUp(tmp_path)
    assert made.cvqn("figure", name, "--output", "figure.svg") == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("figure.*"))
