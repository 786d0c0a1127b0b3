"""Find the best small set of components: exactly for up to three, then by removing or replacing one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from smoker_diagnosis.evidence import Row
from smoker_diagnosis.likelihood import Rows

EXACT = 3  # components of the sets that are searched completely
BETTER = 1e-9  # more than an error of rounding


class _Sets:
    """Scores of sets. Failures that the same components explain are summed up once."""

    def __init__(self, of: Sequence[Rows], prices: Sequence[float]) -> None:
        self._fixed = [rows.against - price for rows, price in zip(of, prices, strict=True)]
        self.net = [fixed + sum(rows.bad.values()) for fixed, rows in zip(self._fixed, of, strict=True)]
        masks: dict[Row, int] = {}
        for number, rows in enumerate(of):
            for row in rows.bad:
                masks[row] = masks.get(row, 0) | 1 << number
        sums: dict[int, list[float]] = {}
        for number, rows in enumerate(of):
            for row, worth in rows.bad.items():
                sums.setdefault(masks[row], [0.0] * len(of))[number] += worth
        self._sums = list(sums.values())

    def score(self, some: Sequence[int]) -> float:
        if len(some) == 1:
            return self.net[some[0]]
        total = sum(self._fixed[number] for number in some)
        return total + sum(max([each[number] for number in some]) for each in self._sums)


def best_set(of: Sequence[Rows], prices: Sequence[float], begin: Iterable[int]) -> list[int]:
    """Return the indexes of the components that explain most for their price. `begin`: those chosen so far."""
    sets = _Sets(of, prices)
    best = list(begin)
    score = sets.score(best) if best else 0.0
    for size in range(1, EXACT + 1):
        for some in combinations(range(len(of)), size):
            # A set gains at most the sum of what its components gain alone.
            if sum(sets.net[number] for number in some) > score + BETTER:
                other = sets.score(some)
                if other > score + BETTER:
                    best, score = list(some), other
    while len(best) > 1:
        changed = max(_changed(best, len(of)), key=sets.score)
        if sets.score(changed) <= score + BETTER:
            break
        best, score = changed, sets.score(changed)
    return best


def _changed(best: Sequence[int], many: int) -> Iterator[list[int]]:
    """Yield the sets with one component removed or replaced."""
    for one in best:
        rest = [each for each in best if each != one]
        yield rest
        yield from ([*rest, other] for other in range(many) if other not in best)
