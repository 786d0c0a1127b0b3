"""The chart's values and the services' settings are written twice; these tests compare them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import pytest

from smoker_common.settings import ServiceSettings, declaration, parse
from smoker_http_echo.settings import Settings as HttpEcho
from smoker_hub.settings import Settings as Hub
from smoker_prober.process import Process as Prober
from smoker_prober.settings import plan_variables, read
from smoker_tcp_echo.settings import Settings as TcpEcho
from smoker_udp_echo.settings import Settings as UdpEcho

from .render import HOST, Helm
from .schema import SCHEMA, entry

SETTINGS: dict[str, type[ServiceSettings]] = {
    "tcp-echo": TcpEcho,
    "udp-echo": UdpEcho,
    "http-echo": HttpEcho,
    "prober": Prober,
    "hub": Hub,
}
NUMBERS = [
    ("adminPort", "ADMIN_PORT", "tcp-echo", 1),
    ("tcpEcho.port", "TCP_PORT", "tcp-echo", 1),
    ("udpEcho.port", "UDP_PORT", "udp-echo", 1),
    ("udpEcho.stampPort", "STAMP_PORT", "udp-echo", 1),
    ("prober.udpPackets", "UDP_PACKETS", "prober", 1),
    ("prober.mtuIntervalSeconds", "MTU_INTERVAL", "prober", 0.01),
    ("httpEcho.port", "HTTP_PORT", "http-echo", 1),
    ("tcpEcho.log.rate", "LOG_RATE", "tcp-echo", 1),
    ("tcpEcho.idleTimeoutSeconds", "IDLE_TIMEOUT", "tcp-echo", 0.01),
    ("httpEcho.maxBodyBytes", "MAX_BODY_BYTES", "http-echo", 1),
    ("httpEcho.maxSpooledBytes", "MAX_SPOOLED_BYTES", "http-echo", 1),
    ("httpEcho.requestTimeoutSeconds", "REQUEST_TIMEOUT", "http-echo", 0.01),
    ("hub.port", "HTTP_PORT", "hub", 1),
    ("hub.intervalSeconds", "INTERVAL", "hub", 0.01),
    ("hub.history.retentionDays", "HISTORY_DAYS", "hub", 1),
    ("hub.history.maxSizeMiB", "HISTORY_MIB", "hub", 1),
    ("hub.timeoutSeconds", "TIMEOUT", "hub", 0.01),
    ("prober.intervalSeconds", "TEST_INTERVAL", "prober", 0.01),
    ("prober.timeoutSeconds", "TEST_TIMEOUT", "prober", 0.0001),
    ("mesh.peers", "MESH_PEERS", "prober", 1),
    ("mesh.answerRate", "ANSWER_RATE", "prober", 1),
    *(
        (f"{key}.{value}", variable, component, 1)
        for key, component in (("tcpEcho", "tcp-echo"), ("httpEcho", "http-echo"), ("mesh", "prober"))
        for value, variable in (
            ("maxConnections", "MAX_CONNECTIONS"),
            ("maxConnectionsPerClient", "MAX_CONNECTIONS_PER_CLIENT"),
        )
    ),
    ("udpEcho.answerRate", "ANSWER_RATE", "udp-echo", 1),
    ("hostNetwork.adminPort", "ADMIN_PORT", "prober", 1),
    ("bandwidth.port", "PEER_BANDWIDTH_PORT", "prober", 1),
    *(
        (f"{key}.ports.{what}", f"PEER_{what.upper()}_PORT", "prober", 1)
        for key in ("mesh", "hostNetwork")
        for what in ("tcp", "udp", "http", "stamp")
    ),
]
#: What the chart sets because there are pods that take over, peers and rights: a service by itself has none of them.
IN_A_CLUSTER = {"LINGER", "DISCOVERY", "NAMESPACE", *(f"PEER_{what}_PORT" for what in ("TCP", "UDP", "HTTP", "STAMP"))}
IN_A_CLUSTER |= {
    "CONFIG_FILE",
    "HISTORY_FOLDER",
    "WATCH_NODES",
    "PROBE_API_SERVER",
    "DNS_NAME",
    "DNS_SERVICE",
}  # a volume of the pod; a ClusterRole; its CA; its DNS
#: What no value sets: a pod listens on all its addresses, (not on the node's network), and the API server knows peers.
NO_VALUES = {"LISTEN_ADDRESS", "PEERS"}


def problems(component: str, variable: str, value: Any) -> Sequence[str]:
    """Return a service's complaints about a value."""
    given = {variable: str(value)}
    return read(given)[1] if component == "prober" else parse(SETTINGS[component], given)[1]


def settings_of(component: str, environ: Mapping[str, str]) -> Any:
    """Return all settings of a service."""
    return read(environ) if component == "prober" else parse(SETTINGS[component], environ)


def declared_by(component: str) -> set[str]:
    """Return the variables that a service reads."""
    own = {declaration(field).variable for field in fields(SETTINGS[component])}
    return own | ({each.variable for each, _default in plan_variables()} if component == "prober" else set())


@pytest.mark.parametrize("component", SETTINGS)
def test_defaults(helm: Helm, component: str) -> None:
    """The chart's default environment gives a service its own defaults, except for settings that a cluster needs."""
    given = {variable: text for variable, text in helm.render().env(component).items() if variable not in IN_A_CLUSTER}
    assert settings_of(component, given) == settings_of(component, {})


@pytest.mark.parametrize("component", SETTINGS)
def test_every_setting(helm: Helm, component: str) -> None:
    """The chart sets every variable that a service reads, except those that would override the plan."""
    planned = {each.variable for each, _default in plan_variables()} | {"LOG_LEVEL"} if component == "prober" else set()
    declared = declared_by(component) - planned
    given = {variable["name"] for variable in helm.render().container(component)["env"]}
    assert given == declared - NO_VALUES
    on_host = {variable["name"] for variable in helm.render(HOST).container("host")["env"]}
    assert component != "prober" or on_host == declared - {"PEERS"}


@pytest.mark.parametrize(("key", "variable", "component", "step"), NUMBERS)
def test_ranges(key: str, variable: str, component: str, step: float) -> None:
    """The schema accepts the same numbers as the service, and only ports from 1024, which need no privilege."""
    allowed = entry(key)
    low, high = allowed["minimum"], allowed["maximum"]
    assert not problems(component, variable, low)
    assert not problems(component, variable, high)
    assert problems(component, variable, high + step)
    if variable.endswith("_PORT"):
        assert low == 1024
    else:
        assert problems(component, variable, low - step)


@pytest.mark.parametrize("component", SETTINGS)
def test_linger(component: str) -> None:
    """Every service can linger for as long as the schema allows."""
    allowed = entry("lingerSeconds")
    assert not problems(component, "LINGER", allowed["minimum"])
    assert not problems(component, "LINGER", allowed["maximum"])


@pytest.mark.parametrize("component", SETTINGS)
def test_words(component: str) -> None:
    """Every service accepts each log level and format that the schema allows."""
    for key, variable in (("log.level", "LOG_LEVEL"), ("log.format", "LOG_FORMAT")):
        for word in entry(key)["enum"]:
            assert not problems(component, variable, word)
    assert SCHEMA["definitions"]["levelOrNone"]["enum"] == ["", *entry("log.level")["enum"]]
