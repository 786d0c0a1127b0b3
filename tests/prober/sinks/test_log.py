"""The lines of a prober, exactly as promised."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from loguru import logger

from smoker_common import log
from smoker_diagnosis.flows import Flows
from smoker_diagnosis.path_mtu import PathMtu
from smoker_diagnosis.train import Train
from smoker_prober.probes.http import Details
from smoker_prober.result import KeptFlow, Method, Outcome, Result, Rtt
from smoker_prober.sinks import log as sink
from smoker_prober.target import Path, Target, service_path
from tests.prober.targets import peer_path, target

LINE = re.compile(
    r"\[\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}\] \[NODE:[^\s\]]+\] \[(TCP|UDP|HTTP)\] "
    r"(SUCCESS latency=(\d\.\d{0,2}[1-9]|\d|[1-9]\d+)ms|FAILED error=[a-z_]+( status=\d{3})?)"
)
TRAIN = Train(
    sent=4, lost=1, delayed=0, duplicates=0, reordered=0, requests_lost=1, replies_lost=0, rtts=(), jitter=0.000_021
)
AT_10_30_00 = 1_763_029_800.0  # 2025-11-13 in UTC


@pytest.fixture(params=["UTC0", "CET-1"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The time zone of the process."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def made(outcome: Outcome = Outcome.SUCCESS, node: str = "node-1", **more: Any) -> Result:
    """Return a result; a failure has an error that no line may show."""
    error = "" if outcome.ok else "wait: something\nlong = winding"
    facts: dict[str, Any] = {"duration": 0.015, "error": error, "target": target(more.pop("probe", "tcp"))} | more
    return Result(source=node, start=0.0, outcome=outcome, **facts)


def test_the_two_lines_of_the_specification(zone: str) -> None:
    """Both lines are exact, by the wall clock in the process's own time zone."""
    hour = {"UTC0": "10", "CET-1": "11"}[zone]
    assert sink.line(made(), AT_10_30_00) == f"[2025-11-13 {hour}:30:00] [NODE:node-1] [TCP] SUCCESS latency=15ms"
    late = made(Outcome.TIMEOUT, "node-2", duration=5.0)
    assert sink.line(late, AT_10_30_00 + 30) == f"[2025-11-13 {hour}:30:30] [NODE:node-2] [TCP] FAILED error=timeout"


@pytest.mark.parametrize(
    ("result", "end"),
    [
        (made(duration=0.000_214), "[TCP] SUCCESS latency=0.214ms"),
        (made(duration=0.009_999_6), "[TCP] SUCCESS latency=10ms"),
        (made(probe="udp", duration=0.001), "[UDP] SUCCESS latency=1ms"),
        (made(probe="http", details=Details(200)), "[HTTP] SUCCESS latency=15ms"),
        (made(rtt=Rtt(0.000_5, Method.TCP_INFO)), "[TCP] SUCCESS latency=0.5ms"),
        (made(probe="udp", train=TRAIN), "[UDP] SUCCESS latency=15ms loss=25.0% jitter=0.021ms"),
        (made(probe="udp", train=replace(TRAIN, jitter=None)), "[UDP] SUCCESS latency=15ms loss=25.0%"),
        (
            made(probe="udp", train=TRAIN, flows=Flows(16, 4)),
            "[UDP] SUCCESS latency=15ms loss=25.0% jitter=0.021ms flows_failing=4/16",
        ),
        (
            made(probe="udp", train=replace(TRAIN, jitter=None), flows=Flows(16, 0)),
            "[UDP] SUCCESS latency=15ms loss=25.0%",
        ),
        (made(probe="udp", kept=KeptFlow(40_000)), "[UDP] SUCCESS latency=15ms"),
        (made(probe="udp", kept=KeptFlow(40_000, 2, 31.0)), "[UDP] SUCCESS latency=15ms kept_failed=2 kept_port=40000"),
        (
            made(probe="udp", train=replace(TRAIN, lost=0, requests_lost=0, jitter=None, unreadable=TRAIN.sent)),
            f"[UDP] SUCCESS latency=15ms unreadable={TRAIN.sent}",
        ),
        (made(Outcome.BAD_REPLY, probe="http", details=Details(503)), "[HTTP] FAILED error=bad_reply status=503"),
        (made(Outcome.TIMEOUT, probe="http", details=Details(200)), "[HTTP] FAILED error=timeout status=200"),
        (made(Outcome.REFUSED, probe="http"), "[HTTP] FAILED error=refused"),
        (made(Outcome.MTU, probe="udp", path_mtu=PathMtu(1450, 1400)), "[UDP] FAILED error=mtu mtu=1450 passes=1400"),
        (made(probe="udp", path_mtu=PathMtu(1450, 1450)), "[UDP] SUCCESS latency=15ms"),
    ],
)
def test_what_follows_the_node(result: Result, end: str) -> None:
    """The probe is in capitals, then a latency, or the outcome's word and HTTP's status; never the error's text."""
    assert sink.line(result, AT_10_30_00).endswith(f"[NODE:node-1] {end}")


@pytest.mark.parametrize(
    ("path", "end"),
    [
        (peer_path(zone="zone-b"), " peer=node-2 plane=pod family=ipv4 zone=zone-b"),
        (peer_path(plane="pod-host", family="ipv6"), " peer=node-2 plane=pod-host family=ipv6"),
        (Path("service", "smoker-server:8080", "host-service"), " plane=host-service"),
        (Path("external", "api", "other"), " target=api plane=other"),
        (service_path("smoker-server", 8080), ""),
    ],
)
def test_a_peer_is_named_at_the_end(path: Path, end: str) -> None:
    """The promised line comes first, then the peer or target and the path; never an address."""
    asked = Target("tcp", "10.0.0.2", 8080, path)
    good, bad = made(target=asked), made(Outcome.TIMEOUT, target=asked)
    assert sink.line(good, AT_10_30_00).endswith(f"[TCP] SUCCESS latency=15ms{end}")
    assert sink.line(bad, AT_10_30_00).endswith(f"[TCP] FAILED error=timeout{end}")


def test_latency_by_the_clock() -> None:
    """LATENCY=duration shows the time that a program would have seen, with or without an RTT."""
    measured = made(rtt=Rtt(0.000_5, Method.TCP_INFO))
    assert sink.line(measured, AT_10_30_00, "duration").endswith("SUCCESS latency=15ms")


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("duration", [0.0, 0.000_001, 0.0095, 0.01, 5.0])
def test_every_result_has_a_line_of_the_form(outcome: Outcome, duration: float) -> None:
    """One expression matches every line."""
    assert LINE.fullmatch(sink.line(made(outcome, duration=duration), time.time()))


@pytest.mark.parametrize("outcome", Outcome)
def test_only_results_go_to_stdout(
    outcome: Outcome, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results go to stdout, a line each, when they are known; the program's own messages go to stderr."""
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    log.configure("INFO", "text", results=sys.stdout)
    sink.write(made(outcome))
    logger.info("something else")
    out, err = capsys.readouterr()
    assert LINE.fullmatch(out.removesuffix("\n"))
    assert [line.endswith("[INFO] something else") for line in err.splitlines()] == [True]


def test_json_lines_are_flat(capsys: pytest.CaptureFixture[str]) -> None:
    """`LOG_FORMAT=json`: an object a line, with time and level, whose values are words and numbers."""
    log.configure("INFO", "json", results=sys.stdout)
    sink.write(made(phases={"connect": 0.001}))
    sink.write(made(Outcome.BAD_REPLY, probe="http", details=Details(503)))
    good, bad = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert all(isinstance(value, str | int | float) for value in [*good.values(), *bad.values()])
    assert (good["level"], good["outcome"], good["latency_ms"], good["connect_ms"]) == ("SUCCESS", "success", 15.0, 1.0)
    assert (bad["level"], bad["outcome"], bad["status"], bad["node"]) == ("ERROR", "bad_reply", 503, "node-1")
    assert bad["error"] == "wait: something\nlong = winding"


@pytest.mark.parametrize(("level", "shown"), [("INFO", 2), ("SUCCESS", 2), ("ERROR", 1), ("CRITICAL", 1)])
def test_the_level_holds_for_results_too(capsys: pytest.CaptureFixture[str], level: str, shown: int) -> None:
    """A success is SUCCESS and a failure ERROR: from `WARNING` on only failures are logged."""
    log.configure(level, "text", results=sys.stdout)
    sink.write(made())
    sink.write(made(Outcome.REFUSED))
    assert len(capsys.readouterr().out.splitlines()) == shown
