"""What `snakemake --profile slurm` would submit at the paper's scale, read from its plan."""

import re

import pytest

from cvqn.lab.settings import configuration
from tests import ROOT

pytestmark = pytest.mark.slurm

NAMES = {"CVQN_SLURM_ACCOUNT": "ci", "CVQN_SLURM_PARTITION": "low", "CVQN_SLURM_GPU_PARTITION": "gpu"}
TRAININGS = len(configuration.resolve([ROOT / "workflow/scales/paper.yaml"]).runs())


@pytest.fixture
def plan(project):
    """Threads and resources of every planned job, by rule."""
    for file in (project.folder / "workflow" / "rules").glob("*.smk"):
        # Snakemake prints a rule's resources only when it has no message.
        file.write_text(re.sub(r"\n    message:\n        .*", "", file.read_text()))
    project.environment |= NAMES
    _, output = project.shell("snakemake --profile slurm --nocolor --dry-run all")
    jobs = {}
    for name, body in re.findall(r"^ *(?:local)?rule (\w+):\n((?: +\w+: .*\n)+)", output, re.MULTILINE):
        fields = dict(re.findall(r"^ +(\w+): (.*)$", body, re.MULTILINE))
        resources = dict(part.split("=", 1) for part in fields["resources"].split(", "))
        jobs.setdefault(name, []).append(resources | {"threads": fields.get("threads", "1")})
    return jobs


def test_what_is_asked_of_slurm_at_the_papers_scale(plan):
    trainings = plan["train_monitored"]
    assert len(trainings) == TRAININGS
    for job in trainings:
        assert (job["gpu"], job["threads"], job["mem_mb"], job["runtime"]) == ("1", "8", "32000", "240")
        assert (job["slurm_account"], job["slurm_partition"]) == ("ci", "gpu")
    evaluations = [*plan["evaluate"], *plan["evaluate_channels"]]
    assert len(evaluations) == 3 * TRAININGS  # at each checkpoint
    assert {(job["gpu"], job["slurm_partition"], job["runtime"]) for job in evaluations} == {("1", "gpu", "60")}
    rest = [*plan["pack"], *plan["encode"], *plan["measure"], *plan["crops"], *plan["page"]]
    assert {(job.get("gpu"), job["slurm_partition"]) for job in rest} == {(None, "low")}
    assert min(int(job["runtime"]) for job in rest) >= 30
    assert min(int(job["mem_mb"]) for job in rest) >= 2000
