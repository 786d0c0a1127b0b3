"""Judge whether findings name what a row broke."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from smoker_diagnosis.finding import Finding
from smoker_diagnosis.text import is_fault, next_steps
from tests.e2e.accuracy.lab import Lab
from tests.e2e.accuracy.rows import Expected, Row

SURE = 0.9  # confidence from which a finding opens


@dataclass(frozen=True)
class Verdict:
    """The verdict on one look: `word` is right, one of, unknown or wrong.

    `wrong` are the findings that name something else.
    """

    word: str
    wrong: tuple[Finding, ...] = ()


def judge(row: Row, lab: Lab, findings: Sequence[Finding]) -> Verdict:
    """Return the verdict on `findings`. An uncertain finding names nothing."""
    sure = [each for each in findings if is_fault(each) and each.confidence >= SURE]
    named = [any(_names(each, right, lab) for each in sure) for right in row.right]
    wrong = tuple(each for each in sure if not any(_names(each, right, lab) for right in (*row.right, *row.also)))
    if wrong:
        return Verdict("wrong", wrong)
    if all(named):
        return Verdict("right")
    partly = any(_among(each, right, lab) for each in findings for right in row.right)
    return Verdict("one of" if partly else "unknown")


def _names(finding: Finding, right: Expected, lab: Lab) -> bool:
    places = frozenset(finding.scope.nodes or finding.scope.zones)
    return (
        not finding.one_of
        and finding.kind in right.kinds
        and finding.scope.kind in right.scopes
        and (not right.places or places <= lab.places(right.places))
        and bool({finding.layer, *finding.layers} & set(right.layers))
        and (right.probes is None or finding.probes == right.probes)
        and (right.families is None or finding.families == right.families)
        and (not right.flows or bool(finding.flows))
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
