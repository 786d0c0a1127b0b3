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


def test_it_leaves_a_dead_node_soon(helm: Helm) -> None:
    """Kubernetes evicts a pod from a node that is gone after 300 s; the hub is needed then, and leaves after 20 s."""
    spec, _ = pod_and_volumes(helm, {})
    found = {each["key"]: each for each in spec["template"]["spec"]["tolerations"]}
    assert set(found) == {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}
    assert {(each["effect"], each["tolerationSeconds"]) for each in found.values()} == {("NoExecute", 20)}


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


INGRESS = {"enabled": True, "hosts": ["smoker.example.com", "net.example.com"]}
LOGIN = {"auth": {"existingSecret": "login"}}


def ingress(helm: Helm, *, hub: dict[str, Any], **values: Any) -> Any:
    """The chart's Ingress, with a login."""
    rendered = helm.render({"hub": {**LOGIN, **hub, "ingress": {**INGRESS, **values}}})
    return rendered.get("Ingress", "smoker-hub")


def test_no_ingress_by_default(helm: Helm) -> None:
    """The page is reachable from inside the cluster alone; without a hub there is no Ingress either."""
    assert not helm.render({}).of_kind("Ingress")
    assert not helm.render({"mesh": {"enabled": False}, "hub": {"ingress": INGRESS}}).of_kind("Ingress")


def test_an_ingress_leads_to_the_page(helm: Helm) -> None:
    """Each host, class, annotations and TLS; the port by its name, so that it follows hub.port."""
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
    """To its first host, by https where it has TLS; a URL that is given wins."""

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
def test_an_ingress_that_is_refused(any_helm: Helm, hub: dict[str, Any], why: str) -> None:
    """Without a login, unless that is meant, and without a host: one sentence that names the value."""
    with pytest.raises(HelmError, match=why):
        any_helm.render({"hub": hub})


def test_an_ingress_without_a_login_is_meant(helm: Helm) -> None:
    """Where the ingress controller asks for a login itself, the chart goes along."""
    assert helm.render({"hub": {"ingress": {**INGRESS, "withoutLogin": True}}}).of_kind("Ingress")


def test_replicas_spread(helm: Helm) -> None:
    """From two on over nodes, as far as possible, by labels that select the hub's pods alone; a value of yours wins."""

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
