"""The sentences of findings for people: the only place that has any.

FAULT node-3: packet loss on the pod network (CNI overlay or NetworkPolicy), since 90 s, confidence 98 %
evidence: 12 of 24 pod paths to or from node-3 lose packets (median 36 %); …
next: kubectl -n kube-system get pods -o wide --field-selector spec.nodeName=node-3
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from smoker_diagnosis.component import (
    ALL,
    HOSTS,
    INSIDE_ZONE,
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
    SERVICE,
    TARGET,
    ZONE,
    ZONE_ONE_WAY,
    ZONE_PAIR,
    Scope,
)
from smoker_diagnosis.finding import Count, Finding, Seen

_LAYERS = {
    OVERLAY: "pod network (CNI overlay or NetworkPolicy)",
    NETWORK: "node network (below the pods)",
    PODS: "its pods (NetworkPolicy, or how they are attached)",
    INTO_PODS: "traffic into pods (NetworkPolicy)",
    OUT_OF_PODS: "traffic out of pods (NetworkPolicy)",
    HOSTS: "host network only (a firewall of the node)",
}
_EITHER = "pod network or the node network below it (hostNetwork.enabled tells them apart)"
_FAMILIES = {"ipv4": "IPv4", "ipv6": "IPv6"}
_OUTCOMES = {
    "timeout": "no answer",
    "refused": "refused at once",
    "unreachable": "unreachable",
    "resolve_error": "the name is not found",
    "mtu": "large packets are lost",
}


def headline(finding: Finding) -> str:
    """Return one line: where, what, and how sure."""
    if finding.kind == "unknown":
        count = sum(each.failing for each in finding.counts)
        return f"UNKNOWN {_paths(count)} {_verb(count, 'fails', 'fail')} without a common cause"
    word = {"warning": "WARNING", "info": "INFO"}.get(finding.severity, "FAULT")
    sure = f", confidence {finding.confidence:.0%}".replace("%", " %")
    since = f", for {duration(finding.since)}" if finding.since else ""
    return f"{word} {place(finding)}: {what(finding)}{since}{sure}"


def lines(finding: Finding) -> list[str]:
    """Return the headline, the evidence and what to do next."""
    return [
        headline(finding),
        *(f"  evidence: {each}" for each in evidence(finding)),
        *(f"  next: {each}" for each in next_steps(finding)),
    ]


def place(finding: Finding) -> str:
    """Return where the fault is, or the places that it can be at."""
    if finding.one_of:
        return "one of " + ", ".join(scope_name(scope) for scope in finding.one_of[:6])
    return scope_name(finding.scope)


def scope_name(scope: Scope) -> str:
    """Return a scope in words."""
    nodes, zones = scope.nodes, scope.zones
    if scope.kind in (NODE, INTO, OUT_OF):
        return nodes[0]
    if scope.kind == PAIR:
        return f"between {nodes[0]} and {nodes[1]}"
    if scope.kind == ONE_WAY:
        return f"from {nodes[0]} to {nodes[1]}"
    if scope.kind == ZONE:
        return f"zone {zones[0]} (apart from the others)"
    if scope.kind == ZONE_PAIR:
        return f"between zones {zones[0]} and {zones[1]}"
    if scope.kind == ZONE_ONE_WAY:
        return f"from zone {zones[0]} to zone {zones[1]}"
    if scope.kind == INSIDE_ZONE:
        return f"inside zone {zones[0]}"
    if scope.kind == TARGET:
        return f"target {nodes[0]}"
    return {ALL: "every node", SERVICE: "the echo Service"}.get(scope.kind, "unknown")


def what(finding: Finding) -> str:
    """Return what is wrong there."""
    if finding.kind == "dns":
        if finding.share < 1:
            return (
                f"cluster DNS fails for {finding.share:.0%} of the look-ups: one of its pods does not answer".replace(
                    "%", " %"
                )
            )
        return (
            "cluster DNS does not answer"
            if finding.scope.kind == ALL
            else "the cluster DNS cannot be reached from there"
        )
    if finding.kind == "service":
        probes = _probes(finding)
        if finding.scope.kind == NODE:
            return f"Services do not work there (kube-proxy, or what replaces it){probes and ': ' + probes + ' only'}"
        nobody = (
            "nobody listens behind it" if finding.outcomes == ("refused",) else "its pods or the Service do not answer"
        )
        return f"{probes or 'every echo'} fails from every node; {nobody}"
    if finding.kind == "not_ready":
        return "NotReady, and unreachable before that; its paths are no longer probed"
    if finding.kind == "silent":
        hung = "hung" in finding.notes
        return "the prober hangs: its state is old" if hung else "the prober does not answer, though its peers reach it"
    if finding.kind == "target":
        return f"does not answer from any node ({', '.join(_OUTCOMES.get(each, each) for each in finding.outcomes)})"
    told = layer(finding)
    if finding.kind == "loss":
        told = f"packet loss of {finding.share:.1%} on the {told}".replace("%", " %")
    elif finding.kind == "mtu":
        sizes = f" (the path should take {finding.mtu} bytes, {finding.passes} pass)" if finding.mtu else ""
        told = f"large packets are lost{sizes} on the {told}"
    else:
        probes = _probes(finding)
        refused = ", refused at once" if finding.outcomes == ("refused",) else ""
        told = f"{probes + ' only, ' if probes else ''}{told}{refused}"
    if finding.families:
        told += f", {' and '.join(_FAMILIES.get(each, each) for each in finding.families)} only"
    return told + _side(finding)


def layer(finding: Finding) -> str:
    """Return the layer in words, or the layers that the paths cannot tell apart."""
    if OVERLAY in finding.layers and NETWORK in finding.layers:
        return _EITHER
    return _LAYERS.get(finding.layer, finding.layer)


def evidence(finding: Finding) -> Iterator[str]:
    """Yield what speaks for the finding, a sentence each without its end."""
    verb = "lose packets" if finding.kind == "loss" else "lose large packets" if finding.kind == "mtu" else "fail"
    if finding.kind == "not_ready":
        yield f"{finding.counts[0].failing} of {finding.counts[0].of} probers could not reach it when it became NotReady"
        return
    if finding.counts:
        kinds = f" ({', '.join(_OUTCOMES.get(each, each) for each in finding.outcomes)})" if finding.outcomes else ""
        yield f"{_counted(finding.counts)} {verb}{kinds}"
    if finding.beside:
        failing, whole = sum(each.failing for each in finding.beside), sum(each.of for each in finding.beside)
        if not failing:
            yield f"all {_paths(whole)} beside them work ({', '.join(sorted(each.plane for each in finding.beside))})"
        else:
            yield f"{failing} of {whole} paths beside them fail, too"
    if finding.follows:
        yield f"{_paths(finding.follows)} to the echo Services fail because of it"
    if finding.offender:
        yield f"{finding.offender} sends the ICMP error"
    for note in finding.notes:
        if " " in note:
            yield note
    if finding.kind == "unknown":
        yield from (_path(each) for each in finding.failing[:10])


def next_steps(finding: Finding) -> Iterator[str]:
    """Yield commands that bring the reader closer to the cause."""
    scope = finding.scope
    node = scope.nodes[-1] if scope.nodes and scope.kind in (NODE, INTO, OUT_OF, PAIR, ONE_WAY) else ""
    if finding.kind == "dns":
        yield "kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide"
    elif finding.kind == "service":
        if node:
            yield f"kubectl -n kube-system get pods -o wide --field-selector spec.nodeName={node}   (kube-proxy there)"
        else:
            yield "kubectl get pods,endpointslices -l app=smoker-server -o wide"
    elif finding.kind in ("not_ready", "silent"):
        yield (
            f"kubectl describe node {node}"
            if finding.kind == "not_ready"
            else f"kubectl get pods -o wide -l app=smoker-client --field-selector spec.nodeName={node}"
        )
    elif finding.kind == "target":
        yield f"smoker-prober report   (in any prober: its last failures of {scope.nodes[0]})"
    elif finding.layer in (INTO_PODS, OUT_OF_PODS, PODS):
        yield "kubectl get networkpolicies -A"
    elif finding.layer == HOSTS:
        yield f"iptables -S INPUT   (on {node or 'the nodes'}; or nft list ruleset)"
    elif finding.layer == OVERLAY and NETWORK not in finding.layers and node:
        yield f"kubectl -n kube-system get pods -o wide --field-selector spec.nodeName={node}   (the CNI's pod there)"
    elif node:
        yield f"kubectl describe node {node}"
    elif scope.kind == ALL:
        yield "kubectl get nodes -o wide; kubectl get networkpolicies -A"


def summary(findings: Sequence[Finding], paths: int, probers: int) -> str:
    """Return the one sentence that comes first."""
    faults = [each for each in findings if each.kind != "unknown"]
    seen = f"{_paths(paths)} of {probers} prober{'s' if probers != 1 else ''}"
    if not findings:
        return f"HEALTHY {seen} work"
    if not faults:
        return f"UNCLEAR {headline(findings[0])[len('UNKNOWN ') :]}; {seen} were looked at"
    return f"{len(faults)} {'faults' if len(faults) > 1 else 'fault'} found by {seen}"


def duration(seconds: float) -> str:
    """Return seconds as people say them: `45 s`, `12 min`, `3 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _side(finding: Finding) -> str:
    node = finding.scope.nodes[-1] if finding.scope.nodes else ""
    if finding.direction in ("in", "out") and node:
        if finding.scope.kind in (PAIR, ONE_WAY):
            other = finding.scope.nodes[0]
            one, two = (other, node) if finding.direction == "in" else (node, other)
            return f", in the direction from {one} to {two}"
        return f", {'what goes in to' if finding.direction == 'in' else 'what comes out of'} {node}"
    return ""


def _probes(finding: Finding) -> str:
    return " and ".join(each.upper() for each in finding.probes)


def _counted(counts: Sequence[Count]) -> str:
    return " and ".join(
        f"{each.failing} of {each.of} {each.plane} paths" for each in counts if each.failing or len(counts) == 1
    )


def _path(seen: Seen) -> str:
    family = f" over {_FAMILIES.get(seen.family, seen.family)}" if seen.family else ""
    return f"{seen.source} to {seen.target} ({seen.plane}{family}, {seen.probe.upper()}): {_OUTCOMES.get(seen.outcome, seen.outcome)}"


def _paths(count: int) -> str:
    return f"{count} path{'s' if count != 1 else ''}"


def _verb(count: int, one: str, many: str) -> str:
    return one if count == 1 else many
