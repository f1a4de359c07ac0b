"""A short run of every target of `python -m tests.fuzz`, with a seed that stays; and what the harness notices."""

import os
import socket
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from cvqn.errors import CvqnError
from tests.fuzz import runner, worker
from tests.fuzz.runner import fuzz
from tests.fuzz.targets import TARGETS

CASES = {"container": 200, "picture": 300}


@pytest.mark.parametrize("target", TARGETS)
def test_no_damaged_input_does_harm(target, record_property):
    report = fuzz(target, seed=1, cases=range(CASES.get(target, 60)))
    record_property("fuzz", report.row())
    assert report.faults == []
    assert report.counts["refused"] > 0
    assert report.counts["accepted"] > 0


class Faulty:
    """Its case of each number does what the harness must notice."""

    def __init__(self, folder):
        self.case = -1

    def write(self, random, folder):
        self.case += 1

    def read(self, folder):
        match self.case:
            case 1:
                raise KeyError("a traceback")
            case 2:
                (folder.parent / "outside").write_bytes(b"")
            case 3:
                np.ones(1 << 28, np.uint8)
            case 4:
                until = time.process_time() + 1.2
                while time.process_time() < until:
                    pass
            case 5:
                raise CvqnError("")
            case 6:
                socket.create_connection(("localhost", 1))
            case 7:
                raise CvqnError("refused")


def verdicts_on_faults(folder):
    """In a process of its own, whose memory is that of the cases alone."""
    worker.SECONDS = 1.0
    guard, target = worker._Guard(folder), Faulty(folder)
    harmless = worker._run(target, guard, 0, None)
    worker.MEMORY = harmless.memory + (1 << 27)
    return [harmless.verdict, *(worker._run(target, guard, case, None).verdict for case in range(1, 8))]


def test_the_harness_notices_what_it_is_for(tmp_path):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        verdicts = pool.submit(verdicts_on_faults, tmp_path).result()
    assert verdicts == [
        "accepted", "escaped: KeyError", "outside", "memory", "slow", "no message", "escaped: gaierror", "refused",
    ]  # fmt: skip


def end(connection, scratch, target, seed, cases):
    connection.send(cases[0])
    if cases[0] % 2:
        os._exit(1)
    time.sleep(60)


def test_cases_are_the_same_in_any_number_of_processes_and_told_one_by_one(monkeypatch):
    monkeypatch.setattr(runner, "work", odd_ones)
    told = []
    reports = [fuzz("any", 0, range(10), jobs, lambda report: told.append(report.counts.total())) for jobs in (1, 3)]
    assert [(fault.case, fault.verdict) for fault in reports[1].faults] == [(n, "memory") for n in range(1, 10, 2)]
    assert reports[0].row() == reports[1].row() == "| any | 10 | 5 | 0 | 5 | 9.0 | 5 |"
    assert told == [*range(1, 11)] * 2


def odd_ones(connection, scratch, target, seed, cases):
    for case in cases:
        connection.send(case)
        connection.send(worker.Outcome(case, "memory" if case % 2 else "accepted", "", float(case), 5 << 20))


def test_a_case_that_hangs_or_ends_the_process_is_named_and_the_rest_is_tried(monkeypatch):
    monkeypatch.setattr(runner, "work", end)
    monkeypatch.setattr(runner, "PATIENCE", 1.5)
    report = fuzz("any", 0, range(3))
    assert [(fault.case, fault.verdict) for fault in report.faults] == [
        (0, "hangs"),
        (1, "ends the process"),
        (2, "hangs"),
    ]
