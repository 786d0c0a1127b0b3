"""The fault in words, without its place."""

from __future__ import annotations

from collections.abc import Callable

from smoker_diagnosis.component import (
    ALL,
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
)
from smoker_diagnosis.finding import Finding, Kind
from smoker_diagnosis.resolvers import LAYER_RACE, LAYER_REPLICA
from smoker_diagnosis.text.words import FAMILIES, listed, outcome, percent

_LAYERS = {
    OVERLAY: "the pod network (CNI overlay or NetworkPolicy)",
    NETWORK: "the node network (below the pods)",
    PODS: "its pods (NetworkPolicy, or how they are attached)",
    INTO_PODS: "traffic into pods (NetworkPolicy)",
    OUT_OF_PODS: "traffic out of pods (NetworkPolicy)",
    HOSTS: "the host network only (a firewall of the node)",
}
_EITHER, _TOLD_APART = "the pod network or the node network below it", " (hostNetwork.enabled tells them apart)"


def layer(finding: Finding) -> str:
    """Return the layer in words, or the layers that the paths cannot tell apart."""
    if OVERLAY in finding.layers and NETWORK in finding.layers:
        probed = finding.kind == "mtu" or any("host" in each.plane for each in finding.counts)
        return _EITHER if probed else _EITHER + _TOLD_APART  # otherwise the next probes between two nodes tell, too
    return _LAYERS.get(finding.layer, finding.layer)


def what(finding: Finding) -> str:
    """Return the fault in words."""
    return _WHAT[finding.kind](finding)


def _fault(finding: Finding) -> str:
    refused = ", refused at once" if finding.outcomes == ("refused",) else ""
    verb = "fails" if len(finding.probes) == 1 else "fail"
    probes = f"{_probes(finding)} {verb} on " if finding.probes else "no connection on "
    return f"{probes}{layer(finding)}{refused}{_families(finding)}{_side(finding)}"


def _loss(finding: Finding) -> str:
    return f"packet loss of {percent(finding.share)} on {layer(finding)}{_families(finding)}{_side(finding)}"


def _mtu(finding: Finding) -> str:
    sizes = f" (the path should take {finding.mtu} bytes, {finding.passes} pass)" if finding.passes else ""
    return f"large packets are lost{sizes} on {layer(finding)}{_families(finding)}"


def _dns(finding: Finding) -> str:
    if finding.layer == LAYER_RACE:
        queries = "the two queries (A and AAAA) that are sent together"
        return f"{percent(finding.share)} of the DNS look-ups lose one of {queries}"
    if finding.layer == LAYER_REPLICA:
        pod = finding.pod.rpartition("/")[2]
        wrongs = {"resolve_error": "answers with an error", "bad_reply": "answers wrongly"}
        wrong = sorted({wrongs.get(each, "does not answer") for each in finding.outcomes})
        return f"the cluster DNS pod{f' {pod}' if pod else ''} there {listed(wrong)}"
    if finding.share < 1:
        return f"cluster DNS fails for {percent(finding.share)} of the look-ups: one of its pods does not answer"
    return "cluster DNS does not answer" if finding.scope.kind == ALL else "cluster DNS cannot be reached from there"


def _service(finding: Finding) -> str:
    probes = _probes(finding)
    if finding.scope.kind == NODE:
        return f"Services do not work there (kube-proxy, or what replaces it){f': {probes} only' if probes else ''}"
    nobody = "nobody listens behind it" if finding.outcomes == ("refused",) else "its pods or the Service do not answer"
    return f"{probes or 'every echo'} fails from every node; {nobody}"


def _not_ready(finding: Finding) -> str:
    seen = any(each.plane == "peers" and each.half_fail for each in finding.counts)
    sign = "unreachable before that" if seen or not finding.counts else "its probers do not answer"
    return f"NotReady, and {sign}; its paths are no longer probed"


def _silent(finding: Finding) -> str:
    if "mute" in finding.notes:
        return "the prober hangs: TCP connects, but nothing answers; the network works"
    if "hung" in finding.notes:
        return "the prober hangs: its results are old"
    return "the hub gets no results from the prober, although its peers reach it"


def _moved(finding: Finding) -> str:
    before, after = finding.notes
    return f"the pods of the {_probes(finding)} echo moved from {before} to {after}, and probes failed meanwhile"


def _target(finding: Finding) -> str:
    every = "every" if all(each.failing == each.of for each in finding.counts) else "nearly every"
    return f"fails from {every} node that probes it ({listed([outcome(each) for each in finding.outcomes])})"


def _certificate(finding: Finding) -> str:
    verb, date = finding.notes
    return f"its certificate {verb} on {date}"


def _flows(finding: Finding) -> str:
    most = finding.flows[0]
    between = "" if finding.scope.kind == PAIR else " on some paths"
    return f"{most.failing} of {most.of} flows always fail{between} (one member of an ECMP group or a bond)"


def _conntrack(_: Finding) -> str:
    return "stale connection tracking: a UDP flow to a Service that is kept open fails there, new flows work"


def _unsteady(_: Finding) -> str:
    return "fails again and again"


def _unknown(_: Finding) -> str:
    return "no common cause"


_WHAT: dict[Kind, Callable[[Finding], str]] = {
    "fault": _fault,
    "loss": _loss,
    "mtu": _mtu,
    "dns": _dns,
    "service": _service,
    "not_ready": _not_ready,
    "silent": _silent,
    "moved": _moved,
    "target": _target,
    "certificate": _certificate,
    "flows": _flows,
    "conntrack": _conntrack,
    "unsteady": _unsteady,
    "unknown": _unknown,
}


def _probes(finding: Finding) -> str:
    return listed([each.upper() for each in finding.probes])


def _families(finding: Finding) -> str:
    return f", {listed([FAMILIES.get(each, each) for each in finding.families])} only" if finding.families else ""


def _side(finding: Finding) -> str:
    """Return the direction in words, if it is known.

    Of a place with a direction, it is the other one that loses packets: the far end answers, and nobody gets that.
    """
    node = finding.scope.nodes[-1] if finding.scope.nodes else ""
    if finding.direction not in ("in", "out") or not node:
        return ""
    if finding.scope.kind in (INTO, OUT_OF, ONE_WAY):
        return ", requests arrive but replies do not"
    if finding.scope.kind == PAIR:
        other = finding.scope.nodes[0]
        one, two = (other, node) if finding.direction == "in" else (node, other)
        return f", in the direction from {one} to {two}"
    return f", for packets {'into' if finding.direction == 'in' else 'out of'} {node}"
