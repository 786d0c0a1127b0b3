"""What a release said before a test of it failed: a fault on a cluster can rarely be repeated."""

from __future__ import annotations

from tests.e2e.release import Release
from tests.images.command import CommandError

LAST = 40  # lines


def last_lines(release: Release, component: str) -> str:
    """Return the last lines of a component's pods, or why there are none."""
    wanted = f"{release.selector},app.kubernetes.io/component={component}"
    try:
        return release.namespace.kubectl("logs", "--selector", wanted, "--timestamps", f"--tail={LAST}")
    except CommandError as error:
        return str(error)
