"""Where a result comes from: code, configuration, data, machine, time."""

import os
import platform
import resource
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

LIBRARIES = (
    "cvqn",
    "torch",
    "numpy",
    "pillow",
    "constriction",
    "safetensors",
    "pytorch-msssim",
    "imagecodecs",
    "av",
    "snakemake",
)
ROOT = Path(__file__).resolve().parent.parent.parent


def now() -> str:
    """The time, UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def environment() -> dict[str, object]:
    """Code, command and machine of this process."""
    return {
        "code": code_version(),
        "command": shlex.join(sys.argv),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "python": platform.python_version(),
        "machine": {"platform": platform.platform(), "processor": processor(), "cpus": os.cpu_count()},
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "peak_host_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


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
        "driver": _driver(),
    }


def code_version() -> dict[str, object]:
    """Git commit of the source tree and whether tracked files differ from it; None where there is no git."""
    commit = _git("rev-parse", "HEAD")
    status = _git("status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if status is None else bool(status)}


def processor() -> str:
    """The processor's own name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except ImportError:
        return None


def _git(*arguments: str) -> str | None:
    try:
        run = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return run.stdout.strip()


def _driver() -> str | None:
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True, timeout=30).stdout.split("\n")[0]
    except (OSError, subprocess.SubprocessError):
        return None
