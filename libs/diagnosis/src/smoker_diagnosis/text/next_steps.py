"""Commands that help the reader find the cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from smoker_diagnosis.component import (
    HOSTS,
    INTO,
    INTO_PODS,
    NETWORK,
    NODE,
    ONE_WAY,
    OUT_OF,
    OUT_OF_PODS,
    OVERLAY,
    PAIR,
    PODS,
    Scope,
)
from smoker_diagnosis.finding import Finding, Kind
from smoker_diagnosis.resolvers import LAYER_RACE

_WITH_NODES = {NODE, INTO, OUT_OF, PAIR, ONE_WAY}


def next_steps(finding: Finding) -> Iterator[str]:
    """Yield the commands."""
    command = _OF_KIND.get(finding.kind, _of_layer)(finding)
    if command:
        yield command


def _node(scope: Scope) -> str:
    return scope.nodes[-1] if scope.nodes and scope.kind in _WITH_NODES else ""


def _pods_on(node: str) -> str:
    return f"kubectl get pods --namespace kube-system --output wide --field-selector spec.nodeName={node}"


def _of_layer(finding: Finding) -> str:
    node = _node(finding.scope)
    if finding.layer in (INTO_PODS, OUT_OF_PODS, PODS):
        return "kubectl get networkpolicies --all-namespaces"
    if finding.layer == HOSTS:
        return f"nft list ruleset   (on {node or 'the nodes'}; or iptables --list-rules INPUT)"
    if finding.layer == OVERLAY and NETWORK not in finding.layers and node:
        return f"{_pods_on(node)}   (the CNI's pod there)"
    if node:
        return f"kubectl describe node {node}"
    return "kubectl get nodes --output wide --label-columns topology.kubernetes.io/zone"


def _dns(finding: Finding) -> str:
    if finding.layer == LAYER_RACE:
        where = _node(finding.scope) or "the nodes"
        return f"conntrack -S   (on {where}: insert_failed grows with each; docs/troubleshooting.md has three remedies)"
    if finding.pod:
        namespace, _, pod = finding.pod.partition("/")
        return f"kubectl describe pod --namespace {namespace} {pod}"
    return "kubectl get pods --namespace kube-system --selector k8s-app=kube-dns --output wide"


def _service(finding: Finding) -> str:
    node = _node(finding.scope)
    if node:
        return f"{_pods_on(node)}   (kube-proxy there)"
    return "kubectl get pods,endpointslices --all-namespaces --selector app=smoker-server --output wide"


def _not_ready(finding: Finding) -> str:
    return f"kubectl describe node {_node(finding.scope)}"


def _silent(finding: Finding) -> str:
    where = f"--field-selector spec.nodeName={_node(finding.scope)}"
    return f"kubectl get pods --all-namespaces --selector app=smoker-client {where}"


def _target(finding: Finding) -> str:
    name = finding.scope.nodes[0]
    in_pod = f"(in a prober's pod, with the host of {name}:"
    match finding.outcomes:
        case ("tls_error",):
            return f"smoker-prober probe tls HOST PORT   {in_pod} the certificate and its chain)"
        case ("bad_reply",) | ("bad_reply", "tls_error"):
            return f"read the log of the server of {name}, and compare it with what the target expects"
        case ("refused",):
            return f"check that the server of {name} runs and listens on the target's port; a firewall can refuse, too"
        case ("resolve_error",):
            return f"check that the host name of {name} exists; smoker-prober probe dns SERVER --name HOST asks for it"
    return f"smoker-prober probe trace HOST   {in_pod} every hop, and the last that answers)"


def _certificate(finding: Finding) -> str:
    return f"renew the certificate of {finding.scope.nodes[0]}; smoker-prober probe tls HOST PORT shows its chain"


def _flows(finding: Finding) -> str:
    where = " and ".join(finding.scope.nodes) or "the nodes"
    return f"grep . /proc/net/bonding/*   (on {where}; then the error counters of the links between them, one by one)"


def _conntrack(finding: Finding) -> str:
    ports = " ".join(str(port) for port in finding.kept_ports[:1])
    node = _node(finding.scope)
    return f"conntrack -D -p udp --orig-port-src {ports}   (on {node}; before, -L shows the pod that is gone)"


def _nothing(_: Finding) -> str:
    return ""


_OF_KIND: dict[Kind, Callable[[Finding], str]] = {
    "dns": _dns,
    "service": _service,
    "not_ready": _not_ready,
    "silent": _silent,
    "moved": _nothing,
    "target": _target,
    "certificate": _certificate,
    "flows": _flows,
    "conntrack": _conntrack,
    "unsteady": _nothing,
    "unknown": _nothing,
}
