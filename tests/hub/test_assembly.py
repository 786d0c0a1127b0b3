"""The parts of a hub together, against an API server that has Leases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from smoker_common.listen import tcp_listener
from smoker_common.settings import parse
from smoker_hub import assembly
from smoker_hub.settings import Settings
from smoker_kube.api import Api
from tests.conftest import eventually
from tests.hub.leases import NAMESPACE, leases


@pytest.mark.parametrize("name", ["smoker-hub", ""])
def test_a_hub_with_a_lease_name_takes_the_lease(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Where LEASE_NAME is set, a hub that runs holds the Lease, and its metric says that it notifies."""
    settings, problems = parse(Settings, {"NAMESPACE": NAMESPACE})
    assert not problems
    registry, listener = CollectorRegistry(), tcp_listener("127.0.0.1", 0)
    with leases() as api:
        monkeypatch.setattr(assembly, "kubernetes_of", lambda _: Api(api.url))
        work = assembly.build(replace(settings, lease_name=name), {"http_port": [listener]}, registry)
        held = registry.get_sample_value("smoker_hub_notifies")
        assert held == (0.0 if name else 1.0)
        work.start()
        try:
            eventually("it notifies", lambda: registry.get_sample_value("smoker_hub_notifies") == 1.0)
            assert list(api.items) == ([name] if name else [])
        finally:
            work.retire()
            work.close()
            work.drain(1.0)
        if name:
            assert api.holder(name) == "", "it gave it back"
