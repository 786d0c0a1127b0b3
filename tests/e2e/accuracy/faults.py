"""The faults of the table, each made with the ordinary tools of a node or of the cluster."""

from __future__ import annotations

from collections.abc import Callable

from tests.e2e.accuracy.gather import gather, home
from tests.e2e.accuracy.lab import Lab

OVERLAY = ("-p", "udp", "--dport", "8472")  # VXLAN, as flannel has it


def overlay_of_a_node(lab: Lab) -> None:
    lab.drop(lab.victim, "INPUT", *OVERLAY)


def overlay_of_a_pair(lab: Lab) -> None:
    lab.drop(lab.victim, "INPUT", *OVERLAY, "-s", lab.address(lab.second))
    lab.drop(lab.second, "INPUT", *OVERLAY, "-s", lab.address(lab.victim))


def overlay_one_way(lab: Lab) -> None:
    lab.drop(lab.victim, "INPUT", *OVERLAY, "-s", lab.address(lab.second))


def overlay_between_zones(lab: Lab) -> None:
    others = ",".join(map(lab.address, lab.zone(1)))  # at once: pairs that break one after the other are pairs
    for node in lab.zone(0):
        lab.drop(node, "INPUT", *OVERLAY, "-s", others)


def loss(share: float) -> Callable[[Lab], None]:
    def make(lab: Lab) -> None:
        lab.drop(lab.victim, "INPUT", *OVERLAY, "-m", "statistic", "--mode", "random", "--probability", str(share))

    return make


def loss_of_a_pair(lab: Lab) -> None:
    lossy = ("-m", "statistic", "--mode", "random", "--probability", "0.2")
    lab.drop(lab.victim, "INPUT", *OVERLAY, "-s", lab.address(lab.second), *lossy)


def udp_alone(lab: Lab) -> None:
    lab.drop(lab.victim, "FORWARD", "-p", "udp", "--dport", "8081")


def large_on_the_overlay(lab: Lab) -> None:
    lab.drop(lab.victim, "INPUT", *OVERLAY, "-m", "length", "--length", "1200:65535")


def large_below(lab: Lab) -> None:
    lab.drop(lab.victim, "INPUT", "-m", "length", "--length", "1400:65535", "!", "-p", "tcp")


def large_of_a_pair(lab: Lab) -> None:
    big = ("-m", "length", "--length", "1200:65535")
    lab.drop(lab.victim, "INPUT", *OVERLAY, "-s", lab.address(lab.second), *big)


def services_of_a_node(lab: Lab) -> None:
    # Before kube-proxy's rules: the cluster addresses of the echo Service alone, so that the DNS still works.
    for address in lab.service_addresses("server"):
        lab.drop(lab.victim, "PREROUTING", "-d", address, table="mangle")


def link_down(lab: Lab) -> None:
    lab.on(lab.victim, "ip", "link", "set", "eth0", "down")


def host_firewall(lab: Lab) -> None:
    for protocol in ("tcp", "udp"):
        lab.drop(lab.victim, "INPUT", "-p", protocol, "--dport", "18062:18082")


def policy(types: tuple[str, ...], selector: object) -> Callable[[Lab], None]:
    def make(lab: Lab) -> None:
        lab.policy({"podSelector": selector, "policyTypes": list(types)})

    return make


def one_pod_closed(lab: Lab) -> None:
    lab.label(lab.prober_of(lab.victim), "closed", "yes")
    lab.policy({"podSelector": {"matchLabels": {"closed": "yes"}}, "policyTypes": ["Ingress"]})


def rejected(lab: Lab) -> None:
    lab.reject(lab.victim, "FORWARD", "-d", lab.pod_address(lab.victim), "-p", "tcp", "--dport", "8080:8082")


def echo_without_pods(lab: Lab) -> None:
    lab.scale("tcp-echo", 0)


def dns_dead(lab: Lab) -> None:
    lab.scale_dns(0)


def dns_replica(lab: Lab) -> None:
    first = lab.dns_pods()[0]
    lab.drop(first.node, "FORWARD", "-d", first.address, "-p", "udp", "--dport", "53")


def dns_of_a_node(lab: Lab) -> None:
    # Not what comes over the overlay: a DNS pod on this node still answers the others.
    lab.drop(lab.victim, "FORWARD", "!", "-i", "vxlan0", "-p", "udp", "--dport", "53")
    lab.drop(lab.victim, "FORWARD", "!", "-i", "vxlan0", "-p", "tcp", "--dport", "53")


def one_of_two_answers(lab: Lab) -> None:
    # Half of the queries for AAAA, known by the end of its question (RFC 1035 section 4.1.2), before its translation.
    # By chance: of every second one, look-ups of other programs and second attempts can take all that are lost.
    six = ("-m", "string", "--algo", "bm", "--hex-string", "|00001c0001|")
    some = (*six, "-m", "statistic", "--mode", "random", "--probability", "0.5")
    for address in lab.dns_addresses():
        lab.drop(lab.victim, "PREROUTING", "-d", address, "-p", "udp", "--dport", "53", *some, table="mangle")


def stale_flow(lab: Lab) -> None:
    lab.stale_flow(lab.victim)


def some_flows(lab: Lab) -> None:
    # Each flow of pods has its own outer source port (RFC 7348 section 5); a bad ECMP member drops a part of them.
    lab.drop(lab.victim, "INPUT", *OVERLAY, "--sport", "32768:46883")


def ipv6_alone(lab: Lab) -> None:
    # The kernel answers a packet whose TTL ends there before it filters what it forwards: traces end at the victim.
    lab.drop(lab.victim, "FORWARD", "-i", "vxlan0", families=("ip6tables",))


def two_nodes(lab: Lab) -> None:
    overlay_of_a_node(lab)
    lab.drop(lab.first, "FORWARD", "-p", "udp", "--dport", "8081")


def node_and_pair(lab: Lab) -> None:
    lab.drop(lab.first, "INPUT", *OVERLAY)
    lab.drop(lab.victim, "INPUT", *OVERLAY, "-s", lab.address(lab.second))


def hung_prober(lab: Lab) -> None:
    lab.freeze(lab.victim)


def api_cut_off(lab: Lab) -> None:
    lab.drop(lab.victim, "FORWARD", "-p", "tcp", "--dport", "6443")
    lab.drop(lab.victim, "FORWARD", "-p", "tcp", "--sport", "6443")


def nothing(lab: Lab) -> None:
    """Break nothing."""


def rollout(lab: Lab) -> None:
    lab.restart("daemonset/prober", "daemonset/host")


def rollout_of_the_echoes(lab: Lab) -> None:
    lab.restart("deployment/tcp-echo", "deployment/udp-echo", "deployment/http-echo")


def rollout_of_the_dns(lab: Lab) -> None:
    lab.restart_dns()


def hub_restarts(lab: Lab) -> None:
    lab.restart("deployment/hub")


def drained(lab: Lab) -> None:
    lab.drain(lab.victim)


def drained_with_the_hub(lab: Lab) -> None:
    """Drain the node of the only pod of each echo and of the hub: the hub starts while the echoes move."""
    node = home(lab)
    gather(lab, node)
    lab.drain(node)
    lab.await_pods("hub")  # one that cannot be asked names nothing


def starved(lab: Lab) -> None:
    lab.starve(lab.victim)


def cordoned(lab: Lab) -> None:
    lab.cordon(lab.victim)


def stray_path(lab: Lab) -> None:
    """Drop one packet in 500, like the noise of a real network."""
    some = ("-m", "statistic", "--mode", "random", "--probability", "0.002")
    lab.drop(lab.victim, "INPUT", *OVERLAY, *some)
