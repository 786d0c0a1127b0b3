"""Failing paths that no component explains: they are listed, and no component is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from smoker_diagnosis.behind_services import Explained
from smoker_diagnosis.component import Scope
from smoker_diagnosis.evidence import DNS, ECHO, IN_A_ROW, Cell
from smoker_diagnosis.finding import SHOWN_FAILING, Count, Finding, Seen, finding_of, identity, seen
from smoker_diagnosis.look import Look
from smoker_diagnosis.resolvers import LAYER_REPLICA
from smoker_diagnosis.state import Traced
from smoker_diagnosis.traces import last_hops


def find(look: Look) -> Iterator[Finding]:
    """Yield one finding with all of them, those that have failed longest first.

    Its id is always the same, as the paths come and go.
    """
    between = (each for cell, bits in look.stray for each in seen(_often([cell], bits), bits))
    stray = [*between, *_of_services(look), *_of_targets(look)]
    if not stray:
        return
    stray.sort(key=lambda each: each.since, reverse=True)
    paths = dict.fromkeys((each.source, each.target, each.plane, each.family) for each in stray)
    names = dict.fromkeys(f"{source}>{target}" for source, target, *_ in paths)
    planes = Counter(plane for _source, _target, plane, _family in paths)
    found = finding_of(
        look.cluster,
        "unknown",
        Scope("", tuple(names)[:SHOWN_FAILING]),
        "",
        severity="warning",
        confidence=0.5,
        outcomes=tuple(sorted({each.outcome for each in stray})),
        since=stray[0].since,
        counts=tuple(Count(plane, count, look.paths_of(plane)) for plane, count in sorted(planes.items())),
        failing=tuple(stray[:SHOWN_FAILING]),
        last_hops=last_hops(_traces(look, stray)),
    )
    yield msgspec.structs.replace(found, id=identity(look.cluster, "unknown", Scope("", ()), ""))


def _often(cells: Iterable[Cell], bits: int) -> Iterator[Cell]:
    return (
        cell for cell in cells if cell.bad and any(cell.failed[bit].streak >= IN_A_ROW for bit in cell.failing(bits))
    )


def _of_services(look: Look) -> Iterator[Seen]:
    """Yield the paths to the echo services and to the DNS servers, where nothing is found that can explain them.

    An echo or a DNS server can stand on a node that is at fault, and of many paths some fail by loss of packets.
    """
    found, paths = Explained(look), len(look.mesh.services) + len(look.mesh.resolvers)
    explained = {id(cell) for cell in look.following} | {id(cell) for each in look.services for cell in each.cells}
    dns = [] if any(each.bits & DNS for each in look.services) else look.mesh.resolvers
    cells = (cell for cell in (*look.mesh.troubled, *dns) if id(cell) not in explained)
    # A broken DNS pod fails look-ups everywhere, now these and now those.
    bits = ECHO if any(each.layer == LAYER_REPLICA for each in look.services) else ECHO | DNS

    def stays(cell: Cell) -> bool:
        streaks = ((bit, cell.failed[bit].streak) for bit in cell.failing(bits))
        return not all(found.explains(cell.source, bit, streak, paths=paths) for bit, streak in streaks)

    return seen(filter(stays, _often(cells, bits)), bits)


def _of_targets(look: Look) -> Iterator[Seen]:
    """Yield the paths to further targets that fail, but not from everywhere."""
    for other in look.mesh.others:
        source, path = other
        if other.fails and source not in look.named and path.target not in look.targets:
            # Not up to now: a target can have an interval of hours, in which nobody knows.
            since = path.at - path.since
            yield Seen(source, path.target, path.plane, path.family, path.probe, path.last, since, path.error)


def _traces(look: Look, stray: Iterable[Seen]) -> Iterator[tuple[str, str, Traced | None]]:
    """Yield the traces of the paths in `stray`, with source and target."""
    listed = {(each.source, each.target, each.plane, each.family) for each in stray}
    for cell in (*(each.cell for each in look.stray), *look.mesh.troubled):
        if cell.traced is not None and (cell.source, cell.target, cell.plane, cell.family) in listed:
            yield cell.source, cell.target, cell.traced
    for source, path in look.mesh.others:
        if path.traced is not None and (source, path.target, path.plane, path.family) in listed:
            yield source, path.target, path.traced
