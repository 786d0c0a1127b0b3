"""Properties of every pod, including the test pod."""

from __future__ import annotations

from typing import Any

import pytest

from .render import ALL, ECHOES, HOST, NO_MESH, VALUES_KEY, WORKLOADS, Helm, Object, Rendered, at
from .selection import pods

EACH = pytest.mark.parametrize("values", [{}, NO_MESH, ALL], ids=["default", "no mesh", "all"])
#: What the `restricted` Pod Security Standard allows, of what the chart has.
VOLUMES = {"emptyDir", "projected", "secret", "configMap", "persistentVolumeClaim"}


def pod_specs(release: Rendered) -> dict[str, Object]:
    """Return every pod spec of a release: every map with containers."""

    def walk(tree: Any, path: str) -> None:
        if isinstance(tree, dict):
            if "containers" in tree:
                found[path] = tree
            for key, value in tree.items():
                walk(value, f"{path}.{key}")

    found: dict[str, Object] = {}
    for one in release.objects:
        walk(one, f"{one['kind']} {one['metadata']['name']}")
    if len(found) != 5 + sum(path.endswith(("-host.spec.template.spec", "-hub.spec.template.spec")) for path in found):
        raise LookupError(f"not the five pods, the host's and the hub's: {list(found)}")
    return found


def containers(release: Rendered) -> dict[str, Object]:
    kinds = ("containers", "initContainers", "ephemeralContainers")
    specs = pod_specs(release)
    return {f"{path} {c['name']}": c for path, spec in specs.items() for kind in kinds for c in spec.get(kind, [])}


@EACH
def test_restricted(helm: Helm, values: dict[str, Any]) -> None:
    """Every pod except those on the host network meets the `restricted` standard, as a fixed non-root user."""
    default = {"runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532}
    for path, spec in pod_specs(helm.render(values)).items():
        context = dict(spec["securityContext"])
        assert context.pop("seccompProfile") == {"type": "RuntimeDefault"}, path
        assert context["runAsNonRoot"] is True, path
        assert context["runAsUser"] > 0, path
        assert values is ALL or context == default, path
        assert not {"hostPID", "hostIPC"} & set(spec), path
        assert ("hostNetwork" in spec) == path.startswith("DaemonSet lungs-host."), path
        assert {kind for v in spec.get("volumes", []) for kind in v} <= {"name", *VOLUMES}, path
    for path, container in containers(helm.render(values)).items():
        assert {**container["securityContext"], "runAsUser": 65532} == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "runAsUser": 65532,
        }, path
        assert all("hostPort" not in port for port in container.get("ports", [])), path


@EACH
def test_nothing_from_outside(helm: Helm, values: dict[str, Any]) -> None:
    """Only the hub and probers with a mesh mount a token; no Service of the namespace adds variables to a pod."""
    release = helm.render(values)
    meshed = set() if values is NO_MESH else {"prober", "host", "hub"}
    for component, pod in pods(release).items():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is (component in meshed), component
        assert (spec["serviceAccountName"] != "default") == (component in meshed), component
        assert spec["enableServiceLinks"] is False, component


@EACH
def test_environment_names_are_unique(helm: Helm, values: dict[str, Any]) -> None:
    """No variable occurs twice: server-side apply, which Helm 4 uses, refuses that."""
    for path, container in containers(helm.render(values)).items():
        names = [e["name"] for e in container["env"]]
        assert len(set(names)) == len(names), path


def test_termination(helm: Helm) -> None:
    """A pod has 10 s to end in addition to its linger time, twice as long as the services need."""
    for linger in (0, 5, 300):
        release = helm.render({**HOST, "lingerSeconds": linger, "tcpEcho": {"replicas": 2}})
        for component, pod in pods(release).items():
            assert pod["spec"]["terminationGracePeriodSeconds"] == linger + 10, component
            assert int(release.env(component).get("LINGER", 0)) <= linger, component
    assert helm.render().pod("prober")["spec"]["terminationGracePeriodSeconds"] == 15


@pytest.mark.parametrize("component", ECHOES)
def test_linger(helm: Helm, component: str) -> None:
    """An echo lingers only if another pod takes over; alone it would only hide the gap. Probers linger."""
    for replicas, seconds in ((0, "0"), (1, "0"), (2, "7"), (3, "7")):
        release = helm.render({"lingerSeconds": 7, VALUES_KEY[component]: {"replicas": replicas}})
        assert release.env(component)["LINGER"] == seconds
        assert release.env("prober")["LINGER"] == "7"
        assert "LINGER" not in release.env("test")


@pytest.mark.parametrize("component", WORKLOADS)
def test_health(helm: Helm, component: str) -> None:
    """Every workload has liveness and readiness probes on the admin port by name; before it is ready, frequent ones."""
    for values in ({}, {"adminPort": 19464}):
        release = helm.render(values)
        container = release.container(component)
        number = int(release.env(component)["ADMIN_PORT"])
        assert {"name": "admin", "containerPort": number, "protocol": "TCP"} in container["ports"]
        assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "admin"}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "admin"}
        assert container["startupProbe"]["httpGet"] == container["readinessProbe"]["httpGet"]
        assert container["startupProbe"]["periodSeconds"] == 1


@pytest.mark.parametrize("component", [*WORKLOADS, "test"])
def test_resources(helm: Helm, component: str) -> None:
    """Every container requests CPU, memory and disk, and limits memory; by default none has a CPU limit."""
    resources = helm.render().container(component)["resources"]
    assert set(resources["requests"]) == {"cpu", "memory", "ephemeral-storage"}
    assert set(resources["limits"]) == {"memory"}
    key = VALUES_KEY.get(component, "prober")
    assert helm.render(ALL).container(component)["resources"] == at(ALL, f"{key}.resources")


def test_every_node(helm: Helm) -> None:
    """By default a prober runs on every Linux node, whatever its taints."""
    spec = helm.render().pod("prober")["spec"]
    assert spec["tolerations"] == [{"operator": "Exists"}]
    assert spec["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert not {"affinity", "priorityClassName"} & set(spec)


def test_only_http_echo_has_a_tmp_volume(helm: Helm) -> None:
    """Only http-echo has a volume at /tmp, of limited size."""
    for values, size in (({}, "256Mi"), (ALL, "1Gi")):
        release = helm.render(values)
        assert release.pod("http-echo")["spec"]["volumes"] == [{"name": "tmp", "emptyDir": {"sizeLimit": size}}]
        assert release.container("http-echo")["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
        assert [
            path
            for path, spec in pod_specs(release).items()
            if any(volume["name"] == "tmp" for volume in spec.get("volumes", ()))
        ] == [f"Deployment {release.component('http-echo')['metadata']['name']}.spec.template.spec"]


def test_prober_runs_for_ever_and_the_test_pod_once(helm: Helm) -> None:
    """The DaemonSet runs for ever, the test pod once; the echo services have no arguments."""
    release = helm.render()
    assert release.container("prober")["args"] == ["run"]
    assert release.container("test")["args"][0] == "once"
    for component in ECHOES:
        assert "args" not in release.container(component)
