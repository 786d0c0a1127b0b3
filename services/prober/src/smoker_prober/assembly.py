"""The parts of a running prober: the servers that answer its peers, the schedule, the store, and the mesh."""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry

from smoker_common.service import ConfigurationError, Sockets
from smoker_common.work import Work, WorkGroup
from smoker_kube.api import Api
from smoker_prober.config.service import Hosts
from smoker_prober.peers.direction import Arrivals
from smoker_prober.peers.mesh import Mesh
from smoker_prober.peers.responder import never_answered, servers
from smoker_prober.prober import Prober
from smoker_prober.process import Settings
from smoker_prober.sinks.metrics import Metrics
from smoker_prober.store import Store
from smoker_prober.store.identity import Identity


class Assembly(WorkGroup):
    """The parts of a prober, run together. `store` has the documents that it serves."""

    def __init__(self, works: list[Work], store: Store) -> None:
        super().__init__(works)
        self.store = store


def assemble(settings: Settings, fixed: Hosts, sockets: Sockets, registry: CollectorRegistry) -> Assembly:
    """Return a prober of `fixed` hosts and, if the settings say so, of its peers. Raises `ConfigurationError`."""
    arrivals, never = Arrivals(), never_answered(settings)
    store = Store(Identity.of(settings))
    metrics = Metrics(registry, interval=settings.test_interval, probes=settings.probes, where=store.where)
    prober = Prober(settings, fixed, store=store, metrics=metrics, arrivals=arrivals, never=never)
    works: list[Work] = [*servers(settings, sockets, registry, never, arrivals), prober]
    if settings.peers:
        if not all((settings.peer_tcp_port, settings.peer_udp_port, settings.peer_http_port, settings.peer_stamp_port)):
            raise ConfigurationError("PEERS needs PEER_TCP_PORT, PEER_UDP_PORT, PEER_HTTP_PORT and PEER_STAMP_PORT")
        works.append(Mesh(settings, None, prober.set_peers, store, never, arrivals=arrivals))
    elif settings.discovery == "endpointslice":
        if not settings.namespace:
            raise ConfigurationError("DISCOVERY=endpointslice needs NAMESPACE, the namespace of the EndpointSlices")
        try:
            api = Api.in_cluster(os.environ)
        except LookupError as outside:
            raise ConfigurationError(f"DISCOVERY=endpointslice: {outside}") from None
        works.append(Mesh(settings, api, prober.set_peers, store, never, arrivals=arrivals))
    return Assembly(works, store)
