"""What of Snakemake's private interface is used. Where a new version fails here, snakemake_records.py is to be adapted.

A workflow of two jobs is run by the installed Snakemake; what it leaves must be read, put back and understood by it.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cvqn.files import sha256_file
from cvqn.lab.provenance import snakemake_records as records
from cvqn.lab.provenance.trace import trace

WORKFLOW = """
rule second:
    input: "results/tiny/first.txt"
    output: "results/tiny/second.txt"
    log: "second.log"
    shell: "cp {input} {output} >> {log} 2>&1"

rule first:
    input: "source.txt"
    output: "results/tiny/first.txt"
    params: code="1"
    shell: "cp {input} {output}"
"""
FIRST, SECOND = "results/tiny/first.txt", "results/tiny/second.txt"


def snakemake(*arguments: str) -> str:
    command = [sys.executable, "-m", "snakemake", "--profile", "none", "--cores", "1", "--nocolor", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return run.stdout + run.stderr


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """A folder in which the workflow has run."""
    monkeypatch.chdir(tmp_path)
    Path("Snakefile").write_text(WORKFLOW)
    Path("source.txt").write_text("1")
    snakemake()
    return tmp_path


def test_a_record_of_every_job_with_rule_command_inputs_checksums_and_times(ran):
    jobs = records.read_jobs([SECOND])
    assert set(jobs) == {FIRST, SECOND}
    assert (jobs[SECOND].rule, jobs[SECOND].command) == ("second", f"cp {FIRST} {SECOND}")
    assert jobs[SECOND].inputs == (FIRST,)
    assert jobs[FIRST].seen == {"source.txt": sha256_file("source.txt")}
    assert jobs[FIRST].began <= jobs[FIRST].ended
    assert jobs[FIRST].ended == pytest.approx(Path(FIRST).stat().st_mtime, abs=0.01)
    assert records.read_jobs(["source.txt"]) == {}
    assert not records.is_at_work()
    assert records.begun([FIRST]) == set()


def test_records_that_were_put_back_are_believed(ran, tmp_path):
    records.save_jobs(records.read_jobs([SECOND]), tmp_path / "jobs.json")
    jobs = records.load_jobs(tmp_path / "jobs.json")
    assert jobs == records.read_jobs([SECOND])
    shutil.rmtree(".snakemake")
    later = time.time() + 60
    os.utime(FIRST, (later, later))
    assert "second" in snakemake("--dry-run")  # a clone's file times alone
    records.write_jobs(jobs, {FIRST, SECOND})
    assert "Nothing to be done" in snakemake("--dry-run")
    os.utime("source.txt", (later, later))
    assert "Nothing to be done" in snakemake("--dry-run")  # by checksums
    Path("Snakefile").write_text(WORKFLOW.replace('code="1"', 'code="2"'))
    assert "Params have changed" in snakemake("--dry-run")


def test_a_job_at_work_is_seen(ran):
    Path("Snakefile").write_text(WORKFLOW.replace("cp {input} {output} >>", "cp {input} {output}; sleep 30 >>"))
    Path(SECOND).unlink()
    command = [sys.executable, "-m", "snakemake", "--profile", "none", "--cores", "1"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not records.begun([SECOND]):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert records.is_at_work()
        assert records.begun([FIRST, SECOND]) == {SECOND}
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def test_without_snakemakes_folder_nothing_is_known_and_nothing_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert records.read_jobs(["a"]) == {}
    assert records.begun(["a"]) == set()
    assert not records.is_at_work()
    assert list(tmp_path.iterdir()) == []


def test_trace_goes_back_to_the_source_by_what_is_here_or_recorded(ran):
    lines = trace(SECOND)
    assert [line.split()[0] for line in lines] == [SECOND, FIRST, "source.txt"]
    assert lines[0].endswith(f": cp {FIRST} {SECOND}")
    assert lines[2].endswith(sha256_file("source.txt")[:16])
    records.save_jobs(records.read_jobs([SECOND]), Path("results/tiny/record/jobs.json"))
    shutil.rmtree(".snakemake")
    assert trace(SECOND) == lines
