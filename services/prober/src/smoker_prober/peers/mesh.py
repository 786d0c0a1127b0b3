"""The mesh: which peers there are, which of them this prober probes, and what the store learns about them.

EndpointSlices ─▶ Discovery, or the setting PEERS ─▶ NamedPeers ─▶ peers ─▶ paths ─▶ set_peers
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from loguru import logger

from smoker_common.clock import Clock
from smoker_common.work import BaseWork
from smoker_diagnosis.state import Api, Heard, Left
from smoker_kube.api import Api as KubernetesApi
from smoker_kube.standing import Answering
from smoker_prober.config.plan import Plan
from smoker_prober.config.service import Hosts, Ports, echoes
from smoker_prober.peers.direction import Arrivals, last_heard
from smoker_prober.peers.endpoints import Discovery
from smoker_prober.peers.named import NamedPeers
from smoker_prober.peers.paths import OwnIdentity, family, paths
from smoker_prober.peers.peer import Peer
from smoker_prober.process import Process
from smoker_prober.settings import Settings
from smoker_prober.snapshot import MeshView
from smoker_prober.store import Store
from smoker_prober.store.mesh_state import MeshState
from smoker_prober.target import HOST, POD

SHOWN = 20  # names in a line


class Mesh(BaseWork):
    """Passes the targets of all peers to `set_peers` as peers are added and removed.

    It adds to `never` the ports on which peers answer datagrams.
    """

    def __init__(
        self,
        settings: Settings,
        api: KubernetesApi | None,
        set_peers: Callable[[Hosts], None],
        store: Store,
        never: set[int],
        *,
        arrivals: Arrivals,
        clock: Clock | None = None,
    ) -> None:
        """`api` tells the peers; without one the settings name them."""
        self._settings, self._api = settings, api
        self._own = OwnIdentity(settings.process.node_name, settings.process.network)
        self._set_peers, self._store, self._never, self._arrivals = set_peers, store, never, arrivals
        self._left: dict[tuple[str, str], Left] = {}  # by node and network
        self._clock = clock or Clock()
        self._probed = self._paths = self._probers = 0
        self.near: tuple[Peer, ...] = ()  # peers on the own network, on other nodes, among those that are probed
        self._discovery = self._named(settings.process) if api is None else self._discovered(api)
        store.mesh_state, store.heard, store.mesh = self._mesh_state, self._heard, self._view

    def _named(self, process: Process) -> Discovery | NamedPeers:
        ports = process.peer_tcp_port, process.peer_udp_port, process.peer_http_port, process.peer_stamp_port
        return NamedPeers(
            process.peers,
            network=process.network,
            ports=Ports(*ports, process.peer_bandwidth_port),
            changed=self._changed,
        )

    def _discovered(self, api: KubernetesApi) -> Discovery | NamedPeers:
        process = self._settings.process
        services = {process.peer_service: POD, process.peer_host_service: HOST}
        services.pop("", None)
        return Discovery(
            api,
            namespace=process.namespace,
            services=services,
            changed=self._changed,
            clock=self._clock.now,
            server=self._server,
        )

    @property
    def _server(self) -> str:
        """The Service of the echo services; empty where they are behind something else."""
        return _service_of(self._settings.plan.service.host, self._settings.process.namespace)

    def set_plan(self, plan: Plan) -> None:
        """Choose and probe the peers by this plan from now on."""
        server, self._settings = self._server, self._settings._replace(plan=plan)
        if self._api is not None and self._server != server:
            before, self._discovery = self._discovery, self._discovered(self._api)
            self._discovery.peers, self._discovery.not_ready = before.peers, before.not_ready
            before.close()
            self._discovery.start()
        self._apply(self._discovery.peers)

    def _changed(self, peers: frozenset[Peer]) -> None:
        names, before = _names(peers), _names(self._discovery.peers)
        added, removed = names - before, before - names
        self._note_left({(peer.node, peer.network) for peer in peers})
        self._apply(peers)
        if added or removed:
            logger.info(
                "peers changed",
                **({"added": _listed(added)} if added else {}),
                **({"removed": _listed(removed)} if removed else {}),
                known=len(peers),
                probed=self._probed,
            )

    def _apply(self, peers: frozenset[Peer]) -> None:
        """Choose among these peers, and probe them from now on."""
        plan = self._settings.plan
        self._probers = len({(peer.node, peer.network) for peer in peers} - {(self._own.node, self._own.network)})
        self._never.update(port for peer in peers for port in (peer.ports.udp, peer.ports.stamp))
        # The zone stays as last known while the own pod is not ready.
        zone = next((peer.zone for peer in peers if peer.node == self._own.node), self._store.zone)
        self._store.zone = zone
        own = self._own._replace(zone=zone)
        hosts = paths(peers, own, plan.mesh.peers, partial(echoes, plan, plan.mesh.probes))
        targets = [target for each in hosts.values() for target in each]
        self._probed = len({target.path.target for target in targets} - {self._own.node})
        self._paths = len(targets)
        nodes = {target.path.target for target in targets} - {own.node}
        self.near = tuple(peer for peer in peers if peer.node in nodes and peer.network == own.network)
        self._set_peers(hosts)

    def _note_left(self, now: set[tuple[str, str]]) -> None:
        """Remember the peers that leave because they are not ready, and whether their paths failed before."""
        for node, network in {(peer.node, peer.network) for peer in self._discovery.peers} - now:
            if (node, network) in self._discovery.not_ready and node != self._own.node:
                failing = self._store.failing(node, network)
                self._left[node, network] = Left(node, network, round(self._clock.now(), 3), failing)
        for back in self._left.keys() & now:
            del self._left[back]

    def _mesh_state(self) -> MeshState:
        """Return what this prober knows beside its results. Each request asks for it, so it costs little."""
        return MeshState(
            api=self._api_word(),
            peers=self._probers,
            left=tuple(left for key, left in sorted(self._left.items()) if key in self._discovery.not_ready),
            echoes=self._discovery.echoes.now,
            moves=self._discovery.echoes.moves,
            replaced=self._discovery.echoes.replaced,
        )

    def _heard(self, nodes: Collection[str] | None) -> tuple[Heard, ...]:
        """Return when the peers on `nodes` were last heard; None: those on any node."""
        # A node translates addresses between its two networks, so only datagrams of the own network name their sender.
        heard = [
            (address, peer.node, self._own.network, family(address))
            for peer in self._discovery.peers
            if peer.network == self._own.network and peer.node != self._own.node
            if nodes is None or peer.node in nodes
            for address in peer.addresses
        ]
        return last_heard(self._arrivals.last, heard)

    def _api_word(self) -> Api:
        if self._api is None:
            return ""
        answering = self._discovery.standing.answering
        if answering in (Answering.OK, Answering.UNANSWERED):
            return "ok" if answering is Answering.OK else "unanswered"
        return "waiting" if answering is Answering.WAITING else "refused"  # neither speaks against the network

    def _view(self) -> MeshView:
        """Return the mesh as the snapshot shows it."""
        nodes = {peer.node for peer in self._discovery.peers if peer.node != self._own.node}
        stale, standing = self._discovery.stale, self._discovery.standing
        return MeshView(
            known=len(nodes),
            probers=self._probers,
            probed=self._probed,
            paths=self._paths,
            stale_since=None if stale is None else round(self._clock.date(stale), 3),
            api=standing.answering.value,
            api_status=standing.status,
            api_cause=standing.cause,
        )

    def knows(self, address: str) -> bool:
        """Return whether a prober answers on `address`."""
        return any(address in peer.addresses for peer in self._discovery.peers)

    def start(self) -> None:
        """Begin to watch the EndpointSlices."""
        self._discovery.start()

    def retire(self) -> None:
        """Stop watching the EndpointSlices."""
        self._discovery.close()


def _service_of(host: str, namespace: str) -> str:
    """Return the name of the Service in `namespace` that `host` means; empty where it is none."""
    first, _, rest = host.rstrip(".").partition(".")
    return first if not rest or rest == namespace or rest.startswith(f"{namespace}.svc") else ""


def _names(peers: frozenset[Peer]) -> set[str]:
    return {f"{peer.node}/{peer.network}" for peer in peers}


def _listed(names: set[str]) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - SHOWN
    return ",".join(sorted(names)[:SHOWN]) + (f" and {more} more" if more > 0 else "")
