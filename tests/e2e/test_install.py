"""From `helm upgrade --install` to `helm uninstall`, with each Helm, in a namespace that enforces "restricted".

The tests of this file depend on each other and share one release for each Helm; the last one removes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.e2e.cluster import eventually, fresh_namespace, kubectl
from tests.e2e.lines import LOG, PROBES, RESULT, TARGET
from tests.e2e.release import FAST, Release
from tests.images.command import CommandError

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def release(images: dict[str, object], each_helm: str) -> Iterator[Release]:
    """A release that each Helm has installed, in its own namespace."""
    with fresh_namespace() as namespace:
        release = Release("smoker", namespace, each_helm, {**FAST, **images})
        release.install()
        yield release


def test_pods_run_in_a_restricted_namespace(release: Release) -> None:
    """The namespace refuses a pod without a security context. The release's pods run, so they ask for no privileges."""
    with pytest.raises(CommandError, match="violates PodSecurity"):
        release.namespace.kubectl("run", "careless", "--image=smoker-prober", "--dry-run=server")


def test_prober_on_every_node(release: Release, nodes: set[str]) -> None:
    """Every node gets a prober that becomes ready."""

    def ready() -> None:
        found = set()
        for pod in release.pods("prober"):
            conditions = {condition["type"]: condition["status"] for condition in pod["status"]["conditions"]}
            found |= {pod["spec"]["nodeName"]} if conditions.get("Ready") == "True" else set()
        assert found == nodes

    eventually("a ready prober on every node", 60, ready)


def test_every_probe_succeeds(release: Release, nodes: set[str]) -> None:
    """Every node's TCP, UDP and HTTP probes succeed and keep succeeding."""
    release.becomes("success", nodes)
    release.stays_healthy(nodes)


def test_each_line_has_the_promised_form(release: Release, nodes: set[str]) -> None:
    """Each line of a prober is a result in the promised form, with the prober's node, or a log line."""
    node_of = {pod["metadata"]["name"]: pod["spec"]["nodeName"] for pod in release.pods("prober")}
    for pod, lines in release.log().items():
        results = [match for line in lines if (match := RESULT.fullmatch(line.text))]
        assert {match["node"] for match in results} == {node_of[pod]}
        fixed = [match for match in results if not match["peer"]]
        assert [match["probe"] for match in fixed][:6] == [*PROBES, *PROBES]
        assert {match["peer"] for match in results} - {None} == set(node_of.values()) - {node_of[pod]}
        trains = {match["train"] for match in results if match["probe"] == "UDP" and not match["error"]}
        assert any(train and train.startswith(" loss=0.0% jitter=") for train in trains), f"{pod}: {trains}"
        others = [match for line in lines if (match := TARGET.fullmatch(line.text))]
        assert ("TLS", "kubernetes", None) in {(match["probe"], match["target"], match["error"]) for match in others}
        texts = {line.text for line in lines} - {match.string for match in (*results, *others)}
        assert [text for text in texts if not LOG.fullmatch(text)] == []


def test_helm_test_passes_and_shows_its_log(release: Release) -> None:
    """`helm test --logs` passes and shows what it probed."""
    said = release.test()
    assert "Phase:          Succeeded" in said
    assert "All 3 probes from" in said
    assert re.search(r"HEALTHY all \d+ paths of \d+ probers work", said)


def test_the_same_command_restarts_no_pod(release: Release) -> None:
    """The same command again restarts no pod."""
    before = release.uids()
    release.install()
    assert release.uids() == before


def test_uninstall_leaves_only_the_test_pod(release: Release) -> None:
    """`helm uninstall` leaves only the finished pod of `helm test`, which one command removes."""
    release.uninstall()
    kinds = ",".join(kubectl("api-resources", "--verbs=list", "--namespaced", "--output=name").split())

    def left(*allowed: str) -> None:
        own = (kinds, "--selector", f"app.kubernetes.io/instance={release.name}")
        history = ("secrets", "--selector", f"owner=helm,name={release.name}")
        found = [release.namespace.kubectl("get", "--output=name", *wanted).split() for wanted in (own, history)]
        assert {name for names in found for name in names} <= set(allowed)

    eventually("nothing but the test pod is left", 60, lambda: left("pod/smoker-test"))
    release.namespace.kubectl("delete", "pod", "--selector", f"{release.selector},app.kubernetes.io/component=test")
    eventually("nothing is left", 60, left)
