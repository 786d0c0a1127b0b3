"""Where a fault is: the node, the pair or the zones that explain nearly all ways that fail, and the fewest others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from functools import partial

from smoker_prober.analysis.cell import Cell

NEARLY_ALL = 0.8  # share of the ways: a result can be of a moment before or after the fault

Explains = Callable[[Cell], bool]


def explained(bad: list[Cell], mesh: list[Cell], zones: Mapping[str, str], *, single: bool) -> str:
    """Where what fails of a mesh is, in words; empty where nothing explains all of `bad`.

    `zones`: of the nodes that have one. `single`: whether a single way can be at fault; else that can be chance.
    The plane that fails most decides: a fault of one direction fails others there alone, where answers go another way
    than requests. The others must be explained by it.
    """
    whole, failed = Counter(cell.plane for cell in mesh), Counter(cell.plane for cell in bad)
    plane = max(sorted(failed), key=lambda name: failed[name] / whole[name])
    families = {cell.family for cell in bad}
    scope = [cell for cell in mesh if cell.plane == plane and cell.family in families]
    where, explains = _best([cell for cell in bad if cell.plane == plane], scope, zones, single=single)
    return where if all(map(explains, bad)) else ""


def _best(bad: list[Cell], scope: list[Cell], zones: Mapping[str, str], *, single: bool) -> tuple[str, Explains]:
    """What explains `bad` and the least of the rest of `scope`, in words, and which cells that explains.

    One prober alone cannot tell whether it is itself or all others.
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
    if len(first.pair) == 1:
        guesses.append((first.source, lambda cell: cell.pair == first.pair))
    else:
        way = (first.source, first.target)
        guesses.append((f"from {way[0]} to {way[1]}", lambda cell: (cell.source, cell.target) == way))
        guesses.append((f"between {' and '.join(sorted(way))}", lambda cell: cell.pair == first.pair))
    ends: tuple[tuple[str, Callable[[Cell], Collection[str]]], ...] = (
        ("", lambda cell: cell.pair),
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


def _touches(end: Callable[[Cell], Collection[str]], nodes: set[str], cell: Cell) -> bool:
    return not nodes.isdisjoint(end(cell))
