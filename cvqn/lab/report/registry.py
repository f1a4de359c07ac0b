"""Every table, figure and other document of a report. Adding one is one entry here and its module.

A module of a table has `table(sources) -> DataFrame` and `page(table, sources) -> str`, the same as Markdown; one of a
figure has `draw(sources, output)`, which writes SVG, PNG and CSV. `sources` reads what the entry names as its inputs,
and nothing else. This module imports nothing heavy, as every job of the workflow reads it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from cvqn.lab.provenance.fingerprint import with_imports
from cvqn.lab.settings.configuration import Configuration
from cvqn.lab.settings.paths import Results
from cvqn.lab.settings.runs import Run

Input = Literal["measurements", "analysis", "extra measurements", "extra analysis", "toy analysis", "crops", "images"]


@dataclass(frozen=True)
class Entry:
    """A table or a figure.

    Attributes:
        name: of the file.
        module: what makes it.
        inputs: what it is made of.
        settings: sections of the configuration that it depends on.
        caption: file under workflow/report.
        label: in the report.
        extra: made by the target extras only.
    """

    name: str
    module: str
    inputs: tuple[Input, ...]
    settings: tuple[str, ...]
    caption: str
    label: str
    extra: bool = False
