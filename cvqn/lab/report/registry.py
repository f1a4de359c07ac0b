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
        label: its name in Snakemake's report.
        inputs: the kinds of files that it is made from.
        settings: the sections of the configuration that it depends on.
        target: the target that makes it, from the runs of that target: all, extras or learned.
        options: further arguments of the module's functions.
        caption: in Snakemake's report and, of a figure, on the report page, also as alternative text.
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
_LEARNED = (
    "Learned codecs, trained here on the same images: training cost, network size, rate, distortion and times of each "
    "run, and each codec's BD-rate against the paper's method."
)
TABLES = (
    Entry(
        "table1",
        "tables.variants",
        "1",
        ("measurements", "claims"),
        (*_SHOWN, "data"),
        options={"name": "table1"},
        caption="Table 1. Channel importance at C = 32: one group, squeeze-and-excitation, reconstruction error, "
        "predefined. Means over the seeds, with their spread where there are several, beside the paper's values, for "
        "the last model and for each checkpoint of best MS-SSIM on a set that the table names. Rates are sizes of "
        "files.",
    ),
    Entry(
        "table2",
        "tables.variants",
        "2",
        ("measurements", "claims"),
        (*_SHOWN, "data"),
        options={"name": "table2"},
        caption="Table 2. Combinations of levels at C = 32. Means over the seeds, with their spread where there are "
        "several, beside the paper's values, for the last model and for each checkpoint of best MS-SSIM on a set that "
        "the table names. Rates are sizes of files. The models are trained for MS-SSIM, not for PSNR.",
    ),
    Entry(
        "runs",
        "tables.runs",
        "every run",
        ("measurements",),
        caption="Every run with the means of its measurements, the archive of its bitstreams, and the file and lines "
        "of its measurements.",
    ),
    Entry(
        "rate-distortion",
        "tables.rate_distortion",
        "every codec",
        ("measurements",),
        ("scale", "report", "codecs"),
        caption="Rate and distortion of every conventional codec at every quality, and of every run of a learned one: "
        "means over the images, measured on decoded files. MS-SSIM in dB is -10 log10(1 - mean MS-SSIM).",
    ),
    Entry(
        "bd-rate",
        "tables.bd_rate",
        "BD-rate",
        ("measurements", "published"),
        _COMPARED,
        caption="BD-rate (percent of rate at equal MS-SSIM, negative: the paper's method needs fewer bits) and "
        "BD-MS-SSIM (dB at equal rate) of the paper's method against each codec measured here and, on Kodak, each "
        "published curve. Curves are interpolated monotonically. The intervals are from a bootstrap over the images, "
        "which is paired if both curves were measured here. If a number would not be meaningful, the table gives the "
        "reason instead.",
    ),
    Entry("learned", "tables.learned", "learned codecs", _TRAINED, _COMPARED, caption=_LEARNED),
    Entry(
        "learned-every",
        "tables.learned",
        "learned codecs",
        _TRAINED,
        (*_COMPARED, "learned_curves"),
        target="learned",
        caption=_LEARNED,
    ),
    Entry(
        "starts",
        "tables.starts",
        "initializations",
        ("starts", "measurements", "trainings"),
        _STARTED,
        caption="Codecs at an equal number of steps, each initialized at random and, if its layers can be fitted to "
        "them, from principal components of the training images.",
    ),
    Entry(
        "equation7",
        "tables.equation7",
        "equation (7)",
        ("analyses",),
        _SHOWN,
        caption="Equation (7). For each combination of levels: the bound, which is the mean of log2 of the levels over "
        "the channels, the entropy of single symbols, the bits that the context model spends, and the number of "
        "distinct values used.",
    ),
    Entry(
        "importance",
        "tables.importance",
        "order of channels",
        ("analyses",),
        _SHOWN,
        caption="For each run of Table 1 with several groups: the rank correlation of its order of channels, learned "
        "(SE, RE) or predefined, with the channels' influence.",
    ),
    Entry(
        "extras",
        "tables.extras",
        "ablations",
        ("measurements",),
        _EXTRAS,
        target="extras",
        caption="Ablations beyond the paper, one seed each, and the runs of Table 2 with that seed.",
    ),
)
FIGURES = (
    Entry(
        "figure1",
        "figures.influence",
        "1",
        ("toy", "images"),
        caption="Figure 1. Top: the original. Middle: every channel of the toy model's quantized latent. Bottom: the "
        "losses of PSNR and MS-SSIM (dB) when a channel's quantized values are set to 0, for this picture (bars) and "
        "over all pictures of the set (mean and range), with the rank correlation of the channels' losses between "
        "pictures.",
    ),
    Entry(
        "figure3-maps",
        "figures.maps",
        "3, left",
        ("shown",),
        caption="Figure 3, left. The quantized latent of the model with predefined importance, by group and in order "
        "of importance. Black is the smallest value of a group, white its largest.",
    ),
    Entry(
        "figure3-curves",
        "figures.curves",
        "3, right",
        ("measurements", "published"),
        _COMPARED,
        caption="Figure 3, right. Rate-distortion curves. Solid lines with markers were measured here, on decoded "
        "files; thin dashed pale lines are published curves on Kodak. MS-SSIM in dB is -10 log10(1 - mean MS-SSIM).",
    ),
    Entry(
        "psnr-curves",
        "figures.curves",
        "3, right, in PSNR",
        ("measurements", "published"),
        _COMPARED,
        options={"quantity": "psnr_db"},
        caption="Beyond the paper: the curves measured here in PSNR, for which the paper's method is not trained.",
    ),
    Entry(
        "figure4",
        "figures.crops",
        "4",
        ("crops",),
        caption="Figure 4. The same crop of the original and of each codec's decoded file, at the quality (of a "
        "learned codec, the run) whose rate is nearest to that of the trained model. Rate and MS-SSIM are those of the "
        "whole picture.",
    ),
    Entry(
        "learned-curves",
        "figures.curves",
        "learned codecs",
        ("measurements", "published"),
        (*_COMPARED, "learned_curves"),
        target="learned",
        caption="Beyond the paper: other learned codecs, trained here on the same images, with CVQN and all curves of "
        "Figure 3, right. Networks and initializations differ, at scale small also numbers of steps, so the ranking "
        "says nothing about the original papers.",
    ),
    Entry(
        "figure-bits",
        "figures.bits",
        "bits",
        ("shown",),
        target="extras",
        caption="Beyond the paper: the bits that each channel costs and the MS-SSIM (dB) that is lost without it, one "
        "mark per channel, with their rank correlation.",
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
