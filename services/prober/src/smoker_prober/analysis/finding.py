"""Which layer, node or way is at fault, by what all probers say together, with the evidence; or that it is not known.

cells ─▶ apart by what fails of them (all, a protocol, large packets, loss) ─▶ where (node, pair, zones) ─▶ layer

A finding is said only if nearly all ways that it should fail do, and none fails that it does not explain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache, partial
from statistics import median
from sys import intern
from typing import Any, NamedTuple

NEARLY_ALL = 0.8  # share of the ways: a result can be of a moment before or after the fault
LOSSY, LOST = 0.05, 0.9  # loss ratios: below it is chance, above it a way that is no more
AGAIN, AND_AGAIN = 2, 5  # failures in a row, where every probe of a way fails and where some do: less can be chance
MTU, RESOLVE, REFUSED, LOCAL = "mtu", "resolve_error", "refused", "local_error"  # outcomes that name their layer
SILENT = {"timeout", "unreachable", RESOLVE, MTU}  # what failures have that can follow from another way's
LARGE = "large packets"
PODS, NODES = "the pods' network (overlay, or a policy)", "the nodes' network, below the pods'"


class Cell(NamedTuple):
    """One way from a prober to another, or to the echo services: what its probes said last."""

    source: str  # nodes
    target: str  # empty: the echo services
    plane: str  # as of `target.Path`
    family: str  # empty: to the echo services
    well: frozenset[str]  # probes that were answered
    failed: frozenset[tuple[str, str]]  # probes that were not, each with its outcome
    loss: float = 0.0  # of the last packets


class Finding(NamedTuple):
    """`where` and `what`, in words; both are empty where it is not known."""

    where: str
    what: str
    evidence: str

    def __str__(self) -> str:
        if not self.where:
            return f"Not known what is at fault, for no node, pair or zone explains it: {self.evidence}."
        return f"At fault: {self.where}; {self.what}: {self.evidence}."


Explains = Callable[[Cell], bool]


def findings(
    cells: Collection[Cell], zones: Mapping[str, str], without_api: Collection[str] = frozenset()
) -> list[Finding]:
    """What is at fault. Without a failure, nor loss, nothing is.

    `zones`: of the nodes that have one. `without_api`: nodes on which the API server does not answer.
    """
    mesh = [cell for cell in cells if cell.family]
    lossy = [cell for cell in mesh if LOSSY <= cell.loss < LOST]
    loss = _of_loss(lossy, mesh, zones)
    lost = set(lossy) if loss and loss.where else set[Cell]()
    kinds = {cell: _kind(cell) for cell in mesh if cell.failed}
    kinds = {cell: kind for cell, kind in kinds.items() if not (cell in lost and _partial(kind))}
    found = {
        kind: _of_failures(
            kind, [cell for cell in kinds if kinds[cell] == kind], mesh, zones, alone=set(kinds.values()) == {kind}
        )
        for kind in sorted(set(kinds.values()))
    }
    services = [cell for cell in cells if not cell.family]
    bad = [cell for cell in services if cell.failed]
    cause = next((kind for kind in found if (found[kind].where or not kind) and _follow(bad, kind)), None)
    if cause is not None:
        evidence = f"{found[cause].evidence}; so do {_of_all(bad, services)}"
        found[cause] = found[cause]._replace(evidence=evidence)
    told = list(found.values())
    told += [loss] if loss and (loss.where or not found) else []
    if bad and cause is None:
        told.append(_of_services(bad, services, any(cell.well for cell in mesh), without_api))
    return told


def _kind(cell: Cell) -> str:
    """What fails of it, in words; none where all does."""
    if {outcome for _, outcome in cell.failed} == {MTU}:
        return LARGE
    return " and ".join(sorted({probe.upper() for probe, _ in cell.failed})) if cell.well else ""


def _partial(kind: str) -> bool:
    """Whether it is some protocols: chance can look like that. A verdict on large packets has its own proof."""
    return kind not in ("", LARGE)


def _of_failures(kind: str, bad: list[Cell], mesh: list[Cell], zones: Mapping[str, str], *, alone: bool) -> Finding:
    counts = _counts(bad, mesh)
    where = _explained(bad, mesh, zones, single=alone and not _partial(kind))
    if not where:
        return Finding("", "", f"{counts} fail ({kind or 'every probe'})")
    layer, beside = _layer(bad, mesh)
    what = (f"{kind} alone, {layer}" if kind else layer) + _of_one_family(bad, mesh)
    return Finding(where, what, f"{counts} fail{beside}")


def _of_loss(lossy: list[Cell], mesh: list[Cell], zones: Mapping[str, str]) -> Finding | None:
    if not lossy:
        return None
    where = _explained(lossy, mesh, zones, single=False)
    told = f"{_counts(lossy, mesh)} lose packets, {median(cell.loss for cell in lossy):.0%} of them in the median"
    if not where:
        return Finding("", "", told)
    layer, beside = _layer(lossy, mesh)
    return Finding(where, f"loss, {layer}{_of_one_family(lossy, mesh)}", told + beside)


def _counts(bad: list[Cell], mesh: list[Cell]) -> str:
    whole, failed = Counter(cell.plane for cell in mesh), Counter(cell.plane for cell in bad)
    return " and ".join(f"{failed[name]} of {whole[name]} ways of plane {name}" for name in sorted(failed))


def _of_one_family(bad: list[Cell], mesh: list[Cell]) -> str:
    families = {cell.family for cell in bad}
    return f", over {', '.join(sorted(families))} alone" if {cell.family for cell in mesh} > families else ""


def _explained(bad: list[Cell], mesh: list[Cell], zones: Mapping[str, str], *, single: bool) -> str:
    """Where it is, in words; empty where nothing explains all of `bad`.

    The plane that fails most decides: a fault of one direction fails others there alone, where answers go another way
    than requests. The others must be explained by it.
    """
    whole, failed = Counter(cell.plane for cell in mesh), Counter(cell.plane for cell in bad)
    plane = max(sorted(failed), key=lambda name: failed[name] / whole[name])
    families = {cell.family for cell in bad}
    scope = [cell for cell in mesh if cell.plane == plane and cell.family in families]
    where, explains = _where([cell for cell in bad if cell.plane == plane], scope, zones, single=single)
    return where if all(map(explains, bad)) else ""


def _where(bad: list[Cell], scope: list[Cell], zones: Mapping[str, str], *, single: bool) -> tuple[str, Explains]:
    """What explains `bad` and the least of the rest of `scope`, in words, and which cells that explains.

    `single`: whether a single way can be at fault; else that can be chance. One prober alone cannot tell whether it is
    itself or all others.
    """
    nodes = sorted({name for cell in scope for name in (cell.source, cell.target)})
    first, ways = bad[0], {(cell.source, cell.target) for cell in bad}
    if (len(ways) < 2 and not single) or (len(nodes) > 2 and len({cell.source for cell in scope}) < 2):
        return "", lambda _cell: False

    def zone_pair(cell: Cell) -> frozenset[str]:
        return frozenset((zones.get(cell.source, ""), zones.get(cell.target, "")))

    guesses: list[tuple[str, Explains]] = []
    if len(nodes) > 2:
        guesses.append(("every node", lambda _cell: True))
    if len(_pair(first)) == 2:
        way = (first.source, first.target)
        guesses.append((f"from {way[0]} to {way[1]}", lambda cell: (cell.source, cell.target) == way))
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
    both = zone_pair(first)
    if len(both) == 2 and "" not in both:
        guesses.append((f"between {' and '.join(sorted(both))}", lambda cell: zone_pair(cell) == both))

    def share(guess: tuple[str, Explains]) -> float:
        """Of what it explains, how much fails; 0 if it does not explain all that does."""
        return len(bad) / sum(map(guess[1], scope)) if all(map(guess[1], bad)) else 0.0

    best = max(guesses, key=share, default=None)
    return best if best and share(best) >= NEARLY_ALL else ("", lambda _cell: False)


def _pair(cell: Cell) -> frozenset[str]:
    return frozenset((cell.source, cell.target))


def _touches(end: Callable[[Cell], Collection[str]], nodes: set[str], cell: Cell) -> bool:
    return not nodes.isdisjoint(end(cell))


def _layer(bad: list[Cell], mesh: list[Cell]) -> tuple[str, str]:
    """The layer, and what speaks for it beside the failures."""
    planes, ways = {cell.plane for cell in bad}, {(cell.source, cell.target) for cell in bad}

    def well(plane: str) -> int:
        """Ways of a plane from and to the same nodes of which nothing fails."""
        these = [cell for cell in mesh if cell.plane == plane and (cell.source, cell.target) in ways]
        return sum(not cell.failed and cell.loss < LOSSY for cell in these)

    if all({outcome for _, outcome in cell.failed} == {REFUSED} for cell in bad):
        return "nobody listens there, or somebody rejects it", "; the answers came at once"
    if "host" in planes:
        if count := well("pod"):
            return "the probers on the nodes' network, or a firewall for them", f"; {count} from pod to pod do not"
        return NODES, ""
    if at_home := sum(cell.source == cell.target for cell in bad):
        return "the pods themselves, or a policy for them", f"; {at_home} of them at home, which no overlay carries"
    if count := well("host"):
        return PODS, f"; {count} from node to node beside them do not"
    return "the pods' network or the nodes' (hostNetwork.enabled tells them apart)", ""


def _follow(bad: list[Cell], kind: str) -> bool:
    """Whether ways to the echo services fail as those to peers do of which `kind` fails: an echo can stand there."""
    if not bad or not _outcomes(bad) <= SILENT:
        return False
    return not kind or {_kind(cell) for cell in bad} == {kind} or ("UDP" in kind and _outcomes(bad) == {RESOLVE})


def _outcomes(bad: list[Cell]) -> set[str]:
    return {outcome for cell in bad for _, outcome in cell.failed}


def _of_all(bad: list[Cell], services: list[Cell]) -> str:
    return f"{len(bad)} of {len(services)} ways to the echo services ({', '.join(sorted(_outcomes(bad)))})"


def _of_services(bad: list[Cell], services: list[Cell], peers: bool, without_api: Collection[str]) -> Finding:
    """What of the ways to the echo services fails by itself. `peers`: whether any peer answers."""
    outcomes = _outcomes(bad)
    probes = " and ".join(sorted({probe.upper() for cell in bad for probe, _ in cell.failed}))
    sources, planes = {cell.source for cell in bad}, {cell.plane for cell in bad}
    every = sources == {cell.source for cell in services if cell.plane in planes}
    told = f"{_of_all(bad, services)} fail{'; peers answer' if peers else ''}"
    if outcomes == {RESOLVE} and every:
        what = "the DNS"
    elif outcomes == {RESOLVE} and sources <= set(without_api):
        what = "Services (kube-proxy, or what stands in for it)"
        told += "; the API server, another Service, does not answer there either"
    elif outcomes == {RESOLVE}:
        what = "the DNS, or the way from there to it"
    elif outcomes == {MTU}:
        what = "large packets to the echo services"
    elif every:
        what = f"the echo services or their Service ({probes})"
    elif any(cell.well for cell in bad):
        what = f"{probes} alone, of the echo services"
    else:
        what = "Services (kube-proxy, or what stands in for it)"
    if every and planes < {cell.plane for cell in services}:
        what += f", from the {'pods' if planes == {''} else 'nodes'}' network alone"
    return Finding("every node" if every and len(sources) > 1 else ", ".join(sorted(sources)), what, told)


def cells_of(source: str, paths: Iterable[Mapping[str, Any]]) -> tuple[Cell, ...]:
    """The cells of the paths of a prober on `source`, as its snapshot has them.

    The echo services are one target, whatever their ports. Neither well nor failed is what has no result yet, what has
    failed too seldom to be more than chance (large packets are tried several times each), and what could not be asked.
    """
    found: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for path in paths:
        target = path["target"] if path["family"] else ""
        key = intern(target), intern(path["plane"]), intern(path["family"])  # there can be half a million
        found.setdefault(key, []).append(path)
    return tuple(_cell(source, key, of_way) for key, of_way in found.items())


def _cell(source: str, key: tuple[str, str, str], paths: list[Mapping[str, Any]]) -> Cell:
    well = frozenset(path["probe"] for path in paths if path["last"] == "success")
    failing = [path for path in paths if path["last"] not in ("", "success", LOCAL)]
    often = AND_AGAIN if well else AGAIN
    certain = [path for path in failing if path["last"] == MTU or path["failed_in_a_row"] >= often]
    failed = frozenset((path["probe"], path["last"]) for path in certain)
    if not well and len(certain) < len(failing):
        failed = frozenset()
    return Cell(source, *key, _shared(well), _shared(failed), max(path["recent_loss_ratio"] or 0.0 for path in paths))


@lru_cache(maxsize=1024)
def _shared(words: frozenset[Any]) -> frozenset[Any]:
    """One object for all that are equal: there are few different ones."""
    return words
