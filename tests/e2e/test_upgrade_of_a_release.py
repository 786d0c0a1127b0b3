"""Two releases of an older chart in one namespace, one by each Helm, are upgraded with their values; then one goes.

Both charts run the images of this checkout, because no registry here has older ones. So this shows that the older
chart's objects, variables and values go over into this chart's. It does not show old and new images beside each other.
The tests follow one another on the same releases.
"""

from __future__ import annotations

import json
from pathlib import Path

import gevent
import pytest

from tests.chart import helm_binary
from tests.e2e.cluster import Namespace
from tests.e2e.following import Following
from tests.e2e.lines import LOCAL_ERROR
from tests.e2e.release import AT_ONCE, COMPONENTS, FAST, Release
from tests.old_chart import old_chart

pytestmark = pytest.mark.cluster

#: With one replica an echo is away for some seconds in any rollout.
REPLICAS = {f"{echo}.replicas": 2 for echo in ("tcpEcho", "udpEcho", "httpEcho")}
#: With a round per second the probers of two releases and four nodes fill two CPUs.
QUIET = {"prober.intervalSeconds": 3, "prober.timeoutSeconds": 5, AT_ONCE: "50%"}
#: What may fail once in a release: on a busy machine the cluster's DNS may be late, and a prober itself lack CPU.
BUSY = ("error=resolve_error", f"error={LOCAL_ERROR}")


@pytest.fixture(scope="module")
def releases(namespace: Namespace, images: dict[str, object], helm: str) -> tuple[Release, Release]:
    """Two releases, not yet installed: of each Helm, or, outside CI, of the one that is there."""
    other = helm
    try:
        other = next(found for major in helm_binary.MAJORS if (found := helm_binary.helm(major)) != helm)
    except helm_binary.HelmMissingError:
        if helm_binary.needed():
            raise
    left, right = (
        Release(name, namespace, program, {**FAST, **REPLICAS, **QUIET, **images})
        for name, program in (("left", helm), ("right", other))
    )
    return left, right


def endpoints(release: Release) -> set[str]:
    """Return the pods behind a release's Service."""
    slices = release.namespace.items("endpointslices", f"kubernetes.io/service-name={release.name}-server")
    return {endpoint["targetRef"]["name"] for found in slices for endpoint in found["endpoints"] or ()}


def upgraded(release: Release, old: Path, nodes: set[str], folder: Path) -> None:
    """Install the older chart, upgrade it as users do, and compare."""
    folder.mkdir()
    release.install(chart=str(old))
    before = json.loads(release.helm("get", "values", release.name, "--output=json"))
    release.becomes("success", nodes)
    pods = {pod["metadata"]["name"] for pod in release.pods("prober")}
    with Following(release, folder) as lines:
        reuse = ("--reset-then-reuse-values", "--wait", "--timeout=120s")
        release.helm("upgrade", release.name, "charts/smoker", *reuse)
        release.rolled_out()
        lines.follow()
        for _round in range(3):
            release.becomes("success", nodes, since=release.log())
        said = lines.all()
    assert json.loads(release.helm("get", "values", release.name, "--output=json")) == before
    assert not pods & {pod["metadata"]["name"] for pod in release.pods("prober")}, "every prober is a new one"
    failed = [line for line in said if " FAILED " in line]
    assert [line for line in failed if not any(word in line for word in BUSY)] == []
    assert len(failed) <= 1, failed
    assert sum(" SUCCESS " in line for line in said) > 3 * len(nodes)


def test_values_are_reused_and_nothing_fails(
    releases: tuple[Release, Release], nodes: set[str], tmp_path: Path
) -> None:
    """With --reset-then-reuse-values the values stay and no probe fails before, during or after, but for one of BUSY.

    Both Helms at once.
    """
    old = old_chart(tmp_path)
    upgrades = [gevent.spawn(upgraded, release, old, nodes, tmp_path / release.name) for release in releases]
    try:
        gevent.joinall(upgrades, raise_error=True)
    finally:
        gevent.killall(upgrades)


def test_two_releases(releases: tuple[Release, Release], nodes: set[str]) -> None:
    """Each release's Service leads to its own pods; when one release goes, the other goes on as before."""
    for release in releases:
        own = {pod["metadata"]["name"] for name in COMPONENTS[:3] for pod in release.pods(name)}
        assert endpoints(release) == own
    left, right = releases
    pods = right.uids()
    mark = right.log()
    left.uninstall()
    right.stays_healthy(nodes)
    assert {found.outcome for found in right.results(mark)} == {"success"}
    assert right.uids() == pods
