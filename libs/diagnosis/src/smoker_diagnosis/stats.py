"""Percentiles (nearest rank), RTT jitter (RFC 3550), and how likely chance is (Poisson, Fisher)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile of values in ascending order. `share` is over 0 and at most 1.

    Raises `ValueError` where there are no values.
    """
    if not ordered or not 0 < share <= 1:
        raise ValueError(f"no percentile {share:g} of {len(ordered)} values")
    rank = math.ceil(round(share * len(ordered), 9))  # 0.55 of 100 is 55, and 55.00000000000001 to the machine
    return ordered[max(rank, 1) - 1]


def jitter(rtts: Iterable[float]) -> float | None:
    """Return the RTT jitter in the unit of `rtts`: the filter of RFC 3550 section 6.4.1 over successive RTTs.

    None with fewer than two.
    """
    found: float | None = None
    before: float | None = None
    for rtt in rtts:
        if before is not None:
            found = (found or 0.0) + (abs(rtt - before) - (found or 0.0)) / 16
        before = rtt
    return found


def at_least(many: int, mean: float) -> float:
    """Return the probability of `many` or more independent rare events where `mean` are expected (Poisson)."""
    if not many or not mean:
        return 0.0 if many else 1.0
    # The mean is within the exponent: the power of a large one is larger than any float.
    below = math.fsum(math.exp(each * math.log(mean) - mean - math.lgamma(each + 1)) for each in range(many))
    return max(1 - below, 0.0)


def shared(many: int, of: int, others: int, of_others: int) -> float:
    """Return the probability of `many` or more events in `of` trials where `others` are in `of_others` further ones.

    All trials are alike, and so many events fell on them by chance (Fisher's exact test).
    """
    events = many + others
    all_ways = _log_ways(of + of_others, events)
    shares = range(many, min(of, events) + 1)
    ways = (_log_ways(of, each) + _log_ways(of_others, events - each) for each in shares)
    return min(math.fsum(math.exp(each - all_ways) for each in ways), 1.0)


def _log_ways(of: int, many: int) -> float:
    """Return the logarithm of the number of ways to choose so many."""
    return math.lgamma(of + 1) - math.lgamma(many + 1) - math.lgamma(of - many + 1)
