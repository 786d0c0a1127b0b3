"""How long a thread has slept, and how long it was busy."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gevent import monkey
from gevent.threadpool import ThreadPool

from smoker_prober.kernel.schedstat import Stopwatch, Thread
from tests.conftest import eventually
from tests.prober.targets import spin

_sleep = monkey.get_original("time", "sleep")  # of the whole thread


@pytest.fixture
def hanging() -> Iterator[tuple[Thread, Callable[[], None]]]:
    """Yield a thread that waits for a byte, and the function that ends it."""
    ours, theirs = os.pipe()
    made: list[Thread] = []

    def wait() -> None:
        made.append(Thread())
        os.read(ours, 1)

    pool = ThreadPool(1)
    pool.spawn(wait)
    eventually("the thread has begun", lambda: made)

    def let_go() -> None:
        os.write(theirs, b"x")
        pool.join()
        pool.kill()

    yield made[0], let_go
    let_go()
    os.close(ours)
    os.close(theirs)


def test_a_sleeping_thread_is_not_busy(hanging: tuple[Thread, Callable[[], None]]) -> None:
    """While it waits its account does not grow, however busy the others are."""
    thread, _let_go = hanging
    eventually("it sleeps", lambda: not thread.runnable())
    before = thread.busy()
    spin(0.1)
    assert (thread.busy(), thread.runnable()) == (before, False)


def test_a_thread_that_works_is_busy() -> None:
    """Its CPU time is in its account, and its readiness is visible."""
    thread = Thread()
    before = thread.busy()
    spin(0.2)
    assert thread.busy() - before >= 0.15
    assert thread.runnable()


def test_a_stopwatch_stops_while_the_thread_is_busy() -> None:
    """Of half a second's work and a fifth of a second's sleep it counts the sleep."""
    waited = Stopwatch(Thread().busy)
    spin(0.5)
    _sleep(0.2)
    assert 0.15 <= waited.seconds() < 0.5


def test_two_accounts_are_left_out() -> None:
    """Both accounts are subtracted, but never so much that time runs backwards."""
    thread = Thread()
    both = Stopwatch(thread.busy, thread.busy)
    spin(0.2)
    assert both.seconds() == 0.0


def test_waiting_for_a_cpu_counts_as_delay_not_work() -> None:
    """CPU time is not time spent waiting for a CPU."""
    thread = Thread()
    busy, delayed = thread.busy(), thread.delayed()
    spin(0.2)
    assert thread.busy() - busy >= thread.delayed() - delayed + 0.15


def test_a_thread_that_has_ended(hanging: tuple[Thread, Callable[[], None]]) -> None:
    """Its accounts read 0, and nothing raises."""
    thread, let_go = hanging
    let_go()
    eventually("its account is closed", lambda: thread.busy() == 0.0)
    assert not thread.runnable()


def test_a_kernel_without_schedstat(tmp_path: Path) -> None:
    """Without the kernel's account all time is the network's, as by the clock."""
    thread = Thread(tmp_path)
    waited = Stopwatch(thread.busy)
    spin(0.05)
    assert (thread.busy(), thread.delayed(), thread.runnable()) == (0.0, 0.0, False)
    assert waited.seconds() >= 0.05
