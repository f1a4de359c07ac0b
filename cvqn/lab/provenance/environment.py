"""Facts for the provenance of a result: code, libraries, data, machine and time."""

import json
import os
import platform
import resource
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from cvqn.files import sha256_file
from cvqn.lab.data.index import manifest_sha256, set_name
from cvqn.lab.provenance.machine import processor

LIBRARIES = (
    "cvqn", "torch", "numpy", "pillow", "constriction", "safetensors", "pytorch-msssim", "imagecodecs", "av",
    "snakemake",
)  # fmt: skip
PINS = "constraints.txt"


def source_tree() -> Path | None:
    """The clone that this code runs from, or None if it is an installed wheel."""
    folder = Path(__file__).resolve().parents[3]
    return folder if (folder / "pyproject.toml").is_file() else None


def now() -> str:
    """The current time in UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def environment() -> dict[str, object]:
    """Code, command and machine of this process; call it before the work, as the code may change in the meantime."""
    return {
        "source": code_version(),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "lock": lock(),
        "python": platform.python_version(),
        "machine": {"platform": platform.platform(), "processor": processor(), "cpus": os.cpu_count()},
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
    }


def peak_memory_bytes() -> int:
    """The most host memory that this process has held so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def lock() -> dict[str, object] | None:
    """The checksum of the file of pinned versions, and packages installed in another version; None without the file."""
    root = source_tree()
    if root is None or not (root / PINS).is_file():
        return None
    pins = dict(line.split("==") for line in (root / PINS).read_text(encoding="utf-8").split() if "==" in line)
    found = {name: _version(name) for name in pins}
    differing = {name: there for name, there in found.items() if there and there.partition("+")[0] != pins[name]}
    return {"file": PINS, "sha256": sha256_file(root / PINS), "differing": differing}


def data_set(index: str | Path) -> dict[str, object]:
    """The set that an `index.json` describes: its name, and the checksums of its manifest and its index."""
    return {
        "name": set_name(index),
        "manifest_sha256": manifest_sha256(index),
        "index_sha256": sha256_file(index),
    }


def pack_origin(pack: str | Path, sets: str | Path) -> dict[str, object]:
    """The checksum of a pack, by its own JSON, and the sets in it, whose indexes are under the folder `sets`."""
    content = json.loads(Path(pack).with_suffix(".json").read_text(encoding="utf-8"))
    names = dict.fromkeys(image["set"] for image in content["images"])
    indexes = [Path(sets) / name / "index.json" for name in names]
    return {"pack_sha256": content["sha256"], "sets": [data_set(index) for index in indexes if index.is_file()]}


def gpu() -> dict[str, object] | None:
    """Name, memory and driver stack of the GPU in use, or None."""
    import torch

    if not torch.cuda.is_available():
        return None
    properties = torch.cuda.get_device_properties(0)
    return {
        "name": properties.name,
        "memory_bytes": properties.total_memory,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "driver": _driver(),
    }


def code_version() -> dict[str, object]:
    """Git commit of the source tree and whether tracked files differ from it; each None without git or a clone."""
    commit = _git("rev-parse", "HEAD")
    status = _git("status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if status is None else bool(status)}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except ImportError:
        return None


def _git(*arguments: str) -> str | None:
    root = source_tree()
    if root is None:
        return None
    try:
        run = subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return run.stdout.strip()


def _driver() -> str | None:
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True, timeout=30).stdout.split("\n")[0]
    except (OSError, subprocess.SubprocessError):
        return None
