"""What a running prober is made of: the servers that answer its peers, the schedule, and the mesh that feeds it."""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry

from smoker_common.service import Mistake, Sockets
from smoker_common.work import Together, Work
from smoker_kube.api import Api
from smoker_prober.peers.direction import Arrivals
from smoker_prober.peers.mesh import Mesh
from smoker_prober.peers.responder import never_answered, servers
from smoker_prober.prober import Hosts, Prober
from smoker_prober.process import Settings
from smoker_prober.store.state import StateSink
from smoker_prober.store.windows import Memory


def assemble(
    settings: Settings,
    fixed: Hosts,
    sockets: Sockets,
    *,
    memory: Memory,
    state: StateSink,
    registry: CollectorRegistry,
) -> Together:
    """Return a prober of `fixed` hosts and, if the settings say so, of its peers. Raises `Mistake`."""
    memory.node, memory.network = settings.node_name, settings.network
    arrivals = Arrivals()
    never = never_answered(settings)
    prober = Prober(settings, fixed, memory, registry, arrivals=arrivals, state=state, never=never)
    works: list[Work] = [*servers(settings, sockets, registry, never, arrivals), prober]
    if settings.discovery == "endpointslice":
        if not settings.namespace:
            raise Mistake("DISCOVERY=endpointslice needs NAMESPACE, the namespace of the EndpointSlices")
        try:
            api = Api.in_cluster(os.environ)
        except LookupError as outside:
            raise Mistake(f"DISCOVERY=endpointslice: {outside}") from None
        works.append(Mesh(settings, api, prober, memory, never, state=state, arrivals=arrivals))
    return Together(works)
