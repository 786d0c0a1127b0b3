"""The share of attempts at a Service, or of look-ups, that fail by chance or because of another fault."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
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
        self._whole: dict[int, _Count] = {}  # by bit

    @cached_property
    def _of_source(self) -> dict[str, list[Cell]]:
        found: dict[str, list[Cell]] = {}
        for cell in self._mesh.services:
            found.setdefault(cell.source, []).append(cell)
        return found

    def share(self, cell: Cell, bit: int) -> float:
        """Return the share without the node that `cell` begins on."""
        if bit not in self._whole:
            self._whole[bit] = self._count(self._mesh.services, bit)
        whole, own = self._whole[bit], self._count(self._of_source.get(cell.source, ()), bit)
        tries, misses, results, failing = (all_ - part for all_, part in zip(whole, own, strict=True))
        last = (failing + FEW) / (results + MANY) if failing else 0.0
        usual = max((misses + FEW) / (tries + MANY), last)
        return max(usual, HALF) if bit == DNS and cell.source in self._follows.near else usual

    def _count(self, cells: Iterable[Cell], bit: int) -> _Count:
        tries = misses = results = failing = 0
        for one in cells:
            if self._follows.source(one, bit):
                continue
            tries += one.tries.get(bit, 0)
            misses += one.misses.get(bit, 0)
            if bit == DNS:  # of the last look-ups, one a probe
                last = len(one.tries) - 1
                results += last
                failing += last - (one.known & ECHO).bit_count() if one.bad & DNS else 0
            else:
                results += one.known & bit > 0
                failing += one.bad & bit > 0
        return _Count(tries, misses, results, failing)


class _Count(NamedTuple):
    tries: int
    misses: int
    results: int
    failing: int
