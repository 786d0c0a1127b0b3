"""The addresses of the probers from EndpointSlices."""

from __future__ import annotations

from typing import Any

import pytest

from smoker_hub.collect import Address
from smoker_hub.places import addresses_of
from smoker_kube.slices import SERVICE, placed

SERVICES = {"probers": ("pod", 9464), "hosts": ("host", 19464)}


def endpoint(address: str, node: str = "node-1", pod: str = "p1", **conditions: bool) -> dict[str, Any]:
    return {"addresses": [address], "nodeName": node, "targetRef": {"name": pod}, "conditions": conditions}


def slice_of(*endpoints: Any, service: str = "probers", family: str = "IPv4") -> Any:
    return {"metadata": {"labels": {SERVICE: service}}, "addressType": family, "endpoints": list(endpoints)}


def found(*slices: Any) -> list[Address]:
    return addresses_of([tuple(placed(each)) for each in slices], SERVICES)


def test_both_networks_ready_or_not() -> None:
    """A prober that is not ready is asked, too: its node may be NotReady, and it may answer."""
    assert found(
        slice_of(endpoint("10.0.0.1"), endpoint("10.0.0.2", "node-2", ready=False)),
        slice_of(endpoint("192.0.2.1"), service="hosts"),
        slice_of(endpoint("10.9.9.9"), service="strangers"),
    ) == [
        Address("node-1", "host", "192.0.2.1", 19464, pod="p1"),
        Address("node-1", "pod", "10.0.0.1", 9464, pod="p1"),
        Address("node-2", "pod", "10.0.0.2", 9464, ready=False, pod="p1"),
    ]


def test_in_a_rollout_the_pod_that_stays_is_asked() -> None:
    """The terminating pod is not asked, whatever its name or readiness."""
    assert found(
        slice_of(endpoint("10.0.0.1", pod="z", terminating=True), endpoint("10.0.0.2", pod="a", ready=False))
    ) == [Address("node-1", "pod", "10.0.0.2", 9464, ready=False, pod="a")]


def test_a_pod_that_ends_alone_is_asked_as_such() -> None:
    """Until its successor has an address, a terminating pod is the node's prober, and the hub knows that it ends."""
    ending = slice_of(endpoint("10.0.0.1", ready=False, terminating=True))
    assert found(ending) == [Address("node-1", "pod", "10.0.0.1", 9464, ready=False, ends=True, pod="p1")]


def test_of_two_families_ipv4_is_asked() -> None:
    """Each prober has one address; of two families it is IPv4."""
    both = found(slice_of(endpoint("fd00::1"), family="IPv6"), slice_of(endpoint("10.0.0.1")))
    assert both == [Address("node-1", "pod", "10.0.0.1", 9464, pod="p1")]
    assert found(slice_of(endpoint("fd00::1"), family="IPv6")) == [Address("node-1", "pod", "fd00::1", 9464, pod="p1")]


@pytest.mark.parametrize(
    "item",
    [
        None,
        7,
        {},
        {"metadata": []},
        slice_of(None),
        slice_of({"addresses": 7}),
        slice_of(endpoint("no address")),
        slice_of(endpoint("10.0.0.1", node="")),
    ],
)
def test_any_content_from_the_api_is_survived(item: Any) -> None:
    """An endpoint without an address or a node is ignored."""
    assert found(item) == []
