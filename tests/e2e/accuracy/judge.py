"""Judge whether findings name what a row broke."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from smoker_diagnosis.component import INTO, ONE_WAY, OUT_OF
from smoker_diagnosis.finding import SURE, Finding
from smoker_diagnosis.text import is_fault, next_steps
from tests.e2e.accuracy.lab import Lab
from tests.e2e.accuracy.rows import Expected, Row

#: What a right finding can lack. In the table each stands behind the word "right".
NO_DIRECTION, SEVERAL_LAYERS = "without the direction", "one of several layers"
LACKS = (NO_DIRECTION, SEVERAL_LAYERS)
# Not right yet: a trace of a failing path and a check of its flows end after the finding opens.
NO_HOP, NO_FLOWS = "named without the last hop", "named without the flows"
LATE = (NO_HOP, NO_FLOWS)
_IN, _OUT = "in", "out"
_OF_SCOPE = {INTO: _IN, ONE_WAY: _IN, OUT_OF: _OUT}  # direction of packets at the last node of the scope


@dataclass(frozen=True)
class Verdict:
    """The verdict on one look: `word` is right, one of `LATE`, one of, unknown or wrong.

    `wrong` are the findings that name something else. `lacks`: what the right ones do not say.
    """

    word: str
    wrong: tuple[Finding, ...] = ()
    lacks: tuple[str, ...] = ()


def judge(row: Row, lab: Lab, findings: Sequence[Finding]) -> Verdict:
    """Return the verdict on `findings`. An uncertain finding names nothing, unless the row is strict."""
    sure = [each for each in findings if is_fault(each) and (row.strict or each.confidence >= SURE)]
    named = [[each for each in sure if _names(each, right, lab)] for right in row.right]
    wrong = tuple(each for each in sure if not any(_names(each, right, lab) for right in (*row.right, *row.also)))
    if wrong:
        return Verdict("wrong", wrong)
    if all(named):
        pairs = list(zip(row.right, named, strict=True))
        if any(right.hop and not any(each.last_hops for each in found) for right, found in pairs):
            return Verdict(NO_HOP)
        if any(right.flows and not any(each.flows for each in found) for right, found in pairs):
            return Verdict(NO_FLOWS)
        lacks = {lack for right, found in pairs for lack in _lacks(found, right, lab)}
        return Verdict("right", lacks=tuple(each for each in LACKS if each in lacks))
    partly = any(_among(each, right, lab) for each in findings for right in row.right)
    return Verdict("one of" if partly else "unknown")


def _lacks(findings: Sequence[Finding], right: Expected, lab: Lab) -> list[str]:
    """Return what the most complete of these findings, all of which name `right`, does not say."""
    return min(
        (
            ([NO_DIRECTION] if right.into and not _direction(each, right, lab) else [])
            + ([SEVERAL_LAYERS] if not {each.layer, *each.layers} <= set(right.layers) else [])
            for each in findings
        ),
        key=len,
    )


def _direction(finding: Finding, right: Expected, lab: Lab) -> str:
    """Return whether the finding blames packets "in" to the node that `right` names or "out" of it.

    Empty: it does not say.
    """
    said = finding.direction if finding.direction in (_IN, _OUT) else _OF_SCOPE.get(finding.scope.kind, "")
    if not said or not finding.scope.nodes:
        return ""
    if finding.scope.nodes[-1] in lab.places(frozenset({right.into})):
        return said
    return _OUT if said == _IN else _IN  # it speaks of the other node of a pair


def _names(finding: Finding, right: Expected, lab: Lab) -> bool:
    places = frozenset(finding.scope.nodes or finding.scope.zones)
    return (
        not finding.one_of
        and finding.kind in right.kinds
        and finding.scope.kind in right.scopes
        and (not right.places or places <= lab.places(right.places))
        and bool({finding.layer, *finding.layers} & set(right.layers))
        and (not right.into or _direction(finding, right, lab) != _OUT)
        and (right.probes is None or finding.probes == right.probes)
        and (right.families is None or finding.families == right.families)
        and (not right.kept_flow or _ends_flow(finding, lab.kept_port))
        and (not right.dns_pod or finding.pod == f"kube-system/{lab.dns_pods()[0].name}")
    )


def _ends_flow(finding: Finding, port: int) -> bool:
    """Return whether the next step is the command that removes the stale entry of the flow from `port`."""
    return any(each.startswith(f"conntrack -D -p udp --orig-port-src {port} ") for each in next_steps(finding))


def _among(finding: Finding, right: Expected, lab: Lab) -> bool:
    wanted = lab.places(right.places)
    return any(
        scope.kind in right.scopes and frozenset(scope.nodes or scope.zones) <= wanted for scope in finding.one_of
    )
