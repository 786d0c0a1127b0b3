"""The verdict of `make e2e-accuracy` on findings; it needs no cluster."""

from __future__ import annotations

from typing import cast

from smoker_diagnosis.component import ALL, NODE, Scope
from smoker_diagnosis.finding import Finding, finding_of
from smoker_diagnosis.services import LAYER_DNS
from tests.e2e.accuracy.judge import judge
from tests.e2e.accuracy.lab import Lab
from tests.e2e.accuracy.rows import ROWS

ROW = {row.name: row for row in ROWS}


class Roles:
    """The nodes of a cluster by their role: each is called like its role."""

    def places(self, names: frozenset[str]) -> frozenset[str]:
        return names


def verdict(row: str, *findings: Finding) -> str:
    return judge(ROW[row], cast(Lab, Roles()), findings).word


def dns(scope: Scope) -> Finding:
    return finding_of("cluster", "dns", scope, LAYER_DNS)


def test_one_node_is_not_all_of_the_dns() -> None:
    """A DNS that is down as a whole must be named for every node; a policy's effect may be named for one, too."""
    one, every = dns(Scope(NODE, ("victim",))), dns(Scope(ALL))
    assert verdict("all of DNS", every) == "right"
    assert verdict("all of DNS", one) == "wrong"
    assert verdict("policy: out of all probers", every) == verdict("policy: out of all probers", one) == "unknown"
