"""What the probes of a way said last: the cells of the matrix of all ways, of which findings are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from sys import intern
from typing import Any, NamedTuple

AGAIN, AND_AGAIN = 2, 5  # failures in a row, where every probe of a way fails and where some do: less can be chance
MTU, LOCAL = "mtu", "local_error"  # outcomes: one has its own proof, one is no fault of the way


class Cell(NamedTuple):
    """One way from a prober to another, or to the echo services: what its probes said last."""

    source: str  # nodes
    target: str  # empty: the echo services
    plane: str  # as of `target.Path`
    family: str  # empty: to the echo services
    well: frozenset[str]  # probes that were answered
    failed: frozenset[tuple[str, str]]  # probes that were not, each with its outcome
    loss: float = 0.0  # of the last packets

    @property
    def pair(self) -> frozenset[str]:
        """The nodes at its ends, one where it stays at home."""
        return frozenset((self.source, self.target))

    @property
    def outcomes(self) -> set[str]:
        """Of the probes that failed."""
        return {outcome for _, outcome in self.failed}

    @property
    def probes(self) -> set[str]:
        """Those that failed, in capitals."""
        return {probe.upper() for probe, _ in self.failed}


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
