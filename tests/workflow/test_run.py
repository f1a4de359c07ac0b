"""The scale tiny, run once; then what a change runs again."""

import csv
import json
import math

import pytest

from cvqn.codec import container

pytestmark = pytest.mark.slow

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
        assert not list(folder.glob("state-*"))


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


def test_second_run_has_nothing_to_do(finished):
    assert finished.planned("all") == {}


def test_a_deleted_result_runs_only_what_it_needs(finished_copy):
    (finished_copy.folder / "results/tiny/measurements/webp.csv").unlink()
    planned = finished_copy.planned("all")
    assert planned.pop("measure_baseline") == 1
    assert not {"train", "encode", "encode_baseline", "measure", "fetch", "pack"} & set(planned)


def test_comments_and_docstrings_run_nothing(finished_copy):
    finished_copy.replace("cvqn/model/quantizer.py", "sigma = sqrt(2)/2, at which", "at this variance,")
    finished_copy.replace("cvqn/model/network.py", '"""A 3x3 convolution with padding 1."""', '"""A convolution."""')
    assert finished_copy.planned("all") == {}


def test_a_changed_operator_trains_everything_again(finished_copy):
    finished_copy.replace("cvqn/model/quantizer.py", "torch.exp(2 * self.log_sigmas)", "torch.exp(3 * self.log_sigmas)")
    assert finished_copy.planned("all")["train"] == len(RUNS)


def test_a_changed_experiment_trains_only_itself(finished_copy):
    finished_copy.replace("params.yaml", "  toy: {model: {levels: [2],", "  toy: {model: {levels: [3],")
    planned = finished_copy.planned("all")
    assert planned["train"] == 1
    assert planned["encode"] == 2


def test_saving_less_often_or_asking_for_more_time_trains_nothing(finished_copy):
    finished_copy.replace("workflow/scales/tiny.yaml", "save_every: 1", "save_every: 2")
    finished_copy.replace("workflow/scales/tiny.yaml", "job_minutes: 5", "job_minutes: 10")
    assert set(finished_copy.planned("all")) == {"audit", "all"}  # the audit names every setting


def test_a_new_rate_point_runs_only_its_own_jobs(finished_copy):
    finished_copy.replace("workflow/scales/tiny.yaml", "rate_curve: [c16, c32]", "rate_curve: [c16, c32, c48]")
    planned = finished_copy.planned("all")
    assert planned["train"] == 1
    assert planned["encode"] == planned["measure"] == 2


def test_an_interrupted_training_goes_on(finished_copy):
    """A run whose outputs are gone but whose state is there ends with the weights that it had."""
    import shutil

    folder = finished_copy.folder / "results/tiny/runs/c16-seed1"
    before = (folder / "model/model.safetensors").read_bytes()
    shutil.rmtree(folder)
    log = finished_copy.folder / "results/tiny/logs/train/c16-seed1.log"
    log.unlink()
    finished_copy.replace(
        "workflow/rules/train.smk", '" --output {params.folder} ', '" --output {params.folder} --job-minutes 0 '
    )
    model = "results/tiny/runs/c16-seed1/model/model.safetensors"
    assert "Error in rule train" in finished_copy.snakemake(model, check=False)
    assert list(folder.glob("state-*.pt"))
    assert "run the same command to go on" in log.read_text()
    finished_copy.replace("workflow/rules/train.smk", " --job-minutes 0", "")
    finished_copy.snakemake(model)
    assert (folder / "model/model.safetensors").read_bytes() == before
    assert json.loads((folder / "provenance.json").read_text())["resumed_from"] >= 1


def test_report_and_every_result_are_there(finished):
    results = finished.folder / "results" / "tiny"
    assert (results / "report.html").stat().st_size > 100_000
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
    assert new == {f"../analysis/beta-0-seed1/{file}" for file in ("channels.csv", "groups.csv")}
    report = (results / "report.html").read_text()
    assert "figure-bits.svg" in report
    assert "audit-extras.html" in report


def test_a_caption_redraws_its_figure_only(finished_copy):
    finished_copy.replace("cvqn/report/figures/influence.py", "; below it, its quantized channels", " and its channels")
    assert finished_copy.planned("all") == {"all": 1, "figure1": 1}
    finished_copy.replace("cvqn/report/figures/influence.py", " and its channels", "; below it, its quantized channels")
    finished_copy.replace("workflow/report/figure1.rst", "Figure 1.", "The first figure.")
    assert finished_copy.planned("all") == {}


def test_a_colour_redraws_only(finished_copy):
    finished_copy.replace("cvqn/report/style.py", '"#d55e00"', '"#d55e01"')
    planned = finished_copy.planned("all")
    planned.pop("all")
    assert planned
    assert set(planned) <= {"figure1", "figure3_maps", "figure3_curves", "figure4"}
