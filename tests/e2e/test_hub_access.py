"""Who may use the hub: clients that `hub.allowFrom` lists, with the login of `hub.auth.existingSecret`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.cluster import Namespace, eventually, fresh_namespace
from tests.e2e.hub import plugin
from tests.e2e.release import FAST, Release

pytestmark = pytest.mark.cluster

TOKEN = "only-for-this-test"
GUARDED = {
    "prober.timeoutSeconds": 5,  # until a policy agent knows the address of a new pod, its probes wait
    "networkPolicy.enabled": True,
    "hub.auth.existingSecret": "hub-auth",
    "service.ipFamilyPolicy": "SingleStack",
}
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.fixture(scope="module")
def friends(nodes: set[str]) -> Iterator[Namespace]:
    """The namespace whose pods may use the hub."""
    with fresh_namespace() as made:
        yield made


@pytest.fixture(scope="module")
def release(namespace: Namespace, friends: Namespace, images: dict[str, object], helm: str, nodes: set[str]) -> Release:
    """A release whose hub wants a login, from the pods of `friends`."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hub-auth"}, "stringData": {"token": TOKEN}}
    namespace.create(secret)
    allowed = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": friends.name}}}]
    release = Release("smoker", namespace, helm, {**FAST, **images, **GUARDED, "hub.allowFrom": allowed})
    release.install()
    release.becomes("success", nodes)
    return release


def asked(release: Release, client: Namespace, name: str, *headers: str, status: int = 200) -> str:
    """Return what the probe of the hub's API from a pod of `client` prints. `status` is the one that it expects."""
    image = release.pods("prober")[0]["spec"]["containers"][0]["image"]
    hub = f"{release.name}-hub.{release.namespace.name}"
    probe = ["probe", "http", hub, "8083", "--path=/api/v1/summary", f"--expect-status={status}", "--timeout=10"]
    container: dict[str, Any] = {"name": "client", "image": image, "securityContext": RESTRICTED}
    container["args"] = [*probe, *(f"--headers={header}" for header in headers)]
    spec = {"restartPolicy": "Never", "automountServiceAccountToken": False, "containers": [container]}
    client.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})

    def ended() -> None:
        phase = json.loads(client.kubectl("get", "pod", name, "--output=json"))["status"]["phase"]
        assert phase in ("Succeeded", "Failed")

    eventually(f"the pod {name} has ended", 60, ended)
    return client.kubectl("logs", name)


def test_a_listed_client_needs_the_login(release: Release, friends: Namespace) -> None:
    """With the token a pod of the listed namespace is answered; without it, or with another one, it gets 401."""
    assert " SUCCESS " in asked(release, friends, "with-token", f"Authorization: Bearer {TOKEN}")
    assert " SUCCESS " in asked(release, friends, "without-token", status=401)
    assert " SUCCESS " in asked(release, friends, "other-token", "Authorization: Bearer another", status=401)


def test_another_client_is_not_let_in(release: Release) -> None:
    """A pod of the release's own namespace, which the list does not have, gets no answer, also with the token."""
    assert "error=timeout" in asked(release, release.namespace, "stranger", f"Authorization: Bearer {TOKEN}")


def test_the_test_pod_is_let_in(release: Release) -> None:
    """`helm test` asks the hub in spite of both: its pod has the login, and the policy names it."""
    assert "All 3 probes from" in release.test()


def test_the_plugin_logs_in(release: Release) -> None:
    """`kubectl smoker` reads the login from the Secret and forwards a port; without a login it says what is missing.

    Without one, the request comes through the API server's proxy, which the list of clients would have to contain: it
    is emptied first.
    """
    release.install({"hub.allowFrom": []})

    def healthy() -> None:
        found = plugin(release, "status", "--secret", "hub-auth")
        assert (found.returncode, found.stdout.partition(" ")[0]) == (0, "HEALTHY"), found.stdout + found.stderr

    eventually("the plugin says that all is well", 60, healthy)
    without = plugin(release, "status")
    assert without.returncode == 2
    assert "the hub wants a login (hub.auth): give --secret NAME" in without.stderr
