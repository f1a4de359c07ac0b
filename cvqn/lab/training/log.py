"""The log of a training: CSV, one row per logging step, readable while the training runs."""

import csv
import time
from pathlib import Path

from cvqn.files import atomic_write


class Log:
    """The log of a training in progress; opening it removes the rows after the step from which training resumes."""

    def __init__(self, path: Path, first_step: int):
        kept = [row for row in read_csv(path) if int(row["step"]) <= first_step] if path.exists() else []
        self.path = path
        write_csv(path, kept)
        self.header = list(kept[0]) if kept else None
        self.clock, self.clock_step = time.monotonic(), first_step

    def __enter__(self) -> "Log":
        self.file = open(self.path, "a", encoding="utf-8", newline="")
        return self

    def __exit__(self, *exception: object) -> None:
        self.file.close()

    def write(self, row: dict, batch: int) -> None:
        """Append a row, adding the images per second since the last one."""
        now = time.monotonic()
        row = {**row, "images_per_s": round((row["step"] - self.clock_step) * batch / max(now - self.clock, 1e-9), 3)}
        self.clock, self.clock_step = now, row["step"]
        writer = csv.DictWriter(self.file, list(row))
        if self.header is None:
            self.header = list(row)
            writer.writeheader()
        writer.writerow(row)
        self.file.flush()

    def rows(self) -> list[dict]:
        """All rows so far."""
        return read_csv(self.path)


def read_csv(path: Path) -> list[dict]:
    """The rows of a CSV file, values as text; a truncated last line, as after a crash, is left out."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if None not in row.values()]


def write_csv(path: Path, rows: list[dict], header: list[str] | None = None) -> None:
    """Write a CSV file atomically; `header` gives the columns if there are no rows."""
    with atomic_write(path, "w") as file:
        columns = list(rows[0]) if rows else header or []
        if columns:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
