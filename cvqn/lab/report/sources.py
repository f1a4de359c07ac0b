"""Measurements and analyses as they lie on disk, as data frames whose rows say which file they come from."""

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cvqn.errors import CvqnError

MEASUREMENT_COLUMNS = ("codec", "setting", "image", "width", "height", "bytes", "bpp", "ms_ssim", "psnr_db")
CHANNEL_COLUMNS = ("run", "image", "channel", "group", "levels", "position", "bits")
GROUP_COLUMNS = ("run", "image", "group", "levels", "channels", "symbols", "bits_per_symbol", "values_used")

_RUN = re.compile(r"(?P<experiment>.+)-seed(?P<seed>\d+)(?P<best>-best)?")


def read_measurements(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Rows of `cvqn measure`, with `file`, `row` (line in the file, the header is 1) and `bitstreams` (the archive).

    Rows of the codec cvqn also have `experiment`, `seed` and `checkpoint` (last or best), read from the setting.

    Raises:
        CvqnError: a file is missing, has not these columns, or has a rate or distortion that is not a number.
    """
    if not paths:
        return pd.DataFrame(
            columns=[*MEASUREMENT_COLUMNS, "file", "row", "bitstreams", "experiment", "seed", "checkpoint"]
        )
    frame = pd.concat([_read(path, MEASUREMENT_COLUMNS, text=("codec", "setting", "image")) for path in paths],
                      ignore_index=True)  # fmt: skip
    for column in ("bpp", "ms_ssim", "psnr_db"):
        wrong = frame[pd.to_numeric(frame[column], errors="coerce").isna()]
        if len(wrong):
            first = wrong.iloc[0]
            raise CvqnError(f"{first.file}, line {first.row}: {column} is not a number; measure again")
    frame["bitstreams"] = [_archive(*row) for row in zip(frame.file, frame.codec, frame.setting, strict=True)]
    return frame.join(pd.DataFrame([_run(*row) for row in zip(frame.file, frame.codec, frame.setting, strict=True)]))


def read_channels(folders: Sequence[str | Path]) -> pd.DataFrame:
    """Rows of every `channels.csv` that `cvqn analyse` wrote into these folders, with `file`.

    The columns `psnr_loss_db` and `ms_ssim_loss_db` are missing or empty where influence was not measured.
    """
    frames = [_read(Path(folder) / "channels.csv", CHANNEL_COLUMNS, text=("run", "image")) for folder in folders]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[*CHANNEL_COLUMNS, "file"])


def read_groups(folders: Sequence[str | Path]) -> pd.DataFrame:
    """Rows of every `groups.csv` that `cvqn analyse` wrote into these folders, with `file`."""
    frames = [_read(Path(folder) / "groups.csv", GROUP_COLUMNS, text=("run", "image")) for folder in folders]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[*GROUP_COLUMNS, "file"])


def read_json(path: str | Path) -> dict:
    """The mapping in a JSON file.

    Raises:
        CvqnError: the file is missing, is not JSON, or holds something else.
    """
    try:
        loaded = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise CvqnError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise CvqnError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(loaded, dict):
        raise CvqnError(f"{path}: expected a JSON object")
    return loaded


def run_name(experiment: str, seed: int, checkpoint: str = "last") -> str:
    """The setting under which a run is measured."""
    return f"{experiment}-seed{seed}" + ("-best" if checkpoint == "best" else "")


def _read(path: str | Path, columns: Sequence[str], text: Sequence[str]) -> pd.DataFrame:
    try:
        with open(path, newline="", encoding="utf-8") as file:
            header = next(csv.reader(file), [])
        missing = [column for column in columns if column not in header]
        if missing:
            raise CvqnError(f"{path}: column {missing[0]} is missing; make the table again")
        frame = pd.read_csv(path, dtype=dict.fromkeys(text, str), keep_default_na=False, na_values={
            column: [""] for column in header if column not in text})  # fmt: skip
    except OSError as error:
        raise CvqnError(f"{path}: cannot be read ({error.strerror}); run what makes it first") from error
    except (ValueError, UnicodeDecodeError) as error:
        raise CvqnError(f"{path}: not a table ({error}); make it again") from error
    if frame.empty:
        raise CvqnError(f"{path}: has no rows; make the table again")
    return frame.assign(file=str(path), row=range(2, len(frame) + 2))


def _archive(file: str, codec: str, setting: str) -> str:
    """Where `setting` was measured from: bitstreams/<codec>/<setting>.tar beside the folder measurements/."""
    folder = Path(file).parent
    results = folder.parent.parent if codec == "cvqn" else folder.parent
    return str(results / "bitstreams" / codec / f"{setting}.tar")


def _run(file: str, codec: str, setting: str) -> dict[str, object]:
    if codec != "cvqn":
        return {"experiment": None, "seed": None, "checkpoint": None}
    match = _RUN.fullmatch(setting)
    if match is None:
        raise CvqnError(
            f"{file}: setting {setting!r} is not the name of a run, <experiment>-seed<k> or <experiment>-seed<k>-best"
        )
    return {
        "experiment": match["experiment"],
        "seed": int(match["seed"]),
        "checkpoint": "best" if match["best"] else "last",
    }
