"""The API server as a target."""

from __future__ import annotations

from pathlib import Path

import pytest

from smoker_prober.config import api_server
from smoker_prober.config.service import hosts
from smoker_prober.probes.tls import Options
from smoker_prober.result import Outcome
from smoker_prober.round import Round
from smoker_prober.target import Path as PathTo
from tests.prober.probes.pki import Authority, s_server
from tests.prober.targets import settings_of


def test_the_api_server_is_probed_at_its_service_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is probed at the address in the pod's environment, trusted by the account's CA, under its own name."""
    authority = Authority(tmp_path / "ca")
    with s_server(authority.issue("kube-apiserver")) as port:
        monkeypatch.setattr(api_server, "CA", str(authority.file))
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(port))
        settings = settings_of({"PROBE_API_SERVER": "true", "SERVER_HOST": "127.0.0.1", "NETWORK": "host"})
        (target,) = hosts(settings)["kubernetes host-other"]
        (result,) = Round.of(settings, (target,)).results()
    assert target.path == PathTo("cluster", "kubernetes", "host-other")
    assert target.interval == 600.0  # thousands of nodes ask the same server
    assert (result.outcome, result.fields["subject"]) == (Outcome.SUCCESS, "kube-apiserver")


def test_the_api_server_is_not_probed_if_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not probed outside a cluster, nor without the setting."""
    wanted = settings_of({"PROBE_API_SERVER": "true"})
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert "kubernetes other" not in hosts(wanted)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    assert hosts(wanted)["kubernetes other"][0].options == Options(ca=api_server.CA)
    assert "kubernetes other" not in hosts(settings_of({}))


def test_a_target_named_kubernetes_takes_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target named `kubernetes` in TARGETS replaces it."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    found = hosts(settings_of({"PROBE_API_SERVER": "true", "TARGETS": "kubernetes=tcp://10.96.0.1:443"}))
    assert [each.probe for each in found["kubernetes other"]] == ["connect"]
