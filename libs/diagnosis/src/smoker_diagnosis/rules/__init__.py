"""Rules for what is not a faulty place in the mesh, one per file. A new rule is a file and a line in `RULES`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from smoker_diagnosis.finding import Finding
from smoker_diagnosis.look import Look
from smoker_diagnosis.rules import (
    certificates,
    dns_races,
    failing_flows,
    left_nodes,
    moved_echoes,
    silent_probers,
    stale_conntrack,
    targets,
    unexplained,
    unsteady,
)

Rule = Callable[[Look], Iterator[Finding]]

#: The order matters: `Look.named` has the nodes that earlier rules named.
RULES: tuple[Rule, ...] = (
    left_nodes.find,
    silent_probers.find,
    targets.find,
    certificates.find,
    moved_echoes.find,
    dns_races.find,
    failing_flows.find,
    stale_conntrack.find,
    unsteady.find,
    unexplained.find,
)
