"""The scale tiny, run once; then what a change runs again."""

import csv
import json
import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from cvqn.codecs import container
from cvqn.lab.report.registry import entry

pytestmark = pytest.mark.workflow

RUNS = ["c16-seed1", "c32-seed1", "one-group-seed1", "re-seed1", "toy-seed1"]


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_every_training_ran_and_left_its_record(finished):
    for run in RUNS:
        folder = finished.folder / "results" / "tiny" / "runs" / run
        record = json.loads((folder / "provenance.json").read_text())
        assert record["steps"] == 20
        assert record["resumed_from"] == 0
        assert rows(folder / "log.csv")[-1]["step"] == "20"
    assert not list((finished.folder / "results" / "tiny" / "trainings").glob("*/state.pt"))


def test_measurements_are_of_the_bytes_in_the_archives(finished):
    import tarfile

    results = finished.folder / "results" / "tiny"
    for run in RUNS:
        with tarfile.open(results / "bitstreams" / "cvqn" / f"{run}.tar") as archive:
            files = {member.name.removesuffix(".cvqn"): archive.extractfile(member).read() for member in archive}
        measured = rows(results / "measurements" / "cvqn" / f"{run}.csv")
        assert {row["image"] for row in measured} == set(files) == {"china", "coffee", "flower"}
        for row in measured:
            data = files[row["image"]]
            header = container.inspect(data)
            assert (header.width, header.height) == (int(row["width"]), int(row["height"]))
            assert int(row["bytes"]) == len(data)
            assert float(row["bpp"]) == pytest.approx(8 * len(data) / (header.width * header.height))
            assert 0 < float(row["ms_ssim"]) < 1
            assert math.isfinite(float(row["psnr_db"]))


def test_a_set_of_its_own_selects_the_checkpoints_and_is_not_trained_on(project):
    overlay = project.folder / "selection.yaml"
    overlay.write_text("data: {selection: kodak}\n")
    files = ("--configfile", "workflow/scales/tiny.yaml", "selection.yaml")
    plan = project.snakemake("--dry-run", "--printshellcmds", "results/tiny/measurements/cvqn/c16-seed1.csv", *files)
    both = "data/sets/kodak/index.json data/sets/packaged-evaluation/index.json"
    assert f"--exclude {both}" in plan
    assert "--monitor data/sets/kodak/index.json" in plan
    assert "--run c16-seed1 --images data/sets/packaged-evaluation/index.json" in plan
    overlay.write_text("data: {selection: packaged-train}\n")
    assert "'packaged-train' is the selection set; training on it is not allowed" in project.snakemake(
        "--dry-run", *files, check=False
    )


def test_held_out_images_select_a_checkpoint_beside_the_papers_and_are_not_trained_on(project):
    (project.folder / "held-out.yaml").write_text("data: {held_out: kodak}\n")
    files = ("--configfile", "workflow/scales/tiny.yaml", "held-out.yaml")
    table = "results/tiny/measurements/cvqn/c16-seed1-held-out.csv"
    plan = project.snakemake("--dry-run", "--printshellcmds", table, *files)
    assert "--exclude data/sets/kodak/index.json data/sets/packaged-evaluation/index.json" in plan
    assert "--monitor data/sets/packaged-evaluation/index.json data/sets/kodak/index.json" in plan
    assert "--run c16-seed1-held-out --images data/sets/packaged-evaluation/index.json" in plan
    for name, said in (("packaged-train", "is the held-out set"), ("packaged-evaluation", "is data.held_out too")):
        (project.folder / "held-out.yaml").write_text(f"data: {{held_out: {name}}}\n")
        assert said in project.snakemake("--dry-run", *files, check=False)


def test_a_second_evaluation_set_trains_nothing_again(finished_copy):
    folder = finished_copy.folder
    (folder / "mine").mkdir()
    for path in (folder / "data/sets/packaged-evaluation").iterdir():
        if path.suffix in (".png", ".jpg"):
            Image.open(path).crop((30, 20, 330, 260)).save(folder / "mine" / f"{path.stem}.png")
    finished_copy.shell("cvqn data describe mine --name mine")
    (folder / "second.yaml").write_text("scale: second\ndata: {evaluation: mine, selection: packaged-evaluation}\n")
    (folder / "results/second").mkdir()
    (folder / "results/second/trainings").symlink_to("../tiny/trainings")
    kept = {path: path.stat().st_ino for path in (folder / "results/tiny/trainings").glob("*/finished/last/*")}
    table = "results/second/measurements/cvqn/c16-seed1.csv"
    finished_copy.snakemake(table, "--configfile", "workflow/scales/tiny.yaml", "second.yaml")
    assert {(row["image"], row["width"]) for row in rows(folder / table)} == {
        (name, "300") for name in ("china", "coffee", "flower")
    }
    assert {path: path.stat().st_ino for path in (folder / "results/tiny/trainings").glob("*/finished/last/*")} == kept
    keys = [json.loads((folder / f"results/{scale}/runs/c16-seed1/provenance.json").read_text())["key"]
            for scale in ("tiny", "second")]  # fmt: skip
    assert keys[0] == keys[1]


def test_second_run_has_nothing_to_do(finished):
    assert finished.planned("all") == {}


def test_a_deleted_result_runs_only_what_it_needs(finished_copy):
    (finished_copy.folder / "results/tiny/measurements/webp.csv").unlink()
    planned = finished_copy.planned("all")
    assert planned.pop("measure") == 1
    assert not {"train_monitored", "encode", "evaluate", "evaluate_channels", "fetch", "pack"} & set(planned)


def test_a_deleted_model_is_put_back_and_not_trained_again(finished_copy):
    import shutil

    folder = finished_copy.folder / "results/tiny/runs/c16-seed1"
    before = (folder / "last/model.safetensors").read_bytes()
    shutil.rmtree(folder)
    log = finished_copy.folder / "results/tiny/logs/train/c16-seed1.log"
    log.unlink()
    finished_copy.snakemake("results/tiny/runs/c16-seed1/last/model.safetensors")
    assert (folder / "last/model.safetensors").read_bytes() == before
    assert "step" not in log.read_text()  # no progress bar, so no step


def test_settings_edited_while_jobs_wait_do_not_reach_them(finished_copy):
    """The plan that a job was given holds; an overlay edited since is another plan."""
    results = finished_copy.folder / "results/tiny"
    [plan] = (results / "plans").glob("*.json")
    planned = json.loads(plan.read_text())["configuration"]["experiments"]["c16"]["training"]["alpha"]
    finished_copy.replace("workflow/scales/tiny.yaml", "    training:\n", "    training:\n      alpha: 999\n")
    log = results / "logs/by-hand.log"
    command = f"cvqn train --plan {plan} --run c16-seed1 --pack data/packs/packaged-train.npy --monitor"
    command += f" data/sets/packaged-evaluation/index.json > {log} 2>&1"
    finished_copy.shell(command)
    record = json.loads((results / "runs/c16-seed1/provenance.json").read_text())
    assert record["settings"]["training"]["alpha"] == planned == 128


def test_two_instances_from_one_clone_with_settings_that_differ(finished_copy):
    """Each job has the settings that its own Snakemake planned, and a dry run tells them apart afterwards."""
    import shutil

    shutil.rmtree(finished_copy.folder / "results")
    (finished_copy.folder / "other.yaml").write_text("learned: {cvqn: {training: {alpha: 200}}}\n")
    overlays = {"c16": ["workflow/scales/tiny.yaml"], "toy": ["workflow/scales/tiny.yaml", "other.yaml"]}
    targets = {name: f"results/tiny/runs/{name}-seed1/last/model.safetensors" for name in overlays}
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: finished_copy.snakemake(targets[name], "--configfile", *overlays[name]), overlays))
    for name, alpha in (("c16", 128), ("toy", 200)):
        record = finished_copy.folder / f"results/tiny/runs/{name}-seed1/provenance.json"
        assert json.loads(record.read_text())["settings"]["training"]["alpha"] == alpha
        assert finished_copy.planned(targets[name], "--configfile", *overlays[name]) == {}
    assert finished_copy.planned(targets["toy"]) == {"train_monitored": 1}


def test_outputs_of_other_settings_are_found_without_snakemakes_records(finished_copy):
    """By their provenance: Snakemake itself would call them up to date."""
    finished_copy.shell("rm -r .snakemake/metadata")
    assert finished_copy.planned("all") == {}
    overlays = ["workflow/scales/tiny.yaml", "other.yaml"]
    (finished_copy.folder / "other.yaml").write_text("experiments: {c16: {training: {alpha: 200}}}\n")
    output = finished_copy.snakemake("--dry-run", "all", "--configfile", *overlays, check=False)
    assert "results/tiny/runs/c16-seed1: trained with other settings" in output
    finished_copy.shell("rm -r results/tiny/runs/c16-seed1")
    assert finished_copy.planned("all", "--configfile", *overlays)["train_monitored"] == 1


def test_a_job_refuses_code_that_it_was_not_planned_with(finished_copy):
    [plan] = (finished_copy.folder / "results/tiny/plans").glob("*.json")
    finished_copy.replace("cvqn/model/quantizer.py", "exp(2 * self.log", "exp(3 * self.log")
    command = f"cvqn train --plan {plan} --run c16-seed1 --pack data/packs/packaged-train.npy --monitor"
    command += " data/sets/packaged-evaluation/index.json"
    code, output = finished_copy.shell(command, check=False)
    assert code == 78
    assert "module cvqn.model.quantizer" in output
    assert "start snakemake again" in output


def test_an_interrupted_training_goes_on(finished_copy):
    """A run whose outputs and finished training are gone but whose state is there ends with the weights it had."""
    import shutil

    results = finished_copy.folder / "results/tiny"
    folder, [entry] = results / "runs/c16-seed1", results.glob("trainings/c16-seed1-*")
    before = (folder / "last/model.safetensors").read_bytes()
    shutil.rmtree(folder)
    shutil.rmtree(entry)
    log = results / "logs/train/c16-seed1.log"
    log.unlink()
    finished_copy.replace("workflow/rules/train.smk", " --monitor {input", " --job-minutes 0 --monitor {input")
    model = "results/tiny/runs/c16-seed1/last/model.safetensors"
    assert "Error in rule train" in finished_copy.snakemake(model, check=False)
    assert (entry / "state.pt").exists()
    assert json.loads((entry / "ended.json").read_text())["how"] == "paused"
    finished_copy.replace("workflow/rules/train.smk", " --job-minutes 0", "")
    finished_copy.snakemake(model)
    assert (folder / "last/model.safetensors").read_bytes() == before
    assert json.loads((folder / "provenance.json").read_text())["resumed_from"] >= 1


def test_report_and_every_result_are_there(finished):
    results = finished.folder / "results" / "tiny"
    assert (results / "report.html").stat().st_size > 100_000
    page = (results / "report/index.html").read_text()
    assert "This page is not complete" not in page
    assert all(f"/{codec}_" in page for codec in ("cvqn", "webp", "jpeg2000"))  # a picture of each
    for name in ("metrics.json", "audit.html", "figures/figure1.png", "figures/figure3-curves.svg", "tables/table1.md"):
        assert (results / name).stat().st_size > 100, name
    for value in json.loads((results / "metrics.json").read_text()).values():
        assert value.startswith("no number: ") if isinstance(value, str) else math.isfinite(value)


def test_extras_run_beside_all_and_are_judged_in_an_audit_of_their_own(finished_copy):
    results = finished_copy.folder / "results" / "tiny"
    before = (results / "audit.json").read_bytes()
    finished_copy.snakemake("extras")
    assert finished_copy.planned("all", "extras") == {}
    assert (results / "audit.json").read_bytes() == before
    assert "beta-0-seed1" in [row["run"] for row in rows(results / "tables/extras.csv")]
    evidence = {}
    for name in ("audit.json", "tables/audit-extras.json"):
        claims = {claim["id"]: claim for claim in json.loads((results / name).read_text())["claims"]}
        evidence[name] = claims["eq7.entropy"]["evidence"]
        assert all((results / name).parent.joinpath(path).is_file() for path in evidence[name])
    new = {path for path in evidence["tables/audit-extras.json"] if path[3:] not in evidence["audit.json"]}
    assert new == {f"../analysis/cvqn/beta-0-seed1/{file}" for file in ("channels.csv", "groups.csv")}
    report = (results / "report.html").read_text()
    assert "figure-bits.svg" in report
    assert entry("figure-bits").caption in report
    assert "audit-extras.html" in report


def test_a_caption_redraws_its_figure_only(finished_copy):
    caption = "; below it, its quantized channels"
    finished_copy.replace("cvqn/lab/report/figures/influence.py", caption, " and its channels")
    assert finished_copy.planned("all") == {"all": 1, "figure": 1, "page": 1}
    finished_copy.replace("cvqn/lab/report/figures/influence.py", " and its channels", caption)
    finished_copy.replace("cvqn/lab/report/registry.py", "Figure 1. Top", "The first. Top")
    assert finished_copy.planned("all") == {"all": 1, "page": 1}


def test_a_page_that_is_made_again_decodes_no_picture_again(finished_copy):
    pictures = finished_copy.folder / "results/tiny/report/pictures"
    before = {path: path.stat().st_mtime_ns for path in pictures.rglob("*.webp")}
    assert len(before) > 5
    stray = pictures / "coffee" / "webp_99.webp"
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"of a setting that is gone")
    (finished_copy.folder / "results/tiny/report/index.html").unlink()
    finished_copy.snakemake("all")
    assert {path: path.stat().st_mtime_ns for path in pictures.rglob("*.webp")} == before


def test_a_colour_redraws_only(finished_copy):
    finished_copy.replace("cvqn/codecs/looks.py", '"#d55e00"', '"#d55e01"')
    planned = finished_copy.planned("all")
    assert planned.pop("figure") > 1
    assert planned == {"all": 1, "page": 1}
