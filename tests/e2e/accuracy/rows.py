"""The rows of the table, each a fault and the findings that name it. To add one, add a `Row` to `ROWS`.

Names in `nika` are those of NIKA where the fault is the same, so that readers can compare.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.e2e.accuracy import faults
from tests.e2e.accuracy.lab import Lab

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
    strict: bool = False  # whether an uncertain finding that names something else is wrong, too


def right(scopes: str, *places: str, layers: str = "", **more: object) -> Expected:
    return Expected(tuple(scopes.split()), frozenset(places), tuple(layers.split()) or ANY_LAYER, **more)  # type: ignore[arg-type]


NODE = "node into out_of"
PAIR = "pair one_way"
LOSS_INTO_A_NODE = right("node", "victim", layers="overlay", kinds=("loss",), into="victim")
EVERYWHERE = right("all", kinds=("loss",))  # the noise is a loss of all nodes, and may be named
DNS = right("all", kinds=("dns",), layers="dns")


ROWS: tuple[Row, ...] = (
    Row(
        "overlay of a node",
        faults.overlay_of_a_node,
        (right(NODE, "victim", layers="overlay"),),
        nika="host_vxlan_down",
    ),
    Row("overlay of a pair", faults.overlay_of_a_pair, (right(PAIR, "victim", "second", layers="overlay"),)),
    Row(
        "overlay of a pair, one way",
        faults.overlay_one_way,
        (right(PAIR, "victim", "second", layers="overlay", into="victim"),),
    ),
    Row("overlay between zones", faults.overlay_between_zones, (right("zone_pair zone", "zones", layers="overlay"),)),
    Row("loss of 20 % into a node", faults.loss(0.2), (LOSS_INTO_A_NODE,)),
    Row("loss of 8 % into a node", faults.loss(0.08), (LOSS_INTO_A_NODE,)),
    Row("loss of 3 % into a node", faults.loss(0.03), (LOSS_INTO_A_NODE,), patience=3),
    Row(
        "loss of 20 % of a pair",
        faults.loss_of_a_pair,
        (right("pair", "victim", "second", layers="overlay", kinds=("loss",), into="victim"),),
    ),
    Row(
        "some flows into a node",
        faults.some_flows,
        (right(NODE, "victim", layers="overlay", kinds=("fault", "loss"), flows=True, into="victim"),),
    ),
    Row("UDP alone at a node", faults.udp_alone, (right(NODE, "victim", probes=("udp",)),)),
    Row(
        "large packets in the overlay",
        faults.large_on_the_overlay,
        (right(NODE, "victim", layers="overlay", kinds=("mtu",)),),
    ),
    Row("large packets below the overlay", faults.large_below, (right(NODE, "victim", kinds=("mtu",)),)),
    Row("large packets of a pair", faults.large_of_a_pair, (right(PAIR, "victim", "second", kinds=("mtu",)),)),
    Row(
        "Services on a node",
        faults.services_of_a_node,
        (right("node", "victim", kinds=("service",), layers="service"),),
        nika="k8s_clusterip_routing_broken",
    ),
    Row(
        "link of a node down",
        faults.link_down,
        (right(NODE, "victim", layers="network overlay", kinds=("fault", "not_ready")),),
    ),
    Row("host firewall of a node", faults.host_firewall, (right(NODE, "victim", layers="hosts", into="victim"),)),
    Row(
        "policy: into all probers",
        faults.policy(("Ingress",), PODS_OF_SMOKER),
        (right("all", layers="into_pods overlay pods"),),
        also=(right("service", kinds=("service",), layers="service"),),
        nika="k8s_networkpolicy_deny",
    ),
    Row(
        "policy: out of all probers",
        faults.policy(("Egress",), PODS_OF_SMOKER),
        (right("all", layers="out_of_pods overlay pods"),),
        also=(right("all node", kinds=("dns",), layers="dns"),),  # of each node, as soon as it finds out
    ),
    Row(
        "policy: one pod",
        faults.one_pod_closed,
        (right(NODE, "victim", layers="into_pods pods overlay", into="victim"),),
        nika="k8s_networkpolicy_deny",
    ),
    Row("rejected at a node", faults.rejected, (right(NODE, "victim", into="victim"),)),
    Row("an echo without pods", faults.echo_without_pods, (right("service", kinds=("service",), layers="service"),)),
    Row("all of DNS", faults.dns_dead, (DNS,), nika="k8s_coredns_isolated"),
    Row(
        "one DNS replica",
        faults.dns_replica,
        (right("node", "dns", kinds=("dns",), layers="dns_replica", dns_pod=True),),
    ),
    Row("DNS from a node", faults.dns_of_a_node, (right("node", "victim", kinds=("dns",), layers="dns"),)),
    Row(
        "one of two DNS answers at a node",
        faults.one_of_two_answers,
        (right("node", "victim", kinds=("dns",), layers="dns_race"),),
        patience=3,  # a look-up a round, of which half lose a query
    ),
    Row(
        "stale connection tracking on a node",
        faults.stale_flow,
        (right("node", "victim", kinds=("conntrack",), layers="conntrack", kept_flow=True),),
    ),
    Row(  # a path is traced once a minute at most
        "IPv6 alone at a node",
        faults.ipv6_alone,
        (right(NODE, "victim", families=("ipv6",), into="victim", hop=True),),
        patience=2,
    ),
    Row(
        "two at once: an overlay, and UDP elsewhere",
        faults.two_nodes,
        (right(NODE, "victim", layers="overlay"), right(NODE, "first", probes=("udp",))),
    ),
    Row(
        "two at once: a node and a pair",
        faults.node_and_pair,
        (right(NODE, "first", layers="overlay"), right(PAIR, "victim", "second", layers="overlay")),
    ),
    Row("a hung prober", faults.hung_prober, (right("node", "victim", layers="prober", kinds=("silent",)),)),
    Row("healthy: nothing", faults.nothing),
    Row("healthy: a rollout of the probers", faults.rollout),
    Row("healthy: a rollout of the echoes", faults.rollout_of_the_echoes),
    Row("healthy: a rollout of the DNS", faults.rollout_of_the_dns),
    Row("healthy: the hub restarts", faults.hub_restarts),
    Row("healthy: a cordoned node", faults.cordoned),
    Row("healthy: a drained node", faults.drained),
    Row("healthy: a prober without CPU", faults.starved),
    Row("healthy: the API server cut off from a node", faults.api_cut_off, nika="k8s_worker_apiserver_partition"),
    Row("healthy: one packet of 500 lost", faults.stray_path),
    Row(  # the last row: the echoes and the hub stand elsewhere afterwards
        "healthy: a drained node with the only echo and the hub",
        faults.drained_with_the_hub,
        patience=2,  # longer than an echo without pods is excused
        strict=True,
    ),
)
