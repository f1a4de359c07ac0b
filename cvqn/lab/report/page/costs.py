"""The cost of a scale by rule and by run, from Snakemake's benchmarks and the trainings' records."""

from pathlib import Path
from typing import NamedTuple

from cvqn.errors import CvqnError
from cvqn.lab.provenance.training import FILE, read_provenance
from cvqn.lab.report import cost
from cvqn.lab.report.sources import Sources


class Cost(NamedTuple):
    """Cost of a rule: number of jobs, wall-clock hours, CPU hours, and peak memory of the largest job."""

    rule: str
    jobs: int
    wall_hours: float
    cpu_hours: float
    memory_gib: float


class Training(NamedTuple):
    """Cost of a run: wall-clock and CPU hours over all its jobs, hours on a GPU among them, and that GPU, if any."""

    run: str
    steps: int
    wall_hours: float
    cpu_hours: float
    gpu_hours: float
    gpu: str | None


def by_rule(root: Path) -> list[Cost]:
    """The cost of each rule whose jobs left benchmarks, the largest first."""
    try:
        found = cost.table(root)
    except CvqnError:  # no job has recorded anything yet
        return []
    costs = [
        Cost(str(rule), int(row["jobs"]), row["hours"], row["CPU hours"], row["most memory, MB"] / 1024)
        for rule, row in found.fillna(0).iterrows()
    ]
    return sorted(costs, key=lambda one: -one.wall_hours)


def by_run(sources: Sources) -> list[Training]:
    """The cost of each finished training, by its own record."""
    found = []
    for run in sources.runs:
        folder = Path(sources.results.training(run.training))
        if (folder / FILE).exists():
            one = read_provenance(folder)
            hours = (seconds / 3600 for seconds in (one.all_seconds, one.all_cpu_seconds, one.gpu_seconds))
            gpu = next((part.gpu_name for part in one.parts if part.gpu), None)
            found.append(Training(run.training, one.steps, *hours, gpu))
    return found
