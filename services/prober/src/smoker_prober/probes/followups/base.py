"""What every follow-up of a probe can do, and the options of those that are imported only where they are used."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from smoker_prober.result import Result


class Followup:
    """Follows the successes of one target. It lives as long as its target is probed."""

    def __call__(self, result: Result, timeout: float, never: Collection[int]) -> Result:
        """Return `result` with what was found. `timeout`: seconds for an answer; `never`: source ports to avoid."""
        raise NotImplementedError

    def again(self, result: Result, timeout: float, never: Collection[int]) -> Result:
        """Follow a success again before the next round, because of doubts."""
        return self(result, timeout, never)

    def doubts(self) -> bool:
        """Return whether what it found last may be chance, so that it is worth asking again before the next round."""
        return False

    def missed(self) -> None:
        """Note that a probe of the target has failed, so that nothing follows it."""

    def catches_up(self) -> bool:
        """Return whether it wants to follow at once when the probe that failed works again, and not a round later."""
        return False


@dataclass(frozen=True, slots=True)
class Flows:
    """Packets from several source ports follow a UDP probe where a part of the packets is lost."""


@dataclass(frozen=True, slots=True)
class KeptFlow:
    """A packet from a socket that stays open follows each UDP probe."""
