"""The mesh: who the peers are, which of them are probed, and what is said of that.

EndpointSlices ─▶ Discovery ─▶ peers ─▶ paths ─▶ Prober.meet
"""

from __future__ import annotations

from typing import Any

from loguru import logger

from smoker_common.clock import Clock
from smoker_diagnosis.state import Api, Left
from smoker_kube.api import Api as KubernetesApi
from smoker_kube.standing import Answering
from smoker_prober.peers.direction import Arrivals
from smoker_prober.peers.endpoints import Discovery
from smoker_prober.peers.paths import Own, family, paths
from smoker_prober.peers.peer import HOST, POD, Peer
from smoker_prober.prober import Prober
from smoker_prober.probes import PROBES
from smoker_prober.process import Settings
from smoker_prober.store.state import Around, StateSink, heard_of
from smoker_prober.store.windows import Memory

SHOWN = 20  # names in a line


class Mesh:
    """Lets `prober` meet its peers as they come and go. To `never` it adds the ports on which they answer datagrams."""

    def __init__(
        self,
        settings: Settings,
        api: KubernetesApi,
        prober: Prober,
        memory: Memory,
        never: set[int],
        *,
        state: StateSink,
        arrivals: Arrivals,
        clock: Clock | None = None,
    ) -> None:
        self._own = Own(settings.node_name, settings.network)
        self._count, self._probes = settings.mesh_peers, settings.probes
        self._prober, self._memory, self._never = prober, memory, never
        self._sink, self._arrivals = state, arrivals
        self._left: dict[tuple[str, str], Left] = {}  # by node and network
        self._clock = clock or Clock()
        self._zone = ""  # of the own node, as last known: it holds while the own pod is not ready
        self._probed = self._paths = 0
        services = {settings.peer_service: POD, settings.peer_host_service: HOST}
        services.pop("", None)
        self._discovery = Discovery(
            api,
            namespace=settings.namespace,
            services=services,
            changed=self._changed,
            clock=self._clock.now,
            server=_service_of(settings.server_host, settings.namespace),
        )
        memory.mesh = self._state
        state.around = self._around

    def _changed(self, peers: frozenset[Peer]) -> None:
        names, before = _names(peers), _names(self._discovery.peers)
        came, left = names - before, before - names
        self._never.update(port for peer in peers for port in (peer.ports.udp, peer.ports.stamp))
        self._zone = next((peer.zone for peer in peers if peer.node == self._own.node), self._zone)
        self._memory.zone = self._zone
        hosts = paths(peers, self._own._replace(zone=self._zone), self._count, self._probes)
        self._probed = len({each.path.target for where in hosts.values() for each in where.values()} - {self._own.node})
        self._paths = sum(len(PROBES.keys() & where.keys()) for where in hosts.values())
        self._note_left({(peer.node, peer.network) for peer in peers})
        self._prober.meet(hosts)
        if came or left:
            logger.info(
                "peers have changed",
                **({"came": _listed(came)} if came else {}),
                **({"left": _listed(left)} if left else {}),
                known=len(peers),
                probed=self._probed,
            )

    def _note_left(self, now: set[tuple[str, str]]) -> None:
        """Remember the peers that leave because they are not ready, and whether their paths failed before."""
        for node, network in {(peer.node, peer.network) for peer in self._discovery.peers} - now:
            if (node, network) in self._discovery.not_ready and node != self._own.node:
                failing = self._sink.failing(node, network)
                self._left[node, network] = Left(node, network, round(self._clock.now(), 3), failing)
        for back in self._left.keys() & now:
            del self._left[back]

    def _around(self) -> Around:
        """Return what the state of this prober says beside its results."""
        peers = self._discovery.peers
        # A node translates the addresses of what crosses from one network to the other: only its own network tells.
        heard = [
            (address, peer.node, self._own.network, family(address))
            for peer in peers
            if peer.network == self._own.network and peer.node != self._own.node
            for address in peer.addresses
        ]
        return Around(
            zone=self._zone,
            api=self._api_word(),
            peers=len({(peer.node, peer.network) for peer in peers} - {(self._own.node, self._own.network)}),
            heard=heard_of(self._arrivals.last, heard),
            left=tuple(left for key, left in sorted(self._left.items()) if key in self._discovery.not_ready),
            echoes=self._discovery.echoes,
        )

    def _api_word(self) -> Api:
        answering = self._discovery.standing.answering
        if answering in (Answering.OK, Answering.UNANSWERED):
            return "ok" if answering is Answering.OK else "unanswered"
        return "waiting" if answering is Answering.WAITING else "refused"  # nothing of this speaks against the network

    def _state(self) -> dict[str, Any]:
        """As the snapshot shows it."""
        nodes = {peer.node for peer in self._discovery.peers if peer.node != self._own.node}
        probers = {(peer.node, peer.network) for peer in self._discovery.peers} - {(self._own.node, self._own.network)}
        stale = self._discovery.stale
        return {
            "known": len(nodes),
            "probers": len(probers),
            "probed": self._probed,
            "paths": self._paths,
            "stale_since": None if stale is None else round(self._clock.date(stale), 3),
            **self._discovery.standing.fields,
        }

    def start(self) -> None:
        self._discovery.start()

    def retire(self) -> None:
        """Hear of nobody any more."""
        self._discovery.close()

    close = retire

    def drain(self, seconds: float) -> int:  # noqa: ARG002  a watch is cut at once
        """Nothing is ever in flight."""
        return 0

    def unready(self) -> str:
        """Never: a prober without peers still probes what the settings name."""
        return ""

    def stuck(self) -> str:
        """Never: its loop survives its own failures."""
        return ""


def _service_of(host: str, namespace: str) -> str:
    """Return the name of the Service in `namespace` that `host` means; empty where it is none."""
    first, _, rest = host.rstrip(".").partition(".")
    return first if not rest or rest == namespace or rest.startswith(f"{namespace}.svc") else ""


def _names(peers: frozenset[Peer]) -> set[str]:
    return {f"{peer.node}/{peer.network}" for peer in peers}


def _listed(names: set[str]) -> str:
    """The first of them, and how many more there are."""
    more = len(names) - SHOWN
    return ",".join(sorted(names)[:SHOWN]) + (f" and {more} more" if more > 0 else "")
