"""`/metrics` of every service: its documentation, Prometheus' checks, and its values."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import Process, Start, eventually, free_port
from tests.metrics_page import rows
from tests.promtool import promtool

PROGRAMS = ["smoker-tcp-echo", "smoker-udp-echo", "smoker-http-echo", "smoker-prober"]
#: Only where there is a CPU limit, or a mesh, which tests/prober/sinks/test_metrics.py has.
SOMETIMES = {
    "smoker_prober_throttled_seconds_total",
    "smoker_prober_peers",
    "smoker_prober_discovery_stale_seconds",
    "smoker_probe_flows_failing",  # of peers whose packets are lost, which tests/prober/sinks/test_metrics.py has
}
#: Labels of the series of peers alone, which tests/prober/test_metrics.py has.
OF_PEERS = {"plane", "family", "target_zone", "zone"}
#: The hub's, which tests/hub/test_api.py has.
OF_HUB = ("smoker_hub_", "smoker_finding_")

#: Of transfers and of targets over TLS, which the tests of those probes have.
OF_TARGETS = ("smoker_bandwidth_", "smoker_tls_")

Families = dict[str, tuple[str, set[str]]]


def served(text: str) -> Families:
    """Return type and labels of each metric of a service."""
    found: Families = {}
    for family in text_string_to_metric_families(text):
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[name] = (family.type, labels)
    return found


def value(process: Process, series: str) -> float | None:
    """Return the value of one series; None without it."""
    lines = process.get("/metrics")[1].splitlines()
    return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.rsplit(" ", 1)[0] == series), None)


@pytest.fixture
def every(start: Start, tmp_path: Path) -> dict[str, Process]:
    """The four services; the prober has probed the others, including a train."""
    tcp, http = start("smoker-tcp-echo", TCP_PORT=0), start("smoker-http-echo", HTTP_PORT=0)
    udp = start("smoker-udp-echo", UDP_PORT=0, STAMP_PORT=0)
    ports = tcp.ports | udp.ports | http.ports
    ports = {name: port for name, port in ports.items() if name != "ADMIN_PORT"}
    plan = tmp_path / "plan.yaml"
    plan.write_text("interval: 500ms\ntimeout: 30s\n")
    prober = start("smoker-prober", "run", CONFIG_FILE=plan, SERVER_HOST="127.0.0.1", NODE_NAME="node-1", **ports)
    return dict(zip(PROGRAMS, (tcp, udp, http, prober), strict=True))


def test_the_served_metrics_match_the_documents(every: dict[str, Process]) -> None:
    """Every metric has its row in docs/metrics.md, with its type and labels, and every row its metric."""
    known: Families = {name: (row.kind, set(row.labels) - OF_PEERS) for name, row in rows().items()}
    known = {name: of for name, of in known.items() if not name.startswith((*OF_HUB, *OF_TARGETS))}
    assert len(known) > 30
    found: Families = {}
    for process in every.values():
        for name, (kind, labels) in served(process.get("/metrics")[1]).items():
            found[name] = (kind, labels | found.get(name, (kind, set()))[1])
    assert {name: of for name, of in found.items() if name not in SOMETIMES} == {
        name: of for name, of in known.items() if name not in SOMETIMES
    }


@pytest.mark.parametrize("program", PROGRAMS)
def test_promtool_accepts_the_metrics(every: dict[str, Process], program: str) -> None:
    """Names, units and types follow the conventions (`promtool check metrics`)."""
    checked = promtool("check", "metrics", text=every[program].get("/metrics")[1])
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_the_counters_match_the_requests(every: dict[str, Process]) -> None:
    """Both sides of a path agree: what the prober sent has arrived."""
    tcp, udp, http, prober = every.values()
    where = f'target="127.0.0.1:{tcp.ports["TCP_PORT"]}"'
    success = f'smoker_probe_total{{outcome="success",probe="tcp",{where}}}'
    eventually("two rounds", lambda: (value(prober, "smoker_prober_rounds_total") or 0) >= 2)
    assert (value(prober, success) or 0) >= 2
    assert value(prober, success.replace("success", "timeout")) == 0
    assert (value(tcp, 'smoker_echo_connections_total{protocol="tcp"}') or 0) >= 2
    assert (value(tcp, 'smoker_echo_received_bytes_total{protocol="tcp"}') or 0) >= 2 * len("PING")
    assert (value(udp, 'smoker_echo_requests_total{protocol="udp"}') or 0) >= 2
    assert (value(udp, "smoker_echo_reflected_total") or 0) >= 10
    assert (value(http, 'smoker_echo_requests_total{protocol="http"}') or 0) >= 2
    assert (value(prober, 'smoker_probe_rtt_seconds_count{probe="udp"}') or 0) >= 2


def test_an_open_connection_counts_at_once(start: Start) -> None:
    """Connections and bytes are counted before a connection ends.

    Datagrams that are never answered count as refused.
    """
    tcp = start("smoker-tcp-echo", TCP_PORT=0)
    with socket.create_connection(("127.0.0.1", tcp.ports["TCP_PORT"]), timeout=10) as sock:
        sock.sendall(b"PING")
        assert sock.recv(10) == b"PING"
        assert value(tcp, 'smoker_echo_open_connections{protocol="tcp"}') == 1
        assert value(tcp, 'smoker_echo_sent_bytes_total{protocol="tcp"}') == 4
    eventually("it is closed", lambda: value(tcp, 'smoker_echo_open_connections{protocol="tcp"}') == 0)
    assert value(tcp, 'smoker_echo_sent_bytes_total{protocol="tcp"}') == 4
    assert value(tcp, 'smoker_echo_failed_total{protocol="tcp"}') == 0


@pytest.mark.parametrize(
    ("request_line", "reason"),
    [(b"GET /nowhere HTTP/1.1\r\n\r\n", "status_4xx"), (b"what is this\r\n\r\n", "malformed")],
)
def test_refused_http_requests_have_a_reason(start: Start, request_line: bytes, reason: str) -> None:
    """An unknown path is answered with 404; data that is not HTTP is no request."""
    http = start("smoker-http-echo", HTTP_PORT=0)
    with socket.create_connection(("127.0.0.1", http.ports["HTTP_PORT"]), timeout=10) as sock:
        sock.sendall(request_line.replace(b"\r\n\r\n", b"\r\nHost: x\r\n\r\n", 1))
        assert sock.recv(1000)
        assert value(http, f'smoker_echo_refused_total{{protocol="http",reason="{reason}"}}') == 1
    refused = [f'smoker_echo_refused_total{{protocol="http",reason="{each}"}}' for each in ("malformed", "status_4xx")]
    assert sum(value(http, series) or 0 for series in refused) == 1


def test_the_accept_header_selects_the_format(start: Start) -> None:
    """It gets OpenMetrics on request, else the text format, and cannot change anything."""
    tcp = start("smoker-tcp-echo", TCP_PORT=0)
    with socket.create_connection(("127.0.0.1", tcp.ports["ADMIN_PORT"]), timeout=10) as sock:
        asked = b"GET /metrics HTTP/1.0\r\nAccept: application/openmetrics-text; version=1.0.0\r\n\r\n"
        sock.sendall(asked)
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    assert b"application/openmetrics-text" in answer
    assert answer.endswith(b"# EOF\n")
    assert tcp.get("/metrics")[1].startswith("# HELP ")


def test_the_prober_counts_what_fails(start: Start) -> None:
    """A target that refuses is counted as refused, without an RTT and with a loss of 1."""
    closed = free_port()
    ports = {"TCP_PORT": closed, "UDP_PORT": closed, "HTTP_PORT": closed}
    prober = start("smoker-prober", "run", SERVER_HOST="127.0.0.1", NODE_NAME="n", TEST_INTERVAL=86400, **ports)
    where = f'target="127.0.0.1:{closed}"'
    assert value(prober, f'smoker_probe_total{{outcome="refused",probe="udp",{where}}}') == 1
    assert value(prober, f'smoker_probe_loss_ratio{{probe="udp",{where}}}') == 1
    assert value(prober, f'smoker_probe_last_rtt_seconds{{probe="udp",{where}}}') is None
    assert value(prober, f'smoker_probe_last_success_timestamp_seconds{{probe="tcp",{where}}}') is None
    assert value(prober, 'smoker_probe_duration_seconds_count{probe="tcp"}') == 0
