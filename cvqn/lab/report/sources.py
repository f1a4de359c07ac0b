"""Measurements and analyses as data frames; each row names the file that it comes from."""

import csv
import io
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from cvqn.documents import read_checked
from cvqn.errors import CvqnError
from cvqn.lab.evaluation.metrics import ms_ssim_db
from cvqn.lab.report.inputs import Inputs
from cvqn.lab.report.job_files import AGAIN, Importance
from cvqn.lab.report.runs import Runs
from cvqn.lab.settings.runs import Run

TEXT = ("codec", "setting", "experiment", "checkpoint", "image", "run")
RATES = ("bpp", "ms_ssim", "psnr_db")
MEASUREMENT_COLUMNS = (
    "codec", "setting", "experiment", "seed", "checkpoint", "image", "width", "height", "bytes", *RATES,
)  # fmt: skip
VALUES = (*RATES, "encode_s", "decode_s", "cross_entropy_bpp", "bound_bpp", "model_bytes")
LARGEST = 1e15
"""Numbers in tables of results are smaller."""
KEYS = ("run", "codec", "setting", "image", "channel", "group")
"""Columns whose values together identify a row of a file."""
CHANNEL_COLUMNS = ("run", "image", "channel", "group", "levels", "position", "bits")
GROUP_COLUMNS = ("run", "image", "group", "levels", "channels", "symbols", "bits_per_symbol", "values_used")


class Sources(Inputs):
    """The contents of a scale's files, read on demand; files that do not exist yet are left out."""

    @property
    def scale(self) -> str:
        """The scale's name."""
        return self.configuration.scale

    @cached_property
    def measurements(self) -> pd.DataFrame:
        """Rows of every measurement, with `file`, `row` (its line) and `bitstreams`, the archive that was measured.

        Rows of a learned codec name `experiment`, `seed` and `checkpoint`; those of a conventional one do not.

        Raises:
            CvqnError: a file is damaged, or a row appears twice or lacks a number.
        """
        frame = _concatenate(self.files("measurements"), MEASUREMENT_COLUMNS)
        with_numbers(frame[frame["experiment"] != ""], ("seed",))
        archives = [self.results.archive(*one) for one in zip(frame["codec"], frame["setting"], strict=True)]
        return frame.assign(bitstreams=archives)

    @cached_property
    def means(self) -> pd.DataFrame:
        """A row per codec and setting: means over images, the number of `images`, the sum of `bytes`, and the sources.

        The sources are `bitstreams`, the archive, `measurements`, the file, and `lines`, the lines in it.
        """
        settings = self.measurements.groupby(["codec", "setting", "experiment", "checkpoint"])
        means = settings[[column for column in VALUES if column in self.measurements]].mean()
        means["ms_ssim_db"] = ms_ssim_db(means["ms_ssim"].to_numpy(float))
        about = settings.agg(
            seed=("seed", "first"),
            images=("image", "size"),
            bytes=("bytes", "sum"),
            bitstreams=("bitstreams", "first"),
            measurements=("file", "first"),
            lines=("row", _lines),
        )
        return means.join(about).reset_index()

    @cached_property
    def measured(self) -> Runs:
        """The measurements of learned codecs by experiment."""
        return Runs(self.measurements)

    @cached_property
    def analysed(self) -> list[Run]:
        """The runs whose channels have been analysed."""
        return [run for run in self.runs if self._channel_files("groups.csv", run)]

    @cached_property
    def channels(self) -> pd.DataFrame:
        """Rows of every channels.csv, with `file`.

        The columns `psnr_loss_db` and `ms_ssim_loss_db` are missing or empty if influence was not measured.
        """
        return self.channels_of(*self.runs)

    @cached_property
    def groups(self) -> pd.DataFrame:
        """Rows of every groups.csv, with `file`."""
        return _concatenate(self._channel_files("groups.csv", *self.runs), GROUP_COLUMNS)

    def channels_of(self, *runs: Run) -> pd.DataFrame:
        """The rows of `channels` for some runs; reads only their files."""
        return _concatenate(self._channel_files("channels.csv", *runs), CHANNEL_COLUMNS)

    def importance(self, run: Run) -> tuple[str, Importance]:
        """Path and content of an analysed run's importance.json.

        Raises:
            CvqnError: the file is missing or damaged.
        """
        path = f"{self.analysis(run)}/importance.json"
        return path, read_checked(Importance, Path(path), AGAIN)

    def _channel_files(self, name: str, *runs: Run) -> list[str]:
        files = [file for run in runs for file in self._analysis(run) if file.endswith(f"/{name}")]
        return [file for file in files if os.path.exists(file)]


def read_table(path: str, columns: Sequence[str], maker: str = "the workflow") -> pd.DataFrame:
    """Rows of a CSV that has these columns, with `file` and `row` (the line) added; `maker` is for error messages.

    Raises:
        CvqnError: the file cannot be read, lacks a column, has no rows or ends within one.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            text = file.read()
        header = next(csv.reader([text.partition("\n")[0]]), [])
        missing = [column for column in columns if column not in header]
        if missing:
            raise CvqnError(f"{path}: column {missing[0]} is missing; make the table again")
        numbers = {column: [""] for column in header if column not in TEXT}
        frame = pd.read_csv(io.StringIO(text), dtype=dict.fromkeys(TEXT, str), keep_default_na=False, na_values=numbers)
    except OSError as error:
        raise CvqnError(f"{path}: cannot be read ({error.strerror}); run {maker} first") from error
    except (ValueError, csv.Error) as error:
        raise CvqnError(f"{path}: not a table ({error}); make it again") from error
    if frame.empty:
        raise CvqnError(f"{path}: has no rows; make the table again")
    if not text.endswith("\n"):
        raise CvqnError(f"{path}: ends within a row; make the table again")
    return frame.assign(file=path, row=range(2, len(frame) + 2))


def with_numbers(frame: pd.DataFrame, columns: Sequence[str], optional: Sequence[str] = ()) -> pd.DataFrame:
    """Rows of `read_table` with `columns` and `optional` converted to numbers, which may be missing only in the latter.

    Raises:
        CvqnError: a value is not a number, or a number is not finite; the message names file and line.
    """
    found = {}
    for column in (*columns, *optional):
        values = pd.to_numeric(frame[column], errors="coerce").to_numpy(float)
        wrong = ~(np.abs(values) < LARGEST) & ~((column in optional) & frame[column].isna().to_numpy())
        if wrong.any():
            raise CvqnError(f"{_place(frame, wrong)}: {column} is not a number; make it again")
        if frame[column].dtype == object:
            found[column] = values
    return frame.assign(**found)


def _lines(rows: pd.Series) -> str:
    """Line numbers as text; consecutive ones as a range."""
    lines = sorted(rows)
    return f"{lines[0]}-{lines[-1]}" if lines[-1] - lines[0] == len(lines) - 1 else " ".join(map(str, lines))


def _concatenate(paths: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    frames = [_read_rows(path, columns) for path in paths if os.path.exists(path)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[*columns, "file", "row"])


def _read_rows(path: str, columns: Sequence[str]) -> pd.DataFrame:
    frame = read_table(path, columns)
    key = [column for column in KEYS if column in columns]
    if (again := frame.duplicated(key).to_numpy()).any():
        raise CvqnError(f"{_place(frame, again)}: the same {', '.join(key)} appear twice; make it again")
    numbers = [column for column in columns if column not in (*TEXT, "seed")]  # some codecs have no seed
    return with_numbers(frame, numbers, [one for one in frame if one not in (*TEXT, *numbers, "file", "row")])


def _place(frame: pd.DataFrame, wrong: np.ndarray) -> str:
    first = frame.iloc[int(wrong.argmax())]
    return f"{first.file}, line {first.row}"
