"""The current cluster: kubectl in the tests' own namespace, and a function that waits for a condition."""

from __future__ import annotations

import itertools
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from tests.images.command import CommandError, run

Object = dict[str, Any]
T = TypeVar("T")


def eventually(claim: str, seconds: float, probe: Callable[[], T]) -> T:
    """Return the result of `probe` once none of its assertions and commands fails.

    After `seconds` fail with the last failure. A pause is as long as the try before it: without pauses, asking for logs
    uses up a whole CPU of the machine on which the cluster runs.
    """
    until = time.monotonic() + seconds
    while True:
        begun = time.monotonic()
        try:
            return probe()
        except (AssertionError, CommandError) as not_yet:
            last = str(not_yet)
        if time.monotonic() > until:
            pytest.fail(f"Not within {seconds:g} s: {claim}. Last seen: {last}")
        time.sleep(max(0.1, time.monotonic() - begun))


def kubectl(*arguments: str, seconds: float = 30, stdin: str = "") -> str:
    return run("kubectl", *arguments, seconds=seconds, stdin=stdin)


def items(*arguments: str) -> list[Object]:
    """Return the objects that `kubectl get` finds."""
    return list(json.loads(kubectl("get", "--output", "json", *arguments))["items"])


def nodes() -> set[str]:
    """Return the nodes on which a prober should run."""
    return {node["metadata"]["name"] for node in items("nodes", "--selector", "kubernetes.io/os=linux")}


def addresses(node: str) -> list[str]:
    """Return a node's addresses, one per family."""
    told = json.loads(kubectl("get", "node", node, "--output", "json"))["status"]["addresses"]
    return [each["address"] for each in told if each["type"] == "InternalIP"]


@dataclass(frozen=True)
class Namespace:
    """A namespace made by these tests."""

    name: str

    def kubectl(self, *arguments: str, seconds: float = 30, stdin: str = "") -> str:
        return kubectl("--namespace", self.name, *arguments, seconds=seconds, stdin=stdin)

    def items(self, kind: str, selector: str) -> list[Object]:
        return items("--namespace", self.name, kind, "--selector", selector)

    def create(self, manifest: Object) -> None:
        """Create an object in this namespace."""
        self.kubectl("create", "--filename", "-", stdin=json.dumps(manifest))

    @contextmanager
    def policy(self, name: str, spec: Object) -> Iterator[None]:
        """Create a NetworkPolicy for the duration of the block."""
        policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name}}
        self.create({**policy, "spec": spec})
        try:
            yield
        finally:
            self.kubectl("delete", "networkpolicy", name)


RUN = secrets.token_hex(3)  # in the names and labels of all that this run makes
_numbers = itertools.count(1)


@contextmanager
def fresh_namespace(level: str = "restricted") -> Iterator[Namespace]:
    """Make a namespace that enforces this level of the Pod Security Standards. It is always removed at the end."""
    name = f"smoker-e2e-{RUN}-{next(_numbers)}"
    labels = {"pod-security.kubernetes.io/enforce": level, "smoker-e2e": RUN}
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    kubectl("create", "--filename", "-", stdin=json.dumps(manifest))
    try:
        yield Namespace(name)
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


def await_end() -> None:
    """Wait until every namespace of this run is gone, and delete what its releases have outside of them."""
    for kind in ("clusterrole", "clusterrolebinding", "role", "rolebinding"):
        where = () if kind.startswith("cluster") else ("--namespace", "kube-system")  # the DNS'
        names = kubectl(*where, "get", kind, "--output=name").split()
        if ours := [name for name in names if f"/smoker-e2e-{RUN}-" in name]:
            kubectl(*where, "delete", "--ignore-not-found", *ours)
    gone = ("--for=delete", "namespace", "--selector", f"smoker-e2e={RUN}")
    kubectl("wait", *gone, "--timeout=120s", seconds=130)
