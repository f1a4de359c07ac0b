import os
import signal
import time

import pytest

from cvqn.lab.data.workers import parallel
from cvqn.errors import CvqnError


def square(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


def fail_at_three(number: int) -> int:
    if number == 3:
        raise CvqnError("three")
    return number


def die(number: int) -> None:
    if number == 20:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.01)


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_items(workers):
    squares, processes = zip(*parallel(square, range(40), "squares", workers), strict=True)
    assert squares == tuple(number * number for number in range(40))
    assert (os.getpid() in processes) == (workers == 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_are_passed_on(workers):
    with pytest.raises(CvqnError, match="three"):
        list(parallel(fail_at_three, range(40), "numbers", workers))


def test_a_killed_worker_is_an_error():
    with pytest.raises(CvqnError, match="numbers: a worker was killed"):
        list(parallel(die, range(40), "numbers", 2))
