"""A hub with a claim and without rights on nodes, on a real cluster: a new pod goes on with the history of the old."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e import faults
from tests.e2e.cluster import Namespace, eventually, fresh_namespace, kubectl
from tests.e2e.hub import ask, healthy
from tests.e2e.release import FAST, Release
from tests.images.command import CommandError

pytestmark = pytest.mark.cluster

CLAIM = "smoker-hub"


@contextmanager
def volume(namespace: Namespace, node: str) -> Iterator[None]:
    """Offer a folder of `node` to the claim of the hub, as a cluster without a provisioner does."""
    name = f"smoker-e2e-{secrets.token_hex(4)}"
    folder = f"/var/tmp/{name}"
    faults.on(node, "mkdir", "--mode=0770", folder)
    on_node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Retain",
        "local": {"path": folder},
        "claimRef": {"namespace": namespace.name, "name": CLAIM},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on_node]}]}},
    }
    made = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}
    kubectl("create", "--filename", "-", stdin=json.dumps(made))
    try:
        yield
    finally:
        kubectl("delete", "persistentvolume", name, "--wait=false")
        faults.on(node, "rm", "--recursive", "--force", folder)


def test_a_new_pod_has_the_history_of_the_old_one(images: dict[str, object], helm: str, nodes: set[str]) -> None:
    """A moment before the pod was deleted is there in its successor, which may not read the cluster's Nodes."""
    own = {"hub.history.persistence.enabled": True, "hub.watchNodes": False}
    with fresh_namespace() as namespace, volume(namespace, max(nodes)):
        release = Release("smoker", namespace, helm, {**FAST, **own, **images})
        release.install()
        healthy(release)
        account = f"system:serviceaccount:{namespace.name}:{release.name}-hub"
        with pytest.raises(CommandError) as refused:
            kubectl("auth", "can-i", "list", "nodes", f"--as={account}")
        assert (refused.value.code, refused.value.output.split()[0]) == (1, "no")
        shown = eventually("the history has a moment", 30, lambda: past(release, nodes, time.time() - 1))
        (hub,) = release.pods("hub")
        namespace.kubectl("delete", "pod", hub["metadata"]["name"], seconds=60)
        namespace.kubectl("rollout", "status", f"deployment/{release.name}-hub", "--timeout=60s", seconds=70)
        healthy(release)
        past(release, nodes, shown)
        release.uninstall()


def past(release: Release, nodes: set[str], moment: float) -> float:
    """Return the moment, of which the history must have a row of every node."""
    found = ask(release, f"matrix?at={moment}")
    assert {name for name, cells in zip(found["names"], found["counts"], strict=True) if cells} == nodes, found
    return moment
