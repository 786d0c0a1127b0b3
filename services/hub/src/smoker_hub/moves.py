"""Echo services whose pods move: a drain evicts them, and for some rounds their Services fail.

That is a fact of the cluster and no fault of its network: the Service is excused for a while.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from smoker_diagnosis.finding import Finding
from smoker_diagnosis.state import State

HOLDS = 60.0  # seconds for which an eviction and a new pod may take, beside one round and one probe


class Moves:
    """Knows on which nodes each echo stands. `leaves(node)`: whether pods leave that node."""

    def __init__(self, leaves: Callable[[str], bool]) -> None:
        self._leaves = leaves
        self._stands: dict[str, Counter[str]] = {}  # by probe and node: how many probers see a ready pod there
        self._moves: dict[str, float] = {}  # by probe: the instant when its first pod left
        self._lasts = HOLDS

    def look(self, states: Iterable[State], now: float) -> None:
        """Take in where the echoes stand now."""
        stands: dict[str, Counter[str]] = {}
        interval = 0.0
        for state in states:
            interval = max(interval, state.interval + state.timeout)
            for probe, nodes in state.echoes.items():
                stands.setdefault(probe, Counter()).update(nodes)
        self._lasts = HOLDS + interval
        for probe in self._stands.keys() | stands.keys():
            self._follow(probe, stands.get(probe, Counter()), now)
        self._stands = stands

    def _follow(self, probe: str, stands: Counter[str], now: float) -> None:
        fewer = [node for node, count in self._stands.get(probe, Counter()).items() if stands[node] < count]
        if any(map(self._leaves, fewer)):
            self._moves.setdefault(probe, now)
        if now - self._moves.get(probe, now) > self._lasts:
            del self._moves[probe]

    def explain(self, finding: Finding) -> bool:
        """Return whether a move explains `finding`, of a Service or the DNS."""
        if finding.kind == "dns":  # its pods leave the node, too
            return bool(self._moves)
        return finding.kind == "service" and any(not finding.probes or probe in finding.probes for probe in self._moves)
