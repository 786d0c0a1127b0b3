"""In a namespace that denies everything by default, Smoker's own traffic gets through, and other traffic does not."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Any

import pytest

from .render import ALL, Helm, Object, Rendered
from .selection import pods, selects

ON = {"networkPolicy": {"enabled": True}}
ECHO = {"tcp-echo": ("TCP", 8080), "udp-echo": ("UDP", 8081), "http-echo": ("TCP", 8082)}


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod by its labels, or an address outside."""

    labels: dict[str, str] = field(default_factory=dict)
    namespace: dict[str, str] | None = None  # another namespace's labels; None: the release's own
    address: str = ""


STRANGER = End({"app": "stranger"})
DNS = End({"k8s-app": "kube-dns"}, {"kubernetes.io/metadata.name": "kube-system"})


def own(release: Rendered, component: str) -> End:
    return End(pods(release)[component]["metadata"]["labels"])


def is_peer(peer: Object, end: End) -> bool:
    if "ipBlock" in peer:
        network = ipaddress.ip_network(peer["ipBlock"]["cidr"])
        return bool(end.address) and ipaddress.ip_address(end.address) in network
    if end.address:
        return False
    if "namespaceSelector" in peer:
        inside = end.namespace is not None and selects(peer["namespaceSelector"], end.namespace)
    else:
        inside = end.namespace is None
    return inside and selects(peer.get("podSelector", {}), end.labels)


def passes(release: Rendered, source: End, target: End, protocol: str, port: int) -> bool:
    """Whether a new connection passes both ends, where all that no policy of the release allows is denied."""

    def allowed(direction: str, key: str, here: End, there: End) -> bool:
        if here.address or here.namespace is not None:
            return True  # not in this namespace: not ours to deny
        for policy in release.of_kind("NetworkPolicy"):
            spec = policy["spec"]
            if direction in spec["policyTypes"] and selects(spec["podSelector"], here.labels):
                for rule in spec.get(direction.lower(), []):
                    open_port = {"protocol": protocol, "port": port} in rule["ports"]
                    if open_port and (key not in rule or any(is_peer(peer, there) for peer in rule[key])):
                        return True
        return False

    return allowed("Egress", "to", source, target) and allowed("Ingress", "from", target, source)


@pytest.mark.parametrize("prober", ["prober", "test"])
def test_own_traffic(helm: Helm, prober: str) -> None:
    """Probers and the test pod reach every echo service on its port, and DNS."""
    release = helm.render(ON)
    for echo, (protocol, port) in ECHO.items():
        assert passes(release, own(release, prober), own(release, echo), protocol, port), echo
    assert passes(release, own(release, prober), own(release, "udp-echo"), "UDP", 8062)
    for protocol in ("UDP", "TCP"):
        for port in (53, 5353):
            assert passes(release, own(release, prober), DNS, protocol, port)


def test_ports_follow_the_values(helm: Helm) -> None:
    """The policies open the ports that the values say, and not the default ones."""
    release = helm.render({**ON, "udpEcho": {"port": 18081}, "adminPort": 19464})
    assert passes(release, own(release, "prober"), own(release, "udp-echo"), "UDP", 18081)
    assert not passes(release, own(release, "prober"), own(release, "udp-echo"), "UDP", 8081)
    assert passes(release, DNS, own(release, "udp-echo"), "TCP", 19464)


def test_others_stay_out(helm: Helm) -> None:
    """Pods of others and of other releases do not reach the echo services, and probers reach nothing else."""
    release, other = helm.render(ON), helm.render(ON, release="other")
    for echo, (protocol, port) in ECHO.items():
        for source in (STRANGER, own(other, "prober"), DNS, End(address="192.0.2.1")):
            assert not passes(release, source, own(release, echo), protocol, port)
        assert not passes(release, own(release, "prober"), own(other, echo), protocol, port)
        assert not passes(release, own(release, "prober"), End(address="192.0.2.1"), protocol, port)
    assert not passes(release, own(release, "prober"), own(release, "http-echo"), "TCP", 22)


@pytest.mark.parametrize("component", ["tcp-echo", "udp-echo", "http-echo", "prober"])
def test_admin_port(helm: Helm, component: str) -> None:
    """Anybody may ask a pod's admin port, unless adminFrom says who."""
    release = helm.render(ON)
    assert passes(release, DNS, own(release, component), "TCP", 9464)
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    release = helm.render({"networkPolicy": {"enabled": True, "adminFrom": [peer]}})
    assert passes(release, End({}, {"kubernetes.io/metadata.name": "monitoring"}), own(release, component), "TCP", 9464)
    assert not passes(release, DNS, own(release, component), "TCP", 9464)


def test_extra_peers(helm: Helm) -> None:
    """extraFrom lets others in to the echo services, extraTo lets probers out; both on the echo ports alone."""
    release = helm.render(ALL)
    guest = End({"app": "guest"}, {"kubernetes.io/metadata.name": "monitoring"})
    outside = End(address="192.0.2.7")
    assert passes(release, guest, own(release, "tcp-echo"), "TCP", 18080)
    assert passes(release, own(release, "prober"), outside, "UDP", 18081)
    assert not passes(release, own(release, "prober"), outside, "TCP", 443)
    assert not passes(release, own(release, "prober"), End(address="198.51.100.1"), "UDP", 18081)


def test_dns_ports(helm: Helm) -> None:
    """dnsPorts replaces the ports of DNS; without any, probers have no DNS."""
    for ports, port, open_port in (([53, 1053], 1053, True), ([53, 1053], 5353, False), ([], 53, False)):
        values: dict[str, Any] = {"networkPolicy": {"enabled": True, "dnsPorts": ports}}
        release = helm.render(values)
        assert passes(release, own(release, "prober"), DNS, "UDP", port) is open_port


def test_ports_are_numbers(helm: Helm) -> None:
    """Policies give ports as numbers: some network plugins do not know names in egress rules."""
    for policy in helm.render(ON).of_kind("NetworkPolicy"):
        rules = policy["spec"].get("ingress", []) + policy["spec"].get("egress", [])
        assert all(isinstance(port["port"], int) for rule in rules for port in rule["ports"])
