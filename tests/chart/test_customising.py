"""What users add to the chart: accounts, permissions, volumes, DNS settings, labels, objects, registries."""

from __future__ import annotations

from typing import Any

import pytest

from .render import HOST, Helm, HelmError, merged
from .selection import pods

PROBERS = ("prober", "host")
SECRETS = [{"name": "own"}, {"name": "parent"}, {"name": "text"}]


@pytest.mark.parametrize(("key", "components"), [("prober", PROBERS), ("hub", ("hub",))])
@pytest.mark.parametrize(
    ("account", "name"),
    [
        ({}, ""),
        ({"name": "mine"}, "mine"),
        ({"create": False}, "default"),
        ({"create": False, "name": "mine"}, "mine"),
    ],
    ids=str,
)
def test_service_account(helm: Helm, key: str, components: tuple[str, ...], account: dict[str, Any], name: str) -> None:
    """Pods and RoleBinding name the chosen account, which the chart creates unless a value forbids it."""
    release = helm.render(merged(HOST, {key: {"serviceAccount": {**account, "annotations": {"role": "x"}}}}))
    name = name or f"smoker-{key}"
    for component in components:
        assert release.pod(component)["spec"]["serviceAccountName"] == name
        assert release.pod(component)["spec"]["automountServiceAccountToken"] is True
    (subject,) = release.get("RoleBinding", f"smoker-{key}")["subjects"]
    assert subject == {"kind": "ServiceAccount", "name": name, "namespace": "default"}
    made = {o["metadata"]["name"]: o["metadata"] for o in release.of_kind("ServiceAccount")}
    assert len(made) == 1 + account.get("create", True)
    if account.get("create", True):
        assert made[name]["annotations"] == {"role": "x"}


def test_no_rbac(helm: Helm) -> None:
    """Without rbac.create there is no Role and no RoleBinding; the accounts stay."""
    release = helm.render({"rbac": {"create": False}})
    assert not release.of_kind("Role", "RoleBinding")
    assert len(release.of_kind("ServiceAccount")) == 2


@pytest.mark.parametrize(("key", "components"), [("prober", {"prober", "host", "test"}), ("hub", {"hub"})])
def test_volumes_and_dns(helm: Helm, key: str, components: set[str]) -> None:
    """Additional volumes, mounts and DNS settings reach the pods of their component. The chart's own volumes stay."""
    volume = {"name": "ca", "configMap": {"name": "private-ca"}}
    mount = {"name": "ca", "mountPath": "/etc/ca", "readOnly": True}
    dns = {"options": [{"name": "ndots", "value": "2"}]}
    values = {key: {"extraVolumes": [volume], "extraVolumeMounts": [mount], "dnsConfig": dns}}
    before, after = pods(helm.render(HOST)), pods(helm.render(merged(HOST, values)))
    assert {name for name in after if after[name] != before[name]} == components
    for component in components:
        old, new = before[component]["spec"], after[component]["spec"]
        assert new["volumes"] == [*old.get("volumes", []), volume]
        assert new["containers"][0]["volumeMounts"] == [*old["containers"][0].get("volumeMounts", []), mount]
        assert new["dnsConfig"] == dns


def test_common_pod_labels_and_annotations(helm: Helm) -> None:
    """Common pod labels and annotations reach every pod; a component's own override them."""
    both = {"team": "all", "mesh": "off"}
    values = {"commonPodLabels": both, "commonPodAnnotations": both}
    own = {"tcpEcho": {"podLabels": {"team": "echo"}, "podAnnotations": {"team": "echo"}}}
    for component, pod in pods(helm.render(merged(merged(HOST, values), own))).items():
        expected = {**both, "team": "echo" if component == "tcp-echo" else "all"}
        assert expected.items() <= pod["metadata"]["labels"].items()
        assert expected.items() <= pod["metadata"]["annotations"].items()


def test_extra_objects(helm: Helm) -> None:
    """Extra objects are rendered as templates, as maps or as text."""
    named = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-a"}}
    text = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ include "smoker.base" . }}-b}'
    found = helm.render({"extraObjects": [named, text]}, release="lungs").of_kind("ConfigMap")
    assert {o["metadata"]["name"] for o in found} == {"lungs-a", "lungs-b", "lungs-plan"}


def test_revision_history(helm: Helm) -> None:
    """Every workload keeps as many old revisions as the value says, also none."""
    for values, number in ((HOST, 3), ({**HOST, "revisionHistoryLimit": 0}, 0)):
        found = helm.render(values).of_kind("Deployment", "DaemonSet")
        assert {o["spec"]["revisionHistoryLimit"] for o in found} == {number}
        assert len(found) == 6


def test_global_values(helm: Helm) -> None:
    """A parent chart's registry replaces the chart's, and its pull secrets are added, names or maps, each once."""
    shared = {"imageRegistry": "parent.example/mirror/", "imagePullSecrets": [{"name": "parent"}, "text", "own"]}
    values = {"imageRegistry": "own.example", "imagePullSecrets": [{"name": "own"}], "global": shared}
    for component, pod in pods(helm.render(values)).items():
        image = "smoker-prober" if component == "test" else f"smoker-{component}"
        assert pod["spec"]["containers"][0]["image"] == f"parent.example/mirror/{image}:dev"
        assert pod["spec"]["imagePullSecrets"] == SECRETS
    with pytest.raises(HelmError, match="imageRegistry"):
        helm.render({"global": {"imageRegistry": "https://parent.example"}})


def test_image_repository(helm: Helm) -> None:
    """A repository is the image's whole name before tag and digest, whatever the registries are."""
    digest = "sha256:" + "a" * 64
    image = {"repository": "registry.example:5000/team/echo", "tag": "2", "digest": digest}
    for shared in ({}, {"imageRegistry": "own.example", "global": {"imageRegistry": "parent.example"}}):
        release = helm.render({**shared, "tcpEcho": {"image": image}})
        assert release.container("tcp-echo")["image"] == f"registry.example:5000/team/echo:2@{digest}"
    with pytest.raises(HelmError, match="repository"):
        helm.render({"tcpEcho": {"image": {"repository": "https://registry.example/echo"}}})
