"""Two replicas of the hub on a real cluster: one notifies, and both report nothing that is not a fault."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.cluster import eventually, fresh_namespace, items, kubectl
from tests.e2e.release import AT_ONCE, FAST, Release

pytestmark = pytest.mark.cluster

INTERVAL = {"prober.intervalSeconds": 5, "prober.timeoutSeconds": 1}
NOTIFIES = "smoker_hub_notifies"
BAD = (
    "FAULT",
    "WARNING",
    "UNKNOWN",
    "CLOSED",
    "cut off",
)  # words of lines that are there only where something is wrong


@pytest.fixture(scope="module")
def release(images: dict[str, object], helm: str, nodes: set[str]) -> Iterator[Release]:
    """A release on both networks with two hubs, a round every 5 s.

    A rollout replaces as many probers at a time as by default. If all left at once, the hubs would be right to say that
    they are cut off.
    """
    assert len(nodes) >= 4, "these tests need four nodes"
    own = {
        **INTERVAL,
        AT_ONCE: "25%",
        "hub.replicas": 2,
        "hostNetwork.enabled": True,
    }
    with fresh_namespace(level="privileged") as namespace:
        made = Release("smoker", namespace, helm, {**FAST, **own, **images})
        made.install()
        yield made


def hubs(release: Release) -> dict[str, str]:
    """Return the node of each ready hub pod, by name."""
    return {
        pod["metadata"]["name"]: pod["spec"]["nodeName"]
        for pod in release.pods("hub")
        if any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"]["conditions"])
    }


def log(release: Release) -> list[str]:
    """Return the lines of all hubs."""
    return [line.text for lines in release.log("hub").values() for line in lines]


def says(release: Release, *words: str, count: int = 2) -> None:
    """Wait until as many lines as there are replicas contain these words."""
    found = [line for line in log(release) if all(word in line for word in words)]
    assert len(found) >= count, "\n".join(log(release)[-5:])


def holders(release: Release) -> list[str]:
    """Return the pods that report that they notify."""
    return [name for name in hubs(release) if release.metrics(name).get(NOTIFIES) == 1]


def test_a_holder_that_is_killed_is_replaced(release: Release) -> None:
    """Another replica notifies within 15 s, and never do two.

    Usually it is the remaining replica; the replacement of the killed one can be quicker.
    """
    (holder,) = eventually("one notifies", 30, lambda: _one(release))
    release.namespace.kubectl("delete", "pod", holder, "--grace-period=0", "--force", seconds=60)
    (other,) = eventually("another one notifies", 20, lambda: _one(release, without=holder))
    release.namespace.kubectl("rollout", "status", "deployment/smoker-hub", "--timeout=60s", seconds=70)
    assert holders(release) == [other]


def _one(release: Release, without: str = "") -> list[str]:
    found = [name for name in holders(release) if name != without]
    assert len(found) == 1, found
    return found


def test_what_is_no_fault(release: Release, nodes: set[str]) -> None:
    """A rollout of the probers, a restart of the hubs and a drain open only findings of an echo that moved."""
    release.namespace.kubectl("rollout", "restart", "deployment/smoker-hub")
    release.namespace.kubectl("rollout", "status", "deployment/smoker-hub", "--timeout=90s", seconds=100)
    eventually("the new hubs have heard everybody", 60, lambda: says(release, "HEALTHY"))
    for name in ("prober", "host"):
        release.namespace.kubectl("rollout", "restart", f"daemonset/smoker-{name}")
    for name in ("prober", "host"):
        release.namespace.kubectl("rollout", "status", f"daemonset/smoker-{name}", "--timeout=90s", seconds=100)
    dns = {pod["spec"]["nodeName"] for pod in items("--namespace", "kube-system", "pods", "-l", "k8s-app=kube-dns")}
    echoes = {pod["spec"]["nodeName"] for pod in release.pods("tcp-echo")}
    node = min(echoes - dns or nodes - dns)
    try:
        how = ("--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=90s")
        kubectl("drain", node, *how, seconds=100)
        eventually("the hubs see the drain", 30, lambda: says(release, f"NODE {node} is cordoned", count=1))
        for name in ("tcp-echo", "hub"):
            release.namespace.kubectl("rollout", "status", f"deployment/smoker-{name}", "--timeout=60s", seconds=70)
        looks = _looks(release)
        eventually("some looks more", 60, lambda: _more(release, looks))
    finally:
        kubectl("uncordon", node)
    assert [line for line in log(release) if any(word in line for word in BAD) and "moved from" not in line] == []


def _looks(release: Release) -> dict[str, float]:
    return {name: release.metrics(name)["smoker_hub_looks_total"] for name in hubs(release)}


def _more(release: Release, before: dict[str, float]) -> None:
    """Wait until each hub has looked four more times."""
    now = _looks(release)
    assert all(now[name] >= before.get(name, 0) + 4 for name in now), now
