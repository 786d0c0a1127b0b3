"""Where the traces of failing paths end: evidence for people. It names no component, because a router that does not
answer can be healthy (ICMP is limited or blocked), and the fault can lie on either side of the last one that does.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from smoker_diagnosis.evidence import Cell
from smoker_diagnosis.state import Traced

SHOWN = 3  # routers
SILENT = "*"  # in place of the address of a hop that does not answer


class LastHop(msgspec.Struct, frozen=True):
    """The last hop that answered the traces of some failing paths, none of which reached its target."""

    address: str
    hop: int  # from 1
    source: str  # of the first of these paths
    target: str
    paths: int
    hops: tuple[str, ...] = ()  # of the first of these paths, up to the last that answers; `*`: one that does not
    before: tuple[str, ...] = ()  # the same while that path worked; empty: not known

    @property
    def same_route(self) -> bool:
        """Return whether the packets took the hops that they took while the path worked, as far as they come."""
        pairs = zip(self.hops, self.before, strict=False)
        return len(self.before) >= len(self.hops) and all(SILENT in pair or pair[0] == pair[1] for pair in pairs)


def of_cells(cells: Iterable[Cell]) -> tuple[LastHop, ...]:
    """Return the last hops of the traces of `cells`."""
    return last_hops((cell.source, cell.target, cell.traced) for cell in cells)


def last_hops(traces: Iterable[tuple[str, str, Traced | None]]) -> tuple[LastHop, ...]:
    """Return the last hops of these traces, given with source and target; that of the most paths first."""
    of: dict[tuple[int, str], list[tuple[str, str, Traced]]] = {}
    for source, target, traced in traces:
        if traced is not None and traced.hop and not traced.reached:
            of.setdefault((traced.hop, traced.address), []).append((source, target, traced))
    found = []
    for (hop, address), paths in of.items():
        # The one whose hops are known from before says most.
        source, target, traced = min(paths, key=lambda each: (not each[2].before, each[0], each[1]))
        hops = tuple(traced.hops), tuple(traced.before)
        found.append(LastHop(address, hop, source, target, len(paths), *hops))
    return tuple(sorted(found, key=lambda each: (-each.paths, each.hop, each.address))[:SHOWN])
