from __future__ import annotations

from typing import Any

import pytest

from .render import ALL, Helm

PORTS = {
    "tcp-echo": ("tcp-echo", "TCP", 8080),
    "udp-echo": ("udp-echo", "UDP", 8081),
    "stamp": ("udp-echo", "UDP", 8062),
    "http-echo": ("http-echo", "TCP", 8082),
}  # by name: the component, protocol and number
OTHER = {
    "tcpEcho": {"port": 18080},
    "udpEcho": {"port": 18081, "stampPort": 18062},
    "httpEcho": {"port": 18082},
}


def service(helm: Helm, values: dict[str, Any] | None = None) -> dict[str, Any]:
    return dict(helm.render(values).get("Service", "smoker-server")["spec"])


def test_ports(helm: Helm) -> None:
    """The Service has the ports of echoes and reflector by name, and targets the containers' ports by that name."""
    assert service(helm)["ports"] == [
        {"name": name, "port": number, "targetPort": name, "protocol": protocol}
        for name, (_, protocol, number) in PORTS.items()
    ]


@pytest.mark.parametrize(("values", "shift"), [({}, 0), (OTHER, 10000)])
def test_ports_agree(helm: Helm, values: dict[str, Any], shift: int) -> None:
    """Service, container port, the echo's own setting and the probers' have one number, set in one place."""
    release = helm.render(values)
    ports = {port["targetPort"]: port for port in service(helm, values)["ports"]}
    for name, (component, protocol, number) in PORTS.items():
        (own,) = (p for p in release.container(component)["ports"] if p["name"] == name)
        assert own == {"name": name, "containerPort": number + shift, "protocol": protocol}
        assert ports[name]["port"] == number + shift
        variable = f"{name.removesuffix('-echo').upper()}_PORT"
        for reader in (component, "prober", "test"):
            assert release.env(reader)[variable] == str(number + shift)


def test_port_names_are_unique(helm: Helm) -> None:
    """No two kinds of pods share the name of an echo port: requests would reach pods without this port."""
    release = helm.render()
    components = {component for component, _, _ in PORTS.values()}
    names = [p["name"] for c in components for p in release.container(c)["ports"] if p["name"] != "admin"]
    assert sorted(names) == sorted(PORTS)


def test_dual_stack(helm: Helm) -> None:
    """By default the Service has both address families if the cluster does, in the cluster's order."""
    assert service(helm)["ipFamilyPolicy"] == "PreferDualStack"
    assert "ipFamilies" not in service(helm)
    told = service(helm, {"service": {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6", "IPv4"]}})
    assert (told["ipFamilyPolicy"], told["ipFamilies"]) == ("RequireDualStack", ["IPv6", "IPv4"])


def test_annotations(helm: Helm) -> None:
    """service.annotations are added only to the echo Service, in addition to the common ones."""
    release = helm.render({**ALL, "extraObjects": []})
    for found in release.objects:
        annotations = found["metadata"]["annotations"]
        own = (found["kind"], found["metadata"]["name"]) == ("Service", "lungs-server")
        assert ("example.com/service" in annotations) == own
        assert "example.com/contact" in annotations


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tcpEcho": {"port": 8082}}, r"httpEcho\.port: must differ from tcpEcho\.port"),
        ({"adminPort": 8080}, r"tcpEcho\.port: must differ from adminPort"),
        ({"udpEcho": {"stampPort": 8081}}, r"udpEcho\.stampPort: must differ from udpEcho\.port"),
        ({"httpEcho": {"port": 9464}}, r"httpEcho\.port: must differ from adminPort"),
    ],
)
def test_ports_that_collide(helm: Helm, values: dict[str, Any], message: str) -> None:
    """Two TCP ports with one number are refused before installation, with the names of the values."""
    with pytest.raises(Exception, match=message):
        helm.render(values)


def test_tcp_and_udp_may_share_a_number(helm: Helm) -> None:
    """A TCP port and a UDP port may have one number, also the admin port's."""
    assert [p["port"] for p in service(helm, {"udpEcho": {"port": 8080}})["ports"]] == [8080, 8080, 8062, 8082]
    assert [p["port"] for p in service(helm, {"udpEcho": {"port": 9464}})["ports"]] == [8080, 9464, 8062, 8082]
