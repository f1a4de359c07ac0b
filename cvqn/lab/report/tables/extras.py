"""The ablations beyond the paper, beside the runs of Table 2."""

import pandas as pd

from cvqn.errors import CvqnError
from cvqn.lab.report.output import markdown_page
from cvqn.lab.report.sources import Sources
from cvqn.lab.report.tables.runs import every_run, runs_table


def table(sources: Sources) -> pd.DataFrame:
    """The first seed of each experiment, at the end of training, those of Table 2 first.

    The ablations have only the first seed, and a mean over several seeds must not be compared with a single run.

    Raises:
        CvqnError: no run of them was measured.
    """
    order = list(dict.fromkeys([*sources.configuration.report.table2, *sources.configuration.extras]))
    rows = every_run(sources)
    first = (rows["checkpoint"] == "last") & (rows["seed"] == sources.configuration.seeds[0])
    rows = rows[first & rows["experiment"].isin(order)]
    if rows.empty:
        raise CvqnError("no run of extras was measured; run the target extras first")
    return rows.sort_values("experiment", key=lambda names: names.map(order.index), ignore_index=True)


def page(table: pd.DataFrame, sources: Sources) -> str:
    """The table as Markdown, with rounded numbers."""
    note = (
        "One seed each, at the end of training, and the runs of Table 2 with that seed. Files and lines: `extras.csv`."
    )
    return markdown_page("Beyond the paper: ablations", sources.scale, note, runs_table(table))
