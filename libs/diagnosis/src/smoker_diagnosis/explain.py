"""Find the set of broken components that makes the evidence most likely.

The method is that of SCORE (Kompella et al., NSDI 2005) and Flock (Harsh et al., 2023): each component predicts which
paths fail; failing paths inside it speak for it, working paths against it, and each component has a price. The best one
is taken, what it explains is set aside, and so on; then small sets are searched whole, and what fits nearly as well as
the chosen component is kept beside it ("one of these").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from smoker_diagnosis.candidates import Candidate, Candidates
from smoker_diagnosis.component import Component, Priors, Scope, scopes_of
from smoker_diagnosis.evidence import ECHO, LARGE, Cell, Mesh, Row
from smoker_diagnosis.finding import SURE
from smoker_diagnosis.likelihood import Odds, Rows, Table
from smoker_diagnosis.results import Index
from smoker_diagnosis.sets import best_set
from smoker_diagnosis.sightings import CERTAIN

BACKGROUND = 5e-4  # share of paths that fail by chance, before anything is known
WEIGHT_OF_PRIOR = 1000  # weight of this guess, in paths
MOST_BACKGROUND = 0.05
GAIN = 2.5  # what a component must gain beyond its price
COINCIDENCES = 1.5  # times the logarithm of a higher background: more random failures are more often adjacent
RAISED = 3  # the search repeats from a background this many times higher than assumed; one path is not enough
FEW = 3  # paths that a component explains; with fewer it may be chance
LOSSY = 4.0  # additional gain needed where packets are lost: many paths there fail for a while
NEAR = 3.0  # a component that fits worse than the best by less than this may be the true one
INSTEAD = 0.5  # share of a component's failures that an alternative must explain
LEAST_CONFIDENCE = 0.3  # with less confidence no component is named; the paths are listed
TWICE = 2  # failures in a row up to which a single path names only a component that is sure: chance can repeat itself
IN_PART = 0.5  # how much likelier it must be that a component fails some of its probes than that it fails all
SAME = 0.5  # layers that differ by less are reported together
REFINED = 4  # components of the same scope that are tried instead of one
POOL = 16  # components of the sets that are searched completely
MOST = 12  # components that are named at most
PASSES = 5  # rounds in which the search explains what is left


@dataclass(slots=True)
class Blamed:
    """A component of the best explanation."""

    component: Component
    gain: float  # log likelihood that it gains
    confidence: float
    layers: tuple[str, ...]  # layers that fit equally well; the component's own is the first
    one_of: tuple[Scope, ...]  # scopes that fit equally well, its own included; empty if there is no other
    rows: set[Row] = field(default_factory=set)  # the failures that it explains


class Stray(NamedTuple):
    """A path with failures that have no explanation."""

    cell: Cell
    bits: int  # probes with such a failure; others of the path may have one


class Reach:
    """Explain failing probes (not loss).

    `rates`: of packets lost, by identity of a path. Such a path also fails at times. `explained`: failures that have an
    explanation already. `scopes`: yields the scopes of a path to look at.
    """

    def __init__(
        self,
        mesh: Mesh,
        rates: Mapping[int, float] | None = None,
        explained: Collection[Row] = (),
        scopes: Callable[[Cell], Iterator[Scope]] = scopes_of,
    ) -> None:
        self._mesh, self._rates = mesh, rates or {}
        self._priors, self._index = Priors(mesh), Index(mesh, self._rates)
        self._tables: dict[Scope, Table] = {}
        self._rows: dict[Component, Rows] = {}
        self._bad = {(id(cell), bit): cell for cell in mesh.failing for bit in cell.failing(ECHO | LARGE)}
        for row in explained:
            self._bad.pop(row, None)
        self._expect(self._by_history())
        self._candidates = Candidates(mesh, self._priors, self._index, scopes)

    def explain(self) -> list[Blamed]:
        """Return the best explanation; empty if no component gains anything."""
        if not self._bad:
            return []
        chosen, pool = self._search()
        rate = self._by_chance(chosen)
        if rate > RAISED * self._background:  # more fails by chance than assumed: search again with that rate
            self._expect(rate)
            chosen, pool = self._search()
        blamed = [self._blamed(one, chosen, pool) for one in chosen]
        return [each for each in blamed if not self._may_be_chance(each) and not self._fails_in_part(each)]

    def _may_be_chance(self, each: Blamed) -> bool:
        """Return whether `each` is so unsure that its paths are listed instead."""
        paths = len({key for key, _ in each.rows})
        many_flap = self._by_history() > RAISED * BACKGROUND  # then two or three are soon neighbours
        if paths <= (FEW if many_flap else 1) and self._are_new(each.rows):
            return bool(each.one_of) or each.confidence < (CERTAIN if many_flap else SURE)
        return each.confidence < LEAST_CONFIDENCE and not each.one_of

    def _fails_in_part(self, each: Blamed) -> bool:
        """Return whether `each` rather loses packets: its paths are listed until their trains or flows say more."""
        return self._table(each.component.scope).in_part(each.component) > IN_PART

    def _are_new(self, rows: Iterable[Row]) -> bool:
        """Return whether none of these failures has been repeated more than once."""
        return all(self._bad[key, bit].failed[bit].streak <= TWICE for key, bit in rows)

    def _expect(self, background: float) -> None:
        """Judge by this share of the paths that fail by chance."""
        self._background, self._odds = background, Odds(background, self._rates)
        self._least_gain = GAIN + COINCIDENCES * math.log(background / BACKGROUND)
        self._rows.clear()
        self._tables.clear()

    def _by_history(self) -> float:
        """Return the share of the results in the history that began a short streak of failures."""
        rate = (self._mesh.flaps + BACKGROUND * WEIGHT_OF_PRIOR) / (self._mesh.past + WEIGHT_OF_PRIOR)
        return min(max(rate, BACKGROUND), MOST_BACKGROUND)

    def _by_chance(self, chosen: Iterable[Component]) -> float:
        """Return the share of paths that fail without a cause, or with a very weak one."""
        explained: set[int] = set()
        for each in chosen:
            paths = {key for key, _ in self._of(each).bad}
            if len(paths) >= FEW:
                explained |= paths
        paths = {key for key, _ in self._bad} - explained - self._rates.keys()
        rate = (len(paths) + self._background * WEIGHT_OF_PRIOR) / (self._mesh.known + WEIGHT_OF_PRIOR)
        return min(rate, MOST_BACKGROUND)

    def unexplained(self, blamed: Sequence[Blamed]) -> list[Stray]:
        """Return the paths with failures that neither `blamed` nor loss explains, each once."""
        explained: set[Row] = set().union(*(each.rows for each in blamed))
        bits: dict[int, int] = {}  # by path, in their order, look by look
        cells: dict[int, Cell] = {}
        for (key, bit), cell in self._bad.items():
            if (key, bit) not in explained and key not in self._rates:
                bits[key] = bits.get(key, 0) | bit
                cells[key] = cell
        return [Stray(cells[key], each) for key, each in bits.items()]

    def _left(self, chosen: Iterable[Component]) -> set[Row]:
        explained: set[Row] = set()
        for each in chosen:
            explained |= self._of(each).bad.keys()
        return self._bad.keys() - explained

    def _search(self) -> tuple[list[Component], list[Component]]:
        """Return the best set of components, and the runners-up, best first."""
        chosen: list[Component] = []
        pool: dict[Component, float] = {}
        ordered: list[Component] = []
        for _ in range(PASSES):
            before = set(chosen)
            self._add(chosen, pool)
            ordered = sorted(pool, key=lambda each: (-pool[each], each))[: 4 * POOL]
            chosen = self._refined(self._improved(chosen, ordered))
            # A better set can leave failures that a worse one explained: search for a component for those.
            if set(chosen) <= before or len(chosen) >= MOST:
                break
        return chosen, ordered

    def _add(self, chosen: list[Component], pool: dict[Component, float]) -> None:
        """Add the components that explain the rest best to `chosen`, one by one, and the runners-up to `pool`."""
        left = self._left(chosen)
        while left and len(chosen) < MOST:
            found = [each for each in self._found(left) if each.component not in chosen]
            for each in found:
                pool[each.component] = max(each.gain, pool.get(each.component, each.gain))
            if not found or found[0].gain < self._least_gain:
                return
            chosen.append(found[0].component)
            left -= self._of(found[0].component).bad.keys()

    def _found(self, left: set[Row]) -> list[Candidate]:
        return self._candidates.find({row: self._bad[row] for row in left}, self._odds)

    def _improved(self, chosen: list[Component], pool: Sequence[Component]) -> list[Component]:
        """Return a set of `chosen` and `pool` that is better than `chosen`, if there is one."""
        near = list(dict.fromkeys([*chosen, *pool]))[: max(POOL, len(chosen))]
        prices = [self._price(each) for each in near]
        best = best_set([self._of(each) for each in near], prices, range(len(chosen)))
        return sorted((near[number] for number in best), key=lambda each: -sum(self._of(each).bad.values()))

    def _refined(self, chosen: list[Component]) -> list[Component]:
        """Return `chosen` with each component narrowed to the probes and families of its own failures.

        Where two faults overlap, every probe fails: there a fault of UDP looks like one of all probes.
        """
        for number, one in enumerate(chosen if len(chosen) > 1 else ()):
            rest = [*chosen[:number], *chosen[number + 1 :]]
            table = Table(one.scope, self._index.of(one.scope), self._left(rest), self._odds)
            gains = {each: table.gain(each)[0] - self._price(each) for each in table.components()}
            near = sorted((each for each in gains if each not in rest), key=lambda each: (-gains[each], each))
            chosen[number] = max((one, *near[:REFINED]), key=lambda each: self._score([*rest, each]))
        return chosen

    def _score(self, some: Iterable[Component]) -> float:
        """Return the log likelihood that `some` gain if they are broken, less their prices."""
        bad: dict[Row, float] = {}
        total = 0.0
        for each in some:
            rows = self._of(each)
            total += rows.against - self._price(each)
            for row, worth in rows.bad.items():
                if worth > bad.get(row, 0.0):
                    bad[row] = worth
        return total + sum(bad.values())

    def _price(self, component: Component) -> float:
        """Return the price of `component`."""
        rows = self._of(component).bad
        lossy = sum(key in self._rates for key, _ in rows) if self._rates else 0
        return self._priors.of(component) + self._least_gain + (LOSSY if 2 * lossy > len(rows) else 0.0)

    def _of(self, component: Component) -> Rows:
        rows = self._rows.get(component)
        if rows is None:
            rows = self._rows[component] = self._table(component.scope).rows(component)
        return rows

    def _table(self, scope: Scope) -> Table:
        table = self._tables.get(scope)
        if table is None:
            table = self._tables[scope] = Table(scope, self._index.of(scope), self._bad.keys(), self._odds)
        return table

    def _blamed(self, one: Component, chosen: Sequence[Component], pool: Sequence[Component]) -> Blamed:
        """Return `one` with the alternatives that fit equally well."""
        rest = [each for each in chosen if each != one]
        best = self._score(chosen)
        layers, places = {one.layer: best}, {one.scope: best}
        own = self._of(one).bad.keys()
        for other in pool:
            if other in chosen or len(own & self._of(other).bad.keys()) < INSTEAD * len(own):
                continue
            score = self._score([*rest, other])
            if other.scope == one.scope and (other.bits, other.families) == (one.bits, one.families):
                layers[other.layer] = score
            elif not _same_place(other.scope, one.scope):
                places[other.scope] = max(score, places.get(other.scope, score))
        near = [scope for scope, score in places.items() if score > best - NEAR]
        doubt = sum(math.exp((score - best) / 2) for scope, score in places.items() if scope != one.scope)
        doubt += math.exp((self._score(rest) - best) / 2)
        return Blamed(
            one,
            best - self._score(rest),
            1 / (1 + doubt),
            tuple(layer for layer, score in layers.items() if score > best - SAME),
            tuple(sorted(near)) if len(near) > 1 else (),
            set(self._of(one).bad),
        )


def _same_place(one: Scope, other: Scope) -> bool:
    """Return whether both are the same single node, or one is a direction of the other."""
    if not (one.nodes or one.zones):
        return False
    return (sorted(one.nodes), sorted(one.zones)) == (sorted(other.nodes), sorted(other.zones))
