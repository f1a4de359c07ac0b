"""Cases of a target in processes of their own, each of which is replaced where a case hangs or ends it."""

import multiprocessing
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.worker import Outcome, work

PATIENCE = 60.0  # seconds without word, after which a case hangs, on a machine that does other work too
STARTING = 600.0  # seconds that the process may take to load everything and make the valid files


@dataclass
class Report:
    """What the cases of a target came to."""

    target: str
    counts: Counter = field(default_factory=Counter)
    faults: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0
    """The longest case, processor time."""
    memory: int = 0
    """The most bytes held."""

    def add(self, outcome: Outcome) -> None:
        """Count one more case."""
        good = outcome.verdict in ("accepted", "refused")
        self.counts[outcome.verdict if good else "fault"] += 1
        self.seconds, self.memory = max(self.seconds, outcome.seconds), max(self.memory, outcome.memory)
        if not good:
            self.faults.append(outcome)

    def row(self) -> str:
        """One row of a table in Markdown."""
        counts = self.counts
        return (
            f"| {self.target} | {counts.total()} | {counts['accepted']} | {counts['refused']} | {len(self.faults)} "
            f"| {self.seconds:.1f} | {self.memory >> 20} |"
        )


HEAD = "| target | tried | accepted | refused | faults | longest, s | most memory, MB |\n|---|---|---|---|---|---|---|"


def fuzz(
    target: str, seed: int, cases: range, jobs: int = 1, told: Callable[[Report], None] = lambda report: None
) -> Report:
    """Run cases of a target, in so many processes at a time; `told` is called with the counts after each."""
    report, lock = Report(target), threading.Lock()

    def run(part: range) -> None:
        for outcome in _outcomes(target, seed, part):
            with lock:
                report.add(outcome)
                told(report)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(run, (cases[first::jobs] for first in range(jobs))))
    report.faults.sort(key=lambda outcome: outcome.case)
    return report


def _outcomes(target: str, seed: int, cases: range) -> Iterator[Outcome]:
    context = multiprocessing.get_context("spawn")
    while cases:
        ours, theirs = context.Pipe()
        scratch = tempfile.TemporaryDirectory(prefix="cvqn-fuzz-")
        process = context.Process(target=work, args=(theirs, Path(scratch.name), target, seed, cases), daemon=True)
        process.start()
        theirs.close()
        case = None
        try:
            while cases:
                verdict = "hangs"
                if case is None and not ours.poll(STARTING):  # imports, and the valid files
                    raise TimeoutError(f"{target}: no valid files were made")
                if case is not None and not ours.poll(PATIENCE):
                    break
                verdict = "ends the process"
                message = ours.recv()
                if isinstance(message, int):
                    case = message
                else:
                    yield message
                    cases = cases[1:]
        except EOFError:
            if case is None:
                raise
        finally:
            process.kill()
            process.join()
            scratch.cleanup()
        if cases:
            yield Outcome(case, verdict, "", 0.0, 0)
            cases = cases[1:]
