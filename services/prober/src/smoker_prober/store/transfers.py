"""The last transfer to each peer that succeeded, for metrics and for the hub."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from smoker_diagnosis.state import Bandwidth
from smoker_prober.probes.bandwidth import Details, Rates
from smoker_prober.result import Result


class Transfers:
    """Keeps a result for each node that `nodes` returns."""

    def __init__(self, nodes: Callable[[], Iterable[str]]) -> None:
        self._nodes = nodes
        self._last: dict[str, Result] = {}

    def keep(self, result: Result) -> None:
        """Take the result of a transfer. A failure replaces no earlier result."""
        if result.outcome.ok:
            self._last[result.target.path.target] = result

    def last(self) -> dict[str, Result]:
        """Return the last result of each node. Nodes that are no longer probed are forgotten."""
        for gone in self._last.keys() - set(self._nodes()):
            del self._last[gone]
        return self._last

    def state(self) -> tuple[Bandwidth, ...]:
        """Return the last results as the state of the prober has them."""
        return tuple(_bandwidth(result) for result in self.last().values())


def _bandwidth(result: Result) -> Bandwidth:
    path, details = result.target.path, result.details
    out, back = (details.out, details.back) if isinstance(details, Details) else (None, None)
    return Bandwidth(
        path.target,
        path.plane,
        path.family,
        round(result.began, 3),
        _rate(out),
        _rate(back),
        0 if out is None else out.retransmits,
        0 if back is None else back.retransmits,
    )


def _rate(rates: Rates | None) -> float:
    """Return the best known rate in whole bytes per second, 0 where there is none."""
    best = None if rates is None else rates.best
    return 0.0 if best is None else float(round(best))
