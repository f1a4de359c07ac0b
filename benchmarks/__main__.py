"""Measure speed and memory: python -m benchmarks [NAME ...] [--gpu] [--write docs/performance.md]."""

import argparse
import sys
from pathlib import Path

import torch
from tqdm import tqdm

from benchmarks import crops, entropy_coding, ms_ssim, packing, training_step, transforms
from benchmarks.clock import machine
from benchmarks.rows import Row, markdown, read_csv, replace_section, write_csv
from cvqn.errors import CvqnError
from cvqn.files import atomic_write

BENCHMARKS = {
    "training-step": training_step,
    "transforms": transforms,
    "ms-ssim": ms_ssim,
    "crops": crops,
    "packing": packing,
    "entropy-coding": entropy_coding,
}
ON_GPU = ("training-step", "transforms", "ms-ssim", "crops")


def main(arguments: list[str] | None = None) -> int:
    """Run, print a row as soon as it is measured, write the CSV file and the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure speed and memory.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which (default all): {', '.join(BENCHMARKS)}")
    parser.add_argument("--gpu", action="store_true", help="on a GPU: " + ", ".join(ON_GPU))
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"), help="folder of the CSV file")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into this page; takes all benchmarks")
    chosen = parser.parse_args(arguments)
    device = "cuda" if chosen.gpu else "cpu"
    known = ON_GPU if chosen.gpu else tuple(BENCHMARKS)
    if unknown := [name for name in chosen.names if name not in known]:
        parser.error(f"{', '.join(unknown)}: not among {', '.join(known)}")
    if chosen.write and chosen.names:
        parser.error("--write takes all benchmarks: leave out the names")
    if chosen.gpu and not torch.cuda.is_available():
        print("--gpu, but torch sees no GPU; leave it out to measure on the CPU", file=sys.stderr)
        return 2
    try:
        page = chosen.write.read_text(encoding="utf-8") if chosen.write else ""
        if chosen.write:
            replace_section(page, device, "")
        run(device, chosen.names or known, chosen.output, chosen.write, page)
    except (CvqnError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def run(device: str, names: tuple[str, ...] | list[str], output: Path, target: Path | None, page: str) -> None:
    """Measure `names`; the CSV file of a run of only some is named after them."""
    about, measured = machine(device), []
    print(about)
    for name in (bar := tqdm(names, unit="benchmark", disable=None)):
        bar.set_description(name)
        for row in BENCHMARKS[name].rows(device):
            measured.append((name, row))
            tqdm.write(_line(name, row))
    whole = len(names) == len(ON_GPU if device == "cuda" else BENCHMARKS)
    path = output / f"{'-'.join([device] if whole else [device, *names])}.csv"
    write_csv(path, about, measured)
    print(f"wrote {path}")
    if target:
        with atomic_write(target, "w") as file:
            file.write(replace_section(page, device, markdown(*read_csv(path))))
        print(f"wrote {target}")


def _line(name: str, row: Row) -> str:
    what, median, ratio, goal, limit = row.text()
    return f"{name}: {what}: " + "; ".join(part for part in (median, ratio, goal and f"goal {goal}", limit) if part)


if __name__ == "__main__":
    sys.exit(main())
