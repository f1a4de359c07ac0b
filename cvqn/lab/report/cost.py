"""The cost of a scale's results per rule, from Snakemake's benchmarks and the trainings' own records."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from cvqn.errors import CvqnError
from cvqn.files import read_json
from cvqn.lab.provenance.training import FILE, read_provenance

COLUMNS = {"jobs": "d", "hours": ".3f", "CPU hours": ".3f", "GPU hours": ".3f", "most memory, MB": ".0f"}


def table(root: Path) -> pd.DataFrame:
    """A row per rule of the results in `root`, with the columns `COLUMNS`.

    Hours, CPU hours and the largest job's memory are of each job's latest run. The CPU and GPU hours of trainings are
    of all their pieces, by their own records, because on a cluster Snakemake measures `srun` instead of the training.
    GPU hours include evaluations on a GPU.

    Raises:
        CvqnError: no job recorded anything.
    """
    paths = sorted((root / "benchmarks").rglob("*.tsv"))
    if not paths:
        raise CvqnError(f"{root}/benchmarks: no records of jobs; run the workflow first, in the project's folder")
    frames = [pd.read_csv(path, sep="\t", na_values="-").assign(rule=_rule(root, path)) for path in paths]
    jobs = pd.concat(frames, ignore_index=True).groupby("rule")
    found = pd.DataFrame({
        "jobs": jobs.size(),
        "hours": jobs["s"].sum() / 3600,
        "CPU hours": jobs["cpu_time"].sum() / 3600,
        "GPU hours": 0.0,
        "most memory, MB": jobs["max_rss"].max(),
    })  # fmt: skip
    if "train" in found.index:
        records = [read_provenance(path.parent) for path in sorted((root / "runs").glob(f"*/{FILE}"))]
        found.loc["train", "CPU hours"] = sum(record.all_cpu_seconds for record in records) / 3600
        found.loc["train", "GPU hours"] = sum(record.gpu_seconds for record in records) / 3600
    if "evaluate" in found.index:
        found.loc["evaluate", "GPU hours"] = sum(_on_gpu(root)) / 3600
    return found


def _on_gpu(root: Path) -> Iterator[float]:
    """Seconds of each evaluation that ran on a GPU, by the record beside its measurements."""
    for path in sorted((root / "measurements").glob("*/*.json")):
        benchmark = root / "benchmarks" / "evaluate" / f"{path.parent.name}-{path.stem}.tsv"
        device = read_json(path).get("machine", {}).get("encoding", {}).get("device", "cpu")
        if device != "cpu" and benchmark.exists():
            yield float(pd.read_csv(benchmark, sep="\t", na_values="-")["s"].sum())


def text(root: Path) -> str:
    """The table as text, with totals below it."""
    found = table(root)
    whole = found.sum().to_frame("all").T.assign(**{"most memory, MB": found["most memory, MB"].max()})
    rows = pd.concat([found, whole])
    lines = [[rule, *(f"{row[name]:{form}}" for name, form in COLUMNS.items())] for rule, row in
             rows.astype({"jobs": int}).astype(object).iterrows()]  # fmt: skip
    return tabulate(lines, ["rule", *COLUMNS], disable_numparse=True, colalign=["left"] + ["right"] * len(COLUMNS))


def _rule(root: Path, path: Path) -> str:
    """The rule of a job's record: the name of its folder or, for a rule with a single job, of the file."""
    return path.relative_to(root / "benchmarks").with_suffix("").parts[0]
