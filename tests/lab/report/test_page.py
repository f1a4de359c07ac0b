"""The report page: what it says of partial results, and how it works in a browser."""

import contextlib
import http.server
import io
import json
import shutil
import tarfile
import threading
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlparse

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from made_up import MadeUp, whole_paper
from PIL import Image
from playwright.sync_api import sync_playwright
from skimage import data
from sklearn.datasets import load_sample_image

from cvqn.cli import main
from cvqn.codecs import registry
from cvqn.codecs.shipped import folder_of_quality
from cvqn.compression import StoredCodec
from cvqn.lab.data.index import describe, write_index
from cvqn.lab.evaluation.archive import Made, write_archive
from cvqn.lab.settings import configuration

PICTURES = {"coffee": data.coffee, "flower": lambda: load_sample_image("flower.jpg")}
RUNS = ("c16-seed1", "c32-seed1", "c48-seed1")
SIZE = (384, 256)
in_browser = pytest.mark.browser


def archive(made: MadeUp, codec: str, setting: str, files: dict[str, bytes]) -> None:
    path = made.path(made.results.archive(codec, setting))
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as opened:
        write_archive(opened, Made(codec=codec, quality=None, versions={}, settings={}), "file", files.items())


def add_bitstreams(made: MadeUp) -> None:
    """Real pictures, and real files of them, by two conventional codecs and a model that the program brings."""
    folder = made.folder / f"data/sets/{made.configuration.data.evaluation}"
    folder.mkdir(parents=True)
    pictures = {name: np.asarray(Image.fromarray(read()).resize(SIZE)) for name, read in PICTURES.items()}
    for name, picture in pictures.items():
        Image.fromarray(picture).save(folder / f"{name}.png")
    write_index(folder / "index.json", "made-up", "0", [describe(folder / f"{name}.png", "none") for name in pictures])
    for codec in (registry.conventional("webp"), registry.conventional("jpeg-420")):
        for setting in range(5):
            files = {name: codec.encode(picture, 5 + 15 * setting) for name, picture in pictures.items()}
            archive(made, codec.name, str(setting), files)
    own = StoredCodec(folder_of_quality(1))
    files = {name: own.encode(picture) for name, picture in pictures.items()}
    for run in RUNS:
        archive(made, "cvqn", run, files)
        shutil.copytree(folder_of_quality(1), made.path(made.results.model(run, "last")))


def write(made: MadeUp, *options: str) -> int:
    with contextlib.chdir(made.folder):
        return main(["page", made.results.root, *options])


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> MadeUp:
    """The page of made-up results, as the workflow makes it, and as one file for mail."""
    made = whole_paper(tmp_path_factory.mktemp("site"), scale="mini", images=list(PICTURES))
    made.config["report"]["figure4"]["images"][0]["name"] = "coffee"
    for run in RUNS:
        if not made.path(made.results.training(run)).exists():
            made.training(run)
    add_bitstreams(made)
    configuration.write(made.configuration, made.path(made.results.config))
    for name in ("table1", "table2", "runs", "rate-distortion", "bd-rate", "equation7"):
        assert made.table(name) == 0
    assert made.cvqn("figure", "figure3-curves", "--output", made.results.figure("figure3-curves")) == 0
    assert made.cvqn("curves", "--output", f"{made.results.root}/curves") == 0
    assert made.cvqn("audit", "--output", f"{made.results.root}/audit.json") == 0
    benchmark = made.path(f"{made.results.root}/benchmarks/measure/webp.tsv")
    benchmark.parent.mkdir(parents=True)
    benchmark.write_text("s\tmax_rss\tcpu_time\n3600\t2048\t1800\n")
    assert write(made, "--embed", "mail.html") == 0
    return made


def text_of(made: MadeUp) -> str:
    return made.path(made.results.page).read_text()


def rows(path: Path) -> list[dict[str, str]]:
    header, *lines = (line.split(",") for line in path.read_text().splitlines())
    return [dict(zip(header, line, strict=True)) for line in lines]


def content_of(text: str) -> dict:
    """What the page's script works with."""
    start = text.index(">", text.index('<script id="data"')) + 1
    return json.loads(text[start : text.index("</script>", start)])


def test_the_points_are_those_of_the_curves(site):
    curves = {one["id"]: one for one in content_of(text_of(site))["curves"] if one["kind"] == "measured"}
    written = list(site.path(f"{site.results.root}/curves").iterdir())
    assert set(curves) == {path.stem for path in written}
    for path in written:
        for key in ("bpp", "ms_ssim", "ms_ssim_db"):
            drawn = [point[key] for point in curves[path.stem]["points"]]
            np.testing.assert_allclose(drawn, [float(row[key]) for row in rows(path)], rtol=1e-5)


def test_pictures_are_those_that_the_codecs_decode_and_nearest_in_rate(site):
    images = content_of(text_of(site))["images"]
    assert [image["name"] for image in images] == list(PICTURES)
    measured = rows(site.path(site.results.measurements("webp")))
    for image in images:
        own = [row for row in measured if row["image"] == image["name"]]
        chosen = {one["setting"]: one for one in image["pictures"] if one["codec"] == "webp"}
        for target in (one["bpp"] for one in image["pictures"] if one["codec"] == "cvqn"):
            nearest = min(own, key=lambda row: abs(float(row["bpp"]) - target))
            assert chosen[nearest["setting"]]["bpp"] == pytest.approx(float(nearest["bpp"]), rel=1e-5)
        for setting, one in chosen.items():
            with tarfile.open(site.path(site.results.archive("webp", setting))) as opened:
                expected = np.asarray(Image.open(opened.extractfile(f"{image['name']}.file")).convert("RGB"))
            shown = np.asarray(Image.open(site.path(site.results.page).parent / one["file"]).convert("RGB"))
            np.testing.assert_array_equal(shown, expected)


def test_a_second_writing_decodes_nothing_again(site):
    pictures = sorted(site.path(site.results.pictures).rglob("*.webp"))
    before = [path.stat().st_mtime_ns for path in pictures]
    stray = pictures[0].with_name("webp_99.webp")
    stray.write_bytes(pictures[0].read_bytes())
    assert write(site) == 0
    assert [path.stat().st_mtime_ns for path in pictures] == before
    assert stray.exists()  # these results are partial
    stray.unlink()


def test_the_cost_is_the_sum_of_the_records(site):
    text = text_of(site)
    cells = ["<td>1</td>", '<td data-value="1.0">1.0 h</td>', '<td data-value="0.5">30.0 min</td>', "<td>2.00</td>"]
    assert "<td><code>measure</code></td>" + "".join(cells) in text
    folders = [site.path(site.results.training(run.training)) for run in site.configuration.runs()]
    records = [folder / "provenance.json" for folder in folders if (folder / "provenance.json").exists()]
    assert records
    hours = sum(json.loads(path.read_text())["seconds"] for path in records) / 3600
    assert f"trainings took {hours:.1f} h, none of it on a GPU" in text


def test_partial_results_say_what_is_missing(tmp_path, capsys):
    made = MadeUp(tmp_path, "mini", ["coffee"])
    assert write(made) == 2
    assert "config.yaml" in capsys.readouterr().err
    made.path(made.results.root).mkdir(parents=True)
    configuration.write(made.configuration, made.path(made.results.config))
    assert write(made) == 0
    assert "missing 12 of 12 trainings" in capsys.readouterr().out
    for what in ("Nothing is measured yet", "No pictures yet", "No tables yet", "the audit has not been made"):
        assert what in text_of(made)
    made.codec("webp", {"0": (0.9, 0.2)})
    made.path(f"{made.results.store}/c16-seed1-0123456789ab").mkdir(parents=True)
    log = made.path(f"{made.results.store}/c16-seed1-0123456789ab/log.csv")
    log.write_text("step,loss\n" + "".join(f"{step},{100 - step}\n" for step in range(1, 41)))
    assert write(made) == 0
    assert "missing 5 of 6 measurements of conventional codecs: jpeg2000," in capsys.readouterr().out
    text = text_of(made)
    assert [one["id"] for one in content_of(text)["curves"] if one["kind"] == "measured"] == ["webp"]
    assert "<td>40 of 700</td><td>not finished</td>" in text


def test_a_claim_has_its_power_and_its_verdict_at_the_last_checkpoint(tmp_path):
    made = MadeUp(tmp_path)
    made.experiment("c32", (0.9500, 0.30, 27), (1e-5, 1e-5, 1e-3))
    made.experiment("c32", (0.9653, 0.2576, 28.024), (1e-5, 1e-5, 1e-3), checkpoints=("best",))
    configuration.write(made.configuration, made.path(made.results.config))
    assert made.cvqn("audit", "--output", f"{made.results.root}/audit.json") == 0
    assert write(made) == 0
    _, _, card = text_of(made).partition('id="claim-table1.c32.bpp"')
    card = card[: card.index("</details>")]
    assert "<small>differs at the last checkpoint: not reproduced</small> <small>could hold, could fail</small>" in card
    assert "<p>At the last checkpoint: BPP of c32 0.3 bpp [" in card


def test_an_audit_of_another_version_is_refused(tmp_path, capsys):
    made = MadeUp(tmp_path)
    made.experiment("c32", (0.9653, 0.2576, 28.024))
    configuration.write(made.configuration, made.path(made.results.config))
    made.path(f"{made.results.root}/audit.json").write_text('{"format": 3, "claims": []}')
    assert write(made) == 2
    assert "audit.json: another version of the code wrote it; write it again with cvqn audit" in capsys.readouterr().err


@pytest.fixture(scope="module")
def chromium():
    path = shutil.which("chromium")
    assert path, "the tests of the page need chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])


class Tab:
    """A tab and everything that it asked for and complained of."""

    def __init__(self, browser, width: int = 1280, scheme: str = "light"):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page, self.complaints, self.requests = context.new_page(), [], []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("requestfailed", lambda request: self.complaints.append(f"failed: {request.url}"))

    def open(self, address: str):
        self.page.goto(address, wait_until="load")
        return self.page


@pytest.fixture
def tab(chromium):
    """Makes tabs; none may have complained, or asked for anything but files of its own folder."""
    tabs = []

    def make(*arguments, **options) -> Tab:
        tabs.append(Tab(chromium, *arguments, **options))
        return tabs[-1]

    yield make
    for one in tabs:
        assert one.complaints == []
        assert not [url for url in one.requests if not url.startswith(("file:", "data:", "http://127.0.0.1:"))]
        one.page.context.close()


@pytest.fixture
def address(site) -> str:
    return site.path(site.results.page).as_uri()


def pixels(element) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(element.screenshot())).convert("RGB")).astype(int)


def picture(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def at_its_size(page, comparison: str) -> None:
    """Show a comparison's pictures pixel by pixel, with nothing on them."""
    page.add_style_tag(
        content=f"{comparison} .stage {{ position: fixed; left: 0; top: 0; z-index: 9; width: {SIZE[0]}px; margin: 0 }}"
        f"{comparison} .stage:nth-child(2) {{ top: 400px }} .tag, .handle {{ visibility: hidden }}"
    )


@in_browser
def test_the_slider_shows_one_picture_or_the_other(site, tab, address):
    page = tab().open(address)
    comparison = page.locator("#first-comparison")
    divider, stage = comparison.locator(".divider"), comparison.locator(".stage")
    at_its_size(page, "#first-comparison")
    sources = comparison.locator(".layer img").evaluate_all("all => all.map(one => one.getAttribute('src'))")
    [left, right] = [site.path(site.results.page).parent / source for source in sources]
    assert left.name == "cvqn_c32-seed1.webp"
    assert right.name.startswith("webp_")
    assert np.abs(picture(left) - picture(right)).mean() > 2
    half = pixels(stage)
    divider.focus()
    for key, shown in (("Home", right), ("End", left)):
        page.keyboard.press(key)
        np.testing.assert_allclose(pixels(stage), picture(shown), atol=1)
    box = stage.bounding_box()
    page.mouse.move(box["x"] + 0.95 * box["width"], box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 50, steps=3)
    page.mouse.up()
    assert float(divider.input_value()) == pytest.approx(50, abs=1)
    assert np.abs(pixels(stage) - half).mean() < 1


@in_browser
def test_a_tooltip_has_the_numbers_of_the_table(site, tab, address):
    page = tab().open(address)
    marks = page.locator("#rate-distortion .curve.bold .mark")
    tooltip = page.locator("#rate-distortion .tooltip")
    expected = rows(site.path(f"{site.results.root}/curves/cvqn.csv"))
    assert marks.count() == len(expected) == 3
    times = {row["experiment"]: row for row in rows(site.path(site.results.table("rate-distortion")))}
    for place, row in enumerate(expected):
        marks.nth(place).hover(force=True)
        shown = tooltip.inner_text()
        assert shown.startswith(f"CVQN, {row['setting']}\nmeasured here\n{float(row['bpp']):.4f} bpp")
        assert f"MS-SSIM {float(row['ms_ssim']):.4f} ({float(row['ms_ssim_db']):.2f} dB)" in shown
        other = times[row["setting"]]
        assert f"PSNR {float(other['psnr_db']):.2f} dB" in shown
        assert f"encode {float(other['encode_s']):.3f} s, decode {float(other['decode_s']):.3f} s" in shown
    page.mouse.move(0, 0)
    page.locator("#rate-distortion svg[role=application]").focus()
    page.keyboard.press("ArrowRight")
    assert f"CVQN, {expected[0]['setting']}" in tooltip.inner_text()
    page.keyboard.press("ArrowRight")
    assert f"CVQN, {expected[1]['setting']}" in tooltip.inner_text()
    page.locator("#rate-distortion .legend label", has_text="CVQN").locator("input").first.uncheck()
    assert page.locator("#rate-distortion .curve.bold").count() == 0
    page.locator("#rate-distortion input[value=psnr_db]").check()
    assert "PSNR, dB" in page.locator("#rate-distortion .plot").inner_text()


@in_browser
def test_both_crops_move_together_and_the_gallery_says_the_rates(tab, address):
    one = tab()
    page = one.open(address)
    assert not [url for url in one.requests if "flower" in url and "thumbnail" not in url]  # not looked at yet
    page.locator("#gallery-controls select[name=right]").select_option("jpeg-420")
    page.locator(".thumbnails button", has_text="flower").click()
    gallery = page.locator("#gallery-comparison")
    caption = gallery.locator(".caption").inner_text()
    rates = [float(part.split(" bpp")[0].split()[-1]) for part in caption.split(",") if " bpp" in part]
    apart = float(caption.split("takes ")[1].split(" %")[0])
    assert apart == pytest.approx(abs(100 * (rates[1] / rates[0] - 1)), abs=0.1)
    assert ("no setting shown here is within 5 %" in caption) == (apart > 5)
    for view in ("side", "error"):
        page.locator(f"#gallery-controls input[value={view}]").check()
        page.locator("#gallery-controls input[name=zoom][value='4']").check()
        places = "all => all.map(one => getComputedStyle(one).transform)"
        images = gallery.locator(".stage img")
        assert images.count() == {"side": 2, "error": 4}[view]
        before = images.evaluate_all(places)
        gallery.locator(".stage").nth(1).focus()
        page.keyboard.press("ArrowRight")
        after = images.evaluate_all(places)
        assert len(set(after)) == 1
        assert set(after) != set(before)
        page.keyboard.press("ArrowLeft")


@in_browser
def test_the_error_map_is_the_difference_from_the_original(site, tab, address):
    page = tab().open(address)
    page.locator("#gallery").scroll_into_view_if_needed()
    page.locator("#gallery-controls input[value=error]").check()
    at_its_size(page, "#gallery-comparison")
    stage = page.locator("#gallery-comparison .stage").nth(1)
    sources = stage.locator("img").evaluate_all("all => all.map(one => one.getAttribute('src'))")
    folder = site.path(site.results.page).parent
    original, decoded = (picture(folder / source) for source in sources)
    expected = np.minimum(5 * np.abs(original - decoded), 255)
    assert expected.mean() > 3
    np.testing.assert_allclose(pixels(stage), expected, atol=1)


@in_browser
def test_tables_sort_and_claims_are_filtered(site, tab, address):
    page = tab().open(address)
    table = page.locator("#table2 table").first
    column = table.locator("thead th").all_inner_texts().index("BPP")
    for order in (sorted, lambda values: sorted(values, reverse=True)):
        table.locator("thead th button").nth(column).click()
        values = [
            float(text.split()[0]) for text in table.locator(f"tbody td:nth-child({column + 1})").all_inner_texts()
        ]
        assert values == order(values)
        assert len(set(values)) > 1
    counts = json.loads(site.path(f"{site.results.root}/audit.json").read_text())["counts"]
    for verdict in ("identity", "not evaluated at this scale"):
        page.locator(".filters button", has_text=verdict).click()
        assert page.locator(".claim[data-verdict]:visible").count() == counts[verdict]
    page.locator(".filters button", has_text="all").click()
    assert page.locator(".claim[data-verdict]:visible").count() < sum(counts.values())


@in_browser
def test_every_link_and_anchor_of_page_and_audit_resolves(site, tab, address):
    root = site.path(site.results.root)
    (root / "report.html").touch()  # Snakemake's, which it writes when a run has ended
    assert write(site) == 0
    claims = json.loads((root / "audit.json").read_text())["claims"]
    for archive in {root / path for claim in claims for path in claim["evidence"] if path.startswith("bitstreams/")}:
        archive.parent.mkdir(parents=True, exist_ok=True)
        archive.touch()  # made-up results have none
    for name in (address, (root / "audit.html").as_uri()):
        page = tab().open(name)
        links = page.eval_on_selector_all("a[href]", "all => all.map(one => one.href)")
        assert len(links) > 20
        for link in links:
            parts = urlparse(link)
            if parts.scheme == "https":
                assert link == "https://arxiv.org/abs/2007.12619"
                continue
            assert Path(unquote(parts.path)).exists(), link
            if parts.fragment:
                assert page.locator(f'[id="{unquote(parts.fragment)}"]').count() == 1, link


@in_browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (360, "light")])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(tab, address, width, scheme):
    page = tab(width, scheme=scheme).open(address)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Two open cards per verdict stand for the others, of which there are a hundred, and so do a table's first rows.
    page.evaluate("""
        const seen = {};
        for (const claim of document.querySelectorAll('.claim')) {
            seen[claim.className] = (seen[claim.className] ?? 0) + 1;
            if (seen[claim.className] > 2) claim.remove();
        }
        for (const row of document.querySelectorAll('tbody tr:nth-child(n + 4)')) row.remove();
    """)
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"]}).response
    assert [(one["id"], one["nodes"][0]["target"], one["help"]) for one in found["violations"]] == []
    assert len(found["passes"]) > 20


@in_browser
def test_the_first_screen_is_light_from_a_web_server_too(site, tab):
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=site.path(site.results.root))
    handler.log_message = lambda *_: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        one, sizes = tab(), []
        one.page.on("response", lambda response: sizes.append(len(response.body())))
        page = one.open(f"http://127.0.0.1:{server.server_port}/report/index.html")
        assert page.locator("#first-comparison .stage img").count() == 2
        assert 0 < sum(sizes) < 1_000_000
        server.shutdown()


@in_browser
def test_the_file_for_mail_stands_alone(site, tab, tmp_path):
    shutil.move(site.folder / "mail.html", tmp_path / "mail.html")
    one = tab()
    page = one.open((tmp_path / "mail.html").as_uri())
    stage = page.locator("#first-comparison .stage")
    before = pixels(stage)
    page.locator("#first-comparison .divider").focus()
    page.keyboard.press("End")
    assert np.abs(pixels(stage) - before).mean() > 1
    assert [url for url in one.requests if not url.startswith("data:")] == [(tmp_path / "mail.html").as_uri()]
    links = page.eval_on_selector_all("a[href]", "all => all.map(one => one.getAttribute('href'))")
    assert all(link.startswith(("#", "https://arxiv.org/")) for link in links)
