"""In a namespace that denies everything by default, Smoker's own traffic passes, and other traffic does not."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Any

import pytest

from smoker_prober.probes import trace

from .render import ALL, HOST, NO_MESH, Helm, HelmError, Object, Rendered, merged, strings
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
    """Return whether a new connection passes at both ends, if all traffic is denied that no policy allows."""

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
def test_only_probers_reach_probers(helm: Helm, protocol: str, port: int) -> None:
    """Probers reach each other, and nothing else reaches them; without a mesh nothing does."""
    release, other = helm.render(ON), helm.render(ON, release="other")
    prober = own(release, "prober")
    assert passes(release, prober, prober, protocol, port)
    for stranger in (STRANGER, DNS, NODE, own(other, "prober"), own(release, "tcp-echo")):
        assert not passes(release, stranger, prober, protocol, port)
    assert not passes(helm.render({**ON, **NO_MESH}), prober, prober, protocol, port)


def test_peers_on_both_networks(helm: Helm) -> None:
    """With the host network, the ports of peers and echoes are open to all: no selector matches a node's address."""
    release = helm.render({**ON, **HOST})
    for protocol, port in MESH:
        assert passes(release, NODE, own(release, "prober"), protocol, port)
        assert passes(release, own(release, "prober"), NODE, protocol, port + 10000)
        assert not passes(helm.render(ON), own(release, "prober"), NODE, protocol, port + 10000)
    for echo, (protocol, port) in ECHO.items():
        assert passes(release, NODE, own(release, echo), protocol, port)
        assert not passes(helm.render(ON), NODE, own(release, echo), protocol, port)


def test_node_addresses_can_be_given(helm: Helm) -> None:
    """With nodeCidrs only these addresses get in, and probers reach only these on the host network."""
    release = helm.render({**HOST, "networkPolicy": {"enabled": True, "nodeCidrs": ["198.51.100.0/24", "fd77::/64"]}})
    elsewhere, prober = End(address="203.0.113.1"), own(release, "prober")
    for node in (NODE, End(address="fd77::1")):
        assert passes(release, node, prober, "TCP", 8080)
        assert passes(release, node, own(release, "tcp-echo"), "TCP", 8080)
        assert passes(release, prober, node, "TCP", 18080)
    assert not passes(release, elsewhere, prober, "TCP", 8080)
    assert not passes(release, elsewhere, own(release, "tcp-echo"), "TCP", 8080)
    assert not passes(release, prober, elsewhere, "TCP", 18080)


def test_the_test_pod_may_read_the_probers(helm: Helm) -> None:
    """The test pod and the probers reach the probers' admin ports on both networks, however narrow adminFrom is."""
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    release = helm.render({**HOST, "networkPolicy": {"enabled": True, "adminFrom": [peer]}})
    other = helm.render(release="other")
    for asks in ("test", "prober"):
        assert passes(release, own(release, asks), own(release, "prober"), "TCP", 9464)
        assert passes(release, own(release, asks), NODE, "TCP", 19464)
        assert not passes(release, own(release, asks), NODE, "TCP", 9464)
    for stranger in (STRANGER, DNS, own(other, "prober"), own(release, "tcp-echo")):
        assert not passes(release, stranger, own(release, "prober"), "TCP", 9464)


def test_probers_on_the_host_network_may_read_the_probers(helm: Helm) -> None:
    """With nodeCidrs the probers on the host network reach admin ports.

    A range of all addresses does not widen adminFrom.
    """
    policy: dict[str, Any] = {"enabled": True, "adminFrom": [{"podSelector": {"matchLabels": {"app": "prometheus"}}}]}
    for cidrs, open_port in ((["198.51.100.0/24"], True), (ANY, False)):
        release = helm.render({**HOST, "networkPolicy": {**policy, "nodeCidrs": cidrs}})
        assert passes(release, NODE, own(release, "prober"), "TCP", 9464) is open_port
        assert passes(release, NODE, own(release, "tcp-echo"), "TCP", 9464) is open_port
        assert not passes(release, End(address="203.0.113.1"), own(release, "prober"), "TCP", 9464)


ANY = ["0.0.0.0/0", "::/0"]


@pytest.mark.parametrize("cidrs", [ANY, ["::/0", "192.0.2.0/24", "0.0.0.0/0"], ["0::/0", "1.2.3.4/0"]], ids=str)
def test_a_rule_for_any_address_has_no_ip_block(helm: Helm, cidrs: list[str]) -> None:
    """A range of all addresses renders a rule without peers: on Cilium no ipBlock matches a node."""
    values = {**HOST, "networkPolicy": {"enabled": True, "nodeCidrs": cidrs, "apiCidrs": cidrs}}
    release = helm.render(values)
    assert "ipBlock" not in set(strings(release.objects))
    assert release.objects == helm.render({**HOST, **ON}).objects
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in release.of_kind("NetworkPolicy")}
    assert [set(rule) for rule in policies["smoker-server"]["ingress"]] == [{"ports"}, {"ports", "from"}]
    (hosts,) = (r for r in policies["smoker-prober"]["egress"] if {"protocol": "TCP", "port": 18080} in r["ports"])
    assert "to" not in hosts


def test_one_family_alone_is_not_any_address(helm: Helm) -> None:
    """A range of all addresses of one family does not open the other family."""
    release = helm.render(
        {**HOST, "networkPolicy": {"enabled": True, "nodeCidrs": ["0.0.0.0/0"], "apiCidrs": ["::/0"]}}
    )
    prober, six = own(release, "prober"), End(address="2001:db8::1")
    assert passes(release, NODE, prober, "TCP", 8080)
    assert not passes(release, six, prober, "TCP", 8080)
    assert passes(release, prober, six, "TCP", 6443)
    assert not passes(release, prober, API, "TCP", 6443)


def test_nodes_do_not_matter_without_host_network(helm: Helm) -> None:
    """Without hostNetwork the default ranges of nodes open nothing."""
    release = helm.render(ON)
    for end in (NODE, STRANGER):
        assert not passes(release, end, own(release, "tcp-echo"), "TCP", 8080)
        assert not passes(release, end, own(release, "prober"), "TCP", 8080)


def test_api_cidrs(helm: Helm) -> None:
    """With apiCidrs probers reach the API server's ports there and nowhere else."""
    release = helm.render({"networkPolicy": {"enabled": True, "apiCidrs": ["192.0.2.8/29", "fd79::1/128"]}})
    prober = own(release, "prober")
    assert passes(release, prober, API, "TCP", 6443)
    assert passes(release, prober, End(address="fd79::1"), "TCP", 443)
    for elsewhere in (NODE, End(address="fd79::2")):
        assert not passes(release, prober, elsewhere, "TCP", 6443)


@pytest.mark.parametrize("echo", ECHO)
def test_echoes_have_no_egress(helm: Helm, echo: str) -> None:
    """An echo service starts no connection: no egress rule allows one, not even to the DNS."""
    for values in (ON, {**HOST, **ON}, ALL):
        release = helm.render(values)
        for target in (own(release, "prober"), STRANGER, DNS, API, NODE):
            for protocol, port in (("TCP", 443), ("UDP", 53), ("TCP", 8080), ("UDP", 8081), ("TCP", 9464)):
                assert not passes(release, own(release, echo), target, protocol, port)


def test_api_ports(helm: Helm) -> None:
    """apiPorts allows egress to the API server, which a mesh needs; without ports or without a mesh it is closed."""
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
    """The policies open the ports of the values and not the default ones."""
    release = helm.render({**ON, "udpEcho": {"port": 18081}, "adminPort": 19464})
    assert passes(release, own(release, "prober"), own(release, "udp-echo"), "UDP", 18081)
    assert not passes(release, own(release, "prober"), own(release, "udp-echo"), "UDP", 8081)
    monitoring = {"networkPolicy": {"enabled": True, "adminFrom": [{"namespaceSelector": {}}]}, "adminPort": 19464}
    assert passes(helm.render(monitoring), DNS, own(release, "udp-echo"), "TCP", 19464)


def test_other_pods_are_denied(helm: Helm) -> None:
    """Other pods and other releases do not reach the echo services, and probers reach nothing else."""
    release, other = helm.render(ON), helm.render(ON, release="other")
    for echo, (protocol, port) in ECHO.items():
        for source in (STRANGER, own(other, "prober"), DNS, End(address="192.0.2.1")):
            assert not passes(release, source, own(release, echo), protocol, port)
        assert not passes(release, own(release, "prober"), own(other, echo), protocol, port)
        assert not passes(release, own(release, "prober"), End(address="192.0.2.1"), protocol, port)
    assert not passes(release, own(release, "prober"), own(release, "http-echo"), "TCP", 22)


@pytest.mark.parametrize("component", ["tcp-echo", "udp-echo", "http-echo", "prober"])
def test_admin_port(helm: Helm, component: str) -> None:
    """The hub, the probers and the test pod may read the probers; other clients only if adminFrom names them."""
    release = helm.render(ON)
    for reader in ("hub", "test", "prober") if component == "prober" else ():
        assert passes(release, own(release, reader), own(release, component), "TCP", 9464)
    for stranger in (DNS, STRANGER, NODE, own(release, "tcp-echo"), own(helm.render(ON, release="other"), "hub")):
        assert not passes(release, stranger, own(release, component), "TCP", 9464)
    everybody = helm.render({"networkPolicy": {"enabled": True, "adminFrom": [{"namespaceSelector": {}}]}})
    assert passes(everybody, DNS, own(everybody, component), "TCP", 9464)
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    release = helm.render({"networkPolicy": {"enabled": True, "adminFrom": [peer]}})
    assert passes(release, End({}, {"kubernetes.io/metadata.name": "monitoring"}), own(release, component), "TCP", 9464)
    assert not passes(release, DNS, own(release, component), "TCP", 9464)


def test_extra_peers(helm: Helm) -> None:
    """extraFrom opens the echo services to others, extraTo opens other targets to probers.

    Both only on the echo ports.
    """
    release = helm.render({**ALL, "hostNetwork": {"enabled": False}})
    guest = End({"app": "guest"}, {"kubernetes.io/metadata.name": "monitoring"})
    outside = End(address="192.0.2.7")
    assert passes(release, guest, own(release, "tcp-echo"), "TCP", 18080)
    assert passes(release, own(release, "prober"), outside, "UDP", 18081)
    assert not passes(release, own(release, "prober"), outside, "TCP", 22)
    assert not passes(release, own(release, "prober"), End(address="198.51.100.1"), "UDP", 18081)


def test_dns_ports(helm: Helm) -> None:
    """dnsPorts replaces the DNS ports; without any, probers cannot reach the DNS."""
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
    """An empty list of ports removes its rule: a rule without ports would open all of them."""
    empty: dict[str, Any] = {"enabled": True, "dnsPorts": [], "apiPorts": []}
    for values in (ON, {"networkPolicy": empty}, {"networkPolicy": empty, **HOST}, {"networkPolicy": empty, **NO_MESH}):
        for policy in helm.render(values).of_kind("NetworkPolicy"):
            rules = policy["spec"].get("ingress", []) + policy["spec"].get("egress", [])
            assert all(rule["ports"] for rule in rules)


@pytest.mark.parametrize(
    "key", ["extraFrom", "extraTo", "adminFrom", "dnsPorts", "apiPorts", "apiCidrs", "nodeCidrs", ""]
)
@pytest.mark.parametrize("value", [[], None], ids=str)
def test_no_list_of_the_policy_is_empty(helm: Helm, key: str, value: Any) -> None:
    """An empty or null value leaves no empty list in a rule, because an empty list allows every peer or port."""
    policy = merged(ALL, {"networkPolicy": {key: value} if key else dict.fromkeys(ALL["networkPolicy"], value)})
    policy["networkPolicy"]["enabled"] = True
    if value == [] and key in ("apiCidrs", "nodeCidrs", ""):
        with pytest.raises(HelmError, match=rf"networkPolicy[./]{key or 'nodeCidrs'}"):
            helm.render(policy)
        policy["networkPolicy"] |= {"apiCidrs": None, "nodeCidrs": None}
    for rendered in helm.render(policy).of_kind("NetworkPolicy"):
        for rule in rendered["spec"].get("ingress", []) + rendered["spec"].get("egress", []):
            assert rule["ports"]
            assert all(rule[end] and all(rule[end]) for end in ("from", "to") if end in rule)


def test_further_targets(helm: Helm) -> None:
    """The port of each target is open, by its number or its scheme's port; without targets none is."""
    urls = {"api": "tcp://k.d.svc:6550", "web": "http://w/", "page": "tls://p.example", "v6": "http://[::1]/"}
    urls |= {
        "path": "https://p.example/x:7/",
        "cert": "tls://p.example:6551?serverName=x.example",
        "chat": "wss://p.example/x",
    }
    release = helm.render({**ON, "prober": {"targets": urls}})
    outside = End(address="203.0.113.7")
    for port in (6550, 6551, 80, 443):
        assert passes(release, own(release, "prober"), outside, "TCP", port), port
    assert not passes(release, own(release, "prober"), outside, "TCP", 7)
    servers = {"ns": "dns://192.0.2.1:5300/x.example", "own": "dns:///x.example"}
    release = helm.render(merged(ON, {"prober": {"targets": servers}, "networkPolicy": {"dnsPorts": []}}))
    for transport, port in (("UDP", 5300), ("TCP", 5300), ("UDP", 53)):
        assert passes(release, own(release, "prober"), outside, transport, port), port
    assert not passes(release, own(release, "prober"), outside, "UDP", 80)
    assert not passes(helm.render(ON), own(release, "prober"), outside, "TCP", 80)


@pytest.mark.parametrize(
    "prober",
    [
        {"targets": {"ns": "dns://192.0.2.1/x.example?type=A&transport=tls"}},
        {"targets": {"ns": {"probe": "dns", "host": "192.0.2.1", "dns": {"transport": "tls"}}}},
        {
            "targets": {"ns": {"probe": "dns", "host": "192.0.2.1"}},
            "config": {"probes": {"dns": {"transport": "tls"}}},
        },
        {"targets": {"ns": {"url": "dns://192.0.2.1/x.example", "dns": {"transport": "tls"}}}},
        {"targets": {"ns": "dns://192.0.2.1/x.example"}, "config": {"probes": {"dns": {"transport": "tls"}}}},
    ],
    ids=["by URL", "by its options", "by those of all", "of a URL by its options", "of a URL by those of all"],
)
def test_dns_over_tls(helm: Helm, prober: dict[str, Any]) -> None:
    """A server over TLS without a port is reached at 853, not at 53."""
    release = helm.render(merged(ON, {"prober": prober, "networkPolicy": {"dnsPorts": []}}))
    outside = End(address="203.0.113.7")
    assert passes(release, own(release, "prober"), outside, "TCP", 853)
    assert not passes(release, own(release, "prober"), outside, "TCP", 53)


@pytest.mark.parametrize(
    ("target", "open_"),
    [
        ("dns://192.0.2.1/x.example", {"UDP", "TCP"}),
        ("dns://192.0.2.1/x.example?transport=tcp", {"TCP"}),
        ({"probe": "dns", "host": "192.0.2.1", "port": 53, "dns": {"transport": "tls"}}, {"TCP"}),
        ({"probe": "udp", "host": "192.0.2.1", "port": 53}, {"UDP"}),
        ({"probe": "trace", "host": "192.0.2.1", "port": 53}, {"UDP"}),
        ({"probe": "tcp", "host": "192.0.2.1", "port": 53}, {"TCP"}),
    ],
    ids=str,
)
def test_transport_of_a_target(helm: Helm, target: Any, open_: set[str]) -> None:
    """The port is open over the transports that the probe uses: DNS over UDP may go on over TCP, and no other does."""
    values = {"prober": {"targets": {"it": target}, "trace": False}, "networkPolicy": {"dnsPorts": []}}
    release = helm.render(merged(ON, values))
    outside = End(address="192.0.2.1")
    assert {each for each in ("TCP", "UDP") if passes(release, own(release, "prober"), outside, each, 53)} == open_


@pytest.mark.parametrize(
    ("prober", "traced"),
    [
        ({}, True),
        ({"trace": False}, False),
        ({"config": {"trace": False}}, False),
        ({"trace": False, "config": {"trace": True}}, True),
    ],
    ids=["by default", "off", "off in the file", "on in the file"],
)
def test_a_trace_may_leave(helm: Helm, prober: dict[str, Any], traced: bool) -> None:
    """Where the plan has traces, the packets of one reach the network of a target; without targets there are none."""
    release = helm.render(merged(ON, {"prober": {"targets": {"web": "https://w.example/"}, **prober}}))
    outside = End(address="203.0.113.7")
    assert passes(release, own(release, "prober"), outside, "UDP", trace.PORT) is traced
    alone = helm.render(merged(ON, {"prober": prober}))
    assert not passes(alone, own(alone, "prober"), outside, "UDP", trace.PORT)


def test_helm_test_asks_the_hub(helm: Helm) -> None:
    """The test pod reaches the hub, whatever allowFrom says; no other pod of the release except probers does."""
    desk = {"hub": {"allowFrom": [{"podSelector": {"matchLabels": {"app": "desk"}}}]}}
    for values in ({}, desk):
        release = helm.render(merged(ON, values))
        assert passes(release, own(release, "test"), own(release, "hub"), "TCP", 8083)
        assert not passes(release, own(release, "tcp-echo"), own(release, "hub"), "TCP", 8083)
    other = helm.render(ON, release="other")
    assert not passes(other, own(other, "test"), own(helm.render(ON), "hub"), "TCP", 8083)


def test_the_hub_reaches_only_what_it_needs(helm: Helm) -> None:
    """The hub reaches the probers' admin ports, DNS and the API server, and no echo; allowFrom says who reaches it."""
    reader, other = (End({}, {"kubernetes.io/metadata.name": name}) for name in ("desk", "other"))
    for values in ({}, {"networkPolicy": {"adminFrom": [{"podSelector": {"matchLabels": {"app": "other"}}}]}}):
        release = helm.render(merged(ON, values))
        hub, prober = own(release, "hub"), own(release, "prober")
        assert passes(release, hub, prober, "TCP", 9464)
        assert passes(release, hub, API, "TCP", 6443)
        assert passes(release, hub, DNS, "UDP", 53)
        assert not passes(release, hub, own(release, "tcp-echo"), "TCP", 8080)
        assert passes(release, reader, hub, "TCP", 8083)
    desk = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "desk"}}}]
    narrow = helm.render(merged(ON, {"hub": {"allowFrom": desk}}))
    assert passes(narrow, reader, own(narrow, "hub"), "TCP", 8083)
    assert not passes(narrow, other, own(narrow, "hub"), "TCP", 8083)
    there = [{"type": "webhook", "url": "https://hooks.example.com:8443/a"}]
    elsewhere = [{"type": "alertmanager", "urlFromSecret": {"name": "a", "key": "b"}}]
    for receivers, port in ((there, 8443), (elsewhere, 9093), (elsewhere, 443)):
        notifies = helm.render(merged(ON, {"hub": {"notify": receivers}}))
        assert passes(notifies, own(notifies, "hub"), API, "TCP", port)
        assert not passes(release, own(release, "hub"), API, "TCP", port) or port == 443
