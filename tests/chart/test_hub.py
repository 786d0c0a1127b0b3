"""The hub's mounts and settings apart from notifications: history, Secret, Prometheus."""

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
    """The history is an emptyDir at /data with room for SQLite's log next to the file; there is no claim."""
    spec, volumes = pod_and_volumes(helm, {})
    assert volumes["data"]["emptyDir"] == {"sizeLimit": "320Mi"}
    assert {"name": "data", "mountPath": "/data"} in spec["template"]["spec"]["containers"][0]["volumeMounts"]
    assert "strategy" not in spec
    assert "fsGroup" not in spec["template"]["spec"]["securityContext"]
    assert not helm.render({}).of_kind("PersistentVolumeClaim")


def test_it_leaves_a_dead_node_soon(helm: Helm) -> None:
    """Kubernetes evicts pods from a dead node after 300 s; the hub is needed then, so it leaves after 20 s."""
    spec, _ = pod_and_volumes(helm, {})
    found = {each["key"]: each for each in spec["template"]["spec"]["tolerations"]}
    assert set(found) == {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}
    assert {(each["effect"], each["tolerationSeconds"]) for each in found.values()} == {("NoExecute", 20)}


def test_a_claim_outlives_the_pod(helm: Helm) -> None:
    """The chart makes a claim that the pod's group may write to; an upgrade ends the old pod before the new one."""
    values = claimed(size="3Gi", storageClass="fast")
    spec, volumes = pod_and_volumes(helm, values)
    assert volumes["data"]["persistentVolumeClaim"] == {"claimName": "smoker-hub"}
    assert {"name": "data", "mountPath": "/data"} in spec["template"]["spec"]["containers"][0]["volumeMounts"]
    assert helm.render(values).env("hub")["HISTORY_FOLDER"] == "/data"
    assert spec["strategy"] == {"type": "Recreate"}
    assert spec["template"]["spec"]["securityContext"]["fsGroup"] == 65532
    claim = helm.render(values).get("PersistentVolumeClaim", "smoker-hub")["spec"]
    assert (claim["storageClassName"], claim["resources"]["requests"]["storage"]) == ("fast", "3Gi")
    assert claim["accessModes"] == ["ReadWriteOnce"]
    assert "storageClassName" not in helm.render(claimed()).get("PersistentVolumeClaim", "smoker-hub")["spec"]


def test_an_existing_claim_is_used(helm: Helm) -> None:
    """The hub uses an existing claim, and the chart makes none."""
    values = claimed(existingClaim="mine")
    assert pod_and_volumes(helm, values)[1]["data"]["persistentVolumeClaim"] == {"claimName": "mine"}
    assert not helm.render(values).of_kind("PersistentVolumeClaim")


def test_a_claim_allows_one_replica(helm: Helm) -> None:
    """More than one replica with a claim is refused: pods on two nodes would write to one file."""
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
    """The hub reads the Secret as files, so a renewed one needs no restart; without a Secret there is no volume."""
    values = {"hub": {"auth": {"existingSecret": "hub-auth"}}}
    spec, volumes = pod_and_volumes(helm, values)
    assert volumes["auth"] == {"name": "auth", "secret": {"secretName": "hub-auth"}}
    mounts = spec["template"]["spec"]["containers"][0]["volumeMounts"]
    assert {"name": "auth", "mountPath": "/etc/smoker/auth", "readOnly": True} in mounts
    assert helm.render(values).env("hub")["AUTH_FOLDER"] == "/etc/smoker/auth"
    assert "auth" not in pod_and_volumes(helm, {})[1]


def test_the_policy_lets_the_hub_ask_prometheus(helm: Helm) -> None:
    """The policy opens the port of Prometheus' URL, or the usual port of its scheme."""
    for url, port in (("http://prometheus.monitoring:9090/x", 9090), ("https://prometheus.example.com", 443)):
        release = helm.render({"networkPolicy": {"enabled": True}, "hub": {"prometheus": {"url": url}}})
        egress = release.get("NetworkPolicy", "smoker-hub")["spec"]["egress"]
        assert {"ports": [{"protocol": "TCP", "port": port}]} in egress
        assert release.env("hub")["PROMETHEUS_URL"] == url


INGRESS = {"enabled": True, "hosts": ["smoker.example.com", "net.example.com"]}
LOGIN = {"auth": {"existingSecret": "login"}}


def ingress(helm: Helm, *, hub: dict[str, Any], **values: Any) -> Any:
    """The chart's Ingress, with a login."""
    rendered = helm.render({"hub": {**LOGIN, **hub, "ingress": {**INGRESS, **values}}})
    return rendered.get("Ingress", "smoker-hub")


def test_no_ingress_by_default(helm: Helm) -> None:
    """By default only the cluster reaches the page; without a hub there is no Ingress either."""
    assert not helm.render({}).of_kind("Ingress")
    assert not helm.render({"mesh": {"enabled": False}, "hub": {"ingress": INGRESS}}).of_kind("Ingress")


def test_an_ingress_leads_to_the_page(helm: Helm) -> None:
    """The Ingress has each host, class, annotations and TLS, and names the port, so that it follows hub.port."""
    tls = [{"secretName": "smoker-tls", "hosts": INGRESS["hosts"]}]
    made = ingress(helm, hub={"port": 9083}, className="nginx", annotations={"a": "b"}, tls=tls)
    assert made["apiVersion"] == "networking.k8s.io/v1"
    assert made["metadata"]["annotations"] == {"a": "b"}
    assert (made["spec"]["ingressClassName"], made["spec"]["tls"]) == ("nginx", tls)
    assert [rule["host"] for rule in made["spec"]["rules"]] == INGRESS["hosts"]
    backend = {"service": {"name": "smoker-hub", "port": {"name": "http"}}}
    for rule in made["spec"]["rules"]:
        assert rule["http"]["paths"] == [{"path": "/", "pathType": "Prefix", "backend": backend}]
    assert not {"ingressClassName", "tls"} & set(ingress(helm, hub={})["spec"])


def test_notifications_link_to_the_ingress(helm: Helm) -> None:
    """Links lead to the Ingress's first host, by https if it has TLS; a URL in the values overrides that."""

    def url(**hub: Any) -> str:
        return helm.render({"hub": {**LOGIN, **hub}}).env("hub")["EXTERNAL_URL"]

    assert url() == ""
    assert url(ingress=INGRESS) == "http://smoker.example.com"
    assert url(ingress={**INGRESS, "tls": [{"secretName": "a"}]}) == "https://smoker.example.com"
    assert url(ingress=INGRESS, externalUrl="https://a.example/b") == "https://a.example/b"


@pytest.mark.parametrize(
    ("hub", "why"),
    [
        ({"ingress": INGRESS}, "hub.ingress.enabled: needs hub.auth.existingSecret, or hub.ingress.withoutLogin if"),
        ({**LOGIN, "ingress": {"enabled": True}}, "hub.ingress.hosts: needs at least one host name with"),
    ],
)
def test_an_ingress_without_host_or_login_is_refused(any_helm: Helm, hub: dict[str, Any], why: str) -> None:
    """An Ingress without a login or without a host is refused in one sentence that names the value."""
    with pytest.raises(HelmError, match=why):
        any_helm.render({"hub": hub})


def test_an_ingress_without_a_login_must_be_explicit(helm: Helm) -> None:
    """With withoutLogin the chart accepts an Ingress without a login, for controllers with a login of their own."""
    assert helm.render({"hub": {"ingress": {**INGRESS, "withoutLogin": True}}}).of_kind("Ingress")


def test_a_drain_leaves_one_of_two_replicas(helm: Helm) -> None:
    """From two replicas on a budget, which selects only the hub's pods, lets a drain evict one at a time."""

    def budgets(replicas: int) -> dict[str, Any]:
        found = helm.render({"hub": {"replicas": replicas}}).of_kind("PodDisruptionBudget")
        return {each["metadata"]["name"]: each["spec"] for each in found}

    assert "smoker-hub" not in budgets(1)
    selector = pod_and_volumes(helm, {})[0]["selector"]
    for replicas in (2, 3):
        assert budgets(replicas)["smoker-hub"] == {"maxUnavailable": 1, "selector": selector}


def test_replicas_spread(helm: Helm) -> None:
    """Two or more replicas spread over nodes, by labels that select only the hub's pods.

    A value of the user overrides that.
    """

    def spread(**hub: Any) -> Any:
        spec, _ = pod_and_volumes(helm, {"hub": hub})
        return spec["selector"], spec["template"]["spec"].get("topologySpreadConstraints")

    assert spread()[1] is None
    selector, (over_nodes,) = spread(replicas=2)
    assert over_nodes == {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": selector,
    }
    own = [{"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector}]
    assert spread(replicas=2, topologySpreadConstraints=own)[1] == own
