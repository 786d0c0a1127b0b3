"""Where results go. A sink takes results and measures nothing."""

from typing import Protocol

from smoker_prober.result import Result
from smoker_prober.target import Path


class Sink(Protocol):
    """Takes the results of paths. A path is a probe's name and the path of its target."""

    def expect(self, probe: str, path: Path) -> None:
        """Begin a path: results of it will come. A path that is there already stays as it is."""

    def keep(self, result: Result) -> None:
        """Take a result. One with `confirms` repeats a failed probe and does not count as a round."""

    def forget(self, probe: str, path: Path) -> None:
        """End a path: no more results of it will come."""
