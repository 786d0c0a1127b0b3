"""The two clocks: the monotonic clock measures, the wall clock only dates what is shown.

NTP can step the wall clock at any moment, at boot by years. So an instant is kept as the monotonic clock had it. Ages
and durations are differences of such instants. A date is derived when it is shown: the wall clock now, less the age.
"""

from __future__ import annotations

import time


class Clock:
    """The clocks of this machine; a test can put others in their place."""

    def now(self) -> float:
        """Return the instant now, in seconds of the monotonic clock."""
        return time.monotonic()

    def wall_time(self) -> float:
        """Return the date now, in seconds since the epoch."""
        return time.time()

    def date(self, instant: float) -> float:
        """Return the date of `instant`, an instant of the monotonic clock, by the wall clock of now."""
        return self.wall_time() - (self.now() - instant)
