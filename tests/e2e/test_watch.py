"""The watch against a real API server, whose behaviour the fake one only imitates."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import urllib3

from smoker_kube.api import LARGEST, Api, Refused, lines
from smoker_kube.watch import Watch
from tests.e2e.cluster import Namespace, Object, eventually, kubectl

pytestmark = pytest.mark.cluster

ACCOUNT, LABELS = "watcher", {"app": "watched"}
FIRST = "1"  # the version with which a cluster begins: no API server goes on from there
GONE, UNAUTHORIZED = 410, 401


class ShortWatches(Api):
    """Ends each watch after a second, so that the next request comes soon.

    After `lost` the next one has an old version.
    """

    def __init__(self, url: str, *, token: Path, ca: Path) -> None:
        super().__init__(url, token=token, ca=ca)
        self.lists, self.lost, self.refused = 0, False, set[int]()

    def get(self, path: str, largest: int = LARGEST, **parameters: str) -> Any:
        found = super().get(path, largest, **parameters)
        self.lists += 1
        return found

    def watch(self, path: str, **parameters: str) -> urllib3.BaseHTTPResponse:
        changed = {"timeoutSeconds": "1"} | ({"resourceVersion": FIRST} if self.lost else {})
        self.lost = False
        try:
            return super().watch(path, **parameters | changed)
        except Refused as refused:
            self.refused.add(refused.status)
            raise


@pytest.fixture
def account(namespace: Namespace) -> Iterator[None]:
    """An account with the rights of a prober."""
    rule = {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]}
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace.name}
    rights = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT}
    create(namespace, "v1", "ServiceAccount", ACCOUNT)
    create(namespace, "rbac.authorization.k8s.io/v1", "Role", ACCOUNT, rules=[rule])
    create(namespace, "rbac.authorization.k8s.io/v1", "RoleBinding", ACCOUNT, roleRef=rights, subjects=[subject])
    yield
    namespace.kubectl("delete", "rolebinding,role,serviceaccount", ACCOUNT)
    namespace.kubectl("delete", "endpointslices", "--all")


@pytest.fixture
def api(namespace: Namespace, account: None, tmp_path: Path) -> ShortWatches:
    """The API server that kubectl uses, with a token of the account."""
    cluster = json.loads(kubectl("config", "view", "--raw", "--minify", "--output=json"))["clusters"][0]["cluster"]
    embedded = cluster.get("certificate-authority-data")
    ca = base64.b64decode(embedded) if embedded else Path(cluster["certificate-authority"]).read_bytes()
    (tmp_path / "ca.crt").write_bytes(ca)
    new_token(namespace, tmp_path)
    return ShortWatches(cluster["server"], token=tmp_path / "token", ca=tmp_path / "ca.crt")


class RecordedWatch:
    """A watch of the namespace's slices, with the names that it reported last."""

    def __init__(self, api: Api, namespace: Namespace) -> None:
        self.path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace.name}/endpointslices"
        self.names: set[str] = set()
        self.watch: Watch[None] = Watch(
            api, self.path, selector="app=watched", keep=lambda _slice: None, changed=self._changed
        )

    def _changed(self, found: Mapping[str, None]) -> None:
        self.names = set(found)

    def knows(self, *names: str) -> None:
        """Wait until it has reported these names and is up to date."""

        def these() -> None:
            assert (self.names, self.watch.stale) == (set(names), None)

        eventually(f"it knows {names}", 60, these)


@pytest.fixture
def watched(api: ShortWatches, namespace: Namespace) -> Iterator[RecordedWatch]:
    made = RecordedWatch(api, namespace)
    made.watch.start()
    yield made
    made.watch.close()


def create(namespace: Namespace, version: str, kind: str, name: str, **what: Any) -> None:
    about: Object = {"name": name, "labels": LABELS}
    namespace.create({"apiVersion": version, "kind": kind, "metadata": about, **what})


def create_slice(namespace: Namespace, name: str) -> None:
    create(namespace, "discovery.k8s.io/v1", "EndpointSlice", name, addressType="IPv4", endpoints=[])


def new_token(namespace: Namespace, folder: Path) -> None:
    (folder / "token").write_text(namespace.kubectl("create", "token", ACCOUNT))


def test_a_lost_version(api: ShortWatches, watched: RecordedWatch, namespace: Namespace) -> None:
    """If the API server has lost a version, everything is listed again and then followed."""
    create_slice(namespace, "one")
    watched.knows("one")
    assert gone(api, watched.path)
    before = api.lists
    api.lost = True

    def listed() -> None:
        assert api.lists > before
        assert not api.lost

    eventually("it has listed again", 30, listed)
    create_slice(namespace, "two")
    watched.knows("one", "two")
    namespace.kubectl("delete", "endpointslice", "one")
    watched.knows("two")
    assert not api.refused - {GONE}


def gone(api: Api, path: str) -> bool:
    """Return whether the API server has lost the first version. It may say so at once, or within the watch."""
    try:
        answer = Api.watch(api, path, watch="1", resourceVersion=FIRST, timeoutSeconds="1")
    except Refused as refused:
        return refused.status == GONE
    events = [json.loads(line) for line in lines(answer)]
    return [event["object"].get("code") for event in events if event["type"] == "ERROR"] == [GONE]


def test_an_expired_token_is_replaced(
    api: ShortWatches, watched: RecordedWatch, namespace: Namespace, tmp_path: Path
) -> None:
    """With an invalid token the list stays in use and is stale. With a valid one in the file everything goes on."""
    create_slice(namespace, "one")
    watched.knows("one")
    namespace.kubectl("delete", "serviceaccount", ACCOUNT)

    def stale() -> None:
        assert UNAUTHORIZED in api.refused
        assert watched.watch.stale is not None

    eventually("the token is refused", 60, stale)
    assert watched.names == {"one"}
    create(namespace, "v1", "ServiceAccount", ACCOUNT)
    new_token(namespace, tmp_path)
    create_slice(namespace, "two")
    watched.knows("one", "two")
