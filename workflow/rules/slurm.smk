"""Finds jobs that SLURM would refuse or never start, before anything is submitted."""

from cvqn.lab.progress import preflight


def asked_of(job):
    """The resources of a job's first attempt, but the longest runtime and the most memory of all attempts."""
    minutes, memory = [], []
    for job.attempt in range(job.restart_times + 1, 0, -1):
        minutes.append(job.resources.get("runtime") or 0)
        memory.append(job.resources.get("mem_mb") or 0)
    first = job.resources
    return preflight.Asked(
        kind=job.rule.name,
        account=str(first.get("slurm_account") or ""),
        partition=str(first.get("slurm_partition") or ""),
        minutes=max(minutes),
        memory_mb=max(memory),
        cpus=job.threads,
        gpus=first.get("gpu") or 0,
    )


def require_cluster():
    """End with exit code 2 before anything is submitted, if jobs could not run."""
    jobs = [job for job in workflow.dag.needrun_jobs() if not job.is_local]
    wanted = [(job.rule.name, "_".join(job.wildcards).replace(os.sep, "_")) for job in jobs]
    settings = workflow.executor_settings
    looks = preflight.Looks(settings.status_command, settings.init_seconds_before_status_checks)
    try:
        preflight.require(PLAN, [asked_of(job) for job in jobs], wanted, looks, workflow.nodes)
    except CvqnError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
