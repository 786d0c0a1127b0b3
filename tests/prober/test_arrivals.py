"""Which direction of a way is lost."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from smoker_common.listen import udp_sockets
from smoker_prober import arrivals as module
from smoker_prober.arrivals import IN_A_ROW, Arrivals, Direction
from smoker_prober.responder import servers
from smoker_prober.result import Outcome, Result
from smoker_prober.sinks import log
from smoker_prober.target import Path, Target

from .targets import HOST, probe

PEER = Target("10.0.0.2", 8081, Path("node-2", "pod", "ipv4"))


@pytest.fixture
def heard() -> Arrivals:
    return Arrivals()


def silent(outcome: Outcome = Outcome.TIMEOUT, kind: str = "udp") -> Result:
    """A result of a probe that has just ended."""
    error = "" if outcome.ok else "wait: no answer within 5 s"
    return Result(kind, PEER, "node-1", time.time(), outcome, 0.0, address=PEER.host, error=error)


def directions(direction: Direction, *outcomes: Outcome) -> list[str]:
    return [direction.of(silent(outcome)).direction for outcome in outcomes]


LOST = [Outcome.TIMEOUT] * IN_A_ROW


def test_a_peer_that_asks_and_does_not_answer(heard: Arrivals) -> None:
    """From the third result on it is said, in the line, in JSON and in words."""
    direction = Direction(heard)
    assert direction.of(silent()).direction == ""
    heard.answered(PEER.host)
    assert directions(direction, *LOST[2:]) == [""]
    last = direction.of(silent())
    assert log.line(last, 0.0).endswith("[UDP] FAILED error=timeout direction=out peer=node-2 plane=pod family=ipv4")
    assert last.fields["direction"] == "out"
    assert last.error == "wait: no answer within 5 s; what the peer itself sends arrives here"


def test_one_that_is_silent(heard: Arrivals) -> None:
    """It was heard before, and others are: nobody knows which direction is lost, or whether it is there at all."""
    heard.answered(PEER.host)
    direction = Direction(heard)
    assert directions(direction, Outcome.TIMEOUT) == [""]
    heard.answered("10.0.0.3")
    assert directions(direction, *LOST) == ["", "", ""]


@pytest.mark.parametrize("between", [Outcome.SUCCESS, Outcome.REFUSED, Outcome.MTU])
def test_answers_between(heard: Arrivals, between: Outcome) -> None:
    """Now and then none is loss, of the answer too: only so many in a row tell, and what was heard since the first."""
    direction = Direction(heard)
    directions(direction, Outcome.TIMEOUT)
    heard.answered(PEER.host)
    assert directions(direction, Outcome.TIMEOUT, between, Outcome.TIMEOUT, Outcome.TIMEOUT) == [""] * 4
    assert directions(direction, Outcome.TIMEOUT) == [""], "heard before the first of these"
    heard.answered(PEER.host)
    assert directions(direction, Outcome.TIMEOUT) == ["out"]


@pytest.mark.parametrize("kind", ["tcp", "http"])
def test_connections_tell_nothing(heard: Arrivals, kind: str) -> None:
    """A protocol can be blocked and datagrams not: that is no direction."""
    direction = Direction(heard)
    for _ in range(IN_A_ROW):
        result = direction.of(silent(kind=kind))
        heard.answered(PEER.host)
        assert result.direction == ""


def test_only_so_many_are_remembered(heard: Arrivals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever forges addresses fills no memory; who was heard of last is kept."""
    monkeypatch.setattr(module, "MOST", 2)
    for address in ("a", "b", "a", "c"):
        heard.answered(address)
    assert [heard.since(address, 0.0) for address in "abc"] == [True, False, True]


@contextlib.contextmanager
def responder(heard: Arrivals, never: set[int]) -> Iterator[int]:
    """The UDP echo that answers peers; its port."""
    sock = udp_sockets(HOST, 0)[0]
    (echo,) = servers({"peer_udp_port": [sock]}, CollectorRegistry(), never, heard)
    echo.start()
    try:
        yield sock.getsockname()[1]
    finally:
        echo.close()


def test_the_responder_tells(heard: Arrivals) -> None:
    """Each datagram that is answered has arrived, by the address it came from."""
    with responder(heard, set()) as port:
        before = time.monotonic()
        assert not heard.since(HOST, before)
        assert probe("udp", port).outcome is Outcome.SUCCESS
        assert heard.since(HOST, before)
