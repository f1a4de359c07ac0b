"""Snakemake is killed, edited around or refused, and no training is lost, repeated or trained with other settings."""

import os
import signal
import time

import pytest

from tests.projects import Project
from tests.slurm.cluster import MODELS, PROFILE, TINY, Run, jobs_of, queued, shell, show, start, wait_for

pytestmark = pytest.mark.slurm

MODEL = MODELS[0]
# The profile's resources, but more time, in which a training is held.
ASKED = [f"train_monitored:{what}" for what in ("runtime=15", "gpu=1", "mem_mb=1500", "slurm_partition=gpu")]
ARGUMENTS = (MODEL, "--profile", str(PROFILE), "--configfile", TINY, "--set-resources", *ASKED)


def snakemake(project: Project, *more: str) -> tuple[int, str]:
    return project.shell(" ".join(("snakemake --nocolor", *ARGUMENTS, *more)), check=False)


def killed_snakemake(project: Project) -> Run:
    """A training in a job whose Snakemake is no more and has left its locks; it is held until a SIGCONT."""
    run = Run(project.folder, "c16")
    with start(project, "snakemake", *ARGUMENTS) as process:
        run.saved_job()
        os.kill(run.trainer(), signal.SIGSTOP)  # what follows takes longer than the training does on a fast machine
        process.send_signal(signal.SIGKILL)
    assert "--unlock" in snakemake(project)[1]  # the locks, and what removes them
    snakemake(project, "--unlock")
    return run


def test_jobs_of_a_killed_snakemake_are_named_and_taken_over(prepared, fresh):
    """Two jobs for one training: the second waits for the first and trains nothing."""
    run = killed_snakemake(fresh)
    [job], inode = queued(fresh), run.entry.folder.stat().st_ino
    code, output = snakemake(fresh)
    assert code == 2
    assert "jobs of an earlier snakemake are still in the queue (train_monitored c16-seed1)" in output
    assert f"`scancel {job}`" in output
    assert queued(fresh) == [job]
    fresh.environment["CVQN_ORPHANS"] = "keep"
    with start(fresh, "snakemake", *ARGUMENTS) as process:
        wait_for("second job that waits", lambda: "trains this; waiting for it" in run.log())
        os.kill(run.trainer(), signal.SIGCONT)
        assert process.wait(900) == 0, (fresh.folder / "snakemake.log").read_text()[-3000:]
    assert run.files() == Run(prepared.folder, "c16").files()
    assert run.record()["resumed_from"] == 0
    assert run.entry.folder.stat().st_ino == inode
    assert fresh.planned(MODEL) == {}
    assert [state for *_, state in jobs_of(fresh)] == ["COMPLETED", "COMPLETED"]


def test_jobs_of_a_killed_snakemake_are_cancelled_and_their_training_goes_on(prepared, fresh):
    run = killed_snakemake(fresh)
    step = run.state()["step"]
    fresh.environment["CVQN_ORPHANS"] = "cancel"
    code, output = snakemake(fresh)
    assert code == 0, output[-3000:]
    assert run.files() == Run(prepared.folder, "c16").files()
    assert run.record()["resumed_from"] >= step


def test_a_training_that_ended_while_no_snakemake_watched_is_used_or_not_by_its_settings(fresh):
    """Snakemake knows nothing of it; the store does."""
    run = killed_snakemake(fresh)
    os.kill(run.trainer(), signal.SIGCONT)
    wait_for("end of the job", lambda: not queued(fresh))
    trained = run.entry.finished_path.stat().st_ino
    fresh.replace(TINY, "  batch: 2\n", "  batch: 3\n")
    assert fresh.planned(MODEL) == {"train_monitored": 1}
    fresh.replace(TINY, "  batch: 3\n", "  batch: 2\n")
    code, output = snakemake(fresh)
    assert code == 0, output[-3000:]
    assert run.entry.finished_path.stat().st_ino == trained
    assert run.record()["resumed_from"] == 0
    assert fresh.planned(MODEL) == {}


def test_an_overlay_edited_while_a_job_waits_in_the_queue_does_not_reach_it(prepared, fresh):
    shell("scontrol", "update", "PartitionName=gpu", "State=DOWN")
    try:
        with start(fresh, "snakemake", *ARGUMENTS) as process:
            wait_for("job in the queue", lambda: queued(fresh))
            fresh.replace(TINY, "  batch: 2\n", "  batch: 3\n")
            shell("scontrol", "update", "PartitionName=gpu", "State=UP")
            assert process.wait(900) == 0, (fresh.folder / "snakemake.log").read_text()[-3000:]
    finally:
        shell("scontrol", "update", "PartitionName=gpu", "State=UP")
    run = Run(fresh.folder, "c16")
    assert run.record()["settings"]["training"]["batch"] == 2
    assert run.files() == Run(prepared.folder, "c16").files()
    assert fresh.planned(MODEL) == {"train_monitored": 1}
    fresh.replace(TINY, "  batch: 3\n", "  batch: 2\n")
    assert fresh.planned(MODEL) == {}


def test_code_edited_while_a_job_waits_in_the_queue_is_refused_by_the_job(fresh):
    shell("scontrol", "update", "PartitionName=gpu", "State=DOWN")
    try:
        with start(fresh, "snakemake", *ARGUMENTS, "--retries", "0") as process:
            wait_for("job in the queue", lambda: queued(fresh))
            fresh.replace("cvqn/model/quantizer.py", "exp(2 * self.log", "exp(3 * self.log")
            shell("scontrol", "update", "PartitionName=gpu", "State=UP")
            assert process.wait(900) == 1
    finally:
        shell("scontrol", "update", "PartitionName=gpu", "State=UP")
    log = Run(fresh.folder, "c16").log()
    assert "the code has changed since this job was planned (module cvqn.model.quantizer)" in log
    assert "start snakemake again" in log
    assert not list((fresh.folder / "results/tiny/trainings").glob("*"))


def test_what_slurm_would_refuse_is_said_before_anything_is_submitted(fresh):
    began = time.monotonic()
    code, output = snakemake(fresh, "--default-resources", "slurm_account=nobody", "slurm_partition=low", "runtime=90")
    assert code == 2
    assert "nothing was submitted:\n- account nobody: not one of yours (ci, root)" in output
    code, output = snakemake(fresh, "--set-resources", "train_monitored:runtime=600", "train_monitored:gpu=3")
    assert code == 2
    assert "train_monitored: requests 600 minutes (the most of any attempt), but partition" in output
    assert "3 GPUs on one node" in output
    assert jobs_of(fresh) == []
    assert not (fresh.folder / "results/tiny/plans").exists()
    assert not list((fresh.folder / ".snakemake" / "locks").glob("*"))
    assert time.monotonic() - began < 300


def test_the_preflight_as_a_command(fresh):
    code, output = fresh.shell(f"cvqn preflight {TINY} --profile {PROFILE}", check=False)
    assert (code, output) == (0, "nothing found\n")


def test_a_head_job_at_its_time_limit_goes_on_in_its_next_piece(prepared, fresh):
    """Snakemake as a job: stopped near its limit, requeued, it removes its locks and cancels the jobs it left."""
    run = Run(fresh.folder, "c16")
    fresh.environment["CVQN_PROFILE"] = str(PROFILE)
    options = "--account=ci --partition=low --time=30 --cpus-per-task=1 --mem=1G"
    _, head = fresh.shell(f"sbatch --parsable {options} slurm/head-job.sh {MODEL} --configfile {TINY}")
    run.saved_job()
    os.kill(run.trainer(), signal.SIGSTOP)  # until it is cancelled
    step = run.state()["step"]
    shell("scancel", "--signal=USR1", "--batch", head.strip())  # as SLURM does a minute before the limit
    wait_for("end of the head job", lambda: show(head.strip())["JobState"] in ("COMPLETED", "FAILED"))
    output = (fresh.folder / f"snakemake-{head.strip()}.log").read_text()
    assert show(head.strip())["JobState"] == "COMPLETED", output[-3000:]
    assert show(head.strip())["Restarts"] == "1"
    assert run.files() == Run(prepared.folder, "c16").files()
    assert run.record()["resumed_from"] >= step
    assert fresh.planned(MODEL) == {}
