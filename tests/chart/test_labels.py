from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .render import ALL, HOST, WORKLOADS, Helm
from .selection import pods, selected, selects
from .values_table import CHART

PREFIX = "app.kubernetes.io/"
EVERYTHING = {
    **HOST,
    "tcpEcho": {"replicas": 2},
    "networkPolicy": {"enabled": True},
    "metrics": {key: {"enabled": True} for key in ("podMonitor", "prometheusRule", "dashboards")},
}


@pytest.mark.parametrize("component", [*WORKLOADS, "host"])
def test_selectors(helm: Helm, component: str) -> None:
    """A workload selects by name, instance and component exactly its own pods, with any values."""
    for values in (HOST, ALL):
        release = helm.render(values)
        selector = release.component(component)["spec"]["selector"]
        assert selector == {
            "matchLabels": {f"{PREFIX}name": "smoker", f"{PREFIX}instance": "smoker", f"{PREFIX}component": component}
        }
        assert selected(selector, release) == {component}


@pytest.mark.parametrize(
    ("app", "components"), [("smoker-server", {"tcp-echo", "udp-echo", "http-echo"}), ("smoker-client", {"prober"})]
)
def test_app(helm: Helm, app: str, components: set[str]) -> None:
    """`kubectl logs -l app=…` reaches all echo pods or all probers, and never the test pod."""
    assert selected({"matchLabels": {"app": app}}, helm.render()) == components
    more = {"host"} if "prober" in components else set()
    assert selected({"matchLabels": {"app": app}}, helm.render(HOST)) == components | more


def test_recommended_labels(helm: Helm) -> None:
    """Every object and pod has Kubernetes' recommended labels."""
    release = helm.render(EVERYTHING)
    for labels in [o["metadata"]["labels"] for o in [*release.objects, *pods(release).values()]]:
        assert labels[f"{PREFIX}name"] == labels[f"{PREFIX}part-of"] == labels[f"{PREFIX}instance"] == "smoker"
        assert labels[f"{PREFIX}managed-by"] == "Helm"
        assert labels[f"{PREFIX}component"]
    for found in release.objects:
        assert found["metadata"]["labels"]["helm.sh/chart"] == "smoker-0.1.0"
        assert found["metadata"]["labels"][f"{PREFIX}version"] == "dev"


def test_common_labels_and_annotations(helm: Helm) -> None:
    """commonLabels and commonAnnotations reach every object, and no pod template."""
    release = helm.render({**EVERYTHING, "commonLabels": {"team": "net"}, "commonAnnotations": {"note": "x"}})
    for found in release.objects:
        assert found["metadata"]["labels"]["team"] == "net"
        assert found["metadata"]["annotations"]["note"] == "x"
    for component in (*WORKLOADS, "host"):
        assert "team" not in release.pod(component)["metadata"]["labels"]
        assert "annotations" not in release.pod(component)["metadata"]


def test_a_new_chart_rolls_nothing(helm: Helm, tmp_path: Path) -> None:
    """A new chart version with the same images changes no pod template; its objects have the new version."""
    chart = shutil.copytree(CHART, tmp_path / "smoker")
    about = (chart / "Chart.yaml").read_text()
    about = about.replace("version: 0.1.0", "version: 0.2.0+b7").replace("appVersion: dev", "appVersion: 2.0.0+b7")
    (chart / "Chart.yaml").write_text(about)
    old, new = helm.render({"imageTag": "x"}), helm.render({"imageTag": "x"}, chart=chart)
    for component in WORKLOADS:
        assert old.pod(component) == new.pod(component)
    labels = new.get("Service", "smoker-server")["metadata"]["labels"]
    assert (labels["helm.sh/chart"], labels[f"{PREFIX}version"]) == ("smoker-0.2.0_b7", "2.0.0_b7")


def test_pod_labels_and_annotations(helm: Helm) -> None:
    """podLabels and podAnnotations reach the pods of their component and no others; a host's prober is a prober."""
    release = helm.render(ALL)
    for component, pod in pods(release).items():
        tier = "prober" if component == "host" else component.removesuffix("-echo")
        assert pod["metadata"]["labels"]["example.com/tier"] == tier
        assert pod["metadata"]["annotations"]["example.com/note"]
        same = {"prober", "host"} if tier == "prober" else {component}
        assert selected({"matchLabels": {"example.com/tier": tier}}, release) == same


def test_service_selects_the_echo_pods(helm: Helm) -> None:
    """The Service takes the three echo services' pods and nothing else."""
    service = helm.render().get("Service", "smoker-server")
    selector = {"matchLabels": service["spec"]["selector"]}
    assert selected(selector, helm.render()) == {"tcp-echo", "udp-echo", "http-echo"}
    assert not selects(selector, {"app": "smoker-server"})
