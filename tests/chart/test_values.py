"""Each value reaches its place."""

from __future__ import annotations

from typing import Any

import pytest

from .render import ALL, ECHOES, HOST, NO_MESH, VALUES_KEY, WORKLOADS, Helm, HelmError, at, merged, nested
from .selection import selected

ECHO = {"ADMIN_PORT": "9464", "LOG_LEVEL": "INFO", "LOG_FORMAT": "text", "LOG_RATE": "20", "LINGER": "0"}
ROUND = {
    "ADMIN_PORT": "9464",
    "LOG_LEVEL": "INFO",
    "LOG_FORMAT": "text",
    "SERVER_HOST": "smoker-server",
    "TCP_PORT": "8080",
    "UDP_PORT": "8081",
    "HTTP_PORT": "8082",
    "STAMP_PORT": "8062",
    "TEST_INTERVAL": "30",
    "TEST_TIMEOUT": "5",
    "PROBES": "tcp,udp,http",
    "UDP_PACKETS": "10",
    "MTU_INTERVAL": "30",
    "FLOWS": "true",
    "TRACE": "true",
    "KEPT_FLOW": "true",
    "LATENCY": "network",
    "CONFIG_FILE": "/etc/smoker/plan/plan.yaml",
    "ECHO_PORTS": "18062,18081,8062,8081",
}
PROBER = {
    **ROUND,
    "LINGER": "5",
    "TARGETS": "",
    "PROBE_API_SERVER": "true",
    "DNS_NAME": "kubernetes.default",
    "DNS_SERVICE": "kube-dns",
    "DNS_NAMESPACE": "kube-system",
    "NETWORK": "pod",
    "CLUSTER_NAME": "",
    "DISCOVERY": "endpointslice",
    "NAMESPACE": "default",
    "PEER_SERVICE": "smoker-prober",
    "PEER_HOST_SERVICE": "",
    "MESH_PEERS": "10",
    "MAX_CONNECTIONS": "512",
    "MAX_CONNECTIONS_PER_CLIENT": "128",
    "ANSWER_RATE": "2000",
    "PEER_TCP_PORT": "8080",
    "PEER_UDP_PORT": "8081",
    "PEER_HTTP_PORT": "8082",
    "PEER_STAMP_PORT": "8062",
    "PEER_BANDWIDTH_PORT": "0",
    "BANDWIDTH_LEASE": "",
}
DEFAULT = {
    "tcp-echo": {
        **ECHO,
        "TCP_PORT": "8080",
        "IDLE_TIMEOUT": "30",
        "MAX_CONNECTIONS": "20000",
        "MAX_CONNECTIONS_PER_CLIENT": "15000",
    },
    "udp-echo": {
        **ECHO,
        "UDP_PORT": "8081",
        "STAMP_PORT": "8062",
        "ANSWER_RATE": "2000",
        "ECHO_PORTS": "18062,18081,8062,8081",
    },
    "http-echo": {
        **ECHO,
        "HTTP_PORT": "8082",
        "MAX_BODY_BYTES": "10485760",
        "MAX_SPOOLED_BYTES": "201326592",
        "REQUEST_TIMEOUT": "30",
        "MAX_CONNECTIONS": "1000",
        "MAX_CONNECTIONS_PER_CLIENT": "500",
    },
    "prober": PROBER,
    "test": ROUND,
    "hub": {
        "LOG_LEVEL": "INFO",
        "LOG_FORMAT": "text",
        "ADMIN_PORT": "9464",
        "LINGER": "0",
        "HTTP_PORT": "8083",
        "INTERVAL": "5",
        "TIMEOUT": "2",
        "NAMESPACE": "default",
        "CLUSTER_NAME": "",
        "PEER_SERVICE": "smoker-prober",
        "PEER_HOST_SERVICE": "",
        "PEER_ADMIN_PORT": "9464",
        "PEER_HOST_ADMIN_PORT": "19464",
        "WATCH_NODES": "true",
        "LEASE_NAME": "",
        "AUTH_FOLDER": "",
        "PROMETHEUS_URL": "",
        "HISTORY_FOLDER": "/data",
        "HISTORY_DAYS": "7",
        "HISTORY_MIB": "256",
        "EXTERNAL_URL": "",
        "NOTIFY": "",
    },
}
ON_HOST = {
    **PROBER,
    "ADMIN_PORT": "19464",
    "NETWORK": "host",
    "PEER_HOST_SERVICE": "smoker-host",
    "PEER_TCP_PORT": "18080",
    "PEER_UDP_PORT": "18081",
    "PEER_HTTP_PORT": "18082",
    "PEER_STAMP_PORT": "18062",
}
MESHES = ("mesh", "hostNetwork")  # the values of each plane's ports
SCHEDULING = ("nodeSelector", "tolerations", "affinity", "priorityClassName")


@pytest.mark.parametrize("component", DEFAULT)
def test_environment(helm: Helm, component: str) -> None:
    """A container's environment is exactly what its service reads; numbers are whole, not 1.048576e+07."""
    assert helm.render().env(component) == DEFAULT[component]


def test_environment_of_the_host(helm: Helm) -> None:
    """On the host network a prober has other network and port variables; pods learn where to find it."""
    release = helm.render(HOST)
    assert release.env("host") == ON_HOST
    assert release.env("prober") == {**PROBER, "PEER_HOST_SERVICE": "smoker-host"}
    assert release.env("test") == ROUND


def test_environment_without_a_mesh(helm: Helm) -> None:
    """Without a mesh a prober does not look for peers and answers on no port."""
    nowhere = {f"PEER_{what}_PORT": "0" for what in ("TCP", "UDP", "HTTP", "STAMP")}
    assert helm.render(NO_MESH).env("prober") == {
        **PROBER,
        **nowhere,
        "DISCOVERY": "static",
        "PROBE_API_SERVER": "false",  # its CA comes with the account's token
    }


@pytest.mark.parametrize(
    ("key", "value", "variable", "text", "components"),
    [
        ("adminPort", 19464, "ADMIN_PORT", "19464", DEFAULT),
        ("log.level", "TRACE", "LOG_LEVEL", "TRACE", DEFAULT),
        ("log.format", "json", "LOG_FORMAT", "json", DEFAULT),
        ("tcpEcho.log.level", "DEBUG", "LOG_LEVEL", "DEBUG", ["tcp-echo"]),
        ("udpEcho.log.level", "DEBUG", "LOG_LEVEL", "DEBUG", ["udp-echo"]),
        ("httpEcho.log.level", "DEBUG", "LOG_LEVEL", "DEBUG", ["http-echo"]),
        ("prober.log.level", "DEBUG", "LOG_LEVEL", "DEBUG", ["prober", "test"]),
        ("tcpEcho.log.rate", 0, "LOG_RATE", "0", ["tcp-echo"]),
        ("udpEcho.log.rate", 100000, "LOG_RATE", "100000", ["udp-echo"]),
        ("httpEcho.log.rate", 1, "LOG_RATE", "1", ["http-echo"]),
        ("tcpEcho.idleTimeoutSeconds", 0.5, "IDLE_TIMEOUT", "0.5", ["tcp-echo"]),
        ("httpEcho.requestTimeoutSeconds", 86400, "REQUEST_TIMEOUT", "86400", ["http-echo"]),
        ("httpEcho.maxBodyBytes", 1073741824, "MAX_BODY_BYTES", "1073741824", ["http-echo"]),
        ("httpEcho.maxSpooledBytes", 16777216, "MAX_SPOOLED_BYTES", "16777216", ["http-echo"]),
        ("prober.serverHost", "fd00::1", "SERVER_HOST", "fd00::1", ["prober"]),
        ("prober.intervalSeconds", 3600, "TEST_INTERVAL", "3600", ["prober", "test"]),
        ("udpEcho.stampPort", 18062, "STAMP_PORT", "18062", ["udp-echo", "prober", "test"]),
        ("prober.probes", ["tcp", "udp"], "PROBES", "tcp,udp", ["prober", "test"]),
        ("prober.udpPackets", 0, "UDP_PACKETS", "0", ["prober", "test"]),
        ("prober.mtuIntervalSeconds", 0, "MTU_INTERVAL", "0", ["prober", "test"]),
        ("prober.flows", False, "FLOWS", "false", ["prober", "test"]),
        ("prober.trace", False, "TRACE", "false", ["prober", "test"]),
        ("prober.keptFlow", False, "KEPT_FLOW", "false", ["prober", "test"]),
        ("prober.latency", "duration", "LATENCY", "duration", ["prober", "test"]),
        (
            "prober.targets",
            {"api": "tcp://k:443", "web": "http://w/"},
            "TARGETS",
            "api=tcp://k:443,web=http://w/",
            ["prober"],
        ),
        ("prober.probeApiServer", False, "PROBE_API_SERVER", "false", ["prober"]),
        ("dns.name", "", "DNS_NAME", "", ["prober"]),
        ("dns.name", "example.org.", "DNS_NAME", "example.org.", ["prober"]),
        ("dns.replicas.service", "", "DNS_SERVICE", "", ["prober"]),
        ("dns.replicas.service", "dns-default", "DNS_SERVICE", "dns-default", ["prober"]),
        ("dns.replicas.namespace", "openshift-dns", "DNS_NAMESPACE", "openshift-dns", ["prober"]),
        ("mesh.peers", 0, "MESH_PEERS", "0", ["prober"]),
        ("mesh.maxConnections", 1, "MAX_CONNECTIONS", "1", ["prober"]),
        ("mesh.maxConnectionsPerClient", 1, "MAX_CONNECTIONS_PER_CLIENT", "1", ["prober"]),
        ("tcpEcho.maxConnections", 1_000_000, "MAX_CONNECTIONS", "1000000", ["tcp-echo"]),
        ("tcpEcho.maxConnectionsPerClient", 7, "MAX_CONNECTIONS_PER_CLIENT", "7", ["tcp-echo"]),
        ("httpEcho.maxConnections", 1_000_000, "MAX_CONNECTIONS", "1000000", ["http-echo"]),
        ("httpEcho.maxConnectionsPerClient", 7, "MAX_CONNECTIONS_PER_CLIENT", "7", ["http-echo"]),
        ("mesh.answerRate", 100, "ANSWER_RATE", "100", ["prober"]),
        ("udpEcho.answerRate", 10_000_000, "ANSWER_RATE", "10000000", ["udp-echo"]),
        ("mesh.ports.tcp", 28080, "PEER_TCP_PORT", "28080", ["prober"]),
        ("mesh.ports.udp", 28081, "PEER_UDP_PORT", "28081", ["prober"]),
        ("mesh.ports.http", 28082, "PEER_HTTP_PORT", "28082", ["prober"]),
        ("mesh.ports.stamp", 28062, "PEER_STAMP_PORT", "28062", ["prober"]),
        ("lingerSeconds", 0, "LINGER", "0", ["prober"]),
        ("prober.timeoutSeconds", 0.25, "TEST_TIMEOUT", "0.25", ["prober", "test"]),
    ],
)
def test_settings(helm: Helm, key: str, value: Any, variable: str, text: str, components: Any) -> None:
    """A setting reaches exactly the variables of its services, apart from variables made of several settings."""
    release = helm.render(nested(key, value))
    for component, default in DEFAULT.items():
        changed = {variable: text} if component in components else {}
        assert but_echo_ports(release.env(component)) == but_echo_ports({**default, **changed})


@pytest.mark.parametrize(
    ("key", "value", "changed"),
    [
        ("adminPort", 29464, {}),
        ("hostNetwork.adminPort", 29464, {"ADMIN_PORT": "29464"}),
        ("hostNetwork.ports.tcp", 38080, {"PEER_TCP_PORT": "38080"}),
        ("hostNetwork.ports.udp", 38081, {"PEER_UDP_PORT": "38081"}),
        ("hostNetwork.ports.http", 38082, {"PEER_HTTP_PORT": "38082"}),
        ("hostNetwork.ports.stamp", 38062, {"PEER_STAMP_PORT": "38062"}),
        ("mesh.ports.tcp", 28080, {}),
        ("mesh.peers", 3, {"MESH_PEERS": "3"}),
        ("prober.intervalSeconds", 10, {"TEST_INTERVAL": "10"}),
    ],
)
def test_settings_of_the_host(helm: Helm, key: str, value: Any, changed: dict[str, str]) -> None:
    """The prober on the host network has its own ports; its other settings equal those of the prober in pods."""
    env = helm.render(merged(HOST, nested(key, value))).env("host")
    assert but_echo_ports(env) == but_echo_ports({**ON_HOST, **changed})


def but_echo_ports(env: dict[str, str]) -> dict[str, str]:
    """Return the environment without ECHO_PORTS, which combines several values, and without the hub's target ports."""
    return {name: text for name, text in env.items() if name not in ("ECHO_PORTS", "PEER_ADMIN_PORT")}


@pytest.mark.parametrize("number", range(6))
def test_echo_ports(helm: Helm, number: int) -> None:
    """All that send or answer datagrams know the UDP ports of every echo and reflector of the release."""
    keys = ["udpEcho.port", "udpEcho.stampPort", *(f"{at}.ports.{of}" for at in MESHES for of in ("udp", "stamp"))]
    defaults = [8081, 8062, 8081, 8062, 18081, 18062]
    release = helm.render(merged(HOST, nested(keys[number], 30000)))
    expected = {30000, *defaults[:number], *defaults[number + 1 :]}
    for component in ("udp-echo", "prober", "host", "test"):
        assert {int(port) for port in release.env(component)["ECHO_PORTS"].split(",")} == expected


def test_own_names(helm: Helm) -> None:
    """Probers and the test pod get their node's name from Kubernetes."""
    node = {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    for component in ("prober", "host", "test"):
        assert node in helm.render(HOST).container(component)["env"]


@pytest.mark.parametrize("component", WORKLOADS)
def test_images(helm: Helm, component: str) -> None:
    """An image is registry, name, tag and digest; the tag is the component's, else imageTag, else the appVersion."""
    key = VALUES_KEY[component]
    name = f"smoker-{component}"
    digest = "sha256:" + "a" * 64
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, f"{name}:dev"),
        ({"imageTag": "1.0"}, f"{name}:1.0"),
        ({"imageRegistry": "[::1]:5000/team"}, f"[::1]:5000/team/{name}:dev"),
        ({"imageRegistry": "registry.example/"}, f"registry.example/{name}:dev"),
        ({"imageTag": "1.0", key: {"image": {"tag": "1.1"}}}, f"{name}:1.1"),
        ({key: {"image": {"name": "echo", "digest": digest}}}, f"echo:dev@{digest}"),
    ]
    for values, image in cases:
        assert helm.render(values).container(component)["image"] == image


@pytest.mark.parametrize("component", DEFAULT)
def test_pulling(helm: Helm, component: str) -> None:
    """Pull policy and secrets reach every pod."""
    assert helm.render().container(component)["imagePullPolicy"] == "IfNotPresent"
    assert helm.render(ALL).container(component)["imagePullPolicy"] == "Always"
    assert helm.render(ALL).pod(component)["spec"]["imagePullSecrets"] == [
        {"name": "pull-secret"},
        {"name": "parent-secret"},
    ]


@pytest.mark.parametrize("component", DEFAULT)
def test_scheduling(helm: Helm, component: str) -> None:
    """Scheduling values reach their pods unchanged; a node selector is added to the default one."""
    values = ALL[VALUES_KEY.get(component, component)]
    spec = helm.render(ALL).pod(component)["spec"]
    for field in SCHEDULING[1:]:
        assert spec[field] == values[field]
    assert spec["nodeSelector"] == {"kubernetes.io/os": "linux", **values["nodeSelector"]}
    assert spec.get("topologySpreadConstraints") == values.get("topologySpreadConstraints")


@pytest.mark.parametrize("component", DEFAULT)
def test_empty_values_leave_fields_out(helm: Helm, component: str) -> None:
    """Optional fields of a pod are absent if their value is empty; null removes single keys of a default map."""
    key = VALUES_KEY.get(component, component)
    empty: dict[str, Any] = {
        "nodeSelector": {"kubernetes.io/os": None},
        "tolerations": [],
        "affinity": {},
        "priorityClassName": "",
    }
    spec = helm.render({key: empty}).pod(component)["spec"]
    assert not set(SCHEDULING) & set(spec)


@pytest.mark.parametrize("component", ECHOES)
def test_replicas_spread_over_nodes(helm: Helm, component: str) -> None:
    """By default replicas run on different nodes if possible. So an echo survives the end of one node."""
    key = VALUES_KEY[component]
    (spread,) = helm.render({key: {"replicas": 2}}).pod(component)["spec"]["topologySpreadConstraints"]
    assert selected(spread.pop("labelSelector"), helm.render()) == {component}
    assert spread == {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}


@pytest.mark.parametrize("component", ECHOES)
def test_disruption_budget(helm: Helm, component: str) -> None:
    """A drain evicts several replicas one at a time; the budget selects only their pods."""
    (budget,) = helm.render({VALUES_KEY[component]: {"replicas": 2}}).of_kind("PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1
    assert selected(budget["spec"]["selector"], helm.render()) == {component}


@pytest.mark.parametrize("component", ECHOES)
def test_replicas(helm: Helm, component: str) -> None:
    """An echo service has one pod by default; none is possible, too."""
    assert helm.render().component(component)["spec"]["replicas"] == 1
    for number in (0, 3):
        release = helm.render({VALUES_KEY[component]: {"replicas": number}})
        assert release.component(component)["spec"]["replicas"] == number


def test_update_strategy(helm: Helm) -> None:
    """Probers are replaced a quarter at a time; OnDelete does not inherit what only RollingUpdate has."""
    spec = helm.render().component("prober")["spec"]
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%"}}
    told = helm.render({"prober": {"updateStrategy": {"type": "OnDelete"}}}).component("prober")["spec"]
    assert told["updateStrategy"] == {"type": "OnDelete"}


@pytest.mark.parametrize("component", DEFAULT)
def test_extra_environment(helm: Helm, component: str) -> None:
    """extraEnv comes last in its own pods, unchanged; the probers' extraEnv reaches the test pod, too."""
    extra = at(ALL, f"{VALUES_KEY.get(component, 'prober')}.extraEnv")
    assert helm.render(ALL).container(component)["env"][-len(extra) :] == extra


@pytest.mark.parametrize(
    ("key", "variable"),
    [
        ("tcpEcho", "TCP_PORT"),
        ("udpEcho", "LOG_LEVEL"),
        ("httpEcho", "LINGER"),
        ("prober", "NODE_NAME"),
        ("prober", "PEER_TCP_PORT"),
    ],
)
def test_extra_environment_sets_nothing_twice(helm: Helm, key: str, variable: str) -> None:
    """A variable that the chart sets itself is refused in extraEnv, by name."""
    with pytest.raises(HelmError, match=rf"{key}\.extraEnv: {variable} is set by the chart"):
        helm.render({key: {"extraEnv": [{"name": variable, "value": "1"}]}})


def test_ports_that_the_hub_asks(helm: Helm) -> None:
    """The hub reads the probers' admin ports, also changed ones, on one network or both."""
    env = helm.render({"adminPort": 9000, "hostNetwork": {"enabled": True, "adminPort": 9001}}, release="lungs").env(
        "hub"
    )
    assert (env["PEER_SERVICE"], env["PEER_ADMIN_PORT"]) == ("lungs-prober", "9000")
    assert (env["PEER_HOST_SERVICE"], env["PEER_HOST_ADMIN_PORT"]) == ("lungs-host", "9001")
