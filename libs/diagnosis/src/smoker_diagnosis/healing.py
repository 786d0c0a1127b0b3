"""Tell whether a loss of packets is over: by the packets that were sent since the last one was lost.

Counts cover three rounds, so a loss that has ended is still in them. It is over once each path that lost packets has
had a train without loss since the last loss anywhere in the component, and all packets since then would hardly have
arrived at the rate before (binomial).
"""

from __future__ import annotations

import math
from collections.abc import Collection

from smoker_diagnosis.evidence import UDP, Cell
from smoker_diagnosis.worth import MOST_RATE

CHANCE = 1e-4  # probability, while the loss lasts, that none of the packets since the last loss is lost


def is_over(cells: Collection[Cell]) -> bool:
    """Return whether the loss of `cells`, the paths of one component, has ended."""
    losing = [cell for cell in cells if cell.lost]
    ages = [age for cell in losing if (age := cell.lost_for) is not None]
    if not ages or len(ages) < len(losing):  # of some the prober does not say when they lost packets
        return False
    newest = min(ages)
    if any(cell.age(UDP) >= newest for cell in losing):
        return False
    sent, lost = sum(cell.sent for cell in cells), sum(cell.lost for cell in cells)
    since = sum(cell.packets_since(newest) for cell in cells)
    rate = min(lost / max(sent - since, lost), MOST_RATE)
    return since * math.log(1 - rate) <= math.log(CHANCE)
