"""Peak memory of coding one image of Kodak, by codec: python -m benchmarks.memory

Needs `cvqn data fetch kodak`. Each codec encodes and decodes kodim01 in processes of their own: CVQN with the built-in
model of quality 3, each other codec at the setting of scale small next above its rate. It prints the highest peak of
three processes, beyond what each held with Python, libraries, model and picture loaded. If the codec runs a program, it
prints that program's peak if this is higher. It writes the numbers to a CSV; docs/results.md has the table. Linux only.
"""

import contextlib
import csv
import multiprocessing
import os
import threading
import time
from pathlib import Path

from tqdm import tqdm

from benchmarks.perceptual import OTHERS, RESULTS, next_to, rates
from cvqn.codecs import registry
from cvqn.codecs.interface import Codec
from cvqn.codecs.shipped import folder_of_quality
from cvqn.compression import StoredCodec
from cvqn.lab.data.index import read_index
from cvqn.lab.evaluation.archive import read_archive

IMAGE, QUALITY, EXPERIMENT = "kodim01", 3, "c24"
REPEATS = 3
OUTPUT = Path("benchmarks/results/memory.csv")
Task = tuple[str, str, str]
"""A codec, a setting, and `encode` or `decode`."""


def held(what: str, process: int | str = "self") -> int:
    """Bytes of memory by a line of /proc/PROCESS/status: VmRSS, now, or VmHWM, the most so far; 0 if it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith(f"{what}:"):
                return 1024 * int(line.split()[1])
    return 0


class Programs(threading.Thread):
    """Watches the programs that this process runs; `most` is what any of them has held, in bytes.

    getrusage would count what this process held before the program replaced its copy.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0

    def run(self) -> None:
        own = os.readlink("/proc/self/exe")
        while True:
            for path in Path("/proc/self/task").glob("*/children"):
                for child in path.read_text().split():
                    with contextlib.suppress(OSError):
                        if os.readlink(f"/proc/{child}/exe") != own:
                            self.most = max(self.most, held("VmHWM", child))
            time.sleep(0.001)


def peak(task: Task) -> int:
    """Bytes that encoding or decoding takes at its most, beyond what the process held before."""
    name, setting, job = task
    codec: Codec = StoredCodec(folder_of_quality(QUALITY)) if name == "cvqn" else registry.conventional(name)
    quality = None if name == "cvqn" else float(setting)
    [picture] = [image.read() for image in read_index("data/sets/kodak/index.json") if image.name == IMAGE]
    data = read_archive(RESULTS / "bitstreams" / name / f"{setting}.tar").file(IMAGE)
    codec.decode(codec.encode(picture[:64, :64], quality))  # loads what is loaded on the first call
    programs = Programs()
    programs.start()
    before = held("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts again
    codec.encode(picture, quality) if job == "encode" else codec.decode(data)
    return max(held("VmHWM") - before, programs.most)


def main() -> None:
    """Measure, print the table and write the CSV."""
    measurements = RESULTS / "measurements"
    run = f"{EXPERIMENT}-seed1"
    [rate] = rates(measurements / "cvqn" / f"{run}.csv").values()
    chosen = [("cvqn", run)]
    chosen += [(name, next_to([rate], rates(measurements / f"{name}.csv"))[-1]) for name in OTHERS]
    tasks: list[Task] = [(*one, job) for one in chosen for job in ("encode", "decode")]
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        every = REPEATS * tasks
        peaks = list(tqdm(pool.imap(peak, every), total=len(every), desc="memory", unit="process", disable=None))
    found = {
        task: f"{1e-6 * max(taken for one, taken in zip(every, peaks, strict=True) if one == task):.0f}"
        for task in tasks
    }
    with open(OUTPUT, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["codec", "setting", "encode_mb", "decode_mb"])
        for one in chosen:
            row = [*one, found[*one, "encode"], found[*one, "decode"]]
            writer.writerow(row)
            print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
