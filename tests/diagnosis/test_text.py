"""The sentences of findings."""

from __future__ import annotations

from typing import Any

import pytest

from smoker_diagnosis.component import Scope
from smoker_diagnosis.finding import Count, Finding, Seen
from smoker_diagnosis.text import duration, headline, lines, place, scope_name, summary
from tests.diagnosis.mesh import Cluster, nodes


def finding(kind: str = "fault", scope: Scope | None = None, layer: str = "network", **more: object) -> Finding:
    where = scope or Scope("node", ("node-3",))
    given: dict[str, Any] = {"id": "1", "kind": kind, "scope": where, "layer": layer, "layers": (layer,), **more}
    return Finding(**given)


def test_loss_has_headline_evidence_and_next_step() -> None:
    """Loss has a headline, its evidence with the comparable paths that lose none, and the next command."""
    loss = finding(
        "loss",
        layer="overlay",
        share=0.36,
        since=90.0,
        confidence=0.98,
        counts=(Count("pod", 12, 24),),
        beside=(Count("host", 0, 12),),
    )
    first, second, third = lines(loss)
    assert first == (
        "FAULT node-3: packet loss of 36 % on the pod network (CNI overlay or NetworkPolicy), for 90 s, confidence 98 %"
    )
    assert second == (
        "  evidence: 12 of 24 pod paths to or from node-3 lose packets; all 12 comparable node-to-node paths lose none"
    )
    assert third == (
        "  next: kubectl get pods --namespace kube-system --output wide --field-selector spec.nodeName=node-3"
        "   (the CNI's pod there)"
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (finding(), "FAULT node-3: no connection on the node network (below the pods), confidence 99 %"),
        (
            finding(layer="overlay", layers=("overlay", "network"), confidence=0.9),
            (
                "FAULT node-3: no connection on the pod network or the node network below it"
                " (hostNetwork.enabled tells them apart), confidence 90 %"
            ),
        ),
        (
            finding(probes=("tcp", "http"), families=("ipv6",), outcomes=("refused",), confidence=0.9),
            (
                "FAULT node-3: TCP and HTTP fail on the node network (below the pods), refused at once, IPv6 only,"
                " confidence 90 %"
            ),
        ),
        (
            finding(scope=Scope("pair", ("node-1", "node-3")), direction="in", confidence=0.9),
            (
                "FAULT between node-1 and node-3: no connection on the node network (below the pods),"
                " in the direction from node-1 to node-3, confidence 90 %"
            ),
        ),
        (
            finding("mtu", mtu=1450, passes=1280, confidence=0.9),
            (
                "FAULT node-3: large packets are lost (the path should take 1450 bytes, 1280 pass) on the node network"
                " (below the pods), confidence 90 %"
            ),
        ),
        (
            finding("dns", Scope("all"), "dns", share=0.5, confidence=0.9),
            (
                "FAULT every node: cluster DNS fails for 50 % of the look-ups: one of its pods does not answer,"
                " confidence 90 %"
            ),
        ),
        (
            finding("dns", Scope("all"), "dns", confidence=0.9),
            "FAULT every node: cluster DNS does not answer, confidence 90 %",
        ),
        (
            finding("dns", layer="dns", confidence=0.9),
            "FAULT node-3: cluster DNS cannot be reached from there, confidence 90 %",
        ),
        (
            finding("service", layer="service", confidence=0.9),
            "FAULT node-3: Services do not work there (kube-proxy, or what replaces it), confidence 90 %",
        ),
        (
            finding("service", Scope("service"), "service", probes=("http",), outcomes=("refused",), confidence=0.9),
            "FAULT the echo Service: HTTP fails from every node; nobody listens behind it, confidence 90 %",
        ),
        (
            finding("not_ready", confidence=0.9),
            "FAULT node-3: NotReady, and unreachable before that; its paths are no longer probed, confidence 90 %",
        ),
        (
            finding("silent", severity="warning", notes=("pod", "hung"), confidence=0.9),
            "WARNING node-3: the prober hangs: its results are old, confidence 90 %",
        ),
        (
            finding("silent", severity="warning", notes=("pod", "mute"), confidence=0.97),
            "WARNING node-3: the prober hangs: TCP connects, but nothing answers; the network works, confidence 97 %",
        ),
        (
            finding("target", Scope("target", ("db",)), "target", outcomes=("timeout", "refused"), confidence=0.9),
            "FAULT target db: fails from every node that probes it (no answer and refused at once), confidence 90 %",
        ),
        (
            finding("unknown", Scope(""), "", counts=(Count("pod", 3, 90),)),
            "UNKNOWN 3 paths fail without a common cause",
        ),
    ],
    ids=lambda value: value.kind if isinstance(value, Finding) else "",
)
def test_each_kind_has_a_headline(given: Finding, sentence: str) -> None:
    """Each kind of finding has a headline with place, fault and confidence."""
    assert headline(given) == sentence


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        (Scope("into", ("n",)), "into n"),
        (Scope("out_of", ("n",)), "out of n"),
        (Scope("one_way", ("n", "m")), "from n to m"),
        (Scope("zone", (), ("a",)), "zone a (cut off from the others)"),
        (Scope("zone_pair", (), ("a", "b")), "between zones a and b"),
        (Scope("zone_one_way", (), ("a", "b")), "from zone a to zone b"),
        (Scope("inside_zone", (), ("a",)), "inside zone a"),
    ],
)
def test_each_scope_has_words(scope: Scope, words: str) -> None:
    """Each kind of scope has words."""
    assert scope_name(scope) == words


def test_up_to_six_places_are_listed() -> None:
    """Places that cannot be told apart are all listed, up to six."""
    scopes = tuple(Scope("node", (name,)) for name in nodes(8))
    assert place(finding(one_of=scopes[:2])) == "one of node-1, node-2"
    assert place(finding(one_of=scopes)).endswith("node-6 and 2 more")


def test_unknown_lists_paths() -> None:
    """Paths without a common cause are listed one by one."""
    seen = Seen("node-1", "node-2", "pod", "ipv4", "tcp", "timeout")
    told = lines(finding("unknown", Scope(""), "", counts=(Count("pod", 1, 9),), failing=(seen,)))
    assert told == [
        "UNKNOWN 1 path fails without a common cause",
        "  evidence: 1 of 9 pod paths fail",
        "  evidence: node-1 to node-2 (pod over IPv4, TCP): no answer",
    ]


def test_the_summary_says_whether_anything_is_wrong() -> None:
    """The first sentence says whether anything is wrong, and how many paths were examined."""
    assert summary([], 90, 10) == "HEALTHY all 90 paths of 10 probers work"
    assert summary([], 90, 10, 1) == "HEALTHY no fault on 90 paths of 10 probers; the last probe of 1 path failed"
    first = "FAULT node-3: no connection on the node network (below the pods)"
    loss = finding("loss", severity="warning", share=0.04)
    assert summary([finding()], 90, 10) == first
    assert summary([loss, finding()], 90, 10) == f"{first}, and 1 more finding"
    moved = finding("moved", Scope("service"), "service", severity="info", probes=("tcp",), notes=("a", "b"))
    assert summary([moved], 90, 10) == (
        "HEALTHY no fault on 90 paths of 10 probers; "
        "the echo Service: the pods of the TCP echo moved from a to b, and probes failed meanwhile"
    )
    unknown = finding("unknown", Scope(""), "", counts=(Count("pod", 3, 90),))
    assert summary([unknown], 90, 1) == "UNCLEAR 3 paths fail without a common cause, of 90 paths of 1 prober"


def test_durations() -> None:
    """Durations have the unit that people use."""
    assert [duration(each) for each in (45.2, 600, 7200)] == ["45 s", "10 min", "2 h"]


def test_real_findings_have_all_three_parts() -> None:
    """A finding of a real look has a headline, evidence and a next step."""
    told = lines(Cluster(nodes(8)).fail(lambda link: link.touches("node-2")).findings()[0])
    assert [line.split()[0] for line in told] == ["FAULT", "evidence:", "next:"]
