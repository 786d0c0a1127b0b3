"""The time a probe gives the network."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import gevent
import pytest
from gevent import monkey
from gevent.event import Event

from smoker_prober.deadline import Deadline, DeadlineExceeded

from .targets import PLENTY

_block = monkey.get_original("time", "sleep")  # holds up the whole process, as a CPU quota does


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection that do not block."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def test_it_ends_a_wait_for_silence(pair: tuple[socket.socket, socket.socket]) -> None:
    """A wait for ever ends with `DeadlineExceeded`, a TimeoutError that says how long the wait was."""
    with pytest.raises(DeadlineExceeded, match=r"^no answer within 0\.02 s$") as caught:
        Deadline(0.02).readable(pair[0])
    assert isinstance(caught.value, TimeoutError)


def test_it_ends_what_waits_inside_a_guard() -> None:
    """Anything that waits in the event loop."""
    with pytest.raises(DeadlineExceeded), Deadline(0.02).guard():
        Event().wait()


def test_it_is_one_over_several_waits(pair: tuple[socket.socket, socket.socket]) -> None:
    """A peer that trickles is not given the whole time anew with each byte."""
    ours, theirs = pair
    deadline, waits = Deadline(0.2), 0

    def drip() -> None:
        while True:
            theirs.send(b"x")
            gevent.sleep(0.01)

    def listen() -> None:
        nonlocal waits
        while waits < 1000:
            with deadline.guard():
                gevent.sleep(0.005)
            deadline.readable(ours)
            ours.recv(1)
            waits += 1

    dripping = gevent.spawn(drip)
    with pytest.raises(DeadlineExceeded):
        listen()
    dripping.kill()
    assert waits


def test_what_has_arrived_counts_however_late_we_are(pair: tuple[socket.socket, socket.socket]) -> None:
    """The answer came in time, the process was held up until long after: the kernel is asked, and it is there."""
    ours, theirs = pair

    def answer_and_hold_up() -> None:
        theirs.send(b"x")
        _block(0.15)

    gevent.spawn(answer_and_hold_up)
    Deadline(0.05).readable(ours)
    assert ours.recv(1) == b"x"


def test_time_between_waits_is_ours(pair: tuple[socket.socket, socket.socket]) -> None:
    """A process that is held up before it waits still gives the network its time."""
    ours, theirs = pair
    deadline = Deadline(0.1)
    _block(0.15)
    gevent.spawn_later(0.01, theirs.send, b"x")
    deadline.readable(ours)
    assert ours.recv(1) == b"x"


def test_a_late_answer_leaves_a_little_for_the_rest(pair: tuple[socket.socket, socket.socket]) -> None:
    """After a wait that took it all and was answered, what follows at once is not called a timeout."""
    ours, theirs = pair
    theirs.send(b"x")
    deadline = Deadline(0.5)
    with deadline.guard():
        _block(0.6)
    deadline.readable(ours)
    assert ours.recv(1) == b"x"
    theirs.send(b"y")
    deadline.readable(ours)
    assert ours.recv(1) == b"y"


def test_we_can_be_late_to_see_each_answer(pair: tuple[socket.socket, socket.socket]) -> None:
    """Held up in one wait after the other: none of the answers is called late."""
    ours, theirs = pair
    deadline = Deadline(0.05)

    def answer_and_hold_up() -> None:
        theirs.send(b"x")
        _block(0.1)

    for _ in range(4):
        gevent.spawn(answer_and_hold_up)
        deadline.readable(ours)
        assert ours.recv(1) == b"x"


def test_a_socket_that_can_be_written_is(pair: tuple[socket.socket, socket.socket]) -> None:
    """Connected, or refused: either way there is something to know."""
    begun = time.monotonic()
    Deadline(PLENTY).writable(pair[0])
    assert time.monotonic() - begun < PLENTY


def test_nothing_comes_after_a_guard() -> None:
    """Work that ended in time is not interrupted later."""
    with Deadline(0.02).guard():
        pass
    gevent.sleep(0.05)


def test_what_the_work_raises_passes() -> None:
    """An error that is not the deadline's is left as it is."""
    with pytest.raises(KeyError), Deadline(PLENTY).guard():
        raise KeyError


def test_anothers_timeout_is_not_ours() -> None:
    """A timeout that somebody else has set passes through as theirs."""
    theirs = gevent.Timeout(0.02)
    with pytest.raises(gevent.Timeout) as caught, Deadline(PLENTY).guard(), theirs:
        Event().wait()
    assert caught.value is theirs


@pytest.mark.parametrize("seconds", [0, -1])
def test_it_lies_in_the_future(seconds: float) -> None:
    """No time at all is a mistake."""
    with pytest.raises(ValueError, match="future"):
        Deadline(seconds)
