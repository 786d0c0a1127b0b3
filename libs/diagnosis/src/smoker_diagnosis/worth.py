"""The evidence of one path for a loss of packets: binomial at a rate, or by chance."""

from __future__ import annotations

import math
from functools import lru_cache

from smoker_diagnosis.evidence import Cell

BURST = 3  # packets that are lost together by chance
MOST_A_PATH = 11.0  # most gain of a component from one path
LEAST_A_PATH = -3.5


def worth(cell: Cell, rate: float, background: float) -> float:
    """Return how much likelier the losses of `cell` are at `rate` than by chance, as a logarithm.

    At a rate they are binomial. By chance a path loses a few packets at once, and rarely.
    """
    return _worth_of(cell.sent, cell.lost, min(rate, 0.99), background)


@lru_cache(maxsize=4096)
def _worth_of(sent: int, lost: int, rate: float, background: float) -> float:
    combinations = math.lgamma(sent + 1) - math.lgamma(lost + 1) - math.lgamma(sent - lost + 1)  # logarithm
    at_rate = combinations + lost * math.log(rate) + (sent - lost) * math.log(1 - rate)
    by_chance = -(-lost // BURST) * math.log(background) if lost else math.log(1 - background)
    return min(max(at_rate - by_chance, LEAST_A_PATH), MOST_A_PATH)
