"""A fault of a large part of a large mesh is found by a sample, with the same findings as by the whole search."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from smoker_diagnosis import loss, wide
from smoker_diagnosis.finding import Finding
from tests.diagnosis.mesh import Cluster, Link, nodes, two_zones

NEVER = 10**9

FAULTS: dict[str, Callable[[Cluster], Cluster]] = {
    "everything": lambda mesh: mesh.fail(lambda link: link.crosses),
    "the overlay": lambda mesh: mesh.fail(lambda link: link.crosses and link.plane in ("pod", "host-pod")),
    "UDP": lambda mesh: mesh.fail(lambda link: link.crosses, ["udp"]),
    "IPv6": lambda mesh: mesh.fail(lambda link: link.crosses and link.family == "ipv6"),
    "between zones": lambda mesh: mesh.fail(lambda link: apart(mesh, link)),
    "the overlay, and a node": lambda mesh: mesh.fail(
        lambda link: link.crosses and (link.plane in ("pod", "host-pod") or link.touches("node-3"))
    ),
    "the overlay, and a stray path": lambda mesh: mesh.fail(
        lambda link: link.crosses and (link.plane == "pod" or link == Link("node-3", "node-4", "host"))
    ),
    "a node": lambda mesh: mesh.fail(lambda link: link.touches("node-3")),
    "black hole": lambda mesh: mesh.black_hole(lambda link: link.crosses),
    "loss": lambda mesh: mesh.lose(lambda link: link.crosses, 3),
    "loss between zones": lambda mesh: mesh.lose(lambda link: apart(mesh, link), 3),
}


def apart(mesh: Cluster, link: Link) -> bool:
    return mesh.zones[link.source] != mesh.zones[link.target]


def told(findings: list[Finding]) -> list[tuple[object, ...]]:
    return [
        (each.kind, each.scope, each.layers, each.probes, each.families, each.one_of, each.counts) for each in findings
    ]


@pytest.mark.parametrize("name", FAULTS)
def test_a_sample_finds_what_the_whole_search_finds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kind, place, layers, probes, families and counts are the same, and so is what is found beside it."""
    names = nodes(24)
    mesh = FAULTS[name](Cluster(names, families=("ipv4", "ipv6"), zones=two_zones(names, first=14), services=False))
    monkeypatch.setattr(wide, "MANY", NEVER)
    monkeypatch.setattr(loss, "MANY", NEVER)
    whole = mesh.findings()
    assert whole
    monkeypatch.setattr(wide, "MANY", 40)
    monkeypatch.setattr(wide, "SAMPLE", 300)
    monkeypatch.setattr(loss, "MANY", 40)
    assert told(mesh.findings()) == told(whole)


def test_a_sample_finds_what_is_lost_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a loss everywhere the sample names every node; the whole search names the node that loses more, too."""
    mesh = Cluster(nodes(24), families=("ipv4", "ipv6"), services=False).lose(lambda link: link.crosses, 2)
    mesh.lose(lambda link: link.touches("node-3"), 15)
    monkeypatch.setattr(loss, "MANY", NEVER)
    assert [each.scope.kind for each in mesh.findings()] == ["node", "all"]
    monkeypatch.setattr(loss, "MANY", 40)
    assert [each.scope.kind for each in mesh.findings()] == ["all"]
