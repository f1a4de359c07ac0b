"""Every table, figure and other document of a report. Adding one is one entry here and its module.

A module of a table has `table(sources) -> DataFrame` and `page(table, sources) -> str`, the same as Markdown; one of a
figure has `draw(sources, output)`, which writes SVG, PNG and CSV. `sources` reads what the entry names as its inputs,
and nothing else. This module imports nothing heavy, as every job of the workflow reads it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from cvqn.errors import CvqnError
from cvqn.lab.provenance.fingerprint import with_imports
from cvqn.lab.report.inputs import Inputs, Kind
from cvqn.lab.settings.configuration import Configuration
from cvqn.lab.settings.paths import Results


@dataclass(frozen=True)
class Entry:
    """A table or a figure.

    Attributes:
        name: of the file.
        module: what makes it, within this package.
        label: in the report; what it is about: workflow/report/tables.rst and figures.rst.
        inputs: what it is made of.
        settings: sections of the configuration that it depends on.
        target: what makes it, with the runs of that target: all, extras or learned.
        options: more that its functions take, by name.
        caption: of a figure on the report page, and its text for those who do not see it.
    """

    name: str
    module: str
    label: str
    inputs: tuple[Kind, ...]
    settings: tuple[str, ...] = ("scale",)
    target: str = "all"
    options: dict[str, str] = field(default_factory=dict)
    caption: str = ""


_SHOWN = ("scale", "seeds", "report")
_COMPARED = ("scale", "report", "data")
_TRAINED: tuple[Kind, ...] = ("measurements", "trainings", "complexity")
_STARTED = ("scale", "report", "experiments")
_EXTRAS = (*_SHOWN, "extras")
TABLES = (
    Entry("table1", "tables.variants", "1", ("measurements", "claims"), _SHOWN, options={"name": "table1"}),
    Entry("table2", "tables.variants", "2", ("measurements", "claims"), _SHOWN, options={"name": "table2"}),
    Entry("runs", "tables.runs", "every run", ("measurements",)),
    Entry("rate-distortion", "tables.rate_distortion", "every codec", ("measurements",), ("scale", "report", "codecs")),
    Entry("bd-rate", "tables.bd_rate", "BD-rate", ("measurements", "published"), _COMPARED),
    Entry("learned", "tables.learned", "learned codecs", _TRAINED, _COMPARED),
    Entry(
        "learned-every", "tables.learned", "learned codecs", _TRAINED, (*_COMPARED, "learned_curves"), target="learned"
    ),
    Entry("starts", "tables.starts", "initializations", ("starts", "measurements", "trainings"), _STARTED),
    Entry("equation7", "tables.equation7", "equation (7)", ("analyses",), _SHOWN),
    Entry("importance", "tables.importance", "order of channels", ("analyses",), _SHOWN),
    Entry("extras", "tables.extras", "ablations", ("measurements",), _EXTRAS, target="extras"),
)
FIGURES = (
    Entry(
        "figure1",
        "figures.influence",
        "1",
        ("toy", "images"),
        caption="Figure 1. The channels of the toy model's quantized latent, and the quality lost without each.",
    ),
    Entry(
        "figure3-maps",
        "figures.maps",
        "3, left",
        ("shown",),
        caption="Figure 3, left. The quantized latent, by group, in the predefined order of importance.",
    ),
    Entry(
        "figure3-curves",
        "figures.curves",
        "3, right",
        ("measurements", "published"),
        _COMPARED,
        caption="Figure 3, right. Rate-distortion curves: solid lines were measured here, dashed lines are published.",
    ),
    Entry(
        "psnr-curves",
        "figures.curves",
        "3, right, in PSNR",
        ("measurements", "published"),
        _COMPARED,
        options={"quantity": "psnr_db"},
        caption="Beyond the paper. The curves measured here in PSNR, for which the paper's method is not trained.",
    ),
    Entry(
        "figure4",
        "figures.crops",
        "4",
        ("crops",),
        caption="Figure 4. One crop of the original and of each codec's decoded file, at the nearest rate.",
    ),
    Entry(
        "learned-curves",
        "figures.curves",
        "learned codecs",
        ("measurements", "published"),
        (*_COMPARED, "learned_curves"),
        target="learned",
        caption="Beyond the paper. Other learned codecs, trained here on the same images, beside CVQN.",
    ),
    Entry(
        "figure-bits",
        "figures.bits",
        "bits",
        ("shown",),
        target="extras",
        caption="Beyond the paper. The bits that each channel costs, and the MS-SSIM that is lost without it.",
    ),
)
DOCUMENTS = {"metrics": "metrics", "curves": "curves", "audit": "audit.audit", "page": "page.page"}
"""What is neither, with the module that makes it."""


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
    return Inputs(configuration, results, entry.target).files(*entry.inputs)


def possible(entries: tuple[Entry, ...], configuration: Configuration, results: Results) -> list[Entry]:
    """Those that a scale has the inputs for: only codecs with channels have analyses, and a target may have no runs."""
    return [
        one
        for one in entries
        if all(Inputs(configuration, results, one.target).files(kind) for kind in one.inputs)
        and configuration.beyond.get(one.target, ("all",))
    ]


def modules(job: str) -> tuple[str, ...]:
    """The modules that decide the result of a job: `table <name>`, `figure <name>` or one of `DOCUMENTS`."""
    return with_imports(f"cvqn.lab.report.{DOCUMENTS.get(job) or entry(job.partition(' ')[2]).module}")


def jobs() -> Iterator[tuple[str, None, tuple[str, ...]]]:
    """Every job of the report as a plan takes it: name, no codec, modules."""
    names = [*(f"table {one.name}" for one in TABLES), *(f"figure {one.name}" for one in FIGURES), *DOCUMENTS]
    for job in names:
        yield job, None, modules(job)
