"""The faults of the table, each made with the ordinary tools. To add one, add a `Row` to `ROWS`.

Names in `nika` are those of NIKA where the fault is the same, so that readers can compare.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.e2e.accuracy.lab import Lab

OVERLAY = ("-p", "udp", "--dport", "8472")  # VXLAN, as flannel has it
PODS_OF_SMOKER = {"matchLabels": {"app.kubernetes.io/name": "smoker"}}
ANY_LAYER = ("overlay", "network", "pods", "into_pods", "out_of_pods")


@dataclass(frozen=True)
class Expected:
    """A finding that names the fault: kind of scope, nodes or zones, layer, and further conditions."""

    scopes: tuple[str, ...]
    places: frozenset[str]
    layers: tuple[str, ...] = ANY_LAYER
    probes: tuple[str, ...] | None = None  # None: whichever
    families: tuple[str, ...] | None = None
    kinds: tuple[str, ...] = ("fault",)
    into: str = ""  # the node that the broken packets enter, if only one direction is broken: none may name the other
    flows: bool = False  # whether it counts flows that always fail, too
    hop: bool = False  # whether it gives the last hop that answers, too
    dns_pod: bool = False  # whether it names the first pod of the DNS, too
    kept_flow: bool = False  # whether it also gives the command that ends the stale flow


@dataclass(frozen=True)
class Row:
    """One fault: how it is made, and which finding names it. `also` is true as well, and neither required nor wrong."""

    name: str
    make: Callable[[Lab], None]
    right: tuple[Expected, ...] = ()  # each must be named; none: a healthy situation
    also: tuple[Expected, ...] = field(default=())
    nika: str = ""
    patience: int = 1  # times as long as other faults: some take more rounds to be sure of


def right(scopes: str, *places: str, layers: str = "", **more: object) -> Expected:
    return Expected(tuple(scopes.split()), frozenset(places), tuple(layers.split()) or ANY_LAYER, **more)  # type: ignore[arg-type]


NODE = "node into out_of"
PAIR = "pair one_way"
LOSS_INTO_A_NODE = right("node", "victim", layers="overlay", kinds=("loss",), into="victim")
EVERYWHERE = right("all", kinds=("loss",))  # the noise is a loss of all nodes, and may be named
DNS = right("all", kinds=("dns",), layers="dns")


def _overlay_of_a_node(lab: Lab) -> None:
    lab.drop(lab.victim, "INPUT", *OVERLAY)


def _overlay_of_a_pair(lab: Lab) -> None:
    lab.drop(lab.victim, "INPUT", *OVERLAY, "-s", lab.address(lab.second))
    lab.drop(lab.second, "INPUT", *OVERLAY, "-s", lab.address(lab.victim))


def _overlay_one_way(lab: Lab) -> None:
    lab.drop(lab.victim, "INPUT", *OVERLAY, "-s", lab.address(lab.second))


def _overlay_between_zones(lab: Lab) -> None:
    others = ",".join(map(lab.address, lab.zone(1)))  # at once: pairs that break one after the other are pairs
    for node in lab.zone(0):
        lab.drop(node, "INPUT", *OVERLAY, "-s", others)


def _loss(share: float) -> Callable[[Lab], None]:
    def make(lab: Lab) -> None:
        lab.drop(lab.victim, "INPUT", *OVERLAY, "-m", "statistic", "--mode", "random", "--probability", str(share))

    return make


def _loss_of_a_pair(lab: Lab) -> None:
    lossy = ("-m", "statistic", "--mode", "random", "--probability", "0.2")
    lab.drop(lab.victim, "INPUT", *OVERLAY, "-s", lab.address(lab.second), *lossy)


def _udp_alone(lab: Lab) -> None:
    lab.drop(lab.victim, "FORWARD", "-p", "udp", "--dport", "8081")


def _large_on_the_overlay(lab: Lab) -> None:
    lab.drop(lab.victim, "INPUT", *OVERLAY, "-m", "length", "--length", "1200:65535")


def _large_below(lab: Lab) -> None:
    lab.drop(lab.victim, "INPUT", "-m", "length", "--length", "1400:65535", "!", "-p", "tcp")


def _large_of_a_pair(lab: Lab) -> None:
    big = ("-m", "length", "--length", "1200:65535")
    lab.drop(lab.victim, "INPUT", *OVERLAY, "-s", lab.address(lab.second), *big)


def _services_of_a_node(lab: Lab) -> None:
    # Before kube-proxy's rules: the cluster addresses of the echo Service alone, so that the DNS still works.
    for address in lab.service_addresses("server"):
        lab.drop(lab.victim, "PREROUTING", "-d", address, table="mangle")


def _link_down(lab: Lab) -> None:
    lab.on(lab.victim, "ip", "link", "set", "eth0", "down")


def _host_firewall(lab: Lab) -> None:
    for protocol in ("tcp", "udp"):
        lab.drop(lab.victim, "INPUT", "-p", protocol, "--dport", "18062:18082")


def _policy(types: tuple[str, ...], selector: object) -> Callable[[Lab], None]:
    def make(lab: Lab) -> None:
        lab.policy({"podSelector": selector, "policyTypes": list(types)})

    return make


def _one_pod_closed(lab: Lab) -> None:
    lab.label(lab.prober_of(lab.victim), "closed", "yes")
    lab.policy({"podSelector": {"matchLabels": {"closed": "yes"}}, "policyTypes": ["Ingress"]})


def _rejected(lab: Lab) -> None:
    lab.reject(lab.victim, "FORWARD", "-d", lab.pod_address(lab.victim), "-p", "tcp", "--dport", "8080:8082")


def _echo_without_pods(lab: Lab) -> None:
    lab.scale("tcp-echo", 0)


def _dns_dead(lab: Lab) -> None:
    lab.scale_dns(0)


def _dns_replica(lab: Lab) -> None:
    first = lab.dns_pods()[0]
    lab.drop(first.node, "FORWARD", "-d", first.address, "-p", "udp", "--dport", "53")


def _dns_of_a_node(lab: Lab) -> None:
    # Not what comes over the overlay: a DNS pod on this node still answers the others.
    lab.drop(lab.victim, "FORWARD", "!", "-i", "vxlan0", "-p", "udp", "--dport", "53")
    lab.drop(lab.victim, "FORWARD", "!", "-i", "vxlan0", "-p", "tcp", "--dport", "53")


def _one_of_two_answers(lab: Lab) -> None:
    # Every second query for AAAA, known by the end of its question (RFC 1035 section 4.1.2), before its translation.
    six = ("-m", "string", "--algo", "bm", "--hex-string", "|00001c0001|")
    some = (*six, "-m", "statistic", "--mode", "nth", "--every", "2", "--packet", "0")
    for address in lab.dns_addresses():
        lab.drop(lab.victim, "PREROUTING", "-d", address, "-p", "udp", "--dport", "53", *some, table="mangle")


def _stale_flow(lab: Lab) -> None:
    lab.stale_flow(lab.victim)


def _some_flows(lab: Lab) -> None:
    # Each flow of pods has its own outer source port (RFC 7348 section 5); a bad ECMP member drops a part of them.
    lab.drop(lab.victim, "INPUT", *OVERLAY, "--sport", "32768:46883")


def _ipv6_alone(lab: Lab) -> None:
    # The kernel answers a packet whose TTL ends there before it filters what it forwards: traces end at the victim.
    lab.drop(lab.victim, "FORWARD", "-i", "vxlan0", families=("ip6tables",))


def _two_nodes(lab: Lab) -> None:
    _overlay_of_a_node(lab)
    lab.drop(lab.first, "FORWARD", "-p", "udp", "--dport", "8081")


def _node_and_pair(lab: Lab) -> None:
    lab.drop(lab.first, "INPUT", *OVERLAY)
    lab.drop(lab.victim, "INPUT", *OVERLAY, "-s", lab.address(lab.second))


def _hung_prober(lab: Lab) -> None:
    lab.freeze(lab.victim)


def _api_cut_off(lab: Lab) -> None:
    lab.drop(lab.victim, "FORWARD", "-p", "tcp", "--dport", "6443")
    lab.drop(lab.victim, "FORWARD", "-p", "tcp", "--sport", "6443")


def _nothing(lab: Lab) -> None:
    """Break nothing."""


def _rollout(lab: Lab) -> None:
    lab.restart("daemonset/prober", "daemonset/host")


def _rollout_of_the_echoes(lab: Lab) -> None:
    lab.restart("deployment/tcp-echo", "deployment/udp-echo", "deployment/http-echo")


def _rollout_of_the_dns(lab: Lab) -> None:
    lab.restart_dns()


def _hub_restarts(lab: Lab) -> None:
    lab.restart("deployment/hub")


def _drained(lab: Lab) -> None:
    lab.drain(lab.victim)


def _starved(lab: Lab) -> None:
    lab.starve(lab.victim)


def _cordoned(lab: Lab) -> None:
    lab.cordon(lab.victim)


def _stray_path(lab: Lab) -> None:
    """Drop one packet in 500, like the noise of a real network."""
    some = ("-m", "statistic", "--mode", "random", "--probability", "0.002")
    lab.drop(lab.victim, "INPUT", *OVERLAY, *some)


ROWS: tuple[Row, ...] = (
    Row("overlay of a node", _overlay_of_a_node, (right(NODE, "victim", layers="overlay"),), nika="host_vxlan_down"),
    Row("overlay of a pair", _overlay_of_a_pair, (right(PAIR, "victim", "second", layers="overlay"),)),
    Row(
        "overlay of a pair, one way",
        _overlay_one_way,
        (right(PAIR, "victim", "second", layers="overlay", into="victim"),),
    ),
    Row("overlay between zones", _overlay_between_zones, (right("zone_pair zone", "zones", layers="overlay"),)),
    Row("loss of 20 % into a node", _loss(0.2), (LOSS_INTO_A_NODE,)),
    Row("loss of 8 % into a node", _loss(0.08), (LOSS_INTO_A_NODE,)),
    Row("loss of 3 % into a node", _loss(0.03), (LOSS_INTO_A_NODE,), patience=3),
    Row(
        "loss of 20 % of a pair",
        _loss_of_a_pair,
        (right("pair", "victim", "second", layers="overlay", kinds=("loss",), into="victim"),),
    ),
    Row(
        "some flows into a node",
        _some_flows,
        (right(NODE, "victim", layers="overlay", kinds=("fault", "loss"), flows=True, into="victim"),),
    ),
    Row("UDP alone at a node", _udp_alone, (right(NODE, "victim", probes=("udp",)),)),
    Row(
        "large packets in the overlay",
        _large_on_the_overlay,
        (right(NODE, "victim", layers="overlay", kinds=("mtu",)),),
    ),
    Row("large packets below the overlay", _large_below, (right(NODE, "victim", kinds=("mtu",)),)),
    Row("large packets of a pair", _large_of_a_pair, (right(PAIR, "victim", "second", kinds=("mtu",)),)),
    Row(
        "Services on a node",
        _services_of_a_node,
        (right("node", "victim", kinds=("service",), layers="service"),),
        nika="k8s_clusterip_routing_broken",
    ),
    Row(
        "link of a node down",
        _link_down,
        (right(NODE, "victim", layers="network overlay", kinds=("fault", "not_ready")),),
    ),
    Row("host firewall of a node", _host_firewall, (right(NODE, "victim", layers="hosts", into="victim"),)),
    Row(
        "policy: into all probers",
        _policy(("Ingress",), PODS_OF_SMOKER),
        (right("all", layers="into_pods overlay pods"),),
        also=(right("service", kinds=("service",), layers="service"),),
        nika="k8s_networkpolicy_deny",
    ),
    Row(
        "policy: out of all probers",
        _policy(("Egress",), PODS_OF_SMOKER),
        (right("all", layers="out_of_pods overlay pods"),),
        also=(right("all node", kinds=("dns",), layers="dns"),),  # of each node, as soon as it finds out
    ),
    Row(
        "policy: one pod",
        _one_pod_closed,
        (right(NODE, "victim", layers="into_pods pods overlay", into="victim"),),
        nika="k8s_networkpolicy_deny",
    ),
    Row("rejected at a node", _rejected, (right(NODE, "victim", into="victim"),)),
    Row("an echo without pods", _echo_without_pods, (right("service", kinds=("service",), layers="service"),)),
    Row("all of DNS", _dns_dead, (DNS,), nika="k8s_coredns_isolated"),
    Row(
        "one DNS replica",
        _dns_replica,
        (right("node", "dns", kinds=("dns",), layers="dns_replica", dns_pod=True),),
    ),
    Row("DNS from a node", _dns_of_a_node, (right("node", "victim", kinds=("dns",), layers="dns"),)),
    Row(
        "one of two DNS answers at a node",
        _one_of_two_answers,
        (right("node", "victim", kinds=("dns",), layers="dns_race"),),
    ),
    Row(
        "stale connection tracking on a node",
        _stale_flow,
        (right("node", "victim", kinds=("conntrack",), layers="conntrack", kept_flow=True),),
    ),
    Row(  # a path is traced once a minute at most
        "IPv6 alone at a node",
        _ipv6_alone,
        (right(NODE, "victim", families=("ipv6",), into="victim", hop=True),),
        patience=2,
    ),
    Row(
        "two at once: an overlay, and UDP elsewhere",
        _two_nodes,
        (right(NODE, "victim", layers="overlay"), right(NODE, "first", probes=("udp",))),
    ),
    Row(
        "two at once: a node and a pair",
        _node_and_pair,
        (right(NODE, "first", layers="overlay"), right(PAIR, "victim", "second", layers="overlay")),
    ),
    Row("a hung prober", _hung_prober, (right("node", "victim", layers="prober", kinds=("silent",)),)),
    Row("healthy: nothing", _nothing),
    Row("healthy: a rollout of the probers", _rollout),
    Row("healthy: a rollout of the echoes", _rollout_of_the_echoes),
    Row("healthy: a rollout of the DNS", _rollout_of_the_dns),
    Row("healthy: the hub restarts", _hub_restarts),
    Row("healthy: a cordoned node", _cordoned),
    Row("healthy: a drained node", _drained),
    Row("healthy: a prober without CPU", _starved),
    Row("healthy: the API server cut off from a node", _api_cut_off, nika="k8s_worker_apiserver_partition"),
    Row("healthy: one packet of 500 lost", _stray_path),
)
