"""Every table, figure and other document of a report. Adding one is one entry here and its module.

A module of a table has `table(sources) -> DataFrame` and `page(table, sources) -> str`, the same as Markdown; one of a
figure has `draw(sources, output)`, which writes SVG, PNG and CSV. `sources` reads what the entry names as its inputs,
and nothing else. This module imports nothing heavy, as every job of the workflow reads it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from cvqn.errors import CvqnError
from cvqn.lab.provenance.fingerprint import with_imports
from cvqn.lab.report.inputs import Inputs
from cvqn.lab.settings.configuration import Configuration
from cvqn.lab.settings.paths import Results

Input = Literal["measurement", "analysis", "toy", "shown", "crop", "image", "published", "claim"]
ROOM = "cvqn.lab.report"


@dataclass(frozen=True)
class Entry:
    """A table or a figure.

    Attributes:
        name: of the file.
        module: what makes it.
        inputs: what it is made of, see `Inputs`.
        settings: sections of the configuration that it depends on.
        label: in the report; what it is about: workflow/report/tables.rst and figures.rst.
        extra: made by the target extras only, with the runs of extras.
        options: more that its functions take, by name.
    """

    name: str
    module: str
    inputs: tuple[Input, ...]
    settings: tuple[str, ...]
    label: str
    extra: bool = False
    options: dict[str, str] = field(default_factory=dict)


TABLES = (
    Entry(
        "table1",
        f"{ROOM}.tables.variants",
        ("measurement", "claim"),
        ("scale", "seeds", "report"),
        "Table 1",
        options={"name": "table1"},
    ),
    Entry(
        "table2",
        f"{ROOM}.tables.variants",
        ("measurement", "claim"),
        ("scale", "seeds", "report"),
        "Table 2",
        options={"name": "table2"},
    ),
    Entry("runs", f"{ROOM}.tables.runs", ("measurement",), ("scale",), "every run"),
    Entry(
        "rate-distortion",
        f"{ROOM}.tables.rate_distortion",
        ("measurement",),
        ("scale", "codecs"),
        "rate and distortion",
    ),
    Entry("bd-rate", f"{ROOM}.tables.bd_rate", ("measurement", "published"), ("scale", "report", "data"), "BD-rate"),
    Entry("equation7", f"{ROOM}.tables.equation7", ("analysis",), ("scale", "seeds", "report"), "equation (7)"),
    Entry("importance", f"{ROOM}.tables.importance", ("analysis",), ("scale", "seeds", "report"), "order of channels"),
    Entry(
        "extras",
        f"{ROOM}.tables.extras",
        ("measurement",),
        ("scale", "seeds", "report", "extras"),
        "ablations",
        extra=True,
    ),
)
FIGURES = (
    Entry("figure1", f"{ROOM}.figures.influence", ("toy", "image"), ("scale",), "1"),
    Entry("figure3-maps", f"{ROOM}.figures.maps", ("shown",), ("scale",), "3, left"),
    Entry(
        "figure3-curves",
        f"{ROOM}.figures.curves",
        ("measurement", "published"),
        ("scale", "report", "data"),
        "3, right",
    ),
    Entry("figure4", f"{ROOM}.figures.crops", ("crop",), ("scale",), "4"),
    Entry("figure-bits", f"{ROOM}.figures.bits", ("shown",), ("scale",), "bits", extra=True),
)
DOCUMENTS = {"metrics": f"{ROOM}.metrics", "curves": f"{ROOM}.curves", "audit": f"{ROOM}.audit.audit"}
"""What is neither, with what makes it."""


def entry(name: str, among: tuple[Entry, ...] = TABLES + FIGURES) -> Entry:
    """The table or figure called `name`.

    Raises:
        CvqnError: there is none.
    """
    found = {one.name: one for one in among}
    if name not in found:
        raise CvqnError(f"{name}: unknown; there are {', '.join(found)}")
    return found[name]


def inputs(entry: Entry, configuration: Configuration, results: Results) -> list[str]:
    """The files that it is made of."""
    files = Inputs(configuration, results, entry.extra)
    return [file for kind in entry.inputs for file in getattr(files, f"{kind}_files")]


def possible(entries: tuple[Entry, ...], configuration: Configuration, results: Results) -> list[Entry]:
    """Those that a scale has the inputs for: only codecs with channels have analyses."""
    return [
        one
        for one in entries
        if all(getattr(Inputs(configuration, results, one.extra), f"{kind}_files") for kind in one.inputs)
    ]


def modules(job: str) -> tuple[str, ...]:
    """The modules that decide the result of a job: `table <name>`, `figure <name>` or one of `DOCUMENTS`."""
    return with_imports(DOCUMENTS.get(job) or entry(job.partition(" ")[2]).module)


def jobs() -> Iterator[tuple[str, None, tuple[str, ...]]]:
    """Every job of the report as a plan takes it: name, no codec, modules."""
    names = [*(f"table {one.name}" for one in TABLES), *(f"figure {one.name}" for one in FIGURES), *DOCUMENTS]
    for job in names:
        yield job, None, modules(job)
