"""Two releases in one namespace."""

from __future__ import annotations

import pytest

from tests.e2e.cluster import Namespace
from tests.e2e.release import COMPONENTS, FAST, Release

pytestmark = pytest.mark.cluster


def endpoints(release: Release) -> set[str]:
    """Return the pods behind a release's Service."""
    slices = release.namespace.items("endpointslices", f"kubernetes.io/service-name={release.name}-server")
    return {endpoint["targetRef"]["name"] for found in slices for endpoint in found["endpoints"] or ()}


def test_two_releases(namespace: Namespace, images: dict[str, object], helm: str, nodes: set[str]) -> None:
    """Each release's Service leads to its own pods. When one release is removed, the other keeps working."""
    left, right = releases = [Release(name, namespace, helm, {**FAST, **images}) for name in ("left", "right")]
    for release in releases:
        release.install()
    for release in releases:
        release.becomes("success", nodes)
        own = {pod["metadata"]["name"] for name in COMPONENTS[:3] for pod in release.pods(name)}
        assert endpoints(release) == own
    pods = right.uids()
    mark = right.log()
    left.uninstall()
    right.stays_healthy(nodes)
    assert {found.outcome for found in right.results(mark)} == {"success"}
    assert right.uids() == pods
