"""The set of broken components that makes what was seen most likely.

The method is that of SCORE (Kompella et al., NSDI 2005) and Flock (Harsh et al., 2023): each component predicts which paths
fail; failing paths inside it speak for it, working paths against it, and each component has a price. The best one is
taken, what it explains is set aside, and so on; then small sets are searched whole, and what fits nearly as well as the
chosen component is kept beside it ("one of these").
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from smoker_diagnosis.component import (
    ALL,
    INSIDE_ZONE,
    MAY,
    MUST,
    NO,
    OF_SCOPE,
    ZONE,
    ZONE_ONE_WAY,
    ZONE_PAIR,
    Component,
    Priors,
    Scope,
    cells_of,
    fails,
    scopes_of,
)
from smoker_diagnosis.evidence import ECHO, HTTP, LARGE, TCP, UDP, Cell, Mesh

Row = tuple[int, int]  # identity of a cell, bit

HARD = 0.97  # share of its paths that a broken component fails
MAYBE = 0.5  # the same of the paths that may or may not fail with it
BACKGROUND = 5e-4  # share of paths that fail by chance, before anything is known
WEIGHT_OF_PRIOR = 2000  # paths that this guess counts for
MOST_BACKGROUND = 0.05
STAYS = 0.1  # chance that a path that failed by chance fails in the next round, too
LONGEST_STREAK = 4  # failures in a row that count
GAIN = 2.5  # what a component must gain beyond its price
NEAR = 3.0  # what fits worse than the best by less than this may be the truth as well
ENOUGH = 2.5  # failing paths; with fewer, they must have failed twice
FAR = 0.25  # share of the best gain below which another component is not looked at
LEAST_SHARE = 0.1  # of the paths of a zone or of everything that must fail before it is looked at
POOL = 16  # components that are searched whole
MOST_ROWS = 4000  # of these components; with more, the search is left out
MOST = 12  # components that are named at most
PASSES = 5  # times that the search looks for what explains the rest


@dataclass(slots=True)
class Blamed:
    """A component of the best explanation."""

    component: Component
    gain: float  # how much likelier what was seen is with it
    confidence: float
    layers: tuple[str, ...]  # those that fit as well as the component's own, which is the first
    one_of: tuple[Scope, ...]  # the scopes that fit as well, its own among them; empty where it is alone
    rows: set[Row] = field(default_factory=set)  # the failures that it explains


@dataclass(slots=True)
class _Candidate:
    component: Component
    gain: float


@dataclass(slots=True)
class _Rows:
    """What a component explains and what speaks against it."""

    bad: dict[Row, float]
    good: float


class Reach:
    """Explains failing probes (not loss). `neutral` are failures that something else explains already."""

    def __init__(self, mesh: Mesh, neutral: Iterable[Row] = ()) -> None:
        self._mesh, self._neutral = mesh, set(neutral)
        self._priors = Priors(mesh)
        self._zone_sizes: dict[str, int] = {}
        for zone in mesh.zones.values():
            self._zone_sizes[zone] = self._zone_sizes.get(zone, 0) + 1
        self._bad = {
            (id(cell), bit): cell
            for cell in mesh.cells
            if cell.bad
            for bit in cell.failing(ECHO | LARGE)
            if (id(cell), bit) not in self._neutral
        }
        self._known = sum(1 for cell in mesh.cells if cell.known)
        self._set_background(BACKGROUND)
        self._rows: dict[Component, _Rows] = {}

    def _set_background(self, rate: float) -> None:
        self._background = rate
        self._for = {MUST: math.log(HARD / rate), MAY: math.log(MAYBE / rate)}
        self._against = {MUST: math.log((1 - HARD) / (1 - rate)), MAY: 0.0}
        self._again = {MUST: math.log(HARD / STAYS), MAY: math.log(MAYBE / STAYS)}

    def explain(self) -> list[Blamed]:
        """Return the best explanation; nothing where nothing is gained by one."""
        if not self._bad:
            return []
        chosen, pool = self._search()
        left = self._unexplained(chosen)
        paths = len({key for key, _ in left})
        rate = (paths + BACKGROUND * WEIGHT_OF_PRIOR) / (self._known + WEIGHT_OF_PRIOR)
        if rate > 2 * BACKGROUND:  # more fails by chance than was thought: look again with that in mind
            self._set_background(min(rate, MOST_BACKGROUND))
            self._rows.clear()
            chosen, pool = self._search()
        return [self._blamed(one, chosen, pool) for one in chosen]

    def unexplained(self, blamed: Sequence[Blamed]) -> list[Cell]:
        """Return the paths with a failure that none of `blamed` explains, each once."""
        left = self._unexplained([each.component for each in blamed])
        return list({id(self._bad[row]): self._bad[row] for row in left}.values())

    def _unexplained(self, chosen: Iterable[Component]) -> set[Row]:
        explained: set[Row] = set()
        for each in chosen:
            explained |= self._of(each).bad.keys()
        return self._bad.keys() - explained

    # The search.

    def _search(self) -> tuple[list[Component], list[Component]]:
        """Return the best set of components, and those that came near, best first."""
        chosen: list[Component] = []
        pool: dict[Component, float] = {}
        ordered: list[Component] = []
        for _ in range(PASSES):
            before = set(chosen)
            self._add(chosen, pool)
            ordered = sorted(pool, key=lambda each: (-pool[each], each))[: 4 * POOL]
            chosen = self._improved(chosen, ordered)
            # A better set can leave failures that a worse one had covered: look for what explains those.
            if set(chosen) <= before or len(chosen) >= MOST:
                break
        return chosen, ordered

    def _add(self, chosen: list[Component], pool: dict[Component, float]) -> None:
        """Add to `chosen` what explains the rest best, one after the other, and to `pool` what came near."""
        left = self._unexplained(chosen)
        while left and len(chosen) < MOST:
            found = [each for each in self._candidates(left) if each.component not in chosen]
            for each in found:
                pool[each.component] = max(each.gain, pool.get(each.component, each.gain))
            if not found or found[0].gain < GAIN:
                return
            chosen.append(found[0].component)
            left -= self._of(found[0].component).bad.keys()

    def _candidates(self, left: set[Row]) -> list[_Candidate]:
        """Return each scope's best component for the failures in `left`, with those close to it, best first."""
        worth: dict[Scope, float] = {}
        paths: dict[Scope, float] = {}
        for row in left:
            cell, bit = self._bad[row], row[1]
            weight = self._weight(cell, bit)
            most = weight * (self._for[MUST] + self._streak(cell, bit, MUST))
            for scope in scopes_of(cell):
                worth[scope] = worth.get(scope, 0.0) + most
                paths[scope] = paths.get(scope, 0.0) + weight
        found: list[_Candidate] = []
        best = 0.0
        for number, scope in enumerate(sorted(worth, key=lambda scope: (-worth[scope], scope))):
            most = worth[scope] - self._priors.of(Component(scope, OF_SCOPE[scope.kind][0]))
            if most < 0 or (number >= POOL and most < FAR * best):
                continue  # at its best it would explain little
            if paths[scope] < LEAST_SHARE * self._size(scope) or not self._makes_sense(scope):
                continue
            found += self._of_scope(scope, left)
            best = max(best, max((each.gain for each in found), default=0.0))
        return sorted(found, key=lambda each: (-each.gain, each.component))

    def _size(self, scope: Scope) -> int:
        """Return about how many paths a scope without nodes has; 0 for the others, which are small."""
        if scope.kind == ALL:
            return len(self._mesh.cells)
        if not scope.zones:
            return 0
        share = min(self._zone_sizes[zone] for zone in scope.zones) / max(len(self._mesh.nodes), 1)
        if scope.kind == ZONE:
            return int(share * len(self._mesh.cells))
        return int(share * self._zone_sizes[scope.zones[-1]] / max(len(self._mesh.nodes), 1) * len(self._mesh.cells))

    def _makes_sense(self, scope: Scope) -> bool:
        """Whether `scope` is another place than a smaller one: a zone of one node is that node."""
        sizes = [self._zone_sizes.get(zone, 0) for zone in scope.zones]
        if scope.kind == INSIDE_ZONE:
            return sizes[0] > 2
        if scope.kind == ZONE:
            return sizes[0] > 1 and len(self._zone_sizes) > 2
        return (
            scope.kind not in (ZONE_PAIR, ZONE_ONE_WAY)
            or min(sizes) > 1
            or (max(sizes) > 1 and len(self._zone_sizes) > 2)
        )

    def _of_scope(self, scope: Scope, left: set[Row]) -> list[_Candidate]:
        table = _Table(self, scope, left)
        found = []
        for component in table.components():
            gain, enough = table.gain(component)
            gain -= self._priors.of(component)
            if enough and gain > 0:
                found.append(_Candidate(component, gain))
        best = max((each.gain for each in found), default=0.0)
        return [each for each in found if each.gain > best - NEAR]

    def _improved(self, chosen: list[Component], pool: Sequence[Component]) -> list[Component]:
        """Return a better set than `chosen`, out of it and `pool`, if there is one."""
        near = list(dict.fromkeys([*chosen, *pool]))[:POOL]
        if sum(len(self._of(each).bad) for each in near) > MOST_ROWS:
            return chosen
        best, best_score = chosen, self._score(chosen)
        for size in (1, 2, 3):
            for some in combinations(near, size):
                score = self._score(some)
                if score > best_score + 1e-9:
                    best, best_score = list(some), score
        improved = True
        while improved and len(best) > 1:  # larger sets: leave one out, or put another in its place
            improved = False
            for one in list(best):
                rest = [each for each in best if each != one]
                for other in [None, *near]:
                    if other is not None and other in best:
                        continue
                    some = rest if other is None else [*rest, other]
                    score = self._score(some)
                    if score > best_score + 1e-9:
                        best, best_score, improved = some, score, True
                        break
                if improved:
                    break
        return sorted(best, key=lambda each: -sum(self._of(each).bad.values()))

    def _score(self, some: Iterable[Component]) -> float:
        """Return how much likelier what was seen is with `some` broken, less their prices."""
        bad: dict[Row, float] = {}
        total = 0.0
        for each in some:
            rows = self._of(each)
            total += rows.good - self._priors.of(each) - GAIN
            for row, worth in rows.bad.items():
                if worth > bad.get(row, 0.0):
                    bad[row] = worth
        return total + sum(bad.values())

    def _of(self, component: Component) -> _Rows:
        rows = self._rows.get(component)
        if rows is None:
            rows = self._rows[component] = _Table(self, component.scope, self._bad.keys()).rows(component)
        return rows

    def _weight(self, cell: Cell, bit: int) -> float:
        """A path counts once, however many probes it has; large packets count for themselves."""
        return 1.0 if bit == LARGE else 1.0 / (cell.known & ECHO).bit_count()

    def _streak(self, cell: Cell, bit: int, how: int) -> float:
        return (min(cell.streaks[bit], LONGEST_STREAK) - 1) * self._again[how]

    # What is known of a chosen component.

    def _blamed(self, one: Component, chosen: Sequence[Component], pool: Sequence[Component]) -> Blamed:
        rest = [each for each in chosen if each != one]
        best = self._score(chosen)
        layers, places = {one.layer: best}, {one.scope: best}
        for other in pool:
            if other in chosen:
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
            tuple(layer for layer, score in layers.items() if score > best - 0.5),
            tuple(sorted(near)) if len(near) > 1 else (),
            set(self._of(one).bad),
        )


def _same_place(one: Scope, other: Scope) -> bool:
    """Whether both are about the same single node, or one is a direction of the other."""
    if not (one.nodes or one.zones):
        return False
    return (sorted(one.nodes), sorted(one.zones)) == (sorted(other.nodes), sorted(other.zones))


@dataclass(slots=True)
class _Sum:
    """Of the probes of one plane, family and bit within a scope: what speaks for and against."""

    bad: float = 0.0  # weight of the failing ones
    again: float = 0.0  # of these, weight times the rounds in a row beyond the first
    often: float = 0.0  # weight of those that failed more than once
    good: float = 0.0  # weight of the working ones that were probed since the fault began


class _Table:
    """The probes of a scope, summed up by what layers, families and bits distinguish."""

    def __init__(self, reach: Reach, scope: Scope, left: Iterable[Row]) -> None:
        self._reach, self._scope = reach, scope
        self._left = left if isinstance(left, set) else set(left)
        self._cells = list(cells_of(reach._mesh, scope))
        self._began = self._beginning()
        self._sums: dict[tuple[str, bool, bool, bool, str, int], _Sum] = {}
        for key, cell, bit, bad in self._probes():
            found = self._sums.setdefault(key, _Sum())
            weight = reach._weight(cell, bit)
            if bad:
                found.bad += weight
                more = min(cell.streaks[bit], LONGEST_STREAK) - 1
                found.again += weight * more
                found.often += weight if more else 0.0
            else:
                found.good += weight

    def _beginning(self) -> float:
        """Seconds since the fault began, as far as is certain: a few older failures may be another's."""
        ages = sorted(
            cell.since[bit]
            for cell in self._cells
            for bit in cell.failing(ECHO | LARGE)
            if (id(cell), bit) in self._left
        )
        return ages[int(0.8 * (len(ages) - 1))] if ages else 0.0

    def _probes(self) -> Iterator[tuple[tuple[str, bool, bool, bool, str, int], Cell, int, bool]]:
        """Yield what is judged: failures not explained yet, and successes since the fault began."""
        nodes = self._scope.nodes
        node = nodes[0] if len(nodes) == 1 else ""
        for cell in self._cells:
            known = cell.known & (ECHO | LARGE)
            while known:
                bit = known & -known
                known ^= bit
                bad = bool(cell.bad & bit)
                if ((id(cell), bit) not in self._left) if bad else cell.ages[bit] > self._began:
                    continue
                key = (cell.plane, cell.local, cell.source == node, cell.target == node, cell.family, bit)
                yield key, cell, bit, bad

    def components(self) -> Iterator[Component]:
        """Yield the components of this scope that the failures suggest."""
        failing = [key for key, each in self._sums.items() if each.bad]
        bits_seen = {key[5] for key in failing}
        families = {key[4] for key in self._sums}
        echo_seen = bits_seen & {TCP, UDP, HTTP}
        options = [ECHO, *echo_seen] if echo_seen else []
        options += [TCP | HTTP] if {TCP, HTTP} <= echo_seen else []
        options += [LARGE] if LARGE in bits_seen else []
        narrow = [()] + ([(family,) for family in {key[4] for key in failing}] if len(families) > 1 else [])
        for layer in OF_SCOPE[self._scope.kind]:
            for bits in options:
                for only in narrow:
                    yield Component(self._scope, layer, bits, only)

    def gain(self, component: Component) -> tuple[float, bool]:
        """Return what `component` gains before its price, and whether enough has failed to blame anything."""
        reach, total, bad, often = self._reach, 0.0, 0.0, 0.0
        for key, each in self._sums.items():
            how = self._how(component, key)
            if how == NO:
                continue
            total += each.bad * reach._for[how] + each.again * reach._again[how] + each.good * reach._against[how]
            bad += each.bad
            often += each.often
        return total, bad > 0 and (bad >= ENOUGH or often >= 0.5 * bad)

    def _how(self, component: Component, key: tuple[str, bool, bool, bool, str, int]) -> int:
        plane, local, source_in, target_in, family, bit = key
        if not bit & component.bits or (component.families and family not in component.families):
            return NO
        return fails(component.layer, plane, local=local, source_in=source_in, target_in=target_in)

    def rows(self, component: Component) -> _Rows:
        """Return the failures that `component` explains, each with its worth, and what speaks against it."""
        reach, bad, good = self._reach, dict[Row, float](), 0.0
        for key, cell, bit, failing in self._probes():
            how = self._how(component, key)
            if how == NO:
                continue
            weight = reach._weight(cell, bit)
            if failing:
                bad[id(cell), bit] = weight * (reach._for[how] + reach._streak(cell, bit, how))
            else:
                good += weight * reach._against[how]
        return _Rows(bad, good)
