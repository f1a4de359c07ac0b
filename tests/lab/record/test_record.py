"""What a user does: record, clone elsewhere, restore, check; change something, record again, compare."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cvqn.files import sha256_file
from tests import ROOT
from tests.lab.record.repository import FEWEST, FEWEST_TEXT, SCALE, write_stages
from tests.lab.record.test_documents import CHECKLISTS, files_in, items_of

pytestmark = pytest.mark.workflow

UNRECORDED = {"logs", "benchmarks", "crops", "record", "report.html", "plans", "trainings"}


def test_the_record_has_every_result_and_git_no_model(recorded):
    files = json.loads((recorded.results / "record/record.json").read_text())["files"]
    there = {
        str(path.relative_to(recorded.folder))
        for path in recorded.results.rglob("*")
        if path.is_file() and path.relative_to(recorded.results).parts[0] not in UNRECORDED
    } - {"results/tiny/report/pictures/.snakemake_timestamp"}
    assert set(files) == there
    tracked = set(recorded.git("ls-files", "results").split())
    assert {"results/tiny/metrics.json", "results/tiny/audit.json", "results/tiny/config.yaml"} < tracked
    assert not [path for path in tracked if path.endswith(".safetensors")]
    assert "results/tiny/bitstreams/cvqn/c16-seed1.tar" in tracked
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
    provenances = (recorded.results / "record/runs").glob("*/provenance.json")
    runs = {path.parent.name: json.loads(path.read_text()) for path in provenances}
    assert set(runs) == {"c16-seed1", "toy-seed1"}
    for name, run in runs.items():
        assert run["source"] == {"commit": commit, "dirty": False}
        assert run["command"].startswith("cvqn train --plan results/tiny/plans/")
        assert run["seed"] == 1
        assert run["lock"]["sha256"] == record["constraints_sha256"] == sha256_file(recorded.folder / "constraints.txt")
        assert (
            run["training_images"]["sets"][0]["manifest_sha256"] == record["data"]["packaged-train"]["manifest_sha256"]
        )
        assert run["selecting_images"]["best"]["name"] == "packaged-evaluation"
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


def test_a_clone_traces(clone):
    trace = clone.cvqn("trace", "results/tiny/tables/table1.csv")
    assert "<- train_monitored," in trace
    assert "data/manifests/packaged-train.yaml sha256" in trace
    assert clone.planned("all") == {}


def test_recording_again_changes_nothing(clone):
    before = clone.record()
    clone.cvqn("record", "tiny")
    assert clone.record() == before


def test_reports_are_recorded_again_in_a_plain_clone(recorded, tmp_path):
    """After a change of words and of a setting of the report, where no model and no figure is at hand."""
    plain = recorded.clone(tmp_path / "plain")
    plain.cvqn("data", "fetch", "packaged-evaluation")
    before = json.loads((plain.results / "record/record.json").read_text())
    (plain.folder / SCALE).write_text((plain.folder / SCALE).read_text().replace("bootstrap: 50", "bootstrap: 60"))
    plain.replace(
        "cvqn/lab/report/tables/bd_rate.py", "Both interpolate monotonically.", "Both interpolate with PCHIP."
    )
    plain.commit("words and a setting")
    assert "NOT VERIFIED" in plain.cvqn("verify", "tiny", "--sample", "1", code=1)
    assert "reports recorded" in plain.cvqn("record", "tiny", "--reports")
    plain.commit("tiny")
    assert "PCHIP" in (plain.results / "tables/bd-rate.md").read_text()
    assert "tiny: verified" in plain.cvqn("verify", "tiny", "--sample", "1")

    after = json.loads((plain.results / "record/record.json").read_text())
    changed = {Path(path).name for path, checksum in after["files"].items() if before["files"][path] != checksum}
    assert {"config.yaml", "bd-rate.md"} <= changed
    assert changed <= {"config.yaml", "audit.json", "audit.md", "audit.html", "metrics.json"} | {
        path.name for path in (plain.results / "tables").iterdir()
    }
    assert after["files"].keys() == before["files"].keys()
    assert after["commit"] == plain.git("rev-parse", "HEAD~1").strip()
    jobs = [json.loads(project.record()["results/tiny/record/jobs.json"]) for project in (recorded, plain)]
    assert {path for path in jobs[0] if jobs[0][path] != jobs[1][path]} >= {"results/tiny/config.yaml"}
    assert not [path for path in jobs[0] if "/runs/" in path and jobs[0][path] != jobs[1][path]]
    runs = [{path: data for path, data in one.record().items() if "/runs/" in path} for one in (recorded, plain)]
    assert runs[0] == runs[1]
    assert "all as recorded" in plain.cvqn("restore", "tiny")  # models and figures are those of the first record
    plain.replace("cvqn/lab/report/figures/curves.py", "bits per pixel", "bits per pixel, mean")
    plain.commit("a label of a figure, which DVC keeps")
    plain.cvqn("record", "tiny", "--reports")
    assert json.loads((plain.results / "record/record.json").read_text())["files"] == after["files"]

    plain.commit("recorded")
    plain.replace("cvqn/lab/report/tables/bd_rate.py", "Both interpolate with PCHIP.", "Both interpolate.")
    plain.replace("cvqn/lab/record/reports.py", "checksums.write_checksums()", 'raise CvqnError("in the last step")')
    plain.commit("an error after everything else is written")
    kept = plain.results / "trainings/entry/state"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"state")
    inode = kept.stat().st_ino
    assert "in the last step" in plain.cvqn("record", "tiny", "--reports", code=2)
    assert plain.git("status", "--porcelain") == ""
    assert "PCHIP" in (plain.results / "tables/bd-rate.md").read_text()
    assert kept.stat().st_ino == inode


def test_trainings_made_again_in_a_plain_clone_replace_those_in_the_record(recorded, tmp_path):
    """One of two trainings, where the other's model and the figures are lost with the remote that had them."""
    plain = recorded.clone(tmp_path / "plain")
    plain.remote = tmp_path / "remote"
    plain.remote.mkdir()
    plain.dvc("remote", "modify", "--local", "beside", "url", str(plain.remote))
    plain.cvqn("data", "fetch", "packaged-train", "packaged-evaluation")
    tuning = "{epochs: 1, batch: 1, patch: 80, rate_factor: 0.5, flat_share: 0.1}"
    tuned = f"experiments: {{c16: {{training: {{fine_tuning: {tuning}}}}}}}\n"
    (plain.folder / FEWEST).write_text(FEWEST_TEXT + tuned)
    plain.commit("fine-tuning")
    before = json.loads((plain.results / "record/record.json").read_text())
    own = plain.results / "measurements/cvqn/c16-seed1.csv"
    rates = own.read_text()
    plain.snakemake(*(f"results/tiny/measurements/cvqn/c16-seed1{checkpoint}.csv" for checkpoint in ("", "-best")))
    plain.snakemake("results/tiny/figures/psnr-curves.svg", "--allowed-rules", "figure")
    own.write_text(own.read_text().replace(",1,last,", ",1,best,"))
    assert "measurements/cvqn/c16-seed1" in plain.cvqn("record", "tiny", "--reports", code=2)
    own.write_text(own.read_text().replace(",1,best,", ",1,last,"))
    assert own.read_text() != rates
    assert "reports recorded" in plain.cvqn("record", "tiny", "--reports")
    plain.commit("tiny")
    after = json.loads((plain.results / "record/record.json").read_text())
    gone = before["files"].keys() - after["files"].keys()
    assert {"results/tiny/runs/toy-seed1/last/model.safetensors", "results/tiny/figures/figure4.svg"} <= gone
    assert all(re.match("results/tiny/(figures|report|runs/toy-seed1/(last|best))/", path) for path in gone)
    assert after["files"].keys() <= before["files"].keys()
    for path in (
        "runs/c16-seed1/last/model.safetensors",
        "figures/psnr-curves.png",
        "bitstreams/cvqn/c16-seed1.tar",
        "metrics.json",
    ):
        assert before["files"][f"results/tiny/{path}"] != after["files"][f"results/tiny/{path}"]
    own_record = json.loads((plain.results / "record/runs/c16-seed1/provenance.json").read_text())
    assert own_record["settings"]["training"]["fine_tuning"]["patch"] == 80
    assert "tiny: verified" in plain.cvqn("verify", "tiny")
    other = plain.clone(tmp_path / "other")
    assert "all as recorded" in other.cvqn("restore", "tiny")
    other.cvqn("data", "fetch", "packaged-evaluation")
    assert "tiny: verified" in other.cvqn("verify", "tiny")


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("results/tiny/measurements/webp.csv", "webp", "wepb", "measurements/webp.csv"),
        (SCALE, "batch: 2", "batch: 4", "c16-seed1: was trained with other settings than are planned now"),
        (SCALE, "scale: tiny", "scale: other", "of scale other, not tiny"),
    ],
)  # fmt: skip
def test_reports_that_do_not_follow_from_the_record_are_refused(recorded, tmp_path, file, old, new, said):
    plain = recorded.clone(tmp_path / "plain")
    plain.cvqn("data", "fetch", "packaged-evaluation")
    path = plain.folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    if file == SCALE:
        plain.commit("another setting")
    before = plain.record()
    assert said in plain.cvqn("record", "tiny", "--reports", code=2)
    assert plain.record() == before


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
    page = (copy.folder / "plots/index.html").read_text()
    assert '"text": "tiny-codecs"' in page
    assert '"text": "results/tiny/curves/webp.csv"' in page


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


def test_dvc_says_what_changed_and_runs_nothing(copy):
    assert "Everything is up to date" in copy.run("dvc", "pull")
    assert copy.run("dvc", "metrics", "diff") == ""
    assert copy.dvc("status", "--json").strip() == "{}"
    for edited in ("cvqn/model/quantizer.py", "workflow/rules/train.smk", "constraints.txt"):
        path = copy.folder / edited
        path.write_text(f"{path.read_text()}\n")
    status = copy.dvc("status", "scale@tiny")
    assert all(name in status for name in ("cvqn/model", "workflow", "constraints.txt"))
    assert "cvqn/lab" not in status
    before = copy.git("status", "--porcelain")
    for verb in (["repro"], ["exp", "run"]):
        output = copy.run("dvc", *verb, code=255)
        assert "DVC runs no workflow in this project" in output
        assert (
            f"run: snakemake all --profile workflow/profiles/local --cores 2 --configfile {copy.overlays[0]}" in output
        )
        assert copy.git("status", "--porcelain") == before


UNCHANGED = "its code has not changed; snakemake -n says whether its settings or inputs have"


def test_why_names_setting_module_and_version(copy):
    old = copy.results / "plans" / "000000000000.json"
    old.write_text("{}")  # a plan of a version that this one cannot read
    assert copy.cvqn("why", "c16-seed1", *copy.overlays).splitlines() == [
        "train c16-seed1: nothing changed",
        f"evaluate cvqn: {UNCHANGED}",
    ]
    copy.replace("workflow/scales/tiny.yaml", "patch: 64\n  epochs", "patch: 96\n  epochs")
    copy.replace("cvqn/lab/evaluation/encode.py", "[:64, :64]", "[:32, :64]")
    copy.replace("cvqn/lab/training/optimizer.py", "import torch\n", "import torch\n\nUNUSED = 1\n")
    said = copy.cvqn("why", "c16-seed1", *copy.overlays).splitlines()
    assert said[0] == "train c16-seed1: training.patch: 64 became 96"
    commit = json.loads((copy.results / "runs/c16-seed1/provenance.json").read_text())["source"]["commit"]
    module, file = "cvqn.lab.training.optimizer", "cvqn/lab/training/optimizer.py"
    assert said[1] == f"train c16-seed1: module {module} (git diff {commit[:12]} -- {file})"
    assert said[2:] == ["evaluate cvqn: module cvqn.lab.evaluation.encode"]
    assert copy.cvqn("why", "webp", *copy.overlays).splitlines() == [
        "encode webp: module cvqn.lab.evaluation.encode",
        f"measure webp: {UNCHANGED}",
    ]
    for run in ("c99-seed1", "c16-seed1-held-out"):
        assert f"{run}: no such run or codec at scale tiny; it has c16-seed1" in copy.cvqn("why", run, SCALE, code=2)


def test_no_rule_calls_dvc():
    rules = [ROOT / "Snakefile", *(ROOT / "workflow/rules").glob("*.smk")]
    assert len(rules) > 5
    assert not [path.name for path in rules if re.search(r"\bdvc\b|cvqn (record|restore)", path.read_text())]
