"""The verdict of `make e2e-accuracy` on findings; it needs no cluster."""

from __future__ import annotations

from typing import cast

import pytest

from smoker_diagnosis.component import ALL, INTO, NETWORK, NODE, ONE_WAY, OUT_OF, OVERLAY, PAIR, SERVICE, Scope
from smoker_diagnosis.finding import Finding, finding_of
from smoker_diagnosis.services import LAYER_DNS
from tests.e2e.accuracy.judge import NO_DIRECTION, SEVERAL_LAYERS, judge
from tests.e2e.accuracy.lab import Lab
from tests.e2e.accuracy.rows import ROWS

ROW = {row.name: row for row in ROWS}


class Roles:
    """The nodes of a cluster by their role: each is called like its role."""

    def places(self, names: frozenset[str]) -> frozenset[str]:
        return names


def verdict(row: str, *findings: Finding) -> str:
    """Return the verdict in words on findings that are open during `row`."""
    found = judge(ROW[row], cast(Lab, Roles()), findings)
    return ", ".join((found.word, *found.lacks))


def dns(scope: Scope) -> Finding:
    return finding_of("cluster", "dns", scope, LAYER_DNS)


def test_one_node_is_not_all_of_the_dns() -> None:
    """A DNS that is down as a whole must be named for every node; a policy's effect may be named for one, too."""
    one, every = dns(Scope(NODE, ("victim",))), dns(Scope(ALL))
    assert verdict("all of DNS", every) == "right"
    assert verdict("all of DNS", one) == "wrong"
    assert verdict("policy: out of all probers", every) == verdict("policy: out of all probers", one) == "unknown"


@pytest.mark.parametrize("confidence", [0.97, 0.5])
def test_a_drain_with_the_hub_may_only_name_the_move(confidence: float) -> None:
    """That an echo moved is information. A fault of its Service is wrong, even one that is not certain."""
    row, echo = "healthy: a drained node with the only echo and the hub", Scope(SERVICE, ("tcp",))
    moved = finding_of("cluster", "moved", echo, "service", severity="info", confidence=0.97)
    assert verdict(row) == verdict(row, moved) == "right"
    fault = finding_of("cluster", "service", Scope(SERVICE), "service", confidence=confidence)
    assert verdict(row, moved, fault) == "wrong"


WITHOUT = f"right, {NO_DIRECTION}"
SECOND_FIRST, VICTIM_FIRST = ("second", "victim"), ("victim", "second")  # nodes of a scope: the last one counts


@pytest.mark.parametrize(("direction", "wanted"), [("in", "right"), ("out", "wrong"), ("", WITHOUT), ("both", WITHOUT)])
def test_a_loss_into_a_node_has_its_direction(direction: str, wanted: str) -> None:
    """The opposite direction is wrong; none, or both, is right without it."""
    loss = finding_of("cluster", "loss", Scope(NODE, ("victim",)), OVERLAY, direction=direction)
    assert verdict("loss of 8 % into a node", loss) == wanted


@pytest.mark.parametrize(
    ("scope", "direction", "wanted"),
    [
        (Scope(PAIR, SECOND_FIRST), "in", "right"),
        (Scope(PAIR, SECOND_FIRST), "out", "wrong"),
        (Scope(PAIR, SECOND_FIRST), "", WITHOUT),
        (Scope(PAIR, VICTIM_FIRST), "out", "right"),
        (Scope(PAIR, VICTIM_FIRST), "in", "wrong"),
        (Scope(ONE_WAY, SECOND_FIRST), "", "right"),
        (Scope(ONE_WAY, VICTIM_FIRST), "", "wrong"),
        (Scope(ONE_WAY, VICTIM_FIRST), "out", "right"),  # those probes fail whose replies do not arrive
    ],
)
def test_a_pair_that_is_broken_one_way_has_its_direction(scope: Scope, direction: str, wanted: str) -> None:
    """The direction of a pair is that of its last node."""
    fault = finding_of("cluster", "fault", scope, OVERLAY, direction=direction)
    assert verdict("overlay of a pair, one way", fault) == wanted


def test_the_scope_says_the_direction_as_well() -> None:
    """What enters a node is right where what leaves it is wrong."""
    into, out = (finding_of("cluster", "fault", Scope(kind, ("victim",)), OVERLAY) for kind in (INTO, OUT_OF))
    assert verdict("rejected at a node", into) == "right"
    assert verdict("rejected at a node", out) == "wrong"


def test_one_of_several_layers_is_less_than_the_layer() -> None:
    """A finding that does not tell the row's layer from another one is right, and the verdict says so."""

    def overlay(*layers: str) -> Finding:
        return finding_of("cluster", "fault", Scope(NODE, ("victim",)), OVERLAY, layers=layers)

    either = overlay(OVERLAY, NETWORK)
    assert verdict("overlay of a node", overlay(OVERLAY)) == "right"
    assert verdict("overlay of a node", either) == f"right, {SEVERAL_LAYERS}"
    assert verdict("overlay of a node", either, overlay(OVERLAY)) == "right"
    assert (
        verdict(
            "UDP alone at a node",
            finding_of("c", "fault", Scope(NODE, ("victim",)), OVERLAY, layers=(OVERLAY, NETWORK), probes=("udp",)),
        )
        == "right"
    ), "the row accepts both"
