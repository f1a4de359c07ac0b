"""What `snakemake --profile slurm` would submit at the paper's scale, read from its plan."""

import re

import pytest

from tests.slurm.conftest import NAMES

pytestmark = pytest.mark.slurm


@pytest.fixture
def plan(project):
    """Threads and resources of every planned job, by rule."""
    for file in (project.folder / "workflow" / "rules").glob("*.smk"):
        # Snakemake prints a rule's resources only when it has no message.
        file.write_text(re.sub(r"\n    message:\n        .*", "", file.read_text()))
    project.environment |= NAMES
    output = project.snakemake("--dry-run", "--cores", "64", "all", profile="slurm")
    jobs = {}
    for name, body in re.findall(r"^ *(?:local)?rule (\w+):\n((?: +\w+: .*\n)+)", output, re.MULTILINE):
        fields = dict(re.findall(r"^ +(\w+): (.*)$", body, re.MULTILINE))
        resources = dict(part.split("=", 1) for part in fields["resources"].split(", "))
        jobs.setdefault(name, []).append(resources | {"threads": fields.get("threads", "1")})
    return jobs


def test_the_papers_plan_has_23_trainings_with_a_gpu_each(plan):
    assert len(plan["train"]) == 23
    for job in plan["train"]:
        assert (job["gpu"], job["threads"], job["mem_mb"], job["runtime"]) == ("1", "8", "32000", "240")
        assert (job["slurm_account"], job["slurm_partition"]) == ("ci", "gpu")


def test_evaluation_has_gpus_and_the_rest_has_none(plan):
    evaluation = [*plan["encode"], *plan["measure"], *plan["analyse"]]
    assert len(evaluation) == 2 * 46 + 23
    assert {(job["gpu"], job["slurm_partition"]) for job in evaluation} == {("1", "gpu")}
    rest = [*plan["pack"], *plan["encode_baseline"], *plan["measure_baseline"]]
    assert {(job.get("gpu"), job["slurm_partition"]) for job in rest} == {(None, "low")}
    assert min(int(job["runtime"]) for job in [*evaluation, *rest]) >= 30
    assert min(int(job["mem_mb"]) for job in [*evaluation, *rest]) >= 2000
