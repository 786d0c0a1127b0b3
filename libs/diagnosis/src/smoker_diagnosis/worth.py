"""The evidence of one path for a loss of packets: binomial at a rate, or by chance."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache

from smoker_diagnosis.evidence import Cell

BURST = 3  # packets that are lost together by chance
BURSTS_A_PATH = 2  # as which the losses of a path count at most
MOST_A_PATH = 11.0  # most gain of a component from one path
LEAST_A_PATH = -3.5
MOST_RATE = 0.99


def worth(cell: Cell, rate: float, background: float, usual: float = 0.0) -> float:
    """Return how much likelier the losses of `cell` are at `rate` than by chance, as a logarithm.

    At a rate they are binomial. By chance a path loses a few packets at once, and rarely, or some at the `usual` rate.
    """
    return _worth_of(cell.sent, cell.lost, min(rate, MOST_RATE), background, min(usual, MOST_RATE))


def worth_of_all(cells: Iterable[Cell], rate: float, background: float, usual: Mapping[str, float]) -> float:
    """Return the sum of `worth` of `cells`: of hundreds of thousands, most have lost the same. `usual`: by plane."""
    alike = Counter([(cell.plane, cell.sent, cell.lost) for cell in cells])
    rate = min(rate, MOST_RATE)
    return sum(
        many * _worth_of(sent, lost, rate, background, min(usual.get(plane, 0.0), rate))
        for (plane, sent, lost), many in sorted(alike.items())
    )


@lru_cache(maxsize=4096)
def _worth_of(sent: int, lost: int, rate: float, background: float, usual: float) -> float:
    by_chance = min(-(-lost // BURST), BURSTS_A_PATH) * math.log(background) if lost else math.log(1 - background)
    if usual > 0:
        by_chance = max(by_chance, _binomial(sent, lost, usual)) if lost else _binomial(sent, lost, usual)
    return min(max(_binomial(sent, lost, rate) - by_chance, LEAST_A_PATH), MOST_A_PATH)


def _binomial(sent: int, lost: int, rate: float) -> float:
    """Return the logarithm of the probability that `lost` of `sent` packets are lost at `rate`."""
    combinations = math.lgamma(sent + 1) - math.lgamma(lost + 1) - math.lgamma(sent - lost + 1)  # logarithm
    return combinations + lost * math.log(rate) + (sent - lost) * math.log(1 - rate)
