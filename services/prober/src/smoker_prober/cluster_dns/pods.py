"""The pods behind the DNS Service, as the API server lists them, and the targets that ask each by itself.

EndpointSlices of kube-dns ─▶ Watch ─▶ pods ─▶ by_pod ─▶ set_hosts
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from loguru import logger

from smoker_common.work import BaseWork
from smoker_kube.api import Api
from smoker_kube.slices import FAMILIES, of, path, placed, selector
from smoker_kube.watch import Watch
from smoker_prober.config.cluster_dns import by_pod
from smoker_prober.config.plan import Plan
from smoker_prober.config.service import Hosts
from smoker_prober.settings import Settings
from smoker_prober.target import Target

MOST = 8  # pods that one prober asks, however many there are
PORT = "dns"  # the name of the port in the slices


class DnsPod(NamedTuple):
    """A pod that serves the DNS: `place` is its node, and a number after a slash where that has several such pods."""

    place: str
    zone: str
    pod: str
    address: str
    port: int


class _Endpoint(NamedTuple):
    family: str
    node: str
    zone: str
    pod: str
    address: str
    port: int


def endpoints(item: Any) -> tuple[_Endpoint, ...]:
    """Return the endpoints of a slice that are ready and not terminating. No content of a slice raises."""
    numbers = [
        of(each, "port", int)
        for each in of(item, "ports", list)
        if of(each, "protocol", str) == "UDP" and of(each, "name", str) == PORT
    ]
    port = next((number for number in numbers if 0 < number < 65_536), 0)
    ready = (each for each in placed(item) if each.ready and each.serving and not each.terminating)
    return tuple(
        _Endpoint(each.family, each.node, each.zone, each.pod, each.address, port)
        for each in ready
        if port and each.pod
    )


def pods(slices: Iterable[Iterable[_Endpoint]]) -> list[DnsPod]:
    """Return the pods of these slices. Each counts once, by its address of the first family that it has."""
    found: dict[tuple[str, str], _Endpoint] = {}
    for one_slice in slices:
        for endpoint in one_slice:
            known = found.get((endpoint.node, endpoint.pod))
            if known is None or _order(endpoint) < _order(known):
                found[endpoint.node, endpoint.pod] = endpoint
    listed, on_node = [], dict[str, int]()
    for (node, pod), each in sorted(found.items()):
        number = on_node[node] = on_node.get(node, 0) + 1
        place = node if number == 1 else f"{node}/{number}"
        listed.append(DnsPod(place, each.zone, pod, each.address, each.port))
    return listed


def _order(endpoint: _Endpoint) -> tuple[int, str]:
    return list(FAMILIES).index(endpoint.family), endpoint.address


def chosen(listed: Iterable[DnsPod], node: str) -> list[DnsPod]:
    """Return the pods that the prober on `node` asks: `MOST` at most, each pod about as often over all nodes."""

    def weight(pod: DnsPod) -> bytes:
        return hashlib.blake2b(f"{node} {pod.pod}".encode(), digest_size=8).digest()

    first = sorted(listed, key=weight)[:MOST]
    return sorted(first)


class DnsPods(BaseWork):
    """Passes the targets of the DNS pods, and their names by place, to `set_hosts` as pods come and go."""

    def __init__(self, settings: Settings, api: Api, set_hosts: Callable[[Hosts, Mapping[str, str]], None]) -> None:
        self._settings, self._api, self._set_hosts = settings, api, set_hosts
        self._pods: list[DnsPod] = []
        self._watch: Watch[tuple[_Endpoint, ...]] | None = None
        self._started = False
        self._listed = False  # whether the watch that runs has listed them

    def start(self) -> None:
        """Begin to watch the EndpointSlices."""
        self._started = True
        self._begin()

    def _begin(self) -> None:
        dns = self._settings.plan.dns
        if not (self._started and dns.name and dns.replicas.service):
            return
        self._listed = False
        self._watch = Watch(
            self._api,
            path(dns.replicas.namespace),
            selector=selector({dns.replicas.service}),
            keep=endpoints,
            changed=self._changed,
            what=f"EndpointSlices in {dns.replicas.namespace}, which list the DNS pods",
            alone=False,  # the watch of the peers says it
            meanwhile="the DNS is asked by its Service, and its pods as they were known last",
        )
        self._watch.start()

    def set_plan(self, plan: Plan) -> None:
        """Probe by this plan from now on."""
        before, self._settings = self._settings.plan.dns, self._settings._replace(plan=plan)
        if plan.dns == before:
            return
        if not plan.dns.name or plan.dns.replicas != before.replicas:  # other pods, or none
            self.retire()
            self._pods = []
            self._apply()
            self._begin()
        elif self._watch is None:
            self._begin()
        else:
            self._apply()

    def _changed(self, slices: Mapping[str, tuple[_Endpoint, ...]]) -> None:
        listed, first = pods(slices.values()), not self._listed
        self._listed = True
        replicas = self._settings.plan.dns.replicas
        service = f"{replicas.namespace}/{replicas.service}"
        if first and not listed:  # on some clusters the Service has another name
            logger.warning(
                "no ready DNS pods: the DNS is asked by its Service alone; check dns.replicas", service=service
            )
        if listed == self._pods:
            return
        self._pods = listed
        self._apply()
        logger.info("DNS pods changed", service=service, known=len(listed))

    def _apply(self) -> None:
        process, dns = self._settings.process, self._settings.plan.dns
        hosts: dict[str, tuple[Target, ...]] = {}
        names: dict[str, str] = {}
        for place, zone, pod, address, port in chosen(self._pods, process.node_name):
            target = by_pod(dns.name, process.network, place=place, address=address, port=port, zone=zone)
            hosts[f"dns {place}"] = (target,)
            names[place] = f"{dns.replicas.namespace}/{pod}"
        self._set_hosts(hosts, names)

    def retire(self) -> None:
        """Stop watching the EndpointSlices."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
