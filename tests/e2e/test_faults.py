"""The probers' results while an echo pod is away."""

from __future__ import annotations

import pytest

from tests.e2e.cluster import eventually
from tests.e2e.release import Release

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize(("component", "probe"), [("tcp-echo", "TCP"), ("udp-echo", "UDP"), ("http-echo", "HTTP")])
def test_echo_pod_deleted(shared: Release, nodes: set[str], component: str, probe: str) -> None:
    """While an echo pod is away only its protocol fails; then everything succeeds again by itself."""
    shared.becomes("success", nodes)
    mark = shared.log()
    (old,) = shared.pods(component)
    shared.namespace.kubectl("delete", "pod", old["metadata"]["name"], "--wait=false")

    def failed() -> None:
        assert {found.probe for found in shared.results(mark) if found.outcome != "success"}

    eventually(f"a node's {probe} probe fails", 30, failed)
    shared.becomes("success", nodes, since=mark)
    shared.stays_healthy(nodes)
    assert {found.probe for found in shared.results(mark) if found.outcome != "success"} == {probe}
    (new,) = shared.pods(component)
    assert new["metadata"]["uid"] != old["metadata"]["uid"]
