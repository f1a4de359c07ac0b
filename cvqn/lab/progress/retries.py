"""Stops Snakemake from retrying a job if another attempt would end the same way.

Snakemake retries jobs whatever the cause of their failure, and has no public way to prevent that. This module replaces
the property `restart_times` of its jobs, which its scheduler reads after a failure (snakemake.jobs.Job, version 9.27).
"""

from collections.abc import Callable
from typing import Any

from cvqn.errors import CvqnError
from cvqn.lab.progress.scale import Scale
from cvqn.lab.provenance.plan import Plan
from cvqn.lab.settings.runs import Run


def give_up_where(is_final: Callable[[Any], bool]) -> None:
    """Give no more attempts to jobs for which `is_final` is true."""
    from snakemake.jobs import Job

    Job.restart_times = property(lambda job: 0 if is_final(job) else job.rule.restart_times)


def training_is_final(plan: Plan, run: Run) -> bool:
    """Whether a training diverged or filled the disk in its last attempt."""
    entry = Scale(plan.configuration.results, plan).entry(run)
    return entry is not None and not entry.finished and entry.ended is not None and entry.ended.is_final


def code_has_changed(plan: Plan, job: str, codec: str | None) -> bool:
    """Whether a job would refuse to run because its code is no longer the planned one."""
    try:
        plan.require_code(job, codec)
    except CvqnError:
        return True
    return False
