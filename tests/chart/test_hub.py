"""What the hub mounts and asks beside notifications: its history, its Secret, its Prometheus."""

from __future__ import annotations

from typing import Any

import pytest

from .render import Helm, HelmError


def claimed(**persistence: Any) -> dict[str, Any]:
    return {"hub": {"history": {"persistence": {"enabled": True, **persistence}}}}


def pod_and_volumes(helm: Helm, values: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The spec of the hub's pod, and its volumes by name."""
    spec = helm.render(values).get("Deployment", "smoker-hub")["spec"]
    pod = spec["template"]["spec"]
    return spec, {volume["name"]: volume for volume in pod.get("volumes", ())}


def test_by_default_it_ends_with_the_pod(helm: Helm) -> None:
    """An emptyDir at /data, with room for SQLite's log beside the file; no claim is made."""
    spec, volumes = pod_and_volumes(helm, {})
    assert volumes["data"]["emptyDir"] == {"sizeLimit": "320Mi"}
    assert {"name": "data", "mountPath": "/data"} in spec["template"]["spec"]["containers"][0]["volumeMounts"]
    assert "strategy" not in spec
    assert "fsGroup" not in spec["template"]["spec"]["securityContext"]
    assert not helm.render({}).of_kind("PersistentVolumeClaim")


def test_a_claim_outlives_the_pod(helm: Helm) -> None:
    """The chart makes it, the pod's group may write to it, and an upgrade ends the old pod before the new one."""
    values = claimed(size="3Gi", storageClass="fast")
    spec, volumes = pod_and_volumes(helm, values)
    assert volumes["data"]["persistentVolumeClaim"] == {"claimName": "smoker-hub"}
    assert spec["strategy"] == {"type": "Recreate"}
    assert spec["template"]["spec"]["securityContext"]["fsGroup"] == 65532
    claim = helm.render(values).get("PersistentVolumeClaim", "smoker-hub")["spec"]
    assert (claim["storageClassName"], claim["resources"]["requests"]["storage"]) == ("fast", "3Gi")
    assert "storageClassName" not in helm.render(claimed()).get("PersistentVolumeClaim", "smoker-hub")["spec"]


def test_a_claim_of_the_users_own(helm: Helm) -> None:
    """It is used, and none is made."""
    values = claimed(existingClaim="mine")
    assert pod_and_volumes(helm, values)[1]["data"]["persistentVolumeClaim"] == {"claimName": "mine"}
    assert not helm.render(values).of_kind("PersistentVolumeClaim")


def test_a_claim_allows_one_replica(helm: Helm) -> None:
    """Two pods would write to one file on different nodes."""
    with pytest.raises(HelmError, match=r"hub\.history\.persistence\.enabled: needs hub\.replicas of 1"):
        helm.render({"hub": {**claimed()["hub"], "replicas": 2}})


def test_without_a_history_there_is_no_volume(helm: Helm) -> None:
    """The hub has no history folder, and the chart makes no claim."""
    values = {"hub": {"history": {"enabled": False, "persistence": {"enabled": True}}}}
    spec, volumes = pod_and_volumes(helm, values)
    assert "data" not in volumes
    assert "strategy" not in spec
    assert helm.render(values).env("hub")["HISTORY_FOLDER"] == ""
    assert not helm.render(values).of_kind("PersistentVolumeClaim")


def test_the_secret_is_mounted(helm: Helm) -> None:
    """The hub reads it as files, so that a renewed one needs no restart; without one there is no volume."""
    values = {"hub": {"auth": {"existingSecret": "hub-auth"}}}
    spec, volumes = pod_and_volumes(helm, values)
    assert volumes["auth"] == {"name": "auth", "secret": {"secretName": "hub-auth"}}
    mounts = spec["template"]["spec"]["containers"][0]["volumeMounts"]
    assert {"name": "auth", "mountPath": "/etc/smoker/auth", "readOnly": True} in mounts
    assert helm.render(values).env("hub")["AUTH_FOLDER"] == "/etc/smoker/auth"
    assert "auth" not in pod_and_volumes(helm, {})[1]


def test_the_policy_lets_the_hub_ask_prometheus(helm: Helm) -> None:
    """The port of its URL, the usual one where it names none."""
    for url, port in (("http://prometheus.monitoring:9090/x", 9090), ("https://prometheus.example.com", 443)):
        release = helm.render({"networkPolicy": {"enabled": True}, "hub": {"prometheus": {"url": url}}})
        egress = release.get("NetworkPolicy", "smoker-hub")["spec"]["egress"]
        assert {"ports": [{"protocol": "TCP", "port": port}]} in egress
        assert release.env("hub")["PROMETHEUS_URL"] == url
