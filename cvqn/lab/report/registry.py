"""Every table, figure and other document of a report. To add one, add an entry here and its module.

The module of a table has `table(sources) -> DataFrame`, and `page(table, sources) -> str`, which gives it as Markdown.
The module of a figure has `draw(sources, output)`, which writes SVG, PNG and CSV. It may read only what the entry names
as inputs. This module imports nothing heavy, because every job of the workflow imports it.
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
        name: of the file, without suffix.
        module: the module that makes it, within this package.
        label: its name in Snakemake's report, whose captions are in workflow/report/tables.rst and figures.rst.
        inputs: the kinds of files that it is made from.
        settings: the sections of the configuration that it depends on.
        target: the target that makes it, from the runs of that target: all, extras or learned.
        options: further arguments of the module's functions.
        caption: caption of a figure on the report page, also used as its alternative text.
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
        caption="Figure 4. Crops of the originals and of each codec's decoded files, at the rate nearest to CVQN's.",
    ),
    Entry(
        "learned-curves",
        "figures.curves",
        "learned codecs",
        ("measurements", "published"),
        (*_COMPARED, "learned_curves"),
        target="learned",
        caption="Beyond the paper. Other learned codecs, trained here on the same images, beside Figure 3's curves.",
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
"""The other documents, each with the module that makes it."""


def entry(name: str, among: tuple[Entry, ...] = TABLES + FIGURES) -> Entry:
    """The table or figure called `name`.

    Raises:
        CvqnError: there is no such table or figure.
    """
    found = {one.name: one for one in among}
    if name not in found:
        raise CvqnError(f"{name}: unknown; there are {', '.join(found)}")
    return found[name]


def inputs(entry: Entry, configuration: Configuration, results: Results) -> list[str]:
    """The files that a table or figure is made from."""
    return Inputs(configuration, results, entry.target).files(*entry.inputs)


def possible(entries: tuple[Entry, ...], configuration: Configuration, results: Results) -> list[Entry]:
    """The entries for which a scale has inputs; only codecs with channels have analyses, a target may have no runs."""
    return [
        one
        for one in entries
        if all(Inputs(configuration, results, one.target).files(kind) for kind in one.inputs)
        and configuration.beyond.get(one.target, ("all",))
    ]


def modules(job: str) -> tuple[str, ...]:
    """The modules that affect the result of a job: `table <name>`, `figure <name>` or one of `DOCUMENTS`."""
    return with_imports(f"cvqn.lab.report.{DOCUMENTS.get(job) or entry(job.partition(' ')[2]).module}")


def jobs() -> Iterator[tuple[str, None, tuple[str, ...]]]:
    """Every job of the report, in the form that `make_plan` takes: name, None for the codec, modules."""
    names = [*(f"table {one.name}" for one in TABLES), *(f"figure {one.name}" for one in FIGURES), *DOCUMENTS]
    for job in names:
        yield job, None, modules(job)
