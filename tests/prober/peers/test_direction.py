"""The direction in which a path loses packets."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from smoker_common.listen import udp_sockets
from smoker_prober.peers import direction as module
from smoker_prober.peers.direction import IN_A_ROW, Arrivals, Direction
from smoker_prober.peers.responder import servers
from smoker_prober.process import Process
from smoker_prober.result import Outcome, Result
from smoker_prober.sinks import log
from smoker_prober.target import Target
from tests.prober.targets import HOST, peer_path, probe, target

PEER = Target("udp", "10.0.0.2", 8081, peer_path())


@pytest.fixture
def heard() -> Arrivals:
    return Arrivals()


def silent(outcome: Outcome = Outcome.TIMEOUT, target: Target = PEER) -> Result:
    """Return a result of a probe that has just ended without an answer."""
    error = "" if outcome.ok else "wait: no answer within 5 s"
    return Result(target, "node-1", time.time(), outcome, 0.0, address=target.host, error=error)


def directions_of(heard: Arrivals, what: str, target: Target = PEER) -> list[str]:
    """Return the direction of each result: `.` has no answer, `+` is a success, `h` means that the peer was heard."""
    direction, found = Direction(heard), []
    for each in what:
        if each == "h":
            heard.answered(target.host)
            continue
        outcome = {".": Outcome.TIMEOUT, "+": Outcome.SUCCESS, "r": Outcome.REFUSED, "m": Outcome.MTU}[each]
        found.append(direction.of(silent(outcome, target)).direction)
    return found


@pytest.mark.parametrize(
    ("what", "directions"),
    [
        (".h.h.", ["", "", "out"]),
        (".h.h.h.h.", ["", "", "out", "out", "out"]),
        ("hh...h", ["", "", ""]),
        (".h..", ["", "", ""]),
        ("..h.", ["", "", ""]),
        (".h.....", [""] * 6),
        ("..h.h.", ["", "", "", "out"]),
        (".h.h+.h.h.", ["", "", "", "", "", "out"]),
        (".h.hr.h.", ["", "", "", "", ""]),
        (".h.hm.h.", ["", "", "", "", ""]),
    ],
)
def test_when_a_direction_is_known(heard: Arrivals, what: str, directions: list[str]) -> None:
    """Three in a row without an answer, and before each of the others the peer was heard: chance is not enough.

    A peer heard after the first of them alone, as where both directions were lost later, tells nothing.
    """
    assert directions_of(heard, what) == directions


def test_the_error_names_the_direction(heard: Arrivals) -> None:
    """The direction appears in the line, in JSON and in words."""
    direction = Direction(heard)
    for _ in range(IN_A_ROW - 1):
        direction.of(silent())
        heard.answered(PEER.host)
    last = direction.of(silent())
    assert log.line(last, 0.0).endswith("[UDP] FAILED error=timeout direction=out peer=node-2 plane=pod family=ipv4")
    assert last.fields["direction"] == "out"
    assert last.error == "wait: no answer within 5 s; what the peer itself sends arrives here"


def test_datagrams_of_other_addresses_do_not_count(heard: Arrivals) -> None:
    """Only a peer that is heard and does not answer has a direction: a Service's address may lead to another pod."""
    direction = Direction(heard)
    for _ in range(IN_A_ROW):
        assert direction.of(silent()).direction == ""
        heard.answered("10.0.0.3")
    assert directions_of(heard, ".h.h.h.", target("udp", 8081, "10.0.0.2")) == [""] * 4


@pytest.mark.parametrize("kind", ["tcp", "http"])
def test_connections_do_not_show_a_direction(heard: Arrivals, kind: str) -> None:
    """TCP and HTTP have no direction: one protocol can be blocked while datagrams pass."""
    assert directions_of(heard, ".h.h.h.", Target(kind, "10.0.0.2", 8081, peer_path())) == [""] * 4


def test_the_number_of_remembered_arrivals_is_bounded(heard: Arrivals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forged addresses do not fill the memory: the addresses heard last are kept."""
    monkeypatch.setattr(module, "MOST", 2)
    for address in ("a", "b", "a", "c"):
        heard.answered(address)
    assert [heard.between(address, 0.0, math.inf) for address in "abc"] == [True, False, True]


@contextlib.contextmanager
def responder(heard: Arrivals, never: set[int]) -> Iterator[int]:
    """The UDP echo that answers peers; returns its port."""
    sock = udp_sockets(HOST, 0)[0]
    (echo,) = servers(Process(), {"peer_udp_port": [sock]}, CollectorRegistry(), never, heard)
    echo.start()
    try:
        yield sock.getsockname()[1]
    finally:
        echo.close()


def test_the_responder_records_arrivals(heard: Arrivals) -> None:
    """Each answered datagram is recorded with the address from which it came."""
    with responder(heard, set()) as port:
        before = time.monotonic()
        assert not heard.between(HOST, before, math.inf)
        assert probe("udp", port).outcome is Outcome.SUCCESS
        assert heard.between(HOST, before, math.inf)
