"""Reads the peers from EndpointSlices: the probers of this release, as the Kubernetes API lists them.

https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import gevent
from gevent.event import Event
from loguru import logger

from smoker_kube.api import Api
from smoker_kube.slices import FAMILIES, of, path, placed, selector, service_of
from smoker_kube.standing import Standing
from smoker_kube.watch import Watch
from smoker_prober.config.service import Ports
from smoker_prober.peers.echo_places import EchoPlaces, Pods
from smoker_prober.peers.peer import Peer

PORTS = ("tcp-echo", "udp-echo", "http-echo", "stamp")  # by these names, in the order of `Ports`
LONGEST = 1.0  # seconds: a peer that leaves answers for a few more, and must not be probed after that
SHARE = 20  # times the duration of a change, as the pause after it: changes take a twentieth of the time at most
AGAIN = 5.0  # seconds until a change that failed is tried again


class Endpoint(NamedTuple):
    """What is kept of one ready endpoint of one slice."""

    service: str
    family: str
    address: str
    node: str
    zone: str
    pod: str
    ports: Ports


def endpoints(item: Any) -> tuple[Endpoint, ...]:
    """Return the endpoints of a slice that are ready and not terminating. One without an address or a node is left out.

    A slice that lacks one of the `PORTS` has none. No content of a slice raises.
    """
    numbers = {of(port, "name", str): of(port, "port", int) for port in of(item, "ports", list)}
    ports = Ports(*(numbers.get(name, 0) for name in PORTS))
    if not all(0 < port < 65_536 for port in ports[: len(PORTS)]):
        return ()
    bandwidth = numbers.get("bandwidth", 0)
    ports = ports._replace(bandwidth=bandwidth if 0 < bandwidth < 65_536 else 0)
    return tuple(_ready(item, ports))


class Slice(NamedTuple):
    """What is kept of one EndpointSlice."""

    endpoints: tuple[Endpoint, ...] = ()  # ready ones of probers
    not_ready: tuple[tuple[str, str], ...] = ()  # Service and node of probers that are listed and not ready
    echoes: tuple[tuple[str, str, str], ...] = ()  # port name, node and address of the echo services' ready pods


def sliceof(item: Any, server: str) -> Slice:
    """Return what is kept of a slice. `server` is the echo services' Service. No content of a slice raises."""
    service = service_of(item)
    if service == server:
        ports = {of(port, "name", str) for port in of(item, "ports", list)} & set(PORTS)
        pods = [(each.node, each.address) for each in placed(item) if each.ready]
        return Slice(echoes=tuple((port, *pod) for port in sorted(ports) for pod in pods))
    seen = [(of(each, "conditions", dict), of(each, "nodeName", str)) for each in of(item, "endpoints", list)]
    waiting = [
        (service, node)
        for conditions, node in seen
        if node and conditions.get("ready") is False and conditions.get("terminating") is not True
    ]
    return Slice(endpoints(item), tuple(waiting))


def _ready(item: Any, ports: Ports) -> Iterator[Endpoint]:
    for each in placed(item):
        # A terminating endpoint may still serve. An endpoint of a Service that publishes all of its pods may be ready
        # without serving. Both are left out.
        if each.ready and each.serving and not each.terminating:
            yield Endpoint(each.service, each.family, each.address, each.node, each.zone, each.pod, ports)


def peers(slices: Iterable[Iterable[Endpoint]], services: Mapping[str, str]) -> frozenset[Peer]:
    """Return one peer for each node and network. `services` maps the name of a Service to the network of its pods.

    A pod in several slices is one peer. Of two pods on a node, as in a rollout, the last one by name counts.
    """
    places: dict[tuple[str, str], dict[str, dict[str, Endpoint]]] = {}  # by place, pod, family
    for each in slices:
        for endpoint in each:
            if (network := services.get(endpoint.service)) is not None:
                pods = places.setdefault((endpoint.node, network), {})
                of_pod = pods.setdefault(endpoint.pod, {})
                if endpoint.family not in of_pod or endpoint.address < of_pod[endpoint.family].address:
                    of_pod[endpoint.family] = endpoint
    return frozenset(_peer(node, network, pods) for (node, network), pods in places.items())


def _peer(node: str, network: str, pods: Mapping[str, Mapping[str, Endpoint]]) -> Peer:
    pod = max(pods)
    found = [pods[pod][family] for family in FAMILIES if family in pods[pod]]
    zone = next((each.zone for each in found if each.zone), "")
    return Peer(node, zone, network, pod, tuple(each.address for each in found), found[0].ports)


class Discovery:
    """Calls `changed` with the peers whenever they change. `services` as for `peers`, at least one.

    With 5,000 nodes a call takes 30 ms, and a rollout has thousands of changes. So the changes that come during a call,
    and for `SHARE` times its duration after it (`LONGEST` at most), make one call.
    """

    def __init__(
        self,
        api: Api,
        *,
        namespace: str,
        services: Mapping[str, str],
        changed: Callable[[frozenset[Peer]], None],
        pause: Callable[[float], object] = gevent.sleep,
        again: float = AGAIN,
        clock: Callable[[], float] = time.monotonic,
        server: str = "",
    ) -> None:
        """`pause` and `clock` as for a watch; `again` is the pause in seconds after `changed` has failed.

        `server` is the Service of the echo services, whose nodes are then known, too; empty: it is not watched.
        """
        self._services, self._call, self._again = services, changed, again
        self._slices: Mapping[str, Slice] = {}
        self._news = Event()  # since the last call
        self._calling: gevent.Greenlet[[], None] | None = None
        self.peers: frozenset[Peer] = frozenset()
        self.not_ready: frozenset[tuple[str, str]] = frozenset()  # node and network of probers that are not ready
        self.echoes = EchoPlaces()
        self._clock = clock
        self._watch = Watch(
            api,
            path(namespace),
            selector=selector({*services, server}),
            keep=lambda item: sliceof(item, server),
            changed=self._changed,
            pause=pause,
            clock=clock,
        )

    def start(self) -> None:
        self._calling = gevent.spawn(self._run)
        self._watch.start()

    def close(self) -> None:
        """Stop watching and calling."""
        self._watch.close()
        if self._calling is not None:
            self._calling.kill(block=False)

    @property
    def known(self) -> bool:
        """Whether the API has ever listed the endpoints."""
        return self._watch.known

    @property
    def stale(self) -> float | None:
        """The instant of the monotonic clock since which the API has not answered; None while it answers."""
        return self._watch.stale

    @property
    def standing(self) -> Standing:
        """How the API answers."""
        return self._watch.standing

    def _changed(self, slices: Mapping[str, Slice]) -> None:
        self._slices = slices
        self._news.set()

    def _run(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            begun = time.monotonic()
            try:
                slices = list(self._slices.values())
                self.not_ready = self._not_ready(slices)
                self.echoes.see(_echoes(slices), round(self._clock(), 3))
                found = peers((each.endpoints for each in slices), self._services)
                if found != self.peers:
                    self._call(found)
                    self.peers = found
                pause = min(SHARE * (time.monotonic() - begun), LONGEST)
            except Exception:
                logger.exception("cannot apply a change of peers; trying again")
                self._news.set()
                pause = self._again
            gevent.sleep(pause)

    def _not_ready(self, slices: Iterable[Slice]) -> frozenset[tuple[str, str]]:
        waiting = (one for each in slices for one in each.not_ready)
        return frozenset((node, self._services[name]) for name, node in waiting if name in self._services)


def _echoes(slices: Iterable[Slice]) -> dict[str, Pods]:
    """Return the pods of each echo service, by the name of the probe that asks it."""
    found: dict[str, set[tuple[str, str]]] = {}
    for each in slices:
        for port, node, address in each.echoes:
            found.setdefault(port.removesuffix("-echo"), set()).add((node, address))
    return {probe: frozenset(pods) for probe, pods in found.items()}
