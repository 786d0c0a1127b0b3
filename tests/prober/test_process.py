"""The settings of the prober: the promised table, and mistakes."""

from __future__ import annotations

import dataclasses
import socket
from pathlib import Path
from typing import Any

import pytest

from smoker_common.peers import NamedPeer
from smoker_common.settings import declaration
from smoker_prober import round as rounds
from smoker_prober.config.plan import keys, value_of
from smoker_prober.config.service import service
from smoker_prober.config.targets import External
from smoker_prober.probes import ECHOED, PROBES
from smoker_prober.probes.followups import path_mtu, train
from smoker_prober.probes.followups.base import KeptFlow
from smoker_prober.settings import Settings, read
from tests.hosts import BAD, BAD_BY_IDNA, BAD_BY_NUMBER, GOOD

PROMISED: dict[str, Any] = {
    "SERVER_HOST": "smoker-server",
    "TCP_PORT": 8080,
    "UDP_PORT": 8081,
    "HTTP_PORT": 8082,
    "TEST_INTERVAL": 30,
    "TEST_TIMEOUT": 5,
    "STAMP_PORT": 8062,
    "PROBES": ("tcp", "udp", "http"),
    "UDP_PACKETS": 10,
    "MTU_INTERVAL": 30,
    "FLOWS": True,
    "TRACE": True,
    "KEPT_FLOW": True,
    "LATENCY": "network",
    "NODE_NAME": socket.gethostname(),
    "LOG_LEVEL": "INFO",
    "LOG_FORMAT": "text",
    "LISTEN_ADDRESS": (),
    "ADMIN_PORT": 9464,
    "LINGER": 0,
    "NETWORK": "pod",
    "CLUSTER_NAME": "",
    "PEERS": (),
    "DISCOVERY": "static",
    "NAMESPACE": "",
    "PEER_SERVICE": "smoker-prober",
    "PEER_HOST_SERVICE": "",
    "MESH_PEERS": 10,
    "PEER_TCP_PORT": 0,
    "PEER_UDP_PORT": 0,
    "PEER_HTTP_PORT": 0,
    "PEER_STAMP_PORT": 0,
    "PEER_BANDWIDTH_PORT": 0,
    "BANDWIDTH_LEASE": "",
    "MAX_CONNECTIONS": 512,
    "MAX_CONNECTIONS_PER_CLIENT": 128,
    "ANSWER_RATE": 2000,
    "ECHO_PORTS": (8062, 8081, 18062, 18081),
    "PROBE_API_SERVER": False,
    "DNS_NAME": "",
    "DNS_SERVICE": "",
    "DNS_NAMESPACE": "kube-system",
    "TARGETS": {},
    "CONFIG_FILE": "",
}


def by_variable(settings: Settings) -> dict[str, Any]:
    """The values of `settings` by the names of their variables."""
    process, plan = settings
    return {
        **{declaration(field).variable: getattr(process, field.name) for field in dataclasses.fields(process)},
        **{key.variable: value_of(plan, key.fields) for key in keys() if key.variable},
    }


def test_the_defaults_are_the_promised_ones() -> None:
    """In an empty environment every variable of the table has its default, and there is no other variable."""
    settings, problems = read({})
    assert (by_variable(settings), problems) == (PROMISED, [])


def test_every_variable_is_read(tmp_path: Path) -> None:
    """Each has its say; fractions of a second are allowed."""
    file = tmp_path / "plan.yaml"
    file.touch()
    wanted: dict[str, Any] = {
        "SERVER_HOST": "10.0.0.1",
        "TCP_PORT": 1,
        "UDP_PORT": 65535,
        "HTTP_PORT": 80,
        "TEST_INTERVAL": 0.5,
        "TEST_TIMEOUT": 0.25,
        "STAMP_PORT": 9,
        "PROBES": ("udp",),
        "UDP_PACKETS": 0,
        "MTU_INTERVAL": 0,
        "FLOWS": False,
        "TRACE": False,
        "KEPT_FLOW": False,
        "LATENCY": "duration",
        "NODE_NAME": "node-7",
        "LOG_LEVEL": "DEBUG",
        "LOG_FORMAT": "json",
        "LISTEN_ADDRESS": ("127.0.0.1", "::1"),
        "ADMIN_PORT": 9000,
        "LINGER": 2.5,
        "NETWORK": "host",
        "CLUSTER_NAME": "blue",
        "PEERS": (NamedPeer("node-8", "zone-b", "10.0.0.8", 9464), NamedPeer("node-9", "", "10.0.0.9", 9464)),
        "DISCOVERY": "endpointslice",
        "NAMESPACE": "net",
        "PEER_SERVICE": "lungs-prober",
        "PEER_HOST_SERVICE": "lungs-host",
        "MESH_PEERS": 0,
        "PEER_TCP_PORT": 18080,
        "PEER_UDP_PORT": 18081,
        "PEER_HTTP_PORT": 18082,
        "PEER_STAMP_PORT": 18062,
        "PEER_BANDWIDTH_PORT": 18063,
        "BANDWIDTH_LEASE": "lungs-bandwidth",
        "MAX_CONNECTIONS": 1_000_000,
        "MAX_CONNECTIONS_PER_CLIENT": 1,
        "ANSWER_RATE": 1,
        "ECHO_PORTS": (7, 9),
        "PROBE_API_SERVER": True,
        "DNS_NAME": "web.shop",
        "DNS_SERVICE": "dns-default",
        "DNS_NAMESPACE": "openshift-dns",
        "TARGETS": {"api": External("connect", "10.96.0.1", 443)},
        "CONFIG_FILE": str(file),
    }
    settings, problems = read(
        {name: ",".join(map(str, value)) if isinstance(value, tuple) else str(value) for name, value in wanted.items()}
        | {"PEERS": "node-8@zone-b=10.0.0.8:9464,node-9=10.0.0.9:9464", "TARGETS": "api=tcp://10.96.0.1:443"},
    )
    assert (by_variable(settings), problems) == (wanted, [])
    assert set(wanted) == set(PROMISED)


@pytest.mark.parametrize(
    ("variable", "text", "allowed"),
    [
        ("TEST_INTERVAL", "0", "a duration from 100ms to 1d, such as 500ms"),
        ("TEST_INTERVAL", "-5", "a duration from 100ms to 1d, such as 500ms"),
        ("TEST_INTERVAL", "30x", "a duration from 100ms to 1d, such as 500ms"),
        ("TEST_INTERVAL", "nan", "a duration from 100ms to 1d, such as 500ms"),
        ("TEST_INTERVAL", "inf", "a duration from 100ms to 1d, such as 500ms"),
        ("TEST_TIMEOUT", "0", "a duration from 1ms to 1h, such as 500ms"),
        ("TEST_TIMEOUT", "1e9", "a duration from 1ms to 1h, such as 500ms"),
        ("TCP_PORT", "0", "a whole number from 1 to 65535"),
        ("UDP_PORT", "65536", "a whole number from 1 to 65535"),
        ("HTTP_PORT", "80.0", "a whole number from 1 to 65535"),
        ("TCP_PORT", "tcp://10.0.0.1:8080", "a whole number from 1 to 65535 (a Service of that name sets it"),
        ("SERVER_HOST", "smoker server", "a host, which is a name"),
        ("SERVER_HOST", "x" * 254, "a host, which is a name"),
        ("ECHO_PORTS", "7,x", "a comma- or space-separated list of whole numbers from 1 to 65535"),
        ("ECHO_PORTS", "0", "a comma- or space-separated list of whole numbers from 1 to 65535"),
        ("ANSWER_RATE", "0", "a whole number from 1 to 10000000"),
        ("NODE_NAME", "node\n[NODE:forged]", "a name or an address without spaces"),
        ("LOG_FORMAT", "xml", "one of text, json"),
    ],
)
def test_a_mistake_is_reported_with_the_allowed_values(variable: str, text: str, allowed: str) -> None:
    """One problem, which names the variable and the range; the default stands in its place."""
    settings, problems = read({variable: text})
    assert len(problems) == 1
    assert problems[0].startswith(f"{variable}=")
    assert f" is not {allowed}" in problems[0]
    assert by_variable(settings) == PROMISED


def test_all_mistakes_at_once() -> None:
    """As many problems as mistakes, so that all are mended in one go."""
    wrong = dict.fromkeys(("TCP_PORT", "UDP_PORT", "HTTP_PORT", "TEST_INTERVAL", "TEST_TIMEOUT", "LOG_LEVEL"), "x")
    _settings, problems = read(wrong | {"NODE_NAME": "node-1"})
    assert sorted(problem.partition("=")[0] for problem in problems) == sorted(wrong)


def test_a_target_for_each_probe() -> None:
    """Every probe that there is has a target, each at its own port of the one host."""
    settings, _problems = read({"SERVER_HOST": "h", "TCP_PORT": "1", "UDP_PORT": "2", "HTTP_PORT": "3"})
    found = service(settings, "h")
    assert {target.probe: str(target) for target in found} == {"tcp": "h:1", "udp": "h:2", "http": "h:3"}
    assert [each for target in found for each in target.followups] == [
        train.Options(8062),
        path_mtu.Options(),
        KeptFlow(),
    ]
    alone, _problems = read({"PROBES": "http,tcp"})
    assert [target.probe for target in service(alone, "h")] == ["tcp", "http"]
    assert list(PROBES)[: len(ECHOED)] == [*ECHOED] == ["tcp", "udp", "http"]  # in the order of a round


def test_the_longest_round() -> None:
    """Each probe may take its whole timeout, large packets and flows too; a train its spread and one timeout more."""
    probes = {"TEST_TIMEOUT": "0.5", "TEST_INTERVAL": "2", "MTU_INTERVAL": "0", "FLOWS": "false", "KEPT_FLOW": "false"}
    assert rounds.longest(read(probes | {"UDP_PACKETS": "0"})[0].plan) == pytest.approx(1.5)
    assert rounds.longest(read(probes)[0].plan) == pytest.approx(1.5 + 0.4 + 0.5)
    assert rounds.longest(read(probes | {"MTU_INTERVAL": "30"})[0].plan) == pytest.approx(1.5 + 0.4 + 0.5 + 0.5)
    assert rounds.longest(read(probes | {"FLOWS": "true"})[0].plan) == pytest.approx(1.5 + 0.4 + 0.5 + 0.5)
    assert rounds.longest(read(probes | {"KEPT_FLOW": "true"})[0].plan) == pytest.approx(1.5 + 0.4 + 0.5 + 0.5)
    assert rounds.longest(read(probes | {"PROBES": "tcp,http"})[0].plan) == pytest.approx(1.0)


@pytest.mark.parametrize("text", [*BAD, *BAD_BY_IDNA, *BAD_BY_NUMBER], ids=ascii)
def test_an_invalid_server_host_is_refused(text: str) -> None:
    """One sentence names the variable, what it holds, what is allowed and what is wrong."""
    settings, problems = read({"SERVER_HOST": text})
    assert settings.plan.service.host == "smoker-server"
    assert len(problems) == 1
    assert problems[0].startswith(
        f"SERVER_HOST={text if len(text) <= 60 else text[:57] + '...'!r} is not a host, which is a name"
    )


@pytest.mark.parametrize(("text", "normal"), GOOD.items(), ids=ascii)
def test_a_server_host(text: str, normal: str) -> None:
    """It is kept in its normal form, and each probe has it."""
    settings, problems = read({"SERVER_HOST": text})
    assert (settings.plan.service.host, problems) == (normal, [])
    assert {target.host for target in service(settings, settings.plan.service.host)} == {normal}
