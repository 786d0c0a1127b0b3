"""The checks after half answers of the DNS Service (probes/followups/look_ups.py), as the state sums them up."""

from __future__ import annotations

from collections import deque

from smoker_diagnosis.state import AskedAgain
from smoker_prober.probes.followups.look_ups import Check

OVER = 2  # checks in a row without half answers, after which further half answers are another race
MOST = 40  # checks


class Checks:
    """The last checks of one path."""

    def __init__(self) -> None:
        self._known: deque[Check] = deque(maxlen=MOST)

    def add(self, check: Check) -> None:
        """Add a check. After the end of a race those before it would hide packet loss that has begun since."""
        last = list(self._known)[-OVER:]
        if check.halved and len(last) == OVER and not any(each.halved for each in last):
            self._known.clear()
        self._known.append(check)

    def since(self, first: float) -> bool:
        """Forget those that began before `first`. Return whether there are others."""
        while self._known and self._known[0].began < first:
            self._known.popleft()
        return bool(self._known)

    def said(self, half: float) -> AskedAgain | None:
        """Return their sum; None if there is none. `half`: when the last half answer of a round began."""
        if not self._known:
            return None
        at = max((each.began for each in self._known if each.halved), default=0.0)
        whole = [each for each in self._known if each.began > max(at, half)]
        return AskedAgain(
            sum(each.of for each in self._known),
            sum(each.halved for each in self._known),
            sum(each.of_pods for each in self._known),
            sum(each.halved_pods for each in self._known),
            round(at, 3),
            sum(each.of for each in whole),
            round(whole[0].began, 3) if whole else 0.0,
            sum(each.silent_pods for each in self._known),
        )
