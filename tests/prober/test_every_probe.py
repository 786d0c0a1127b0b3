"""A target of each probe: from the plan, by hand, in lines, JSON and metrics, and as a finding where it fails."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from smoker_common import log
from smoker_diagnosis.component import TARGET, Scope
from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.state import PathState
from smoker_diagnosis.text import lines
from smoker_prober.cli import command
from smoker_prober.config.load import read
from smoker_prober.config.plan import Plan
from smoker_prober.config.service import hosts
from smoker_prober.probe_arguments import flag_of
from smoker_prober.probes import PROBES
from smoker_prober.process import Process
from smoker_prober.result import Outcome, Result
from smoker_prober.round import Round
from smoker_prober.settings import Settings
from smoker_prober.sinks import log as log_sink
from smoker_prober.sinks.metrics import Metrics
from smoker_prober.store.identity import Identity
from smoker_prober.store.mesh_state import MeshState
from smoker_prober.store.state import States
from tests.diagnosis.mesh import AT, Cluster, nodes
from tests.relay import refusing

from .probes.name_server import NAME, serving
from .probes.pki import Authority, s_server
from .probes.test_grpc import grpcio
from .targets import ENOUGH, HOST, NODE, PLENTY, echo

Captured = pytest.CaptureFixture[str]


class Case(NamedTuple):
    """A server for a probe: its port, and the options with which it is asked."""

    port: int
    options: tuple[tuple[str, str], ...] = ()


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Case]]:
    """A server for each probe that answers it."""
    authority = Authority(tmp_path_factory.mktemp("pki") / "ca")
    with contextlib.ExitStack() as stack:
        open_ = stack.enter_context
        tcp, udp, http = (open_(echo(kind)) for kind in ("tcp", "udp", "http"))
        yield {
            "tcp": Case(tcp),
            "udp": Case(udp),
            "http": Case(http),
            "connect": Case(tcp),
            "dns": Case(open_(serving())[0], (("name", NAME),)),
            "tls": Case(open_(s_server(authority.issue("good"))), (("ca", str(authority.file)),)),
            "trace": Case(open_(refusing(socket.SOCK_DGRAM))),
            "grpc": Case(open_(grpcio())[0]),
            "websocket": Case(http, (("path", "/ws"), ("message", "text"))),
        }


@pytest.fixture
def silent() -> Iterator[int]:
    """A port on which no TCP server listens, and whose UDP socket answers nothing."""
    with refusing() as port, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, port))
        yield port


def planned(kind: str, case: Case, timeout: float) -> Plan:
    """Return a plan of one target, named by its probe."""
    entry: dict[str, Any] = {"name": f"to-{kind}", "probe": kind, "host": HOST, "port": case.port, "timeout": timeout}
    entry |= {kind: dict(case.options)} if case.options else {}
    plan, mistakes = read(json.dumps({"targets": [entry]}).encode())
    assert mistakes == []
    return plan


def probed(kind: str, case: Case, timeout: float = PLENTY) -> Result:
    """Probe a target of the plan once, as a round does it."""
    settings = Settings(Process(node_name=NODE), planned(kind, case, timeout))
    (result,) = Round.of(settings, hosts(settings)[f"to-{kind} other"]).results()
    return result


def shown(result: Result, style: str, capsys: Captured) -> str:
    """Return the line of a result, as text or as JSON."""
    log.configure("INFO", style, results=sys.stdout)
    log_sink.write(result)
    return capsys.readouterr().out


def counted(result: Result) -> float | None:
    """Return the counter of a result's outcome, once it was counted."""
    registry = CollectorRegistry()
    Metrics(registry, interval=30.0).keep(result)
    labels = {"probe": result.probe, "target": str(result.target), "plane": "other", "outcome": result.outcome.value}
    return registry.get_sample_value("smoker_probe_total", labels)


def state_of(*results: Result) -> PathState:
    """Return what the hub reads of a path with these results."""
    states = States(Identity(NODE), waited=lambda: 0.0, clock=lambda: 0.0)
    for result in results:
        states.keep(result)
    (path,) = states.state("", MeshState()).paths
    return path


@pytest.mark.parametrize("kind", ["tcp", "udp", "http", "connect", "dns", "tls", "trace", "grpc", "websocket"])
def test_a_target_that_answers(kind: str, good: dict[str, Case], tmp_path: Path, capfd: Captured) -> None:
    """A target of the plan has a line, a JSON line, a counter and a state; the command `probe` has the same outcome."""
    case = good[kind]
    result = probed(kind, case)
    assert (result.outcome, result.error) == (Outcome.SUCCESS, "")
    line, fields = shown(result, "text", capfd), json.loads(shown(result, "json", capfd))
    assert f"[{kind.upper()}] SUCCESS latency=" in line
    assert line.rstrip().endswith(f"target=to-{kind} plane=other")
    assert (fields["probe"], fields["target"], fields["outcome"]) == (kind, f"to-{kind}", "success")
    assert counted(result) == 1
    state = state_of(result)
    assert (state.role, state.target, state.probe, state.last) == ("external", f"to-{kind}", kind, "success")
    flags = [part for key, value in case.options for part in (flag_of(key), value)]
    assert command(["probe", kind, HOST, str(case.port), "--timeout", str(PLENTY), *flags]) == 0
    assert f"[{kind.upper()}] SUCCESS latency=" in capfd.readouterr().out


@pytest.mark.parametrize("kind", PROBES)
def test_a_target_that_fails(kind: str, silent: int, capfd: Captured) -> None:
    """A target of any probe that fails from two nodes is a line, a counter and a finding that names it."""
    first, second = (probed(kind, Case(silent), ENOUGH) for _ in range(2))
    outcome = second.outcome
    assert outcome in (Outcome.TIMEOUT, Outcome.REFUSED), second.error
    assert f"[{kind.upper()}] FAILED error={outcome}" in shown(second, "text", capfd)
    fields = json.loads(shown(second, "json", capfd))
    assert (fields["probe"], fields["target"], fields["outcome"]) == (kind, f"to-{kind}", outcome)
    assert counted(second) == 1
    failing = msgspec.structs.replace(state_of(first, second), at=AT - 20.0, since=AT - 50.0)
    states = [msgspec.structs.replace(each, paths=[*each.paths, failing]) for each in Cluster(nodes(4)).states()]
    (finding,) = diagnose(states)
    assert (finding.kind, finding.scope, finding.outcomes) == ("target", Scope(TARGET, (f"to-{kind}",)), (outcome,))
    assert f"target to-{kind}" in lines(finding)[0]
    assert command(["probe", kind, HOST, str(silent), "--timeout", str(ENOUGH)]) == 1
    assert f"FAILED error={outcome}" in capfd.readouterr().out
