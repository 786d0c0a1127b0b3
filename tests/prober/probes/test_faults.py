"""Each probe with each fault of a relay in front of the real echo."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from smoker_prober.result import Outcome
from tests.prober.targets import ENOUGH, HOST, PLENTY, SHORT, probe
from tests.relay import CORRUPT, DROP, DUPLICATE, PASS, Fault, TcpRelay, UdpRelay, delay, reset, trickle, truncate

LATE = 5 * SHORT  # seconds: after the deadline
EARLY = 0.01  # seconds by which a timer may fire early
STEPS = {
    "tcp": ("resolve", "connect", "send", "wait"),
    "udp": ("resolve", "send", "wait"),
    "http": ("resolve", "connect", "send", "wait", "transfer"),
}


@dataclass(frozen=True)
class Case:
    """A fault, and how the probe `kind` must end: its outcome, its error's text, the last of its phases."""

    kind: str
    fault: Fault
    outcome: Outcome
    error: str = ""
    last: str = "wait"
    timeout: float = PLENTY

    def __str__(self) -> str:
        return f"{self.kind}-{self.fault.kind}-{self.fault.count or self.fault.seconds:g}"


SILENT = f"wait: no answer within {SHORT:g} s"
CASES = [
    Case("tcp", PASS, Outcome.SUCCESS),
    Case("tcp", DROP, Outcome.TIMEOUT, SILENT, timeout=SHORT),
    Case("tcp", delay(0.05), Outcome.SUCCESS),
    Case("tcp", delay(LATE), Outcome.TIMEOUT, SILENT, timeout=SHORT),
    Case("tcp", trickle(0.01), Outcome.SUCCESS),
    Case("tcp", trickle(SHORT / 2), Outcome.TIMEOUT, SILENT, timeout=SHORT),
    Case("tcp", truncate(0), Outcome.BAD_REPLY, "wait: the connection was closed after 0 of 4 bytes"),
    Case("tcp", truncate(2), Outcome.BAD_REPLY, "wait: the connection was closed after 2 of 4 bytes"),
    Case("tcp", reset(0), Outcome.RESET, "wait: connection reset by peer"),
    Case("tcp", reset(2), Outcome.RESET, "wait: connection reset by peer"),
    Case("tcp", DUPLICATE, Outcome.BAD_REPLY, "wait: got b'PINGPING' for b'PING'"),
    Case("tcp", CORRUPT, Outcome.BAD_REPLY, r"wait: got b'\xaf\xb6\xb1\xb8' for b'PING'"),
    Case("udp", PASS, Outcome.SUCCESS),
    Case("udp", DROP, Outcome.TIMEOUT, SILENT, timeout=SHORT),
    Case("udp", delay(0.05), Outcome.SUCCESS),
    Case("udp", delay(LATE), Outcome.TIMEOUT, SILENT, timeout=SHORT),
    Case("udp", truncate(2), Outcome.BAD_REPLY, "wait: got b'PI' for b'PING'", timeout=ENOUGH),
    Case("udp", DUPLICATE, Outcome.SUCCESS),
    Case("udp", CORRUPT, Outcome.BAD_REPLY, r"wait: got b'\xaf\xb6\xb1\xb8' for b'PING'", timeout=ENOUGH),
    Case("http", PASS, Outcome.SUCCESS, last="transfer"),
    Case("http", DROP, Outcome.TIMEOUT, SILENT, timeout=SHORT),
    Case("http", delay(0.05), Outcome.SUCCESS, last="transfer"),
    Case("http", delay(LATE), Outcome.TIMEOUT, SILENT, timeout=SHORT),
    Case("http", trickle(0.0001), Outcome.SUCCESS, last="transfer"),
    Case("http", trickle(SHORT / 8), Outcome.TIMEOUT, SILENT, timeout=SHORT),
    Case("http", truncate(0), Outcome.BAD_REPLY, "wait: remote end closed connection without response"),
    Case("http", truncate(12), Outcome.BAD_REPLY, "wait: the connection was closed inside the headers"),
    Case("http", truncate(20), Outcome.BAD_REPLY, "wait: the connection was closed inside the headers"),
    Case("http", reset(0), Outcome.RESET, "wait: connection reset by peer"),
    Case("http", reset(20), Outcome.RESET, "wait: connection reset by peer"),
    Case("http", DUPLICATE, Outcome.SUCCESS, last="transfer"),
    Case("http", CORRUPT, Outcome.BAD_REPLY, "wait: no status line of HTTP/1: "),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_fault_has_its_outcome_and_its_phase(case: Case, echoes: dict[str, int]) -> None:
    """The path's fault decides the outcome.

    The error names phase and cause, later phases do not begin, and nothing is retried.
    """
    with (UdpRelay if case.kind == "udp" else TcpRelay)((HOST, echoes[case.kind]), case.fault) as relay:
        result = probe(case.kind, relay.port, timeout=case.timeout)
        attempts = relay.datagrams if isinstance(relay, UdpRelay) else relay.connections
    assert (result.outcome, result.error[: len(case.error)]) == (case.outcome, case.error)
    assert bool(result.error) == bool(case.error)
    steps = STEPS[case.kind]
    assert tuple(result.phases) == steps[: steps.index(case.last) + 1]
    assert attempts == 1

    # The phases are parts of the duration, and what the relay held back is in the phase that waited for it.
    assert sum(result.phases.values()) <= result.duration
    if result.outcome is Outcome.TIMEOUT:
        assert result.duration >= case.timeout - EARLY
        assert result.phases["wait"] > case.timeout / 2
    elif case.fault.kind == "delay":
        assert result.phases["wait"] >= case.fault.seconds - EARLY
