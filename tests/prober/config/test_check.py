"""The command `check`: its exit code, its mistakes, and a line for each part of the plan."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from smoker_prober.cli import command
from smoker_prober.config.plan import keys
from tests.conftest import BIN

Captured = pytest.CaptureFixture[str]
WHOLE = """\
interval: 1m
timeout: 500ms
service: {host: echoes.example, ports: {tcp: 1, udp: 2}, probes: [tcp, udp]}
mesh: {peers: 7, probes: [udp]}
probes: {udp: {packets: 3, mtuInterval: 2m, flows: true, keptFlow: true}}
dns: {name: kubernetes.default, replicas: {namespace: openshift-dns, service: dns-default}}
apiServer: true
targets:
  - {name: shop, url: "https://shop.example/health", interval: 1h, timeout: 9s}
  - {probe: http, host: web, http: {tls: true}}
"""
SHOWN = """\
every 1m, with 500ms for each probe:
  echo services echoes.example: tcp 1, udp 2
  peers: udp of 7 nodes
  after UDP: a train of 3 packets, a large packet every 2m
  flows after UDP: 16 source ports of a peer while packets are lost, a kept flow to the echo service
  after two failures in a row: a trace
  DNS: kubernetes.default, asked of the cluster's DNS and each pod of openshift-dns/dns-default
  the API server's certificate
  target shop: http shop.example:443 (every 1h, timeout 9s)
  target web:443: http web:443
"""
#: For each part of a plan that says what is probed, a plan that sets this part alone, and a line that only it has.
PARTS = {
    "interval": ("interval: 7s", "every 7s, with 5s for each probe:"),
    "timeout": ("timeout: 7s", "every 30s, with 7s for each probe:"),
    "service": ("service: {host: other}", "  echo services other: tcp 8080, udp 8081, http 8082"),
    "mesh": ("mesh: {peers: 0}", "  peers: tcp, udp, http of all nodes"),
    "bandwidth": ("bandwidth: {enabled: true}", "  bandwidth: one peer every 1h, at most 64 MiB or 1s each way"),
    "dns": ("dns: {name: web.shop}", "  DNS: web.shop, asked of the cluster's DNS"),
    "probes": (
        "probes: {udp: {packets: 0, mtuInterval: 0, flows: false, keptFlow: false}}",
        "  after UDP: no train, no large packet",
    ),
    "trace": ("trace: false", "  after two failures in a row: no trace"),
    "targets": ("targets: [{probe: connect, host: h, port: 7}]", "  target h:7: connect h:7"),
    "apiServer": ("apiServer: true", "  the API server's certificate"),
}
NOT_PROBED = {"latency", "logLevel"}  # say how results are shown


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without the variables that win over the file."""
    for variable in filter(None, (key.variable for key in keys())):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.delenv("BANDWIDTH_LEASE", raising=False)
    return monkeypatch


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "plan.yaml"


def shown(file: Path, text: str, capsys: Captured) -> list[str]:
    """The lines that the command prints about a file with this text, which has no mistake."""
    file.write_text(text)
    assert command(["check", str(file)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out.splitlines()


def test_a_valid_plan_is_summarized(file: Path, capsys: Captured) -> None:
    """Every part of the plan has its line on stdout, nothing is on stderr, and the exit code is 0."""
    assert shown(file, WHOLE, capsys) == SHOWN.splitlines()


@pytest.mark.parametrize("part", PARTS)
def test_each_part_is_shown(part: str, file: Path, capsys: Captured) -> None:
    """A plan that sets one part prints that part's line; the default plan does not have it."""
    text, line = PARTS[part]
    assert line in shown(file, text, capsys)
    assert line not in shown(file, "", capsys)


def test_no_part_is_left_out() -> None:
    """Each top-level key of a plan is a case of the test above, or concerns how results are shown."""
    assert {key.name.partition(".")[0] for key in keys()} == PARTS.keys() | NOT_PROBED


def test_bandwidth_needs_a_lease(file: Path, capsys: Captured, no_variables: pytest.MonkeyPatch) -> None:
    """Without a Lease no prober measures the bandwidth: the output names the variable that is missing."""
    missing = "    only where BANDWIDTH_LEASE names a Lease, which is unset here (in the chart: bandwidth.enabled)"
    assert missing in shown(file, "bandwidth: {enabled: true}", capsys)
    no_variables.setenv("BANDWIDTH_LEASE", "smoker-bandwidth")
    assert missing not in shown(file, "bandwidth: {enabled: true}", capsys)


def test_pods_without_a_name_to_look_up(file: Path, capsys: Captured) -> None:
    """DNS pods are queried only for a name: without one, the output shows no DNS."""
    assert shown(file, "dns: {replicas: {service: kube-dns}}", capsys) == shown(file, "", capsys)


def test_mistakes(file: Path, capsys: Captured) -> None:
    """Each mistake is one line on stderr with its line in the file, no plan is shown, and the exit code is 2."""
    file.write_text("intervall: 30s\ntimeout: 5d\n")
    assert command(["check", str(file)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert first == f"{file}:1: 'intervall' is not a key here; did you mean interval?"
    assert second.startswith(f"{file}:2: timeout: '5d' is not a duration")


def test_a_file_that_is_missing(file: Path, capsys: Captured) -> None:
    """The mistake names the file and the reason, with exit code 2."""
    assert command(["check", str(file)]) == 2
    assert capsys.readouterr() == ("", f"{file}: no such file or directory\n")


def test_overriding_variables_are_listed(file: Path, capsys: Captured, no_variables: pytest.MonkeyPatch) -> None:
    """The first line names the variables that win over the file; a wrong variable is a mistake, too."""
    no_variables.setenv("TEST_INTERVAL", "5")
    first, second, *_rest = shown(file, "interval: 1h", capsys)
    assert (first, second) == (
        "environment variables override the file: TEST_INTERVAL",
        "every 5s, with 5s for each probe:",
    )
    no_variables.setenv("TEST_INTERVAL", "x")
    assert command(["check", str(file)]) == 2
    assert capsys.readouterr().err.startswith("TEST_INTERVAL='x' is not a duration")


@pytest.mark.parametrize(
    ("text", "code", "out", "err"),
    [(WHOLE, 0, SHOWN, ""), ("mesh: [1]\n", 2, "", "stdin:1: mesh: this must be a map with the keys peers, probes\n")],
)
def test_standard_input(text: str, code: int, out: str, err: str) -> None:
    """`-` reads the plan from standard input, in a process of its own, and calls it stdin in mistakes."""
    ended = subprocess.run(
        [BIN / "smoker-prober", "check", "-"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, out, err)
