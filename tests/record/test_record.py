"""What a user does: record, clone elsewhere, restore, check; change something, record again, compare."""

import json
import os
import re
import subprocess
import time

import pytest

from cvqn.config import ROOT
from cvqn.files import sha256_file

pytestmark = [pytest.mark.slow, pytest.mark.record]

UNRECORDED = {"logs", "benchmarks", "crops", "record", "report.html"}


@pytest.fixture(scope="module")
def clone(recorded, tmp_path_factory):
    """A clone in another place, restored."""
    clone = recorded.clone(tmp_path_factory.mktemp("elsewhere") / "clone")
    assert not (clone.results / "runs").exists()
    assert "all as recorded" in clone.cvqn("restore", "tiny")
    return clone


def test_the_record_has_every_result_and_git_no_model(recorded):
    files = json.loads((recorded.results / "record/record.json").read_text())["files"]
    there = {
        str(path.relative_to(recorded.folder))
        for path in recorded.results.rglob("*")
        if path.is_file() and path.relative_to(recorded.results).parts[0] not in UNRECORDED
    }
    assert set(files) == there
    tracked = set(recorded.git("ls-files", "results").split())
    assert {"results/tiny/metrics.json", "results/tiny/audit.json", "results/tiny/config.yaml"} < tracked
    assert not [path for path in tracked if path.endswith((".safetensors", ".tar"))]
    assert recorded.git("status", "--porcelain") == ""
    runs = {path.stem for path in (recorded.results / "record/runs").iterdir()}
    assert runs == {path.name for path in (recorded.results / "runs").iterdir()}


def test_a_clone_has_nothing_to_do_even_after_touching(clone):
    assert clone.planned("all") == {}
    later = time.time() + 60
    for path in ("runs/c16-seed1/model/model.safetensors", "measurements/webp.csv", "bitstreams/cvqn/re-seed1.tar"):
        os.utime(clone.results / path, (later, later))
    os.utime(clone.folder / "data/manifests/packaged-train.yaml", (later, later))
    assert clone.planned("all") == {}
    assert clone.git("status", "--porcelain") == ""


def test_a_clone_verifies_and_traces(clone):
    clone.cvqn("data", "fetch", "packaged-evaluation")
    output = clone.cvqn("verify", "tiny", "--only", "webp", "c16-seed1")
    assert "DIFFERS" not in output.replace("0 DIFFERS", "")
    for what in ("files: SHA-256", "cvqn/c16-seed1.csv: decoded and measured", "cvqn/c16-seed1.tar: coded",
                 "webp/40.tar: coded", "tables/table1.csv: made again", "audit.json: made again"):  # fmt: skip
        assert re.search(rf"agrees .*{what}", output), output
    trace = clone.cvqn("trace", "results/tiny/tables/table1.csv")
    assert "<- train," in trace
    assert "data/manifests/packaged-train.yaml sha256" in trace
    assert clone.planned("all") == {}


def test_verify_finds_a_forged_number_and_a_changed_file(clone):
    table, record = clone.results / "measurements/webp.csv", clone.results / "record/record.json"
    original, recorded = table.read_text(), record.read_text()
    row = original.splitlines()[1].split(",")
    row[7] = f"{float(row[7]) + 0.001:.8g}"
    table.write_text(original.replace(original.splitlines()[1], ",".join(row)))
    assert "webp.csv: not the recorded file" in clone.cvqn("verify", "tiny", "--only", "webp", code=2)
    key = "results/tiny/measurements/webp.csv"
    forged = json.loads(recorded)
    forged["files"][key] = sha256_file(table)
    record.write_text(json.dumps(forged))
    output = clone.cvqn("verify", "tiny", "--only", "webp", code=1)
    assert re.search(rf"DIFFERS +{key}: decoded and measured \(line 2, ms_ssim", output)
    assert "bitstreams/webp/1.tar: coded" in output
    table.write_text(original)
    record.write_text(recorded)


def test_recording_again_changes_nothing(clone):
    before = clone.record()
    clone.cvqn("record", "tiny")
    assert clone.record() == before


def test_diffs_show_the_changed_parameter_and_its_metrics(copy):
    copy.replace("workflow/scales/tiny.yaml", "webp: {qualities: [1, 40]}", "webp: {qualities: [1, 30]}")
    copy.commit("another quality")
    copy.snakemake("all")
    copy.cvqn("record", "tiny")
    copy.commit("tiny again")
    parameters = json.loads(copy.dvc("params", "diff", "HEAD~2", "HEAD", "--json"))
    assert parameters == {
        "results/tiny/config.yaml": {"codecs.webp.qualities": {"old": "[1, 40]", "new": "[1, 30]"}}
    } or parameters == {"results/tiny/config.yaml": {"codecs.webp.qualities": {"old": [1, 40], "new": [1, 30]}}}
    metrics = json.loads(copy.dvc("metrics", "diff", "HEAD~2", "HEAD", "--json"))
    changed = set(metrics["results/tiny/metrics.json"])
    assert changed
    assert all("webp" in key for key in changed)
    output = copy.cvqn("compare", "HEAD~2", "HEAD", "--scale", "tiny", "--markdown", code=1)
    listed = set(re.findall(r"^\| ([\w.-]+) \|", output, re.MULTILINE)) - {"metric", "---"}
    assert listed
    assert listed <= changed
    assert re.search(r"^\| codec\.webp\.40\.bpp \|.*\*\*gone\*\*", output, re.MULTILINE)
    copy.dvc("plots", "diff", "HEAD~2", "--out", "plots")
    assert "webp" in (copy.folder / "plots/index.html").read_text()


def test_crate_describes_the_run(recorded):
    from rocrate.rocrate import ROCrate

    crate = ROCrate(recorded.folder)
    assert crate.mainEntity.id == "Snakefile"
    profiles = {entity.id for entity in crate.root_dataset["conformsTo"]}
    assert "https://w3id.org/ro/wfrun/workflow/0.6" in profiles
    action = crate.get("#run-tiny")
    assert action["instrument"].id == "Snakefile"
    assert action in crate.root_dataset["mentions"]
    assert {"params.yaml", "workflow/scales/tiny.yaml", "data/manifests/packaged-train.yaml"} <= {
        entity.id for entity in action["object"]
    }
    results = action["result"]
    assert len(results) > 100
    for entity in results[::10]:
        assert sha256_file(recorded.folder / entity.id) == entity["sha256"]


def test_two_at_once_damage_nothing(copy):
    (copy.results / "tables/table2.md").unlink()
    command = ["snakemake", "all", "--profile", "workflow/profiles/local", "--cores", "1", "--configfile",
               "workflow/scales/tiny.yaml"]  # fmt: skip
    assert 0 in _at_once(copy, [command, command])
    assert copy.planned("all") == {}
    codes = _at_once(copy, [["cvqn", "record", "tiny"], ["cvqn", "record", "tiny"], ["dvc", "status"]])
    assert 0 in codes[:2]
    assert copy.dvc("status", "scale@tiny", "--json").strip() == "{}"
    files = json.loads((copy.results / "record/record.json").read_text())["files"]
    assert all(sha256_file(copy.folder / path) == expected for path, expected in files.items())


def _at_once(repository, commands):
    started = [
        subprocess.Popen(command, cwd=repository.folder, env=repository.environment, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
        for command in commands
    ]  # fmt: skip
    return [process.wait() for process in started]


def test_no_rule_calls_dvc():
    rules = [ROOT / "Snakefile", *(ROOT / "workflow/rules").glob("*.smk")]
    assert len(rules) > 5
    assert not [path.name for path in rules if re.search(r"\bdvc\b|cvqn (record|restore)", path.read_text())]
