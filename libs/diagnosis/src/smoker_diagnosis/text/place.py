"""The place of a fault in words."""

from __future__ import annotations

from collections.abc import Callable

from smoker_diagnosis.component import (
    ALL,
    INSIDE_ZONE,
    INTO,
    NODE,
    ONE_WAY,
    OUT_OF,
    PAIR,
    SERVICE,
    TARGET,
    ZONE,
    ZONE_ONE_WAY,
    ZONE_PAIR,
    Scope,
)
from smoker_diagnosis.finding import Finding

SHOWN = 6  # places that a sentence lists

_NAMES: dict[str, Callable[[Scope], str]] = {
    NODE: lambda scope: scope.nodes[0],
    INTO: lambda scope: f"into {scope.nodes[0]}",
    OUT_OF: lambda scope: f"out of {scope.nodes[0]}",
    PAIR: lambda scope: f"between {scope.nodes[0]} and {scope.nodes[1]}",
    ONE_WAY: lambda scope: f"from {scope.nodes[0]} to {scope.nodes[1]}",
    ZONE: lambda scope: f"zone {scope.zones[0]} (cut off from the others)",
    ZONE_PAIR: lambda scope: f"between zones {scope.zones[0]} and {scope.zones[1]}",
    ZONE_ONE_WAY: lambda scope: f"from zone {scope.zones[0]} to zone {scope.zones[1]}",
    INSIDE_ZONE: lambda scope: f"inside zone {scope.zones[0]}",
    ALL: lambda _: "every node",
    SERVICE: lambda _: "the echo Service",
    TARGET: lambda scope: f"target {scope.nodes[0]}",
}


def scope_name(scope: Scope) -> str:
    """Return a scope in words."""
    name = _NAMES.get(scope.kind)
    return name(scope) if name else "unknown"


def place(finding: Finding) -> str:
    """Return the place of the fault, or the possible places."""
    if not finding.one_of:
        return scope_name(finding.scope)
    more = len(finding.one_of) - SHOWN
    places = sorted(finding.one_of, key=lambda scope: scope.kind == ALL)  # the least specific comes last
    names = ", ".join(scope_name(scope) for scope in places[:SHOWN])
    return f"one of {names}{f' and {more} more' if more > 0 else ''}"


def part_of(larger: Finding) -> str:
    """Return why a finding has ended whose paths `larger` explains."""
    return f"it is part of a larger fault: {place(larger)}"
