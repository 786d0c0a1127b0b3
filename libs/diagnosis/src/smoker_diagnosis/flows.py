"""Tell flows that always fail from random loss, by the answers to packets from several source ports.

Routers and bonds choose the link of a flow by a hash of addresses and ports (RFC 2992, IEEE 802.1AX). With one broken
member, a flow loses every packet or none. Random loss of the same share is spread over all flows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb

CHANCE = 1e-6  # the probability up to which random loss does not explain the flows that fail


@dataclass(frozen=True)
class Flows:
    """How many source ports were tried, and how many of them always fail where chance does not explain it."""

    tried: int
    failing: int


def judge(answered: Sequence[int], packets: int) -> Flows:
    """Return the verdict on flows of which each has sent `packets`. `answered`: of each, the packets with an answer.

    If no flow works, the whole path fails: then the flows say nothing.
    """
    failing = answered.count(0)
    lost = len(answered) * packets - sum(answered)
    if failing == len(answered) or probability(len(answered), packets, lost, failing) > CHANCE:
        failing = 0
    return Flows(len(answered), failing)


def probability(flows: int, packets: int, lost: int, failing: int) -> float:
    """Return how likely at least `failing` flows lose every packet, if any `lost` packets of all are equally likely.

    This needs no estimate of the rate of loss: binomial coefficients count the sets of lost packets (inclusion and
    exclusion over the flows that are wholly within the set).
    """
    if failing <= 0:
        return 1.0
    total = flows * packets
    most = min(flows, lost // packets)
    sets = sum(
        (-1) ** (number - failing)
        * comb(number - 1, failing - 1)
        * comb(flows, number)
        * comb(total - number * packets, lost - number * packets)
        for number in range(failing, most + 1)
    )
    return float(Fraction(sets, comb(total, lost)))
