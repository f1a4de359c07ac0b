"""The text of `cvqn plan`: trainings and jobs, resources requested from the cluster, wall time and disk space.

The times of unfinished trainings and the sizes of missing files are estimates, and are labelled as such.
"""

import shutil
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import yte
from tabulate import tabulate

from cvqn.errors import CvqnError
from cvqn.lab.data.manifest import Manifest, read_manifest
from cvqn.lab.progress.makespan import duration, makespan
from cvqn.lab.progress.scale import Scale
from cvqn.lab.provenance.plan import Plan
from cvqn.lab.provenance.training import read_provenance
from cvqn.lab.report import registry as report_registry
from cvqn.lab.settings.configuration import Configuration, Experiment
from cvqn.lab.settings.paths import Results
from cvqn.lab.settings.runs import Run

OTHERS = "others"
PACK_THREADS = 8
PACK_PER_FILE = 1.3  # bytes of decoded pixels per byte of a PNG of photographs


def text(plan: Plan, gpus: Sequence[int], profile: Path | None = None) -> str:
    """The forecast as text, a section per topic.

    Args:
        gpus: numbers of GPUs to estimate the wall time for.
        profile: folder of the Snakemake profile with the resources of jobs.

    Raises:
        CvqnError: the profile cannot be read.
    """
    scale = Scale(plan.configuration.results, plan)
    sections = [_jobs(plan.configuration), _trainings(scale, gpus), _disk(scale)]
    if profile is not None:
        sections.insert(1, _asked(plan.configuration, profile))
    return "\n\n".join([f"scale {plan.configuration.scale}, plan {plan.path}", *sections])


def jobs(configuration: Configuration) -> dict[str, int]:
    """The number of jobs of each kind, without the experiments beyond the paper."""
    runs, codecs = configuration.runs(), configuration.measured_codecs()
    results = Results(configuration.results.as_posix())
    shown = {
        kind: [one for one in report_registry.possible(entries, configuration, results) if one.target == "all"]
        for kind, entries in (("table", report_registry.TABLES), ("figure", report_registry.FIGURES))
    }
    return {
        "fetch": len(configuration.data.sets),
        "pack": 1,
        "train": len(runs),
        "evaluate": len(configuration.at_checkpoints(runs)),
        "encode": sum(map(len, codecs.values())),
        "measure": len(codecs),
        **{kind: len(entries) for kind, entries in shown.items()},
        **dict.fromkeys(("config", "complexity", "crops", "identities", *report_registry.DOCUMENTS), 1),
    }


def seconds(scale: Scale) -> dict[Run, float | None]:
    """How long each training took; None for those that have not finished."""
    return {run: _seconds(scale, run) for run in scale.configuration.runs()}


def asked(profile: Path) -> dict[str, dict[str, object]]:
    """The resources that a profile requests for each kind of job; `OTHERS` is for the kinds that it does not name.

    Raises:
        CvqnError: the folder is not a profile.
    """
    settings = profile_settings(profile)
    defaults = _resources(settings.get("default-resources"))
    found = {rule: defaults | _resources(own) for rule, own in (settings.get("set-resources") or {}).items()}
    for rule, threads in (settings.get("set-threads") or {}).items():
        found.setdefault(rule, dict(defaults))["threads"] = threads
    return found | {OTHERS: defaults}


def configfiles(profile: Path) -> list[Path]:
    """The overlays that a profile names."""
    named = profile_settings(profile).get("configfile") or []
    return [Path(one) for one in ([named] if isinstance(named, str) else named)]


def profile_settings(profile: Path) -> dict[str, Any]:
    """The settings of a profile.

    Raises:
        CvqnError: the folder is not a profile.
    """
    path = next((path for name in ("config.v9+.yaml", "config.yaml") if (path := profile / name).is_file()), None)
    if path is None:
        raise CvqnError(f"{profile}: not the folder of a Snakemake profile, which has a config.v9+.yaml")
    with open(path, encoding="utf-8") as file:
        return yte.process_yaml(file, require_use_yte=True) or {}


def _jobs(configuration: Configuration) -> str:
    counts = jobs(configuration)
    listed = ", ".join(f"{kind} {count}" for kind, count in counts.items())
    return f"{sum(counts.values())} jobs: {listed}"


def number(value: Any, attempt: int) -> float:
    """A resource as a number; a profile may give it as an expression of `attempt`. 0 if it is not a number."""
    try:
        names = {"attempt": attempt, "min": min, "max": max, "__builtins__": {}}
        return float(eval(str(value), names))
    except (ArithmeticError, NameError, SyntaxError, TypeError, ValueError):
        return 0


def threads_of(configuration: Configuration) -> dict[str, int]:
    """Threads of each kind of job whose rule takes them from the settings."""
    training = max((one.training.threads for one in configuration.experiments.values()), default=1)
    return {
        "pack": PACK_THREADS,
        **dict.fromkeys(("train", "train_monitored"), training),
        **dict.fromkeys(("evaluate", "evaluate_channels", "crops", "page"), configuration.evaluation.threads),
    }


def _asked(configuration: Configuration, profile: Path) -> str:
    """A table of the resources that each kind of job requests, and the hours that all evaluations request together."""
    found, threads = asked(profile), threads_of(configuration)
    for kind, resources in found.items():
        resources.setdefault("threads", threads.get(kind, 1))
    columns = list(dict.fromkeys(name for resources in found.values() for name, value in resources.items() if value))
    attempts = profile_settings(profile).get("retries", 0) + 1
    rows = [
        [rule, *(_in_attempts(resources.get(column, ""), attempts) for column in columns)]
        for rule, resources in found.items()
    ]
    evaluate = found.get("evaluate", {})
    hours = jobs(configuration)["evaluate"] * number(evaluate.get("runtime"), 1) / 60
    unit = "GPU hours" if number(evaluate.get("gpu"), 1) else "hours"
    table = tabulate(rows, ["each job requests", *columns], tablefmt="plain", disable_numparse=True)
    return f"{table}\nall evaluations request {hours:g} {unit} at most"


def _in_attempts(value: object, attempts: int) -> str:
    """A resource at the first attempt and, if it grows, at the last; text is returned as it is."""
    first, last = number(value, 1), number(value, attempts)
    if not first:
        return str(value)
    return f"{first:g}" if first == last else f"{first:g}, then {last:g}"


def _trainings(scale: Scale, gpus: Sequence[int]) -> str:
    took, assumed = seconds(scale), 60 * scale.configuration.plan.train_minutes
    lengths = [assumed if one is None else one for one in took.values()]
    left = sum(one is None for one in took.values())
    on_gpus = any(scale.configuration.experiments[run.experiment].training.device == "cuda" for run in took)
    unit = "GPU hours" if on_gpus else "hours"
    lines = [
        *_by_seeds(list(took)),
        f"{len(took)} trainings, {len(took) - left} finished; {left} to go, {assumed / 60:g} minutes assumed for each "
        f"(plan.train_minutes)",
        f"{sum(lengths) / 3600:.1f} {unit} of training in all, {left * assumed / 3600:.1f} to go; wall time of all:",
        *(f"{count:4d} at once: {duration(makespan(lengths, count))}" for count in gpus),
    ]
    for target, names in scale.configuration.beyond.items():
        more = [run for run in scale.configuration.runs(names) if run not in took]
        if more:
            lines.append(f"target {target}: {len(more)} more trainings, {len(more) * assumed / 3600:.1f} {unit}")
    return "\n".join(lines)


def _by_seeds(runs: Sequence[Run]) -> list[str]:
    """The experiments that are trained with the same seeds, on one line each."""
    seeds: dict[str, list[int]] = {}
    for run in runs:
        seeds.setdefault(run.experiment, []).append(run.seed)
    together: dict[str, list[str]] = {}
    for experiment, own in seeds.items():
        together.setdefault(" ".join(map(str, own)), []).append(experiment)
    return [f"trainings with seed {own}: {', '.join(names)}" for own, names in together.items()]


def _seconds(scale: Scale, run: Run) -> float | None:
    """Seconds that a finished training took, by its own record."""
    if scale.is_done(run):
        return read_provenance(scale.results.training(run.training)).seconds
    entry = scale.entry(run)
    return read_provenance(entry.finished_path).seconds if entry is not None and entry.finished else None


def to_write(scale: Scale, jobs: int) -> dict[Path, float]:
    """How many bytes are still to be written under `data` and under the results, if `jobs` trainings run at once."""
    configuration = scale.configuration
    missing = [name for name in configuration.data.sets if not (scale.data / "sets" / name / "index.json").exists()]
    files = sum(_file_bytes(read_manifest(name, scale.data / "manifests")) for name in missing)
    unpacked = configuration.data.train if scale.pack is None else ()
    pixels = sum(_pixel_bytes(read_manifest(name, scale.data / "manifests")) for name in unpacked)
    left = [run.experiment for run, took in seconds(scale).items() if took is None]
    weights = {name: weight_bytes(configuration.experiments[name]) for name in set(left)}
    states = sorted((2 * weights[name] * _copies(configuration, name) for name in left), reverse=True)[:jobs]
    return {
        scale.data: files + pixels,
        scale.root: sum(weights[name] * len(configuration.checkpoints(name)) for name in left) + sum(states),
    }


def _disk(scale: Scale) -> str:
    """Disk space for data, models and the state of running trainings, and the free space."""
    configuration = scale.configuration
    sets = [read_manifest(name, scale.data / "manifests") for name in configuration.data.sets]
    runs = configuration.runs()
    weights = {name: weight_bytes(configuration.experiments[name]) for name in {run.experiment for run in runs}}
    sizes = {
        "files of the sets": sum(map(_file_bytes, sets)),
        "training images, decoded": sum(map(_pixel_bytes, sets[: len(configuration.data.train)])),
        "models": sum(weights[run.experiment] for run in configuration.at_checkpoints(runs)),
        "state of each running training": max(2 * weights[name] * _copies(configuration, name) for name in weights),
    }
    notes = [
        "at most",
        "estimated",
        "once: outputs are links into the store of trainings",
        "including the temporary copy while it saves",
    ]
    free = shutil.disk_usage(next(path for path in (scale.root, *scale.root.parents) if path.exists())).free
    rows = [(what, in_bytes(size), note) for (what, size), note in zip(sizes.items(), notes, strict=True)]
    rows += [("in all", in_bytes(sum(sizes.values())), "with one training running"), ("free here", in_bytes(free), "")]
    sides = ("left", "right", "left")
    return tabulate(rows, ("disk", "", ""), tablefmt="plain", disable_numparse=True, colalign=sides)


def weight_bytes(experiment: Experiment) -> int:
    """The bytes of a trained network's weights, float32."""
    import torch

    codec = experiment.learned_codec
    for module in codec.modules:
        import_module(module)  # some compute with tensors on import, which must not happen on the meta device below
    try:
        with torch.device("meta"):
            network = codec.build(experiment.model, experiment.training)
    except (NotImplementedError, RuntimeError):  # a codec that reads its weights while it builds them
        network = codec.build(experiment.model, experiment.training)
    return sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())


def _copies(configuration: Configuration, experiment: str) -> int:
    """How many times a training's state holds the weights: as they are, Adam's two moments, the selected ones."""
    return 2 + len(configuration.checkpoints(experiment))


def _file_bytes(manifest: Manifest) -> int:
    return manifest.bytes or (manifest.archive.unpacked_limit if manifest.archive else 0)


def _pixel_bytes(manifest: Manifest) -> float:
    sizes = [(entry.width or 0) * (entry.height or 0) * 3 for entry in manifest.images]
    return sum(sizes) if all(sizes) and sizes else PACK_PER_FILE * _file_bytes(manifest)


def in_bytes(size: float) -> str:
    """A size as text."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _resources(given: object) -> dict[str, object]:
    """Resources as a mapping, which a profile may also write as a list of `name=value`."""
    if isinstance(given, dict):
        return dict(given)
    texts = [given] if isinstance(given, str) else list(given or [])
    return dict(text.split("=", 1) for text in texts)
