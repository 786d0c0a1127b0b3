"""The loss of a whole mesh: what its paths lose outside the places that lose more.

Where every path loses one packet in a hundred, a node at which it is a little more is innocent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from smoker_diagnosis.component import MUST, NETWORK, OVERLAY, fails
from smoker_diagnosis.evidence import Cell, Mesh
from smoker_diagnosis.stats import at_least

FEWEST = 300  # packets outside the places that say what is usual
WINDOW = 3  # trains of a path that are counted
CLEAN = 0.001  # a lower rate is no loss of the whole mesh
MOST_BURSTS = 0.1  # share of the paths that may lose some packets at once
CHANCE = 0.05  # probability that a mesh without bursts has a path that loses as many packets
EVEN = 1.5  # variance of the losses of paths, in means: losses that are independent of each other have 1
LAYERS = (OVERLAY, NETWORK)


class Usual:
    """The packets of all paths, by the layer that carries them, without those of the places that `leave_out` got."""

    def __init__(self, mesh: Mesh, dead: Collection[int]) -> None:
        self._losing = {id(cell): cell for cell in mesh.losing if id(cell) not in dead}
        self._paths = {layer: sum(n for plane, n in mesh.planes.items() if _carries(layer, plane)) for layer in LAYERS}
        # Paths send about the same number of packets, so that not all of them have to be counted.
        of_a_path = mesh.sent / max(mesh.planes.total(), 1)
        self._sent = {layer: paths * of_a_path for layer, paths in self._paths.items()}
        self._lost = {
            layer: sum(cell.lost for cell in self._losing.values() if _carries(layer, cell.plane)) for layer in LAYERS
        }

    def leave_out(self, cells: Iterable[Cell]) -> None:
        """Leave out the packets of `cells`."""
        for cell in cells:
            for layer in LAYERS:
                if _carries(layer, cell.plane):
                    self._paths[layer] -= 1
                    self._sent[layer] -= cell.sent
                    self._lost[layer] -= cell.lost
            self._losing.pop(id(cell), None)

    def rate_without(self, layer: str, cells: Sequence[Cell]) -> float:
        """Return the rate at which paths over `layer` other than `cells` lose packets; 0 if too few are left to say."""
        sent = self._sent[layer] - sum(cell.sent for cell in cells)
        lost = self._lost[layer] - sum(cell.lost for cell in cells)
        return max(lost, 0) / sent if sent >= FEWEST else 0.0

    @property
    def lossy_trains(self) -> float:
        """Return the share of the trains that lose packets, if each packet is lost at the usual rate."""
        sent, paths = self._sent[NETWORK], self._paths[NETWORK]
        rate = max(self._lost[NETWORK], 0) / sent if sent > 0 else 0.0
        return 1 - (1 - rate) ** (sent / paths / WINDOW) if sent > 0 and paths > 0 else 0.0

    @property
    def is_even(self) -> bool:
        """Return whether all paths lose packets, one by one and about as often: the variance is about the mean.

        A few paths that lose far more at once are bursts, and do not count.
        """
        if self._sent[OVERLAY] < FEWEST:
            return False
        lost = Counter(cell.lost for cell in self._losing.values() if _carries(OVERLAY, cell.plane))
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


def _carries(layer: str, plane: str) -> bool:
    return fails(layer, plane, local=False, source_in=True, target_in=True) == MUST
