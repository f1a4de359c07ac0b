"""What a scale cost: seconds and memory by rule and by run, from Snakemake's benchmarks and the trainings' records."""

import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cvqn.files import read_json
from cvqn.lab.report.sources import Sources


class Cost(NamedTuple):
    """Of a rule: its jobs, their hours on the wall's clock and on processors, and the most memory that one took."""

    rule: str
    jobs: int
    wall_hours: float
    cpu_hours: float
    memory_gib: float


class Training(NamedTuple):
    """Of a run: hours of training over all its pieces, those of processors, and the GPU that it ran on, if any."""

    run: str
    steps: int
    wall_hours: float
    cpu_hours: float | None
    gpu: str | None


def by_rule(root: Path) -> list[Cost]:
    """The cost of each rule whose jobs left benchmarks, the largest first."""
    found: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for rule, row in _benchmarks(root / "benchmarks"):
        found[rule].append((_number(row["s"]), _number(row["cpu_time"]), _number(row["max_rss"])))
    costs = [
        Cost(
            rule,
            len(jobs),
            sum(seconds for seconds, _, _ in jobs) / 3600,
            sum(seconds for _, seconds, _ in jobs) / 3600,
            max(memory for _, _, memory in jobs) / 1024,
        )
        for rule, jobs in found.items()
    ]
    return sorted(costs, key=lambda cost: -cost.wall_hours)


def by_run(sources: Sources) -> list[Training]:
    """What each finished training says of itself."""
    found = []
    for run in sources.runs:
        path = Path(sources.results.training(run.training), "provenance.json")
        if path.exists():
            record = read_json(path)
            gpu, cpu_seconds = record.get("gpu") or {}, record.get("cpu_seconds")
            cpu_hours = None if cpu_seconds is None else cpu_seconds / 3600
            found.append(Training(run.training, record["steps"], record["seconds"] / 3600, cpu_hours, gpu.get("name")))
    return found


def _benchmarks(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    for path in sorted(folder.rglob("*.tsv")):
        part = path.relative_to(folder).parts
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                yield part[0].removesuffix(".tsv"), row


def _number(text: str) -> float:
    return float(text) if text not in ("", "NA", "-") else 0.0
