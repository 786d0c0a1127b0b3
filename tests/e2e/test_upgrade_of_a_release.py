"""An upgrade from an older chart by each Helm, with the user's values: no probe fails.

Both charts run the images of this checkout, because no registry here has older ones. So this shows that the older
chart's objects, variables and values go over into this chart's. It does not show old and new images beside each other.
"""

from __future__ import annotations

import json
from pathlib import Path

import gevent
import pytest

from tests.chart import helm_binary
from tests.e2e.cluster import fresh_namespace
from tests.e2e.following import Following
from tests.e2e.release import FAST, Release
from tests.old_chart import old_chart

pytestmark = pytest.mark.cluster

#: With one replica an echo is away for some seconds in any rollout.
REPLICAS = {f"{echo}.replicas": 2 for echo in ("tcpEcho", "udpEcho", "httpEcho")}
QUIET = {"prober.timeoutSeconds": 5, "prober.updateStrategy.rollingUpdate.maxUnavailable": "50%"}


def helms() -> list[str]:
    """Return each Helm that can be had; in CI that must be both."""
    found = []
    for major in helm_binary.MAJORS:
        try:
            found.append(helm_binary.helm(major))
        except helm_binary.HelmMissingError:
            if helm_binary.needed():
                raise
    return found


def upgraded(helm: str, old: Path, images: dict[str, object], nodes: set[str], folder: Path) -> None:
    """Install the older chart, upgrade it as users do, and compare."""
    folder.mkdir()
    with fresh_namespace() as namespace:
        release = Release("smoker", namespace, helm, {**FAST, **REPLICAS, **QUIET, **images})
        release.install(chart=str(old))
        before = json.loads(release.helm("get", "values", release.name, "--output=json"))
        release.becomes("success", nodes)
        pods = {pod["metadata"]["name"] for pod in release.pods("prober")}
        with Following(release, folder) as lines:
            reuse = ("--reset-then-reuse-values", "--wait", "--timeout=120s")
            release.helm("upgrade", release.name, "charts/smoker", *reuse)
            lines.follow()
            release.stays_healthy(nodes, rounds=3)
            said = lines.all()
        assert json.loads(release.helm("get", "values", release.name, "--output=json")) == before
        assert not pods & {pod["metadata"]["name"] for pod in release.pods("prober")}, "every prober is a new one"
        assert [line for line in said if " FAILED " in line] == []
        assert sum(" SUCCESS " in line for line in said) > 3 * len(nodes)


def test_values_are_reused_and_nothing_fails(images: dict[str, object], nodes: set[str], tmp_path: Path) -> None:
    """With --reset-then-reuse-values the values stay and no probe fails before, during or after. Both Helms at once."""
    old = old_chart(tmp_path)
    upgrades = [gevent.spawn(upgraded, helm, old, images, nodes, tmp_path / str(n)) for n, helm in enumerate(helms())]
    try:
        gevent.joinall(upgrades, raise_error=True)
    finally:
        gevent.killall(upgrades)
