"""`cvqn verify` makes again what can be, and names every changed byte and every forgery that was hashed again."""

import json
import re
import shutil
import tarfile
from itertools import takewhile

import numpy as np
import pytest

from cvqn.files import sha256_file
from cvqn.images import read_picture, write_png
from cvqn.lab.record.verify import verify
from tests.lab.record.repository import Repository

pytestmark = pytest.mark.workflow


def test_a_restored_clone_is_made_again_whole(clone):
    output = clone.cvqn("verify", "tiny")
    files = json.loads((clone.results / "record/record.json").read_text())["files"]
    trained = [path for path in files if path.startswith("results/tiny/runs/")]
    page = [path for path in files if path.startswith("results/tiny/report/")]
    assert output.splitlines()[-1] == (
        f"tiny: verified; of its files {len(files) - len(trained) - len(page)} made again and equal, "
        f"{len(trained)} attested by their own record alone, {len(page)} not made again"
    )
    for what in ("cvqn/c16-seed1.csv: decoded and measured", "cvqn/c16-seed1.tar: coded", "webp/40.tar: coded",
                 "analysis/cvqn/c16-seed1: analysed", "tables/equation7.md: made again", "audit.html: made again",
                 "figures/figure4.png: made again", "metrics.json: made again"):  # fmt: skip
        assert re.search(rf"agrees .*{what}", output), output
    assert clone.planned("all") == {}
    assert clone.git("status", "--porcelain") == ""


def of_text(data):
    """One digit is another one."""
    place = re.search(rb"\d", data[len(data) // 2 :]).start() + len(data) // 2
    return data[:place] + (b"1" if data[place : place + 1] != b"1" else b"2") + data[place + 1 :]


def of_data(data):
    """One bit in the middle is another one."""
    place = len(data) // 2
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


KINDS = {
    "SHA256SUMS": (of_text, r"line \d+: "),
    "dvc.lock": (of_text, r"line \d+: "),
    "cvqn/models/quality-1/model.safetensors": (of_data, r"tensor [\w.]+"),
    "cvqn/models/quality-1/model.json": (of_text, r"[\w.]+(\[\d\])?: .* became "),
    "docs/figures/small-rate-distortion.png": (of_data, r"byte \d+"),
    "results/tiny/record/record.json": (of_text, r"files.results/tiny/[\w./-]+: .* became "),
    "results/tiny/record/jobs.json": (of_text, r"results/tiny/[\w./\[\]-]+: .* became "),
    "results/tiny/record/runs/c16-seed1/provenance.json": (of_text, r"[\w.-]+: .* became "),
    "results/tiny/runs/c16-seed1/last/model.safetensors": (of_data, r"tensor [\w.]+"),
    "results/tiny/runs/c16-seed1/log.csv": (of_text, r"line \d+, \w+: .* became "),
    "results/tiny/bitstreams/cvqn/c16-seed1.tar": (None, r"member \w+\.cvqn"),
    "results/tiny/figures/figure1.png": (of_data, r"byte \d+"),
    "results/tiny/figures/figure3-curves.svg": (of_text, r"line \d+"),
    "results/tiny/measurements/webp.csv": (of_text, r"line \d+, \w+: .* became "),
    "results/tiny/analysis/cvqn/c16-seed1/groups.csv": (of_text, r"line \d+, \w+: .* became "),
    "results/tiny/tables/table1.md": (of_text, r"line \d+: .* became "),
    "results/tiny/metrics.json": (of_text, r"[\w.-]+: .* became "),
    "results/tiny/audit.html": (of_text, r"line \d+: .* became "),
}


@pytest.mark.parametrize("file", KINDS)
def test_one_changed_byte_is_named_with_its_place(clone, monkeypatch, file):
    change, place = KINDS[file]
    monkeypatch.chdir(clone.folder)
    path = clone.folder / file
    content = path.read_bytes()
    if change is None:
        with tarfile.open(path) as archive:
            member = archive.next()
        change = lambda data: data[: member.offset_data + 30] + b"?" + data[member.offset_data + 31 :]  # noqa: E731
    try:
        path.write_bytes(change(content))
        assert path.read_bytes() != content
        checks = list(takewhile(lambda check: "files: SHA-256" not in check.what, verify("tiny")))
    finally:
        path.write_bytes(content)
    found = {check.what.partition(":")[0]: check.differences for check in checks}
    assert file in found
    assert re.match(place, found[file][0]), found[file]


OLDER = {
    "schema": lambda text: "model: {levels: &id001 [3, 5, 7], importance: *id001}\n" + text,
    "one key": lambda text: text + "retired: 1\n",
    "another seed": lambda text: text.replace("bootstrap: 50", "bootstrap: 51"),
}


@pytest.mark.parametrize("older", OLDER)
def test_settings_of_another_version_do_not_keep_the_rest_from_being_checked(clone, tmp_path, monkeypatch, older):
    shutil.copytree(clone.folder, tmp_path / "older", symlinks=True)
    monkeypatch.chdir(tmp_path / "older")
    results = tmp_path / "older" / "results" / "tiny"
    config = results / "config.yaml"
    config.write_text(OLDER[older](config.read_text()))
    replaced(results / "measurements/webp.csv", r"0\.9\d", "0.99")
    checks = verify("tiny", ["webp"])
    if older == "another seed":
        checks = takewhile(lambda check: "trained" not in check.what, checks)
    found = {check.what: check for check in checks}
    assert "results/tiny/measurements/webp.csv" in found
    if older == "another seed":  # is read, and compared by key
        [what] = [what for what in found if what.startswith("results/tiny/config.yaml: from")]
        assert found[what].differences == ("report.bootstrap: 51 became 50",)
        return
    [said] = found["results/tiny/config.yaml: read"].differences
    assert "another version of the code wrote it" in said
    assert found["results/tiny/runs/c16-seed1: trained"].verdict == "attested"
    measured = found["results/tiny/measurements/webp.csv: decoded and measured"]
    assert [place for place in measured.differences if re.match(r"line \d+, ms_ssim: 0.99", place)]
    for quality in (1, 40):
        assert found[f"results/tiny/bitstreams/webp/{quality}.tar: coded"].verdict in ("agrees", "not checked")
    assert found["all else of results/tiny: made again"].verdict == "not checked"


def replaced(path, pattern, by):
    """The first match in a text is another one."""
    text = path.read_text()
    assert re.search(pattern, text), path
    path.write_text(re.sub(pattern, by, text, count=1))


def test_forgeries_that_were_hashed_again_are_all_named(clone, tmp_path):
    shutil.copytree(clone.folder, tmp_path / "forged", symlinks=True)
    forged = Repository(tmp_path / "forged")
    results = forged.results
    replaced(results / "tables/table1.md", r"(\d)\.(\d)", r"9.\2")
    replaced(results / "tables/equation7.csv", r"\d\.\d\d", "9.99")
    replaced(results / "tables/importance.md", r"\d\.\d", "0.0")
    replaced(results / "audit.html", "not evaluated", "reproduced")
    replaced(results / "figures/figure3-curves.svg", r"L \d+", "L 7")
    picture = np.array(read_picture(results / "figures/figure1.png"))
    picture[100:110, 100:110] ^= 255
    write_png(results / "figures/figure1.png", picture)
    replaced(results / "analysis/cvqn/c16-seed1/groups.csv", r"(\d+)\.(\d+)", r"9\1.\2")
    replaced(results / "measurements/webp.csv", r"0\.9\d", "0.99")
    record = results / "record/record.json"
    content = json.loads(record.read_text())
    content["files"] = {path: sha256_file(forged.folder / path) for path in content["files"]}
    record.write_text(json.dumps(content, indent=1))
    forged.cvqn("checksums")
    forged.commit("forged")
    output = forged.cvqn("verify", "tiny", "--only", "webp", "c16-seed1", code=1)
    assert "SHA-256 (checksums only" in output
    for what in (
        "tables/table1.md: made again: line", "tables/importance.md: made again: line",
        "tables/equation7.csv: made again: line", "audit.html: made again: line",
        r"figures/figure3-curves.svg: made again: line \d+, number", "figures/figure1.png: made again: 100 pixels",
        r"analysis/cvqn/c16-seed1: analysed: .*groups.csv: line 2, \w+: 9",
        r"measurements/webp.csv: decoded and measured: line \d+, ms_ssim",
    ):  # fmt: skip
        assert re.search(rf"DIFFERS +results/tiny/{what}", output), (what, output)
    assert "tiny: NOT VERIFIED" in output


def test_a_plain_clone_decodes_with_the_models_of_the_program(recorded, tmp_path):
    shipping = recorded.copy(tmp_path)
    shipping.cvqn("ship", "results/tiny")
    shipping.cvqn("checksums")
    shipping.commit("ship")
    clone = shipping.clone(tmp_path / "clone")
    shutil.copytree(recorded.folder / "data/sets", clone.folder / "data/sets")
    output = clone.cvqn("verify", "tiny", "--only", "webp", "c16-seed1", "--sample", "7")
    assert "get them with: cvqn restore tiny" in output
    for what in ("measurements/cvqn/c16-seed1.csv", "measurements/webp.csv"):
        assert re.search(rf"(in part|agrees) +results/tiny/{what}: decoded and measured", output), output
    for what in ("audit.html", "tables/equation7.csv", "metrics.json"):
        assert re.search(rf"agrees +results/tiny/{what}: made again", output)
    assert re.search(r"in part .*: decoded and measured \(\d of \d files\)", output)
    few = clone.cvqn("verify", "tiny", "--only", "webp", "--sample", "1")  # of some settings no file
    assert re.search(r"in part .*webp.csv: decoded and measured \(1 of \d files\)", few), few
    assert re.search(r"tiny: verified; of its files \d+ made again and equal, \d made again in part", output)
