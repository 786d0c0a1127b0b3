"""The sentences of findings for people. No other package contains any.

FAULT node-3: packet loss of 36 % on the pod network (CNI overlay or NetworkPolicy), for 90 s, confidence 98 %
  evidence: 12 of 24 pod paths to or from node-3 lose packets; all 12 comparable node-to-node paths lose none
  next: kubectl -n kube-system get pods -o wide --field-selector spec.nodeName=node-3   (the CNI's pod there)
"""

from __future__ import annotations

from collections.abc import Sequence

from smoker_diagnosis.finding import Finding, is_harmless, is_sure
from smoker_diagnosis.text.evidence import evidence, late_evidence
from smoker_diagnosis.text.next_steps import next_steps
from smoker_diagnosis.text.place import part_of, place, scope_name
from smoker_diagnosis.text.verdict import NO_RESULT, by_loss, not_whole, whole_sentences
from smoker_diagnosis.text.what import layer, what
from smoker_diagnosis.text.words import duration, paths, percent, verb

__all__ = [
    "NO_RESULT",
    "by_loss",
    "counted",
    "duration",
    "evidence",
    "headline",
    "is_fault",
    "late_evidence",
    "layer",
    "lines",
    "next_steps",
    "not_whole",
    "part_of",
    "paths",
    "place",
    "scope_name",
    "summary",
    "unclear",
    "what",
    "whole_sentences",
]

_SEVERITIES = {"critical": "FAULT", "warning": "WARNING", "info": "INFO"}


def headline(finding: Finding) -> str:
    """Return one line: place, fault and confidence."""
    if finding.kind == "unknown":
        count = sum(each.failing for each in finding.counts)
        return f"UNKNOWN {paths(count)} {verb(count, 'fails', 'fail')} without a common cause"
    if finding.kind == "unsteady":
        count = sum(each.failing for each in finding.counts)
        return f"INFO {paths(count)} {verb(count, 'fails', 'fail')} again and again: not counted as evidence"
    since = f", for {duration(finding.since)}" if finding.since else ""
    # The confidence of one of several places would read as doubt whether there is a fault.
    sure = "" if finding.one_of else f", confidence {percent(min(finding.confidence, 0.99))}"
    return f"{_SEVERITIES[finding.severity]} {_where(finding)}: {what(finding)}{since}{sure}"


def _where(finding: Finding) -> str:
    return place(finding) if is_sure(finding) or finding.one_of else f"probably {place(finding)}"


def lines(finding: Finding) -> list[str]:
    """Return the headline, the evidence and the next commands."""
    return [
        headline(finding),
        *(f"  evidence: {each}" for each in evidence(finding)),
        *(f"  next: {each}" for each in next_steps(finding)),
    ]


def summary(findings: Sequence[Finding], count: int, probers: int, failing: int = 0) -> str:
    """Return the first sentence: the most severe fault, or that there is none.

    `count`: paths that `probers` probers probe; `failing`: those of them whose last probe failed.
    """
    faults = [each for each in findings if is_fault(each)]
    looked = f"{paths(count)} of {probers} {verb(probers, 'prober', 'probers')}"
    if not findings and failing:
        return f"HEALTHY no fault on {looked}; the last probe of {paths(failing)} failed"
    if not findings:
        return f"HEALTHY all {looked} work" if count != 1 else f"HEALTHY {looked} works"
    if faults:
        gravest = max(faults, key=lambda each: each.severity == "critical")
        more = len(findings) - 1
        others = f", and {more} more {verb(more, 'finding', 'findings')}" if more else ""
        return f"{_SEVERITIES[gravest.severity]} {_where(gravest)}: {what(gravest)}{others}"
    unknown = [each for each in findings if each.kind == "unknown"]
    if unknown:
        return unclear(unknown[0], count, probers)
    gravest = max(findings, key=lambda each: each.severity == "warning")
    return f"HEALTHY no fault on {looked}; {_worth_knowing(gravest)}"


def _worth_knowing(finding: Finding) -> str:
    if not finding.scope.kind:
        return headline(finding).removeprefix("INFO ")
    return f"{place(finding)}: {what(finding)}"


def unclear(finding: Finding, count: int, probers: int) -> str:
    """Return the one sentence for a `finding` without a place, or with a place that is not certain yet."""
    looked = f"of {paths(count)} of {probers} {verb(probers, 'prober', 'probers')}"
    if finding.kind == "unknown":
        return f"UNCLEAR {headline(finding).removeprefix('UNKNOWN ')}, {looked}"
    failing = sum(each.failing for each in finding.counts)
    return f"UNCLEAR {_where(finding)}: {what(finding)}, {failing:,} {looked}"


def counted(findings: Sequence[Finding], count: int, probers: int) -> str:
    """Return how many findings there are, for the end of a list of them."""
    many = len(findings)
    looked = f"{paths(count)} of {probers} {verb(probers, 'prober', 'probers')}"
    return f"{many} {verb(many, 'finding', 'findings')} from {looked}"


def is_fault(finding: Finding) -> bool:
    """Return whether the finding is a fault of the network: it has a cause, and is not harmless."""
    return finding.kind != "unknown" and not is_harmless(finding)
