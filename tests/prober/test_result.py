"""The results of probes: frozen facts."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest

from smoker_diagnosis.path_mtu import PathMtu
from smoker_prober.probes.http import Details
from smoker_prober.result import PHASES, Method, Outcome, Result, Rtt, milliseconds
from smoker_prober.target import Target, service_path
from tests.prober.targets import target

TARGET = target()
GOOD: dict[str, Any] = {
    "target": TARGET,
    "source": "node-1",
    "start": 1_763_029_800.0,
    "outcome": Outcome.SUCCESS,
    "duration": 0.015,
}


def test_the_words_of_the_outcomes_are_promises() -> None:
    """They are in log lines and metric labels, so none may change by accident."""
    assert [outcome.value for outcome in Outcome] == [
        "success",
        "timeout",
        "refused",
        "unreachable",
        "reset",
        "resolve_error",
        "tls_error",
        "mtu",
        "bad_reply",
        "local_error",
    ]
    assert [outcome for outcome in Outcome if outcome.ok] == [Outcome.SUCCESS]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"duration": -0.001}, "a duration below 0"),
        ({"phases": {"wait": -0.001}}, "a duration below 0"),
        ({"phases": {"think": 0.1, "dream": 0.1}}, "no such phase: dream, think"),
        ({"error": "wait: no answer"}, "a failure has an error, and a success has none"),
        ({"outcome": Outcome.TIMEOUT}, "a failure has an error, and a success has none"),
    ],
)
def test_a_contradictory_result_is_refused(wrong: dict[str, Any], why: str) -> None:
    """Facts are checked when they are made, so readers need not check them."""
    with pytest.raises(ValueError, match=why):
        Result(**GOOD | wrong)


def test_a_result_does_not_change() -> None:
    """Sinks pass it on, so it is immutable."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Result(**GOOD).duration = 1.0  # type: ignore[misc]


def test_fields_of_a_success() -> None:
    """Fields are flat, in milliseconds, without unknown or obvious ones."""
    phases = dict.fromkeys(PHASES, 0.0012345)
    assert Result(**GOOD, phases=phases).fields == {
        "node": "node-1",
        "probe": "tcp",
        "target": "smoker-server:8080",
        "outcome": "success",
        "duration_ms": 15.0,
        "resolve_ms": 1.234,
        "connect_ms": 1.234,
        "tls_ms": 1.234,
        "send_ms": 1.234,
        "wait_ms": 1.234,
        "transfer_ms": 1.234,
    }


def test_fields_of_what_the_kernel_measured() -> None:
    """They have the RTT with its method, and retransmits if there were any."""
    fields = Result(**GOOD, rtt=Rtt(0.0012346, Method.TCP_INFO), retransmits=1).fields
    assert (fields["rtt_ms"], fields["method"], fields["retransmits"]) == (1.235, "tcp_info", 1)
    with pytest.raises(ValueError, match="RTT below 0"):
        Result(**GOOD, rtt=Rtt(-1e-9, Method.KERNEL))


def test_fields_of_large_packets() -> None:
    """They have the size that the path should take, and the largest that passes."""
    fields = Result(**GOOD, path_mtu=PathMtu(1450, 1400)).fields
    assert (fields["mtu"], fields["passes"]) == (1450, 1400)


def test_fields_of_a_failure() -> None:
    """They are those of a success plus what failed, and HTTP's status if there was one."""
    failed = GOOD | {"outcome": Outcome.BAD_REPLY, "error": "transfer: status 503 for GET /", "details": Details(503)}
    assert Result(**failed).fields == {
        "node": "node-1",
        "probe": "tcp",
        "target": "smoker-server:8080",
        "outcome": "bad_reply",
        "duration_ms": 15.0,
        "status": 503,
        "error": "transfer: status 503 for GET /",
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0ms"),
        (0.000_000_4, "0ms"),
        (0.000_000_6, "0.001ms"),
        (0.000_214, "0.214ms"),
        (0.000_21, "0.21ms"),
        (0.000_2, "0.2ms"),
        (0.001, "1ms"),
        (0.009_5, "9.5ms"),
        (0.009_999, "9.999ms"),
        (0.009_999_4, "9.999ms"),
        (0.009_999_6, "10ms"),
        (0.01, "10ms"),
        (0.010_4, "10ms"),
        (0.010_6, "11ms"),
        (0.015, "15ms"),
        (0.1, "100ms"),
        (1.0, "1000ms"),
        (5.000_4, "5000ms"),
        (3600.0, "3600000ms"),
    ],
)
def test_milliseconds(seconds: float, text: str) -> None:
    """They are whole from 10 ms on, and have up to three decimals below."""
    assert milliseconds(seconds) == text


def test_milliseconds_of_anything() -> None:
    """Whatever the duration, the text is a plain decimal number, off by half of its last place at most."""
    chance = random.Random(1)  # the same durations each time
    for _ in range(2000):
        seconds = 10 ** chance.uniform(-7, 4)
        number = milliseconds(seconds).removesuffix("ms")
        assert set(number) <= set("0123456789.")
        assert abs(float(number) - seconds * 1000) <= (0.000_501 if seconds < 0.01 else 0.501)


@pytest.mark.parametrize(
    ("host", "port", "text"), [("a", 1, "a:1"), ("10.0.0.1", 65535, "10.0.0.1:65535"), ("::1", 80, "[::1]:80")]
)
def test_a_target_as_text(host: str, port: int, text: str) -> None:
    """An IPv6 address stands in brackets, as in a URL."""
    assert str(target(port=port, host=host)) == text


@pytest.mark.parametrize(("host", "port"), [("", 80), ("a", 0), ("a", -1), ("a", 65536)])
def test_an_invalid_target_is_refused(host: str, port: int) -> None:
    """A target has a host and a port that can be."""
    with pytest.raises(ValueError, match="no target"):
        Target("tcp", host, port, service_path(host, port))
