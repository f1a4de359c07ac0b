"""Threads, determinism and precision of a training's device."""

import ctypes
import os
from contextlib import suppress

import torch

from cvqn.errors import CvqnError
from cvqn.settings import TrainingSettings

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
FAST_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")  # two on x86, the last on ARM


def prepare_device(training: TrainingSettings) -> str:
    """Set threads and determinism, and return the device of the settings; there is no fallback.

    Raises:
        CvqnError: the device is cuda and PyTorch sees no GPU, or bfloat16 is set for a CPU that only emulates it.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(training.device == "cpu")
    torch.utils.deterministic.fill_uninitialized_memory = False  # slow, and no code here reads uninitialized memory
    torch.backends.cudnn.benchmark = True
    torch.set_num_threads(training.threads)
    keep_freed_memory()
    if training.device == "cuda" and not torch.cuda.is_available():
        raise CvqnError(
            "training.device is cuda, but torch sees no GPU; to train without one, set it to cpu in a --configfile"
        )
    if training.device == "cpu" and training.precision == "bfloat16" and not _multiplies_bfloat16():
        raise CvqnError(
            "training.precision is bfloat16, which this processor only emulates, many times slower "
            "(it lacks avx512_bf16 and AMX); set it to float32, or train on another machine"
        )
    return training.device


def autocast(training: TrainingSettings) -> torch.autocast:
    """Autocast to bfloat16 if `precision` is bfloat16."""
    return torch.autocast(training.device, torch.bfloat16, enabled=training.precision == "bfloat16")


def _multiplies_bfloat16() -> bool:
    has = torch.cpu.get_capabilities()
    return any(has.get(feature) for feature in FAST_BFLOAT16)


def keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next step; new pages from the system take a tenth of a small step's time."""
    with suppress(OSError, AttributeError):  # another C library
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
