"""With ci/openshift-values.yaml every pod is one that OpenShift's security context constraint restricted-v2 admits."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from .render import VALUES_KEY, WORKLOADS, Helm, merged, nested
from .selection import pods
from .values_table import CHART

OPENSHIFT: dict[str, Any] = yaml.safe_load((CHART / "ci" / "openshift-values.yaml").read_text())
#: The kinds of volumes that restricted-v2 allows.
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
ASSIGNED = {"runAsUser", "runAsGroup", "fsGroup", "supplementalGroups", "seLinuxOptions"}  # from the namespace's range
HOST_FIELDS = {"hostNetwork", "hostPID", "hostIPC", "hostUsers"}
CLAIM = {"hub": {"history": {"persistence": {"enabled": True}}}}
COMPONENTS = [*WORKLOADS, "hub", "test"]


@pytest.mark.parametrize("component", COMPONENTS)
def test_restricted_v2(helm: Helm, component: str) -> None:
    """No pod sets a user or group, adds a capability, uses the host, or mounts a volume that the constraint refuses."""
    for values in (OPENSHIFT, merged(OPENSHIFT, CLAIM)):
        spec = pods(helm.render(values))[component]["spec"]
        (container,) = spec["containers"]
        context = {**spec["securityContext"], **container["securityContext"]}
        assert not ASSIGNED & context.keys()
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["allowPrivilegeEscalation"] is False
        assert not context.get("privileged", False)
        assert not HOST_FIELDS & spec.keys()
        assert all("hostPort" not in port for port in container.get("ports", []))
        assert {kind for volume in spec.get("volumes", []) for kind in volume} <= {"name", *VOLUMES}


def test_the_pods_of_the_dns(helm: Helm) -> None:
    """Probers probe OpenShift's DNS pods: the plan names its Service, and the Role is in that namespace."""
    release = helm.render(OPENSHIFT)
    (plan,) = (o for o in release.of_kind("ConfigMap") if "plan.yaml" in o.get("data", ()))
    found = yaml.safe_load(plan["data"]["plan.yaml"])["dns"]["replicas"]
    assert found == {"namespace": "openshift-dns", "service": "dns-default"}
    for kind in ("Role", "RoleBinding"):
        assert "openshift-dns" in {o["metadata"].get("namespace") for o in release.of_kind(kind)}
        assert "kube-system" not in {o["metadata"].get("namespace") for o in release.of_kind(kind)}


def test_a_claim_belongs_to_the_group(helm: Helm) -> None:
    """The hub's claim belongs to the pod's group, whichever that is; numbers stay whole."""
    for group in (65532, 1000680000):
        values = merged(CLAIM, {"podSecurityContext": {"runAsUser": group, "runAsGroup": group}})
        context = helm.render(values).pod("hub")["spec"]["securityContext"]
        assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (group, group, group)


@pytest.mark.parametrize("component", [*COMPONENTS, "host"])
def test_a_component_has_contexts_of_its_own(helm: Helm, component: str) -> None:
    """A component's own contexts replace the common ones only in its own pods."""
    key = {"host": "hostNetwork"}.get(component, VALUES_KEY.get(component, component))
    host = {"hostNetwork": {"enabled": True}}
    for name, mine in (("podSecurityContext", {"runAsUser": 7}), ("containerSecurityContext", {"privileged": False})):
        before = pods(helm.render(host))
        after = pods(helm.render(merged(host, nested(f"{key}.{name}", mine))))
        spec = after[component]["spec"]
        assert mine in (spec["securityContext"], spec["containers"][0]["securityContext"])
        assert {name for name in after if after[name] != before[name]} == {component}


@pytest.mark.parametrize("name", ["podSecurityContext", "containerSecurityContext"])
def test_each_key_can_go(helm: Helm, name: str) -> None:
    """Null removes any single key from a common context and leaves the others."""
    where = {"podSecurityContext": lambda spec: spec, "containerSecurityContext": lambda spec: spec["containers"][0]}
    default = where[name](helm.render().pod("prober")["spec"])["securityContext"]
    assert len(default) >= 3
    for key in default:
        spec = helm.render({name: {key: None}}).pod("prober")["spec"]
        rest = {other: value for other, value in default.items() if other != key}
        assert where[name](spec)["securityContext"] == rest
