"""Ask the hub of a release through the API server's proxy."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from tests.e2e.cluster import eventually
from tests.e2e.release import Release
from tests.images.command import ROOT

WORSE = ("finding_opened", "finding_escalated")
MOVED = " moved from "  # in the text of an event: information, and no fault


def ask(release: Release, path: str) -> Any:
    """Return an answer of the hub's API."""
    service = f"/api/v1/namespaces/{release.namespace.name}/services/{release.name}-hub:http/proxy"
    return json.loads(release.namespace.kubectl("get", "--raw", f"{service}/api/v1/{path}"))


def healthy(release: Release, seconds: float = 60) -> None:
    """Wait until the hub has looked and reports HEALTHY."""

    def says() -> None:
        found = ask(release, "check")
        assert found["ok"], found["sentence"]

    eventually("the hub says that all is well", seconds, says)


def blamed(release: Release, since: float) -> list[str]:
    """Return what the hub has reported as a fault since this date, by its history. An echo that moved is not a fault.

    The history ends with the hub's pod.
    """
    events = ask(release, f"events?since={since}")
    assert not events["left_out"]
    return [each["text"] for each in events["events"] if each["kind"] in WORSE and MOVED not in each["text"]]


def plugin(release: Release, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the kubectl plugin."""
    line = [str(ROOT / "bin" / "kubectl-smoker"), command, "--namespace", release.namespace.name, *arguments]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
