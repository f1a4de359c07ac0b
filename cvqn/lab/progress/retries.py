"""A failed job is not tried again where another attempt would end the same way.

Snakemake retries a job whatever it failed of, and has no public way to say otherwise. This replaces the property
`restart_times` of its jobs, which its scheduler asks after a failure (snakemake.jobs.Job, Snakemake 9.27).
"""

from collections.abc import Callable
from typing import Any

from cvqn.errors import CvqnError
from cvqn.lab.progress.scale import Scale
from cvqn.lab.provenance.plan import Plan
from cvqn.lab.settings.runs import Run


def give_up_where(is_final: Callable[[Any], bool]) -> None:
    """Give no more attempts to jobs of which this is true."""
    from snakemake.jobs import Job

    Job.restart_times = property(lambda job: 0 if is_final(job) else job.rule.restart_times)


def training_is_final(plan: Plan, run: Run) -> bool:
    """Whether a training diverged or filled the disk in its last attempt."""
    entry = Scale(plan.configuration.results, plan).entry(run)
    return entry is not None and not entry.finished and entry.ended is not None and entry.ended.is_final


def code_has_changed(plan: Plan, job: str, codec: str | None) -> bool:
    """Whether a job would refuse to run, since its code is not the planned one any more."""
    try:
        plan.require_code(job, codec)
    except CvqnError:
        return True
    return False
