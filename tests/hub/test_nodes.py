"""Nodes in the API server, and the hub's reaction to their changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from smoker_hub import words
from smoker_hub.collect import Address
from smoker_hub.nodes import Node, Nodes, changes, node_of
from smoker_hub.places import Places
from smoker_kube.api import Api
from tests.conftest import eventually
from tests.hub.test_places import SERVICES, endpoint, slice_of
from tests.kube.fake_api import Fake, answer, faking, page, watch


@pytest.fixture
def fake() -> Iterator[Fake]:
    """An API that follows a script."""
    with faking() as one:
        yield one


def item(name: str, ready: str = "True", **spec: Any) -> Any:
    condition = {
        "type": "Ready",
        "status": ready,
        "reason": "KubeletNotReady",
        "lastTransitionTime": "2026-11-28T10:31:20Z",
    }
    return {
        "metadata": {"name": name, "resourceVersion": "7"},
        "spec": spec,
        "status": {"conditions": [{"type": "MemoryPressure", "status": "False"}, condition]},
    }


def test_a_node_as_data() -> None:
    """Readiness with its reason and date, whether it is cordoned; `Unknown` is not ready."""
    assert node_of(item("a")) == Node(True, "KubeletNotReady", 1795861880.0)
    assert not node_of(item("a", "Unknown")).ready
    assert node_of(item("a", unschedulable=True)).cordoned


@pytest.mark.parametrize("what", [None, 7, {}, {"spec": []}, {"status": {"conditions": [None, {"type": 3}]}}])
def test_any_content_from_the_api_is_survived(what: Any) -> None:
    """A node that does not report its readiness, as a new one, is not ready."""
    assert node_of(what) == Node(ready=False)


def test_what_changes() -> None:
    """Each change has its word; an unchanged node has none."""
    well, ill = Node(True), Node(False)
    before = {"a": well, "b": well, "c": ill, "d": well, "f": Node(True, cordoned=True)}
    now = {"b": ill, "c": well, "d": Node(True, cordoned=True), "e": ill, "f": well}
    assert [(each.word, each.name) for each in changes(before, now)] == [
        ("deleted", "a"),
        ("not_ready", "b"),
        ("ready", "c"),
        ("cordoned", "d"),
        ("added", "e"),
        ("uncordoned", "f"),
    ]


def test_the_log_reports_changes_of_nodes(fake: Fake, records: list[str]) -> None:
    """The first list is not logged; then each change is a line."""
    api = fake(
        page(item("node-1"), item("node-2")),
        watch({"type": "MODIFIED", "object": item("node-2", "Unknown")}, {"type": "DELETED", "object": item("node-1")}),
    )
    nodes = Nodes(Api(api.url), words.log_node)
    nodes.start()
    try:
        eventually("both changes", lambda: nodes.known and nodes.get("node-1") is None)
        assert [line.partition(" NODE ")[2].removesuffix(" {}") for line in records if " NODE " in line] == [
            "node-2 is NotReady (KubeletNotReady)",
            "node-1 was deleted",
        ]
    finally:
        nodes.close()


def test_without_the_right_the_hub_works(fake: Fake, records: list[str]) -> None:
    """The hub logs once that it may not list Nodes, knows none, and asks every prober."""
    slices = slice_of(endpoint("10.0.0.1"))
    slices["metadata"] |= {"name": "s", "resourceVersion": "1"}
    forbidden, allowed = fake(*[answer(403)] * 3), fake(page(slices))
    nodes = Nodes(Api(forbidden.url), words.log_node)
    places = Places(Api(allowed.url), "net", SERVICES, nodes)
    places.start()
    try:
        eventually("the slices", lambda: places.known)
        eventually(
            "the refusal", lambda: any("forbids this pod's account to list and watch Nodes" in r for r in records)
        )
        assert places() == [Address("node-1", "pod", "10.0.0.1", 9464, pod="p1")]
        assert not nodes.known
    finally:
        places.close()


def test_a_prober_on_a_node_that_was_deleted_is_not_asked(fake: Fake) -> None:
    """A deleted node's prober is not asked although its pod stays in the EndpointSlice for a while."""
    slices = slice_of(endpoint("10.0.0.1"), endpoint("10.0.0.2", "node-2"))
    slices["metadata"] |= {"name": "s", "resourceVersion": "1"}
    of_nodes, of_slices = fake(page(item("node-1", "False"))), fake(page(slices))
    nodes = Nodes(Api(of_nodes.url), words.log_node)
    places = Places(Api(of_slices.url), "net", SERVICES, nodes)
    places.start()
    try:
        eventually("both lists", lambda: places.known and nodes.known)
        assert [each.node for each in places()] == ["node-1"], "one that is not ready is asked"
    finally:
        places.close()
