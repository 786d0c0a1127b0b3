"""The evidence for a finding, as sentences."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from smoker_diagnosis.component import INTO, NODE, OUT_OF
from smoker_diagnosis.finding import LONGEST_CAUSE, Count, Finding, Seen
from smoker_diagnosis.text.words import ANSWERED, FAMILIES, PLANES, duration, listed, outcome, paths, verb
from smoker_diagnosis.traces import LastHop

SHOWN = 10  # paths without a common cause that are listed
_FAIL = {
    "loss": ("loses packets", "lose packets"),
    "flows": ("loses some flows", "lose some flows"),
    "mtu": ("loses large packets", "lose large packets"),
}
_ENDS = {NODE: "to or from", INTO: "to", OUT_OF: "from"}


def evidence(finding: Finding) -> Iterator[str]:
    """Yield the evidence for the finding: sentences without their full stop."""
    if finding.kind == "not_ready":
        yield from _not_ready(finding)
        return
    if finding.kind == "silent":
        yield _peers(finding)
        return
    if finding.kind == "certificate":
        count = finding.counts[0]
        shows = verb(count.failing, "shows", "show")
        yield f"{count.failing} of {count.of} {verb(count.of, 'path', 'paths')} to it {shows} that certificate"
        return
    if finding.kind == "moved":
        count = finding.counts[0]
        yield f"{count.failing} of {count.of} Service paths failed before that, and have had no probe since"
        return
    if finding.kind == "conntrack":
        yield from _kept(finding)
        return
    if finding.kind == "target":
        yield from _target(finding)
        return
    yield from _main(finding)
    if finding.follows:
        yield f"{paths(finding.follows)} to the echo Services {verb(finding.follows, 'fails', 'fail')} because of it"
    if finding.offender:
        yield f"{finding.offender} sends the ICMP error"
    yield from _flows(finding)
    yield from _last_hops(finding)
    yield from finding.notes
    if finding.kind in ("unknown", "unsteady"):
        yield from (_path(each) for each in finding.failing[:SHOWN])


def _not_ready(finding: Finding) -> Iterator[str]:
    for count in finding.counts:
        if count.plane == "peers":
            yield f"{count.failing} of {count.of} probers could not reach it when it became NotReady"
        else:
            yield f"its {verb(count.of, 'prober does', f'{count.of} probers do')} not answer the hub"
    yield from finding.notes


def _peers(finding: Finding) -> str:
    count = finding.counts[0]
    if "mute" in finding.notes:
        return f"on {count.failing} of {count.of} paths to it TCP connects and no answer comes"
    return f"{count.of - count.failing} of {count.of} paths to it work"


def _target(finding: Finding) -> Iterator[str]:
    """Yield how many paths to the target fail, with which causes, and where traces end."""
    for count in finding.counts:
        ends = f"to it {verb(count.of, 'fails', 'fail')} ({listed([outcome(each) for each in finding.outcomes])})"
        yield f"{count.failing} of {count.of} {verb(count.of, 'path', 'paths')} {ends}"
    probe = listed([each.upper() for each in finding.probes])
    for cause in finding.causes:
        yield f"{probe} on {paths(cause.paths)}: {cause.error}"
    if finding.outcomes and ANSWERED.issuperset(finding.outcomes):
        yield "the target, or a proxy in front of it, answers: the network carries packets there and back"
    yield from _last_hops(finding)


def _main(finding: Finding) -> Iterator[str]:
    """Yield the number of failing paths, and the state of the comparable ones."""
    failing = sum(each.failing for each in finding.counts)
    if not failing:
        return
    whole = sum(each.of for each in finding.counts if each.failing)
    kinds = f" ({listed([outcome(each) for each in finding.outcomes])})" if finding.outcomes else ""
    end = _ENDS.get(finding.scope.kind) if not finding.one_of and finding.kind in ("fault", "loss", "mtu") else None
    ends = f" {end} {finding.scope.nodes[0]}" if end else ""
    text = f"{_counted(finding.counts)}{ends} {verb(whole, *_FAIL.get(finding.kind, ('fails', 'fail')))}{kinds}"
    yield f"{text}; {beside}" if (beside := _beside(finding)) else text


def _beside(finding: Finding) -> str:
    if not finding.beside:
        return ""
    failing, whole = sum(each.failing for each in finding.beside), sum(each.of for each in finding.beside)
    kinds = listed([PLANES.get(each.plane, each.plane) for each in finding.beside])
    if failing:
        return f"{failing} of {whole} comparable {kinds} {verb(whole, 'path does', 'paths do')}, too"
    if whole == 1:
        return f"the comparable {kinds} path {'loses none' if finding.kind == 'loss' else 'works'}"
    return f"all {whole} comparable {kinds} paths {'lose none' if finding.kind == 'loss' else 'work'}"


def _counted(counts: Sequence[Count]) -> str:
    return listed(
        [
            f"{each.failing} of {each.of} {PLANES.get(each.plane, each.plane)} {verb(each.of, 'path', 'paths')}"
            for each in counts
            if each.failing
        ]
    )


def _kept(finding: Finding) -> Iterator[str]:
    """Yield which flows fail since when, beside which others."""
    for port, seen in zip(finding.kept_ports, finding.failing, strict=False):
        flow = f"the flow to {seen.target} from UDP source port {port} has had no answer for {duration(seen.since)}"
        yield f"{flow}; 16 new source ports are answered, and no probe of the Service from {seen.source} fails"


def _flows(finding: Finding) -> Iterator[str]:
    """Yield where some flows always fail, and what that means."""
    if not finding.flows:
        return
    most, more = finding.flows[0], len(finding.flows) - 1
    others = f"; so do some on {more} more {verb(more, 'path', 'paths')}" if more else ""
    where = f"{most.failing} of {most.of} flows from {most.source} to {most.target} always fail"
    yield f"{where}, the others work: one member of an ECMP group or a bond, or connection tracking{others}"


def late_evidence(finding: Finding, kinds: Collection[str]) -> Iterator[str]:
    """Yield what the checks of flows and the traces have found, for each of these `kinds`: "flows", "last_hops"."""
    if "flows" in kinds:
        yield from _flows(finding)
    if "last_hops" in kinds:
        yield from _last_hops(finding)


def _last_hops(finding: Finding) -> Iterator[str]:
    """Yield where the traces of the failing paths end."""
    yield from map(_last_hop, finding.last_hops)


def _last_hop(last: LastHop) -> str:
    more = last.paths - 1
    others = f" and on {more} more {verb(more, 'path', 'paths')}" if more else ""
    place = f"hop {last.hop} from {last.source} to {last.target}{others}"
    return f"last hop that answers: {last.address}, {place}{_before(last)}"


def _before(last: LastHop) -> str:
    """Return what was different while the path worked."""
    if not last.before:
        return ""
    if not last.same_route:
        return f"; when that path worked, the hops were {', '.join(last.before)}"
    if len(last.before) == len(last.hops):
        return "; no hop beyond it answered when that path worked, either"
    return f"; when that path worked, {', '.join(last.before[len(last.hops) :])} came next"


def _path(seen: Seen) -> str:
    family = f" over {FAMILIES.get(seen.family, seen.family)}" if seen.family else ""
    plane = PLANES.get(seen.plane, seen.plane)
    error = f" ({seen.error[:LONGEST_CAUSE]})" if seen.error else ""
    return f"{seen.source} to {seen.target} ({plane}{family}, {seen.probe.upper()}): {outcome(seen.outcome)}{error}"
