from __future__ import annotations

import pytest

from .render import HOST, NO_MESH, Helm, HelmError, Rendered, merged
from .selection import pods, selectors, selects

POLICY = {"networkPolicy": {"enabled": True}}
MONITORING = {"metrics": {"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}}
DASHBOARDS = {"metrics": {"dashboards": {"enabled": True}}}
REPLICAS = {key: {"replicas": 2} for key in ("tcpEcho", "udpEcho", "httpEcho", "hub")}
EVERYTHING = merged(POLICY, merged(MONITORING, merged(DASHBOARDS, merged(HOST, REPLICAS))))
ENDS = (
    "-server",
    "-tcp-echo",
    "-udp-echo",
    "-http-echo",
    "-prober",
    "-host",
    "-hub",
    "-test",
    "-metrics",
    "-alerts",
)
MESH = ("Service", "ServiceAccount", "Role", "RoleBinding")


def names(release: Rendered) -> set[tuple[str, str]]:
    return {(o["kind"], o["metadata"]["name"]) for o in release.objects}


def of_dns(base: str) -> set[tuple[str, str]]:
    """Return the objects that allow probers to list the DNS pods, in their namespace."""
    return {(kind, f"default-{base}-prober") for kind in ("Role", "RoleBinding")}


def expected(base: str) -> set[tuple[str, str]]:
    return {
        ("Service", f"{base}-server"),
        ("Deployment", f"{base}-tcp-echo"),
        ("Deployment", f"{base}-udp-echo"),
        ("Deployment", f"{base}-http-echo"),
        ("DaemonSet", f"{base}-prober"),
        ("ConfigMap", f"{base}-plan"),
        *((kind, f"{base}-{component}") for kind in MESH for component in ("prober", "hub")),
        ("Deployment", f"{base}-hub"),
        ("ClusterRole", f"default-{base}-hub"),
        ("ClusterRoleBinding", f"default-{base}-hub"),
        ("Pod", f"{base}-test"),
        *of_dns(base),
    }


def test_objects(helm: Helm) -> None:
    """A release is a Service, three Deployments, a DaemonSet, a plan, the mesh's objects, a hub and a test pod."""
    assert names(helm.render()) == expected("smoker")
    assert names(helm.render(release="lungs")) == expected("lungs")


def test_without_a_mesh(helm: Helm) -> None:
    """Without a mesh its objects are absent: account, permission, headless Service, hub."""
    gone = {(kind, "smoker-prober") for kind in MESH} | of_dns("smoker")
    assert names(helm.render(NO_MESH)) == {
        each for each in expected("smoker") - gone if not each[1].endswith("smoker-hub")
    }


def test_without_a_hub(helm: Helm) -> None:
    """Without the hub all its objects are absent, and everything else stays."""
    found = names(helm.render({"hub": {"enabled": False}}))
    assert found == {each for each in expected("smoker") if not each[1].endswith("smoker-hub")}


def test_host_network(helm: Helm) -> None:
    """The probers on the host network are a DaemonSet with a headless Service, called `host`."""
    second = {("DaemonSet", "smoker-host"), ("Service", "smoker-host")}
    assert names(helm.render(HOST)) == expected("smoker") | second


def test_disruption_budgets(helm: Helm) -> None:
    """An echo service with several pods has a disruption budget; with one pod it has none, so nodes can be drained."""
    for replicas, there in ((0, False), (1, False), (2, True), (3, True)):
        found = names(helm.render({"udpEcho": {"replicas": replicas}}))
        assert found == expected("smoker") | ({("PodDisruptionBudget", "smoker-udp-echo")} if there else set())


def test_policies(helm: Helm) -> None:
    """Network policies exist only when enabled, and are named after the pods that they select."""
    policies = {("NetworkPolicy", f"smoker-{what}") for what in ("server", "prober", "hub")}
    assert names(helm.render(POLICY)) == expected("smoker") | policies


def test_monitoring(helm: Helm) -> None:
    """Objects that need the CRDs of the Prometheus operator exist only when enabled."""
    assert names(helm.render(MONITORING)) == expected("smoker") | {
        ("PodMonitor", "smoker-metrics"),
        ("PrometheusRule", "smoker-alerts"),
    }


def test_fullname_override(helm: Helm) -> None:
    """fullnameOverride replaces the release name, also in the probers' target."""
    release = helm.render({"fullnameOverride": "lungs"})
    assert names(release) == expected("lungs")
    assert release.env("prober")["SERVER_HOST"] == "lungs-server"


@pytest.mark.parametrize(
    ("release", "override"),
    [("r" * 53, ""), ("smoker", "o" * 63), ("smoker", "o" * 52 + "-" + "o" * 10), ("smoker", "o" * 50 + "---oo")],
)
def test_long_names(helm: Helm, release: str, override: str) -> None:
    """With a base of any length every name has at most 63 characters, and no two names become equal."""
    found = helm.render({**EVERYTHING, "fullnameOverride": override}, release=release)
    assert len(names(found)) == len(found.objects) == len(expected("")) + 14
    for kind, name in names(found):
        assert len(name) <= 63 + (len("default-") if "Role" in kind and name.startswith("default-") else 0)
        assert "--" not in name
        assert kind == "ConfigMap" or name.endswith(ENDS)
    for one in found.objects:
        assert all(len(value) <= 63 for value in one["metadata"]["labels"].values())


def test_dots_in_a_release_name(helm: Helm) -> None:
    """Dots in a release name become dashes, because a Service's name has none; the labels keep them."""
    release = helm.render(release="team.smoker")
    assert names(release) == expected("team-smoker")
    service = release.get("Service", "team-smoker-server")
    assert service["spec"]["selector"]["app.kubernetes.io/instance"] == "team.smoker"


def test_digit_first(helm: Helm) -> None:
    """A release name that cannot begin a Service's name is refused with advice that works."""
    with pytest.raises(HelmError, match="fullnameOverride: must be set"):
        helm.render(release="1smoker")
    assert names(helm.render({"fullnameOverride": "one"}, release="1smoker")) == expected("one")


@pytest.mark.parametrize("release", ["true", "null", "off"])
def test_words_of_yaml(helm: Helm, release: str) -> None:
    """A release name with a meaning in YAML stays text in every label and selector."""
    found = helm.render(EVERYTHING, release=release)
    for _, selector in selectors(found):
        assert selector["matchLabels"]["app.kubernetes.io/instance"] == release
    for component in pods(found):
        assert found.pod(component)["metadata"]["labels"]["app.kubernetes.io/instance"] == release


def test_namespace(helm: Helm) -> None:
    """Every object except cluster-wide ones has its namespace, so the output of `helm template` can be applied."""
    for namespace in ("net", "off", "1e3"):  # the last two are no text to YAML, unless they are quoted
        for found in helm.render(EVERYTHING, namespace=namespace).objects:
            of_the_cluster = found["kind"].startswith("Cluster")
            of_the_dns = found["metadata"]["name"] == f"{namespace}-smoker-prober"
            wanted = None if of_the_cluster else "kube-system" if of_the_dns else namespace
            assert found["metadata"].get("namespace") == wanted
            assert {subject["namespace"] for subject in found.get("subjects", ())} <= {namespace}


def test_two_releases(helm: Helm) -> None:
    """Two releases in one namespace share no object, and no selector of one matches a pod of the other."""
    one, two = helm.render(EVERYTHING, release="one"), helm.render(EVERYTHING, release="two")
    assert not names(one) & names(two)
    for here, there in ((one, two), (two, one)):
        for owner, selector in selectors(here):
            taken = [name for name, pod in pods(there).items() if selects(selector, pod["metadata"]["labels"])]
            assert not taken, owner
