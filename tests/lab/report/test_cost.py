"""What results cost, from made-up records of jobs."""

import json

import pytest

from cvqn.cli import main
from cvqn.lab.provenance.training import Provenance
from cvqn.lab.report.budget import Budget, budget
from cvqn.lab.report.cost import table
from tests.provenance import made_up_provenance

HEADER = "s\th:m:s\tmax_rss\tcpu_time\n"


def test_jobs_are_summed_by_rule_and_gpu_hours_are_those_of_jobs_on_one(tmp_path, capsys):
    for name, line in {
        "train/c16-seed1": "7200\t2:00:00\t900\t3",  # of srun
        "train/c32-seed1": "3600\t1:00:00\t1200\t2",
        "evaluate/cvqn-c16-seed1": "720\t0:12:00\t300\t360",
        "evaluate/cvqn-c32-seed1": "1440\t0:24:00\t300\t720",
        "encode/webp-10": "36\t0:00:36\t-\t18",  # too short for Snakemake to see its memory
        "audit": "72\t0:01:12\t150\t36",
    }.items():
        path = tmp_path / "benchmarks" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{HEADER}{line}\n")
    for run, gpu, seconds in (("c16-seed1", {"name": "a GPU"}, 5400), ("c32-seed1", None, 3000)):
        (tmp_path / "runs" / run).mkdir(parents=True)
        (tmp_path / "runs" / run / "provenance.json").write_text(
            json.dumps(made_up_provenance(gpu=gpu, seconds=seconds, cpu_seconds=1800.0))
        )
    for run, device in (("c16-seed1", "cuda"), ("c32-seed1", "cpu")):
        path = tmp_path / "measurements" / "cvqn" / f"{run}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"machine": {"encoding": {"device": device, "threads": 4}}}))
    found = table(tmp_path).to_dict("index")
    assert found["train"] == {"jobs": 2, "hours": 3, "CPU hours": 1.0, "GPU hours": 1.5, "most memory, MB": 1200}
    assert found["evaluate"]["GPU hours"] == pytest.approx(0.2)
    assert found["evaluate"]["CPU hours"] == pytest.approx(0.3)
    assert found["encode"]["CPU hours"] == pytest.approx(0.005)
    assert found["audit"]["hours"] == pytest.approx(0.02)
    assert main(["cost", str(tmp_path)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1].split() == ["all", "6", "3.630", "1.315", "1.700", "1200"]


def test_a_training_that_began_with_the_model_of_another_costs_both():
    first = made_up_provenance(
        settings={"training": {"batch": 8, "epochs": 9, "fine_tuning": None}},
        steps=900, gpu={"name": "a GPU"}, seconds=360.0, cpu_seconds=400.0,
    )  # fmt: skip
    tuned = {"training": {"batch": 4, "epochs": 9, "fine_tuning": {"epochs": 1, "batch": 2}}}
    whole = Provenance.model_validate(made_up_provenance(settings=tuned, steps=1000))
    both = Provenance.model_validate(
        made_up_provenance(settings=tuned, steps=1000, seconds=720.0, cpu_seconds=700.0, first_phase=first)
    )
    assert whole.crops == 900 * 4 + 100 * 2
    assert both.crops == 900 * 8 + 100 * 2
    assert (both.all_seconds, both.all_cpu_seconds, both.gpu_seconds) == (1080, 1100, 360)
    assert (whole.machines, both.machines) == ("a processor", "a GPU, then a processor")
    assert budget(both) == Budget("a GPU", 1000, 7, 7400, 1100 / 3600, 0.1)


def test_without_records_it_says_what_to_do(tmp_path, capsys):
    assert main(["cost", str(tmp_path)]) == 2
    assert "no records of jobs; run the workflow first" in capsys.readouterr().err
