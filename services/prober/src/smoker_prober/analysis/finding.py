"""Which layer, node or way is at fault, by what all probers say together, with the evidence; or that it is not known.

cells ─▶ apart by what fails of them (all, one protocol, large packets) ─▶ where (node, pair, zones) ─▶ which layer

A finding is said only if nearly all cells that it should fail do, and no cell fails that it does not explain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from sys import intern
from typing import Any, NamedTuple

NEARLY_ALL = 0.8  # share of the cells: a result can be of a moment before or after the fault
MTU, RESOLVE = "mtu", "resolve_error"  # outcomes that name their layer


class Cell(NamedTuple):
    """One way from a prober to another, or to the echo services: what its probes said last."""

    source: str  # nodes
    target: str  # a node, or what the Service is called
    plane: str  # as of `target.Path`
    family: str  # empty: to the echo services
    well: frozenset[str]  # probes that were answered
    failed: frozenset[tuple[str, str]]  # probes that were not, each with its outcome


class Finding(NamedTuple):
    """`where` and `what`, in words; both are empty where it is not known."""

    where: str
    what: str
    evidence: str

    def __str__(self) -> str:
        if not self.where:
            return f"Not known what is at fault, for no node, pair or zone explains it: {self.evidence}."
        return f"At fault: {self.where}; {self.what}: {self.evidence}."


def findings(cells: Collection[Cell], zones: Mapping[str, str]) -> list[Finding]:
    """What is at fault. Without a failure nothing is. `zones`: of the nodes that have one."""
    mesh = [cell for cell in cells if cell.family]
    bad = [cell for cell in mesh if cell.failed]
    kinds = {cell: _kind(cell) for cell in bad}
    found = [
        _of_the_mesh(
            kind, [cell for cell in bad if kinds[cell] == kind], mesh, zones, alone=len(set(kinds.values())) == 1
        )
        for kind in sorted(set(kinds.values()))
    ]
    services = [cell for cell in cells if not cell.family]
    return found + list(_of_services([cell for cell in services if cell.failed], services, mesh_fails=bool(bad)))


def _kind(cell: Cell) -> str:
    """What fails of it, in words; none where all does."""
    if {outcome for _, outcome in cell.failed} == {MTU}:
        return "large packets"
    return " and ".join(sorted({probe.upper() for probe, _ in cell.failed})) if cell.well else ""


def _of_the_mesh(kind: str, bad: list[Cell], mesh: list[Cell], zones: Mapping[str, str], *, alone: bool) -> Finding:
    whole, failed = Counter(cell.plane for cell in mesh), Counter(cell.plane for cell in bad)
    families = {cell.family for cell in bad}
    # A fault of one direction fails other planes there alone, where requests and answers go different ways.
    plane = max(sorted(failed), key=lambda name: failed[name] / whole[name])
    scope = [cell for cell in mesh if cell.plane == plane and cell.family in families]
    where, explains = _where([cell for cell in bad if cell.plane == plane], scope, zones, alone=alone and not kind)
    counts = " and ".join(f"{failed[name]} of {whole[name]} ways of plane {name}" for name in sorted(failed))
    if not all(map(explains, bad)):
        return Finding("", "", f"{counts} fail ({kind or 'every probe'})")
    layer, beside = _layer(bad, mesh)
    what = f"{kind} alone, {layer}" if kind else layer
    if {cell.family for cell in mesh} > families:
        what += f", over {', '.join(sorted(families))} alone"
    return Finding(where, what, f"{counts} fail{beside}")


Explains = Callable[[Cell], bool]


def _where(bad: list[Cell], scope: list[Cell], zones: Mapping[str, str], *, alone: bool) -> tuple[str, Explains]:
    """The least that explains all of `bad` and little else of `scope`, in words, and which cells that explains.

    `alone`: nothing else fails, and of each of `bad` nothing was answered; else a single way can be chance.
    """
    nodes = sorted({name for cell in scope for name in (cell.source, cell.target)})

    def fits(explains: Explains) -> bool:
        """Whether nearly all that it explains fails, and nothing else does."""
        return all(map(explains, bad)) and len(bad) >= NEARLY_ALL * sum(map(explains, scope))

    def zone_pair(cell: Cell) -> frozenset[str]:
        return frozenset((zones.get(cell.source, ""), zones.get(cell.target, "")))

    first = bad[0]
    guesses: list[tuple[str, Explains]] = []
    if len(nodes) > 2:
        guesses.append(("every node", lambda _cell: True))
    way = (first.source, first.target)
    if alone and len(_pair(first)) == 2:
        guesses.append((f"from {way[0]} to {way[1]}", lambda cell: (cell.source, cell.target) == way))
    if len(_pair(first)) == 2:
        guesses.append((f"between {' and '.join(sorted(way))}", lambda cell: _pair(cell) == _pair(first)))
    ends: tuple[tuple[str, Callable[[Cell], Collection[str]]], ...] = (
        ("", _pair),
        ("from ", lambda cell: (cell.source,)),
        ("to ", lambda cell: (cell.target,)),
    )
    for word, end in ends:
        touched = Counter(name for cell in scope for name in end(cell))
        failed = Counter(name for cell in bad for name in end(cell))
        broken = {name for name, count in failed.items() if count >= NEARLY_ALL * touched[name]}
        if broken:
            guesses.append((word + ", ".join(sorted(broken)), partial(_touches, end, broken)))
    if len(zone_pair(first)) == 2 and "" not in zone_pair(first):
        both = zone_pair(first)
        guesses.append((f"between {' and '.join(sorted(both))}", lambda cell: zone_pair(cell) == both))
    return next((guess for guess in guesses if fits(guess[1])), ("", lambda _cell: False))


def _pair(cell: Cell) -> frozenset[str]:
    return frozenset((cell.source, cell.target))


def _touches(end: Callable[[Cell], Collection[str]], nodes: set[str], cell: Cell) -> bool:
    return not nodes.isdisjoint(end(cell))


def _layer(bad: list[Cell], mesh: list[Cell]) -> tuple[str, str]:
    """The layer, and what speaks for it beside the failures."""
    planes = {cell.plane for cell in bad}
    if planes == {"host"}:
        return "the nodes' own network", "; no way of pods does"
    if "host" in planes:
        return "the nodes' network, below the pods'", ""
    at_home = sum(cell.source == cell.target for cell in bad)
    if at_home:
        return "the pods themselves, or a policy for them", f"; {at_home} of them at home, which no overlay carries"
    pairs = {_pair(cell) for cell in bad}
    beside = [cell for cell in mesh if cell.plane == "host" and _pair(cell) in pairs and not cell.failed]
    if not beside:
        return "the pods' network or the nodes' (hostNetwork.enabled tells them apart)", ""
    return "the pods' network (overlay, or a policy)", f"; {len(beside)} from node to node beside them do not"


def _of_services(bad: list[Cell], services: list[Cell], *, mesh_fails: bool) -> Iterator[Finding]:
    """What of the ways to the echo services fails, and is not what fails between peers."""
    if not bad:
        return
    outcomes = {outcome for cell in bad for _, outcome in cell.failed}
    probes = " and ".join(sorted({probe.upper() for cell in bad for probe, _ in cell.failed}))
    sources = {cell.source for cell in bad}
    every = sources == {cell.source for cell in services}
    if outcomes == {RESOLVE}:
        what, beside = "the DNS", "" if mesh_fails else "; peers, asked by address, answer"
    elif mesh_fails:
        what, beside = "the echo services, too, which can follow from it", ""
    elif every:
        what, beside = f"the echo services or their Service ({probes})", "; peers answer"
    elif any(cell.well for cell in bad):
        what, beside = f"{probes} alone, of the echo services", "; its peers answer"
    else:
        what, beside = "Services (kube-proxy, or what stands in for it)", "; its peers answer"
    if {cell.plane for cell in bad} != {cell.plane for cell in services}:
        what += f", by the plane {' and '.join(sorted({cell.plane or 'of pods' for cell in bad}))} alone"
    where = "every node" if every else ", ".join(sorted(sources))
    told = f"{len(bad)} of {len(services)} ways to the echo services fail ({', '.join(sorted(outcomes))})"
    yield Finding(where, what, told + beside)


def cells_of(source: str, paths: Iterable[Mapping[str, Any]]) -> tuple[Cell, ...]:
    """The cells of the paths of a prober on `source`; of each `probe`, `target`, `plane`, `family` and `last` are read.

    The echo services are one target, whatever their ports. What has no result yet is neither well nor failed.
    """
    found: dict[tuple[str, str, str], tuple[set[str], set[tuple[str, str]]]] = {}
    for path in paths:
        target = path["target"] if path["family"] else ""
        key = intern(target), intern(path["plane"]), intern(path["family"])  # there can be half a million
        well, failed = found.setdefault(key, (set(), set()))
        if path["last"] == "success":
            well.add(path["probe"])
        elif path["last"]:
            failed.add((path["probe"], path["last"]))
    return tuple(Cell(source, *key, frozenset(well), frozenset(failed)) for key, (well, failed) in found.items())
