"""A round: TCP, then UDP, then HTTP; and a round that is cancelled."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Collection, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event

from smoker_common import log
from smoker_prober import round as rounds
from smoker_prober.config.service import hosts
from smoker_prober.prober import Prober
from smoker_prober.probes import run
from smoker_prober.result import Result
from smoker_prober.settings import Settings
from smoker_prober.target import Target
from tests.conftest import eventually
from tests.prober.targets import ENOUGH, HOST, PLENTY, SHORT, Made, settings_of, variables_for
from tests.relay import DROP, PASS, TcpRelay, UdpRelay, refusing


@pytest.fixture
def scheduled(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Settings], Prober]]:
    """Return the schedule of `run`; its results go to stdout."""
    made: list[Prober] = []
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    def start(settings: Settings) -> Prober:
        log.configure("INFO", "text", results=sys.stdout)
        schedule = Made(settings, hosts(settings)).prober
        schedule.start()
        made.append(schedule)
        return schedule

    yield start
    for schedule in made:
        schedule.close()
        schedule.drain(0)


def one_round(settings: Settings) -> Iterator[Result]:
    """Return the results of a round by the settings."""
    (targets,) = hosts(settings).values()
    return rounds.Round.of(settings, targets).results()


def words(lines: str) -> list[list[str]]:
    """Return the probe and its outcome of each line: `["[TCP]", "SUCCESS"]`."""
    return [line.split()[3:5] for line in lines.splitlines()]


def test_tcp_then_udp_then_http(settings: Settings) -> None:
    """There is one result each, in this order, and each probe begins when the one before has ended."""
    found = list(one_round(settings))
    assert [(result.probe, result.outcome.value) for result in found] == [
        ("tcp", "success"),
        ("udp", "success"),
        ("http", "success"),
    ]
    for earlier, later in itertools.pairwise(found):
        assert later.start >= earlier.start + earlier.duration - 0.001


def test_each_probe_has_the_whole_timeout(echoes: dict[str, int]) -> None:
    """A probe without an answer takes no time from the next ones."""
    with TcpRelay((HOST, echoes["tcp"]), DROP) as relay:
        found = list(one_round(settings_of(variables_for(echoes | {"tcp": relay.port}, ENOUGH))))
    assert [result.outcome.value for result in found] == ["timeout", "success", "success"]


def test_a_repeated_probe_of_an_echo_waits_for_less(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round gives each probe the whole timeout, a repetition two seconds."""
    given: list[float] = []

    def noted(target: Target, source: str, timeout: float, *, never: Collection[int]) -> Result:
        given.append(timeout)
        return run(target, source, timeout, never=never)

    monkeypatch.setattr("smoker_prober.round.run", noted)
    (targets,) = hosts(settings).values()
    one = rounds.Round(targets, source="node-1", timeout=20.0)
    repeated = itertools.chain.from_iterable(map(one.again, targets))
    assert all(result.outcome.ok for result in [*one.results(), *repeated])
    assert given == [20.0] * len(targets) + [2.0] * len(targets)


def test_a_result_is_logged_as_soon_as_it_is_known(
    scheduled: Callable[[Settings], Prober], echoes: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """The line of the TCP probe does not wait for the end of the round."""
    with UdpRelay((HOST, echoes["udp"]), DROP) as relay:
        scheduled(settings_of(variables_for(echoes | {"udp": relay.port})))
        eventually("the UDP probe is under way", lambda: relay.datagrams)
        assert words(capsys.readouterr().out) == [["[TCP]", "SUCCESS"]]


def test_closing_during_a_round_starts_no_further_probe(
    scheduled: Callable[[Settings], Prober], echoes: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """The running probe ends with a line, UDP and HTTP are not probed, and the drain returns."""
    with (
        TcpRelay((HOST, echoes["tcp"]), DROP) as tcp,
        UdpRelay((HOST, echoes["udp"]), PASS) as udp,
        TcpRelay((HOST, echoes["http"]), PASS) as http,
    ):
        ports = {"tcp": tcp.port, "udp": udp.port, "http": http.port}
        schedule = scheduled(settings_of(variables_for(ports, SHORT)))
        eventually("the TCP probe is under way", lambda: tcp.connections)
        schedule.close()
        assert schedule.drain(PLENTY) == 0
        assert (tcp.connections, udp.datagrams, http.connections) == (1, 0, 0)
    assert words(capsys.readouterr().out) == [["[TCP]", "FAILED"]]


def test_a_probe_that_is_cut_leaves_no_line(
    scheduled: Callable[[Settings], Prober], echoes: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """A probe that our own end cut says nothing about the network; its connection is closed."""
    with TcpRelay((HOST, echoes["tcp"]), DROP) as relay:
        schedule = scheduled(settings_of(variables_for(echoes | {"tcp": relay.port})))
        eventually("the TCP probe is under way", lambda: relay.connections)
        schedule.close()
        assert schedule.drain(0.01) == 1
        eventually("the connection is closed", lambda: not relay.open)
    assert capsys.readouterr().out == ""


def test_targets_that_vanish_and_come_back(echoes: dict[str, int]) -> None:
    """A round reports its own results, and remembers nothing of rounds before."""
    with refusing() as closed:
        here = settings_of(variables_for(echoes))
        gone = settings_of(variables_for(echoes | {"tcp": closed, "http": closed}))
        told = [[result.outcome.value for result in one_round(settings)] for settings in (here, gone, here)]
    assert told == [["success"] * 3, ["refused", "success", "refused"], ["success"] * 3]


def test_rounds_of_many_targets_do_not_wait_for_each_other(echoes: dict[str, int]) -> None:
    """Rounds share nothing: fifty at once are fifty good ones."""
    settings = settings_of(variables_for(echoes))
    begin = Event()

    def one() -> list[Any]:
        begin.wait()
        return [result.outcome.value for result in one_round(settings)]

    together = [gevent.spawn(one) for _ in range(50)]
    begin.set()
    assert [greenlet.get() for greenlet in together] == [["success"] * 3] * 50
