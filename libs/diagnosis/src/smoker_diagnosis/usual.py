"""The share of attempts at a Service, or of look-ups, that fail by chance or because of another fault."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from smoker_diagnosis.evidence import DNS, ECHO, Cell, Mesh
from smoker_diagnosis.follows import Follows

FEW, MANY = 0.5, 4  # failures and attempts added to those seen: no failure in a few attempts is no rate of 0
HALF = 0.5  # assumed share of a Service's pods on one unreachable node


class UsualRate:
    """The share of attempts from other nodes that fail by chance or because of another fault.

    The last results also count on their own: a fault may be younger than the rounds before.
    """

    def __init__(self, mesh: Mesh, follows: Follows) -> None:
        self._mesh, self._follows = mesh, follows
        self._of: dict[int, tuple[_Count, dict[str, _Count]]] = {}

    def share(self, cell: Cell, bit: int) -> float:
        """Return the share without the node that `cell` begins on."""
        if bit not in self._of:
            self._of[bit] = self._counts(bit)
        whole, by_source = self._of[bit]
        own = by_source.get(cell.source, _Count(0, 0, 0, 0))
        tries, misses, results, failing = (all_ - part for all_, part in zip(whole, own, strict=True))
        last = (failing + FEW) / (results + MANY) if failing else 0.0
        usual = max((misses + FEW) / (tries + MANY), last)
        return max(usual, HALF) if bit == DNS and cell.source in self._follows.near else usual

    def _counts(self, bit: int) -> tuple[_Count, dict[str, _Count]]:
        by_source: dict[str, _Count] = {}
        for one in self._mesh.services:
            if self._follows.source(one, bit):
                continue
            results, failing = int(bool(one.known & bit)), int(bool(one.bad & bit))
            if bit == DNS:  # of the last look-ups, one a probe
                results = len(one.tries) - 1
                failing = results - (one.known & ECHO).bit_count() if one.bad & DNS else 0
            own = _Count(one.tries.get(bit, 0), one.misses.get(bit, 0), results, failing)
            before = by_source.get(one.source)
            by_source[one.source] = _sum((before, own)) if before else own
        return _sum(by_source.values()), by_source


class _Count(NamedTuple):
    tries: int
    misses: int
    results: int
    failing: int


def _sum(counts: Iterable[_Count]) -> _Count:
    return _Count(*(sum(each) for each in zip(_Count(0, 0, 0, 0), *counts, strict=True)))
