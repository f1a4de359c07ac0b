"""What a user does: record, clone elsewhere, restore, check; change something, record again, compare."""

import csv
import json
import os
import re
import subprocess
import sys
import time

import pytest

from cvqn.files import sha256_file
from tests import ROOT
from tests.lab.record.repository import write_stages
from tests.lab.record.test_documents import CHECKLISTS, files_in, items_of

pytestmark = pytest.mark.workflow

UNRECORDED = {"logs", "benchmarks", "crops", "record", "report.html", "plans", "trainings"}


@pytest.fixture(scope="module")
def clone(recorded, tmp_path_factory):
    """A clone in another place, restored."""
    clone = recorded.clone(tmp_path_factory.mktemp("elsewhere") / "clone")
    assert not (clone.results / "runs").exists()
    assert "2 trainings: 2 recorded, not restored" in clone.cvqn("status")
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
    assert {path.suffix for path in (recorded.results / "figures").iterdir()} == {".svg", ".png", ".csv"}
    assert not [path for path in tracked if "/figures/" in path]
    models = list((recorded.results / "runs").rglob("model.safetensors"))
    assert {model.stat().st_nlink for model in models} == {2}  # still links into the store of trainings


def test_results_that_the_checklists_name_are_in_the_record(recorded):
    named = {name for checklist in CHECKLISTS for where in items_of(checklist).values() for name in files_in(where)}
    named = {name.replace("<scale>", "tiny").rstrip("/") for name in named if name.startswith("results/")}
    assert len(named) > 8
    assert not [name for name in named if not list(recorded.folder.glob(name))]
    unrecorded = tuple(f"results/tiny/{part}" for part in UNRECORDED - {"record"})
    assert not [name for name in named if name.startswith(unrecorded)]


def test_the_record_says_where_each_run_comes_from(recorded):
    record = json.loads((recorded.results / "record/record.json").read_text())
    commit = recorded.git("rev-parse", "HEAD~1").strip()
    assert record["commit"] == commit
    runs = {path.stem: json.loads(path.read_text()) for path in (recorded.results / "record/runs").iterdir()}
    assert set(runs) == {"c16-seed1", "toy-seed1"}
    for name, run in runs.items():
        assert run["source"] == {"commit": commit, "dirty": False}
        assert run["command"].startswith("cvqn train --plan results/tiny/plans/")
        assert run["seed"] == 1
        assert run["lock"]["sha256"] == record["constraints_sha256"] == sha256_file(recorded.folder / "constraints.txt")
        assert (
            run["training_images"]["sets"][0]["manifest_sha256"] == record["data"]["packaged-train"]["manifest_sha256"]
        )
        assert run["evaluation_images"]["sets"][0]["name"] == "packaged-evaluation"
        assert run["machine"]["processor"]
        assert run["began"] <= run["ended"] <= record["recorded"]
        assert run["resumed_from"] == 0
        assert run["peak_host_memory_bytes"] > 50e6
        assert (recorded.results / "runs" / name / "provenance.json").read_text() == json.dumps(run, indent=1)
    for codec in ("webp", "cvqn/c16-seed1"):
        sidecar = json.loads((recorded.results / f"measurements/{codec}.json").read_text())
        assert sidecar["versions"]
        assert sidecar["decoder_versions"]
        assert sidecar["machine"]["processor"]
    for place in (str(recorded.folder), sys.prefix):
        recorded.run("git", "grep", "--quiet", "--fixed-strings", place, code=1)


def test_a_clone_has_nothing_to_do_even_after_touching(clone):
    assert clone.planned("all") == {}
    assert "2 trainings: 2 done" in clone.cvqn("status")
    later = time.time() + 60
    for path in ("runs/c16-seed1/last/model.safetensors", "measurements/webp.csv", "bitstreams/cvqn/toy-seed1.tar"):
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
    assert "<- train_monitored," in trace
    assert "data/manifests/packaged-train.yaml sha256" in trace
    assert clone.planned("all") == {}


def test_verify_finds_a_forged_number_and_a_changed_file(clone):
    table, record = clone.results / "measurements/webp.csv", clone.results / "record/record.json"
    original, recorded = table.read_text(), record.read_text()
    value = next(csv.DictReader(original.splitlines()))["ms_ssim"]
    table.write_text(original.replace(value, f"{float(value) + 0.001:.8g}", 1))
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
    overlay = "workflow/scales/another-quality.yaml"
    (copy.folder / overlay).write_text("codecs: {webp: {qualities: [1, 30]}}\n")
    copy.overlays = (*copy.overlays, overlay)
    write_stages(copy)
    copy.commit("another quality")
    assert "another-quality.yaml the workflow is not finished" in copy.cvqn("record", "tiny", code=2)
    copy.snakemake("all")
    copy.cvqn("record", "tiny")
    copy.commit("tiny again")
    parameters = json.loads(copy.dvc("params", "diff", "HEAD~2", "HEAD", "--json"))
    assert parameters == {
        "results/tiny/config.yaml": {"codecs.webp.qualities": {"old": "[1, 40]", "new": "[1, 30]"}}
    } or parameters == {"results/tiny/config.yaml": {"codecs.webp.qualities": {"old": [1, 40], "new": [1, 30]}}}
    metrics = json.loads(copy.dvc("metrics", "diff", "HEAD~2", "HEAD", "--json"))
    changed = set(metrics["results/tiny/metrics.json"])
    before, after = (
        json.loads(copy.git("show", f"{revision}:results/tiny/metrics.json")) for revision in ("HEAD~2", "HEAD")
    )
    assert changed == {name for name in before | after if before.get(name) != after.get(name)}
    measures = ("bpp", "ms_ssim", "ms_ssim_db", "psnr_db")
    points = {f"codec.webp.{quality}.{measure}" for quality in (30, 40) for measure in measures}
    assert points <= changed <= points | {"bd_rate.webp", "bd_ms_ssim.webp"}
    output = copy.cvqn("compare", "HEAD~2", "HEAD", "--scale", "tiny", "--markdown", code=1)
    listed = set(re.findall(r"^\| ([\w.-]+) +\|", output, re.MULTILINE)) - {"metric", "---"}
    assert points <= listed <= changed
    assert re.search(r"^\| codec\.webp\.40\.bpp +\|.*\*\*gone\*\*", output, re.MULTILINE)
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
    manifests = {f"data/manifests/packaged-{part}.yaml" for part in ("train", "evaluation")}
    assert {entity.id for entity in action["object"]} == {"params.yaml", *recorded.overlays, *manifests}
    files = json.loads((recorded.results / "record/record.json").read_text())["files"]
    assert {entity.id: entity["sha256"] for entity in action["result"]} == files


def test_two_at_once_damage_nothing(copy):
    (copy.results / "tables/table2.md").unlink()
    profile = ["--profile", "workflow/profiles/local", "--cores", "1"]
    command = ["snakemake", "all", *profile, "--configfile", *copy.overlays]
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
