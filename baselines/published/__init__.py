"""Rate-distortion curves of other publications on Kodak, as data; `sources.md` says where each comes from."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
GROUPS = ("figure-3", "conventional", "learned")


@dataclass(frozen=True)
class PublishedCurve:
    """Points by rising rate, arrays `[points]`: bits per pixel, mean MS-SSIM and its dB, mean PSNR in dB (or nan)."""

    name: str
    codec: str
    group: str
    source: str
    file: Path
    bpp: np.ndarray
    ms_ssim: np.ndarray
    ms_ssim_db: np.ndarray
    psnr_db: np.ndarray


def curves(group: str | None = None) -> dict[str, PublishedCurve]:
    """The published curves by name, all of them or those of one of `GROUPS`, in the order of the index."""
    with open(FOLDER / "index.csv", newline="", encoding="utf-8") as index:
        entries = [entry for entry in csv.DictReader(index) if group in (None, entry["group"])]
    return {entry["curve"]: _read(entry) for entry in entries}


def files() -> list[Path]:
    """The index and every curve."""
    return sorted(FOLDER.glob("*.csv"))


def _read(entry: dict[str, str]) -> PublishedCurve:
    path = FOLDER / f"{entry['curve']}.csv"
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = {key: np.array([float(row[key] or "nan") for row in rows]) for key in rows[0]}
    return PublishedCurve(entry["curve"], entry["codec"], entry["group"], entry["source"], path, **columns)
