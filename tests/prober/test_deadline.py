"""One instant by which all of a probe must be over."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event

from smoker_prober.deadline import Deadline, DeadlineExceeded

from .targets import PLENTY


def test_it_ends_what_waits() -> None:
    """What waits for ever ends with `DeadlineExceeded`, a TimeoutError that says how long the wait was."""
    with pytest.raises(DeadlineExceeded, match=r"^no answer within 0\.02 s$") as caught, Deadline(0.02):
        Event().wait()
    assert isinstance(caught.value, TimeoutError)


def test_it_holds_over_several_waits() -> None:
    """Waits that are short one by one are ended by the deadline over all of them."""
    waits = []

    def work() -> None:
        while True:
            waits.append(Event().wait(0.01))

    with pytest.raises(DeadlineExceeded), Deadline(0.1):
        work()
    assert waits


def test_nothing_comes_after_it() -> None:
    """Work that ended in time is not interrupted later."""
    with Deadline(0.02):
        pass
    gevent.sleep(0.05)


def test_what_the_work_raises_passes() -> None:
    """An error that is not the deadline's is left as it is."""
    with pytest.raises(KeyError), Deadline(PLENTY):
        raise KeyError


def test_anothers_timeout_is_not_ours() -> None:
    """A timeout that somebody else has set passes through as theirs."""
    theirs = gevent.Timeout(0.02)
    with pytest.raises(gevent.Timeout) as caught, Deadline(PLENTY), theirs:
        Event().wait()
    assert caught.value is theirs


def test_each_has_its_own() -> None:
    """Deadlines of two greenlets do not meet."""

    def work(seconds: float) -> str:
        try:
            with Deadline(seconds):
                gevent.sleep(0.05)
        except DeadlineExceeded:
            return "over"
        return "in time"

    short, long = gevent.spawn(work, 0.01), gevent.spawn(work, PLENTY)
    assert (short.get(), long.get()) == ("over", "in time")


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_it_lies_in_the_future(seconds: float) -> None:
    """No time at all is a mistake of the caller's, not a probe that failed."""
    with pytest.raises(ValueError, match="a deadline lies in the future"):
        Deadline(seconds)
