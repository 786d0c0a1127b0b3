"""The addresses of the probers: the endpoints of their Services, ready or not.

EndpointSlices ─▶ Watch ─▶ one Address per node and network

A pod on a node that was deleted stays in its EndpointSlice for a while: it is left out where nodes are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from smoker_common.peers import NamedPeer
from smoker_hub.collect import Address
from smoker_hub.nodes import Nodes
from smoker_kube.api import Api
from smoker_kube.slices import FAMILIES, PlacedEndpoint, path, placed, selector
from smoker_kube.watch import Watch

#: By the name of a Service, the network that its pods stand on and their admin port.
Services = Mapping[str, tuple[str, int]]


def addresses_of(slices: Iterable[Iterable[PlacedEndpoint]], services: Services) -> list[Address]:
    """Return one address per node and network, that of the pod that stays.

    A pod that is not ready may answer: a prober on a node that is NotReady does. Of two pods on a node, as in a
    rollout, take one that is not terminating, then one that is ready, then the last by name. Of two families take IPv4.
    """
    families = list(FAMILIES)
    best: dict[tuple[str, str], tuple[tuple[Any, ...], PlacedEndpoint]] = {}
    for each in (one for found in slices for one in found):
        if each.service not in services:
            continue
        rank = (not each.terminating, each.ready, each.pod, -families.index(each.family), each.address)
        key = each.node, services[each.service][0]
        if key not in best or best[key][0] < rank:
            best[key] = rank, each
    return [
        Address(node, network, each.address, services[each.service][1], each.ready, each.terminating, each.pod)
        for (node, network), (_, each) in sorted(best.items())
    ]


class Places:
    """Watches the probers' EndpointSlices, and returns their addresses when it is called."""

    def __init__(self, api: Api, namespace: str, services: Services, nodes: Nodes | None = None) -> None:
        """Watch the EndpointSlices; with `nodes`, leave out probers on deleted nodes."""
        self._services, self._nodes = services, nodes
        self._slices: Mapping[str, tuple[PlacedEndpoint, ...]] = {}
        self._watch = Watch(
            api,
            path(namespace),
            selector=selector(services),
            keep=lambda item: tuple(placed(item)),
            changed=self._changed,
        )

    def start(self) -> None:
        """Start watching."""
        self._watch.start()
        if self._nodes is not None:
            self._nodes.start()

    def close(self) -> None:
        """Stop watching."""
        self._watch.close()
        if self._nodes is not None:
            self._nodes.close()

    def __call__(self) -> list[Address]:
        """Return the last known addresses."""
        found = addresses_of(self._slices.values(), self._services)
        if self._nodes is None or not self._nodes.known:
            return found
        return [each for each in found if self._nodes.get(each.node) is not None]

    @property
    def known(self) -> bool:
        """Return whether the API server has ever answered."""
        return self._watch.known

    def _changed(self, slices: Mapping[str, tuple[PlacedEndpoint, ...]]) -> None:
        self._slices = slices


class FixedPlaces:
    """Fixed addresses from a setting, without an API server."""

    known = True

    def __init__(self, peers: Iterable[NamedPeer]) -> None:
        self._addresses = [Address(peer.node, "pod", peer.host, peer.port) for peer in peers]

    def __call__(self) -> list[Address]:
        """Return the addresses."""
        return self._addresses

    def start(self) -> None:
        """Watch nothing."""

    def close(self) -> None:
        """Watch nothing."""
