"""The time that a probe gives the network."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import gevent
import pytest
from gevent import monkey

from smoker_prober.network import deadline as of_deadline
from smoker_prober.network.deadline import Deadline, DeadlineExceeded
from tests.prober.targets import PLENTY, spin

_block = monkey.get_original("time", "sleep")  # holds up the whole process, as a CPU quota does


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection that do not block."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def test_it_ends_a_wait_for_silence(pair: tuple[socket.socket, socket.socket]) -> None:
    """A wait without an answer ends with `DeadlineExceeded`, a TimeoutError that contains the length of the wait."""
    with pytest.raises(DeadlineExceeded, match=r"^no answer within 0\.02 s$") as caught:
        Deadline(0.02).readable(pair[0])
    assert isinstance(caught.value, TimeoutError)


def test_one_budget_covers_several_waits(pair: tuple[socket.socket, socket.socket]) -> None:
    """A peer that sends byte by byte does not extend the deadline."""
    ours, theirs = pair
    deadline, waits = Deadline(0.2), 0

    def drip() -> None:
        while True:
            theirs.send(b"x")
            gevent.sleep(0.01)

    def listen() -> None:
        nonlocal waits
        while waits < 1000:
            deadline.readable(ours)
            ours.recv(1)
            waits += 1

    dripping = gevent.spawn(drip)
    with pytest.raises(DeadlineExceeded):
        listen()
    dripping.kill()
    assert waits


def test_an_arrived_answer_counts_however_late_the_prober_wakes(pair: tuple[socket.socket, socket.socket]) -> None:
    """If the answer came in time and the process was held up until long after, the kernel has it and it counts."""
    ours, theirs = pair

    def answer_and_hold_up() -> None:
        theirs.send(b"x")
        _block(0.15)

    gevent.spawn(answer_and_hold_up)
    Deadline(0.05).readable(ours)
    assert ours.recv(1) == b"x"


def test_time_between_waits_does_not_use_the_budget(pair: tuple[socket.socket, socket.socket]) -> None:
    """A process that is held up before it waits still gives the network its full time."""
    ours, theirs = pair
    deadline = Deadline(0.1)
    _block(0.15)
    gevent.spawn_later(0.01, theirs.send, b"x")
    deadline.readable(ours)
    assert ours.recv(1) == b"x"


def test_busy_time_of_the_prober_does_not_use_the_budget(pair: tuple[socket.socket, socket.socket]) -> None:
    """If the answer comes at once and the probe sees it late, nearly the whole budget is left for the rest."""
    ours, theirs = pair
    deadline = Deadline(1.0)

    def answer_and_spin() -> None:
        theirs.send(b"x")
        spin(0.5)

    gevent.spawn(answer_and_spin)
    deadline.readable(ours)
    assert deadline.left > 0.6


def test_time_waiting_for_the_network_uses_the_budget(pair: tuple[socket.socket, socket.socket]) -> None:
    """A wait in which the process was idle counts in full."""
    ours, theirs = pair
    deadline = Deadline(PLENTY)
    gevent.spawn_later(0.5, theirs.send, b"x")
    deadline.readable(ours)
    assert deadline.left <= PLENTY - 0.2


@pytest.mark.parametrize("took", [0.499, 0.5, 0.6])
def test_a_late_answer_leaves_a_little_for_the_rest(pair: tuple[socket.socket, socket.socket], took: float) -> None:
    """After a wait that took all or nearly all of the budget, an immediate answer to the rest is no timeout."""
    ours, theirs = pair
    deadline = Deadline(0.5)
    deadline.answered(took)
    gevent.spawn_later(0.005, theirs.send, b"x")
    deadline.readable(ours)
    assert ours.recv(1) == b"x"


def test_a_flooding_peer_does_not_extend_the_deadline(pair: tuple[socket.socket, socket.socket]) -> None:
    """A peer that always sends never makes the probe wait, and still the probe ends."""
    ours, theirs = pair
    theirs.send(b"x")
    deadline = Deadline(0.05)

    def read_on() -> None:
        with deadline.reading():
            while True:
                deadline.check()
                deadline.readable(ours)

    with pytest.raises(DeadlineExceeded):
        read_on()


class NeverOnCpu:
    """An account in which all time is ours, as if we never had a CPU."""

    busy = delayed = staticmethod(time.monotonic)


def test_the_deadline_ends_even_if_the_prober_is_always_busy(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if every wait is answered and we are always late, the probe ends by the clock, somewhat later."""
    monkeypatch.setattr(of_deadline, "EVENT_LOOP", NeverOnCpu)
    monkeypatch.setattr(of_deadline, "LATEST", 0.1)
    ours, theirs = pair
    deadline = Deadline(0.05)

    def drip_and_read() -> None:
        while True:
            gevent.spawn_later(0.001, theirs.send, b"x")
            deadline.readable(ours)
            ours.recv(1)

    def read_on() -> None:
        theirs.send(b"x")
        with deadline.reading():
            while True:
                deadline.check()
                deadline.readable(ours)

    for work in (drip_and_read, read_on):
        with pytest.raises(DeadlineExceeded):
            work()
    assert deadline.lasts <= 0


def test_an_immediate_answer_is_received(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However late we are, a wait takes some time: otherwise the peer would not even have been asked."""
    monkeypatch.setattr(of_deadline, "LATEST", 0.0)
    ours, theirs = pair
    deadline = Deadline(0.5)
    _block(0.6)
    assert deadline.lasts < 0
    gevent.spawn_later(0.01, theirs.send, b"x")
    deadline.readable(ours)
    assert ours.recv(1) == b"x"


def test_late_wake_ups_for_each_answer_are_tolerated(pair: tuple[socket.socket, socket.socket]) -> None:
    """If the process is held up in one wait after the other, none of the answers counts as late."""
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
    """A connected socket and a refused one are both writable."""
    begun = time.monotonic()
    Deadline(PLENTY).writable(pair[0])
    assert time.monotonic() - begun < PLENTY


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_deadline_must_be_in_the_future(seconds: float) -> None:
    """A budget of no time is an error."""
    with pytest.raises(ValueError, match="future"):
        Deadline(seconds)
