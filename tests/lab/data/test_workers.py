import threading
import time

import pytest

from cvqn.errors import CvqnError
from cvqn.lab.data.workers import parallel


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_results_come_in_the_order_of_the_items(workers):
    def square_slowly(number):
        time.sleep(0.002 * (number % 3))
        return number * number

    assert list(parallel(square_slowly, range(40), "squares", workers)) == [number * number for number in range(40)]


def test_as_many_work_at_once_as_asked_for():
    together = threading.Barrier(3, timeout=20)
    assert list(parallel(lambda _: together.wait() >= 0, range(9), "threads", 3)) == [True] * 9


def test_few_results_wait_for_whom_they_are_for():
    """However long they are left there, so that memory does not grow with the number of items."""
    done = []
    results = parallel(done.append, range(100), "results", 2)
    next(results)
    time.sleep(0.1)
    assert len(done) <= 5
    assert len([*results]) == 99


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_are_passed_on_and_the_rest_is_not_begun(workers):
    begun = []

    def fail_at_three(number):
        begun.append(number)
        if number == 3:
            raise CvqnError("three")
        return number

    with pytest.raises(CvqnError, match="three"):
        list(parallel(fail_at_three, range(1000), "numbers", workers))
    assert len(begun) < 20
