"""What benchmarks.memory counts as held by a process and by the programs that it runs."""

import subprocess
import sys
import time

import pytest

from benchmarks.memory import Programs, held

MB = 1_000_000
ALLOCATE = """
from pathlib import Path
from benchmarks.memory import held
before = held("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
held_for_a_while = bytearray(80_000_000)
del held_for_a_while
print(held("VmHWM") - before)
"""


def test_the_peak_of_a_process_counts_what_it_has_freed():
    run = subprocess.run([sys.executable, "-c", ALLOCATE], capture_output=True, text=True, check=True)
    assert int(run.stdout) == pytest.approx(80 * MB, rel=0.1)
    assert held("VmRSS", 2**22 + 1) == 0  # there is no such process


def test_a_program_counts_by_itself_and_not_with_the_memory_of_the_process_that_started_it():
    large = bytearray(200 * MB)
    large[::4096] = bytes(len(large[::4096])).replace(b"\0", b"\1")
    programs = Programs()
    programs.start()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as program:
        time.sleep(0.3)
        program.communicate()
    assert 0 < programs.most < 50 * MB
