"""A trace follows a failure that lasts, and its last hop is in the state."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from smoker_diagnosis.state import Traced, decode
from smoker_prober.config.service import Ports, echoes
from smoker_prober.probes.followups import trace
from smoker_prober.probes.trace import Details
from smoker_prober.result import Outcome, Result
from smoker_prober.settings import Settings
from smoker_prober.target import Path, Target, service_path
from tests.conftest import eventually
from tests.prober.targets import HOST, Made, settings_of

PATH = Path("peer", "node-2", "pod", "ipv4")


@pytest.fixture
def silent() -> Iterator[int]:
    """A UDP port on which nothing answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        yield sock.getsockname()[1]


def failed(outcome: Outcome = Outcome.TIMEOUT, **more: object) -> Result:
    result = Result(Target("udp", HOST, 9, PATH), "node-1", 0.0, outcome, 1.0, address=HOST, error="wait: nothing")
    return replace(result, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if not outcome.ok and outcome not in trace.LOST])
def test_other_failures_have_no_trace(outcome: Outcome) -> None:
    """What answered, and what never left, is no question of hops."""
    assert trace.run(trace.Options(33434), failed(outcome), never=()) is None


def test_without_an_address_and_after_a_handshake_there_is_no_trace() -> None:
    """A name that was not found has no path; TCP that connected has shown that its path is whole."""
    assert trace.run(trace.Options(33434), failed(address=""), never=()) is None
    connected = failed(phases={"connect": 0.1, "wait": 1.0})
    assert trace.run(trace.Options(33434), connected, never=()) is None


@pytest.mark.parametrize("address", [HOST, "::1"])
def test_a_trace_is_a_result_of_the_same_path(address: str) -> None:
    """It goes to the address that the failed probe asked, of either family, under the name of its path."""
    found = trace.run(trace.Options(33434), failed(address=address), never=())
    assert found is not None
    assert (found.probe, found.target.path, found.address, found.source) == ("trace", PATH, address, "node-1")
    assert isinstance(found.details, Details)
    assert found.details.reached


def test_a_failure_that_lasts_is_traced(silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the first failure, but the second in a row: its state has the trace, and no path of its own appears."""
    monkeypatch.setattr(trace, "LONGEST", 0.5)
    settings = settings_of({"TEST_INTERVAL": "0.2", "TEST_TIMEOUT": "0.1", "PROBES": "udp", "UDP_PACKETS": "0"})
    target = Target("udp", HOST, silent, PATH, on_failure=(trace.Options(silent),))
    made = Made(settings, {"peer": (target,)})
    made.prober.start()
    try:
        eventually("it is in the state", lambda: decode(made.store.document()[1]).paths[0].traced)
    finally:
        made.prober.close()
    (path,) = decode(made.store.document()[1]).paths
    assert path.streak >= 2
    assert path.traced is not None
    assert path.traced == Traced(path.traced.at, 0, "", reached=False)


def test_off_means_nothing_is_declared() -> None:
    """With `trace: false` no target carries one; otherwise those of a peer, to its UDP port, and none of a Service."""
    on, off = (settings_of({"TRACE": word}) for word in ("true", "false"))
    ports = Ports(8080, 8081, 8082, 8062)

    def declared(settings: Settings, path: Path) -> list[tuple[object, ...]]:
        found = echoes(settings.plan, ("tcp", "udp", "http"), HOST, ports, lambda _: path)
        return [target.on_failure for target in found]

    assert declared(on, PATH) == [(trace.Options(8081),)] * 3
    assert declared(off, PATH) == [()] * 3
    assert declared(on, service_path(HOST, 8080)) == [()] * 3
