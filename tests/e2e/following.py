"""Follows the logs of a release's probers, of those too that are replaced meanwhile."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.e2e.release import Release


class Following:
    """All lines of a release's probers while it runs, including probers that are replaced."""

    def __init__(self, release: Release, folder: Path) -> None:
        self._release, self._folder = release, folder
        self._followed: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Following:
        self.follow("--since=1s")
        return self

    def follow(self, *since: str) -> None:
        """Also follow pods that have come since."""
        logs = ("kubectl", "--namespace", self._release.namespace.name, "logs", "--follow", *since)
        for pod in [*self._release.pods("prober"), *self._release.pods("host")]:
            name = pod["metadata"]["name"]
            if name not in self._followed:
                with (self._folder / name).open("wb") as file:
                    self._followed[name] = subprocess.Popen([*logs, name], stdout=file, stderr=subprocess.DEVNULL)

    def all(self) -> list[str]:
        """Return every line so far."""
        return [line for name in self._followed for line in (self._folder / name).read_text().splitlines()]

    def __exit__(self, *_: object) -> None:
        for process in self._followed.values():
            process.terminate()
            process.wait()
