"""Failures by chance: all probes of a path and round fail or one of them; some trains lose packets."""

from __future__ import annotations

import math
import random

from .world import PROBES

Noise = dict[int, dict[int, str]]  # by number of the path, by rounds ago: what fails
BACK = 7  # rounds that matter at most
PACKETS = "packets"
#: What a prober reports of the last hour of a path that flaps: its results, and the short streaks of failures.
HISTORY = {"past": 120, "flaps": 20}


def draw(chance: random.Random, paths: int, rate: float) -> Noise:
    """Return which of so many paths fail, each with `rate` in each round; as many trains lose one to three packets."""
    found: Noise = {}
    for packets in (False, True):
        for number in _chosen(chance, paths * BACK, rate):
            what = PACKETS if packets else "all" if chance.random() < 0.5 else chance.choice(PROBES)
            found.setdefault(number // BACK, {}).setdefault(number % BACK, what)
    return found


def flapping(chance: random.Random, share: float = 0.4) -> dict[int, str]:
    """Return the failures of a path that fails now and then all day."""
    return {
        back: "all" if chance.random() < 0.5 else chance.choice(PROBES)
        for back in range(BACK)
        if chance.random() < share
    }


def _chosen(chance: random.Random, many: int, rate: float) -> list[int]:
    """Return the numbers below `many` that are drawn, each with `rate`. Its cost depends only on how many these are."""
    if rate <= 0:
        return []
    found: list[int] = []
    number = -1
    while True:
        number += 1 + int(math.log(1 - chance.random()) / math.log(1 - rate))
        if number >= many:
            return found
        found.append(number)
