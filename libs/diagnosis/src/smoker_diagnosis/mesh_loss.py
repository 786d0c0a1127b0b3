"""The loss of a whole mesh: what its paths lose outside the places that lose more.

Where every path loses one packet in a hundred, a node at which it is a little more is innocent.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from functools import cache

from smoker_diagnosis.component import MUST, NETWORK, OVERLAY, fails
from smoker_diagnosis.evidence import Cell, Mesh
from smoker_diagnosis.stats import at_least

FEWEST = 300  # packets outside the places that say whether all lose about as many
ADDED = 100.0  # packets at the rate of the whole mesh, beside those outside a place
WINDOW = 3  # trains of a path that are counted
CLEAN = 0.001  # a lower rate is no loss of the whole mesh
MOST_BURSTS = 0.1  # share of the paths that may lose some packets at once
CHANCE = 0.05  # probability that a mesh without bursts has a path that loses as many packets
EVEN = 1.5  # variance of the losses of paths, in means: losses that are independent of each other have 1
LAYERS = (OVERLAY, NETWORK)


class Usual:
    """The packets of all paths, without those of the places that `leave_out` got.

    They are counted by what carries them: the overlay, or their plane where it does not. Such paths are alike.
    """

    def __init__(self, mesh: Mesh, dead: Collection[int]) -> None:
        self._losing = {id(cell): cell for cell in mesh.losing if id(cell) not in dead}
        self._paths, self._sent, self._lost = Counter[str](), defaultdict[str, float](float), Counter[str]()
        # Paths send about the same number of packets, so that not all of them have to be counted.
        of_a_path = mesh.sent / max(mesh.planes.total(), 1)
        self._planes = tuple(mesh.planes)
        for plane, paths in mesh.planes.items():
            self._paths[_carrier(plane)] += paths
            self._sent[_carrier(plane)] += paths * of_a_path
        for cell in self._losing.values():
            self._lost[_carrier(cell.plane)] += cell.lost

    def leave_out(self, cells: Iterable[Cell]) -> None:
        """Leave out the packets of `cells`."""
        for cell in cells:
            carrier = _carrier(cell.plane)
            self._paths[carrier] -= 1
            self._sent[carrier] -= cell.sent
            self._lost[carrier] -= cell.lost
            self._losing.pop(id(cell), None)

    def rates_without(self, cells: Iterable[Cell]) -> dict[str, float]:
        """Return the rate by plane at which paths lose packets, with those of `cells` left out.

        It is empty if no other path loses any. A few packets at the rate of all of them come in addition: if no more
        are left, and by chance they lose less than usual, a place would be blamed that loses what all do.
        """
        sent, lost = self._sent.copy(), self._lost.copy()
        for cell in cells:
            carrier = _carrier(cell.plane)
            sent[carrier] -= cell.sent
            lost[carrier] -= cell.lost
        if lost.total() <= 0:
            return {}
        rates: dict[str, float] = {}
        for plane in self._planes:
            carrier = _carrier(plane)
            of_all = max(self._lost[carrier], 0) / self._sent[carrier] if self._sent[carrier] > 0 else 0.0
            rates[plane] = (max(lost[carrier], 0) + ADDED * of_all) / (max(sent[carrier], 0.0) + ADDED)
        return rates

    @property
    def lossy_trains(self) -> float:
        """Return the share of the trains that lose packets, if each packet is lost at the usual rate."""
        sent, paths = sum(self._sent.values()), self._paths.total()
        rate = min(max(self._lost.total(), 0) / sent, 1.0) if sent > 0 else 0.0  # `sent` is about right
        return 1 - (1 - rate) ** (sent / paths / WINDOW) if sent > 0 and paths > 0 else 0.0

    @property
    def is_even(self) -> bool:
        """Return whether all paths lose packets, one by one and about as often: the variance is about the mean.

        A few paths that lose far more at once are bursts, and do not count.
        """
        if self._sent[OVERLAY] < FEWEST:
            return False
        lost = Counter(cell.lost for cell in self._losing.values() if _carrier(cell.plane) == OVERLAY)
        paths = max(self._paths[OVERLAY], lost.total(), 1)
        total = sum(each * many for each, many in lost.items())
        squares = sum(each * each * many for each, many in lost.items())
        bursts = int(MOST_BURSTS * paths)
        for each in sorted(lost, reverse=True):
            if not bursts or paths * at_least(each, (total - each) / paths) >= CHANCE:
                break
            many = min(lost[each], bursts)  # without one of them the others are even less likely
            total, squares, bursts = total - many * each, squares - many * each * each, bursts - many
        mean = total / paths
        return total >= CLEAN * self._sent[OVERLAY] and squares / paths - mean * mean <= EVEN * mean


@cache
def _carrier(plane: str) -> str:
    """Return what paths of a plane are counted with."""
    return OVERLAY if fails(OVERLAY, plane, local=False, source_in=True, target_in=True) == MUST else plane
