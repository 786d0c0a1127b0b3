"""In a namespace that denies everything by default, Smoker's own traffic gets through, and other traffic does not."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Any

import pytest

from .render import ALL, HOST, NO_MESH, Helm, HelmError, Object, Rendered, merged
from .selection import pods, selects

ON = {"networkPolicy": {"enabled": True}}
MESH = (("TCP", 8080), ("UDP", 8081), ("TCP", 8082), ("UDP", 8062))
ECHO = {"tcp-echo": ("TCP", 8080), "udp-echo": ("UDP", 8081), "http-echo": ("TCP", 8082)}


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod by its labels, or an address outside."""

    labels: dict[str, str] = field(default_factory=dict)
    namespace: dict[str, str] | None = None  # another namespace's labels; None: the release's own
    address: str = ""


STRANGER = End({"app": "stranger"})
DNS = End({"k8s-app": "kube-dns"}, {"kubernetes.io/metadata.name": "kube-system"})


API = End(address="192.0.2.10")
NODE = End(address="198.51.100.1")  # what a prober on the node's network comes from


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
                    open_port = not rule["ports"] or {"protocol": protocol, "port": port} in rule["ports"]
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


@pytest.mark.parametrize(("protocol", "port"), MESH)
def test_peers(helm: Helm, protocol: str, port: int) -> None:
    """Probers reach each other, and nobody else reaches them; without a mesh nobody does."""
    release, other = helm.render(ON), helm.render(ON, release="other")
    prober = own(release, "prober")
    assert passes(release, prober, prober, protocol, port)
    for stranger in (STRANGER, DNS, NODE, own(other, "prober"), own(release, "tcp-echo")):
        assert not passes(release, stranger, prober, protocol, port)
    assert not passes(helm.render({**ON, **NO_MESH}), prober, prober, protocol, port)


def test_peers_on_both_networks(helm: Helm) -> None:
    """What comes from a node's network has an address that no selector knows: then peers' ports and echoes are open."""
    release = helm.render({**ON, **HOST})
    for protocol, port in MESH:
        assert passes(release, NODE, own(release, "prober"), protocol, port)
        assert passes(release, own(release, "prober"), NODE, protocol, port + 10000)
        assert not passes(helm.render(ON), own(release, "prober"), NODE, protocol, port + 10000)
    for echo, (protocol, port) in ECHO.items():
        assert passes(release, NODE, own(release, echo), protocol, port)
        assert not passes(helm.render(ON), NODE, own(release, echo), protocol, port)


def test_the_nodes_addresses_can_be_said(helm: Helm) -> None:
    """With nodeCidrs only what has one of these addresses gets in, and probers go nowhere else for the nodes' plane."""
    release = helm.render({**HOST, "networkPolicy": {"enabled": True, "nodeCidrs": ["198.51.100.0/24", "fd77::/64"]}})
    elsewhere, prober = End(address="203.0.113.1"), own(release, "prober")
    for node in (NODE, End(address="fd77::1")):
        assert passes(release, node, prober, "TCP", 8080)
        assert passes(release, node, own(release, "tcp-echo"), "TCP", 8080)
        assert passes(release, prober, node, "TCP", 18080)
    assert not passes(release, elsewhere, prober, "TCP", 8080)
    assert not passes(release, elsewhere, own(release, "tcp-echo"), "TCP", 8080)
    assert not passes(release, prober, elsewhere, "TCP", 18080)


def test_the_mesh_is_asked(helm: Helm) -> None:
    """The test pod reaches the probers' admin ports on both networks, and theirs alone, even if adminFrom is narrow."""
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    release = helm.render({**HOST, "networkPolicy": {"enabled": True, "adminFrom": [peer]}})
    test = own(release, "test")
    assert passes(release, test, own(release, "prober"), "TCP", 9464)
    assert passes(release, test, NODE, "TCP", 19464)
    assert not passes(release, test, NODE, "TCP", 9464)
    assert not passes(release, own(release, "prober"), own(release, "prober"), "TCP", 9464)


def test_api_ports(helm: Helm) -> None:
    """apiPorts opens the way to the API server, which a mesh needs; without any, and without a mesh, there is none."""
    for ports, port, open_port in (
        ([443, 6443], 6443, True),
        ([443, 6443], 443, True),
        ([16443], 16443, True),
        ([16443], 6443, False),
        ([], 443, False),
    ):
        policy = {"networkPolicy": {"enabled": True, "apiPorts": ports}}
        release, off = helm.render(policy), helm.render({**policy, **NO_MESH})
        assert passes(release, own(release, "prober"), API, "TCP", port) is open_port
        assert not passes(off, own(off, "prober"), API, "TCP", port)


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
    release = helm.render({**ALL, "hostNetwork": {"enabled": False}})
    guest = End({"app": "guest"}, {"kubernetes.io/metadata.name": "monitoring"})
    outside = End(address="192.0.2.7")
    assert passes(release, guest, own(release, "tcp-echo"), "TCP", 18080)
    assert passes(release, own(release, "prober"), outside, "UDP", 18081)
    assert not passes(release, own(release, "prober"), outside, "TCP", 22)
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


def test_no_rule_without_ports(helm: Helm) -> None:
    """A list of ports that was emptied takes its rule with it: a rule without ports would open all of them."""
    empty: dict[str, Any] = {"enabled": True, "dnsPorts": [], "apiPorts": []}
    for values in (ON, {"networkPolicy": empty}, {"networkPolicy": empty, **HOST}, {"networkPolicy": empty, **NO_MESH}):
        for policy in helm.render(values).of_kind("NetworkPolicy"):
            rules = policy["spec"].get("ingress", []) + policy["spec"].get("egress", [])
            assert all(rule["ports"] for rule in rules)


@pytest.mark.parametrize("key", ["extraFrom", "extraTo", "adminFrom", "dnsPorts", "apiPorts", "nodeCidrs", ""])
@pytest.mark.parametrize("value", [[], None], ids=str)
def test_no_list_is_empty(helm: Helm, key: str, value: Any) -> None:
    """A value that is empty or null leaves no empty list in a rule: an empty one allows every peer or port."""
    policy = merged(ALL, {"networkPolicy": {key: value} if key else dict.fromkeys(ALL["networkPolicy"], value)})
    policy["networkPolicy"]["enabled"] = True
    if value == [] and key in ("nodeCidrs", ""):
        with pytest.raises(HelmError, match=r"networkPolicy[./]nodeCidrs"):
            helm.render(policy)
        policy["networkPolicy"]["nodeCidrs"] = None
    for rendered in helm.render(policy).of_kind("NetworkPolicy"):
        for rule in rendered["spec"].get("ingress", []) + rendered["spec"].get("egress", []):
            assert rule["ports"]
            assert all(rule[end] and all(rule[end]) for end in ("from", "to") if end in rule)


def test_further_targets(helm: Helm) -> None:
    """The port of each further target is open, by its number or its scheme's; without targets none is."""
    urls = {"api": "tcp://k.d.svc:6550", "web": "http://w/", "page": "https://p.example/x:7/", "v6": "http://[::1]/"}
    release = helm.render({**ON, "prober": {"targets": urls}})
    outside = End(address="203.0.113.7")
    for port in (6550, 80, 443):
        assert passes(release, own(release, "prober"), outside, "TCP", port), port
    assert not passes(release, own(release, "prober"), outside, "TCP", 7)
    assert not passes(helm.render(ON), own(release, "prober"), outside, "TCP", 80)
