"""The parts of a running prober: the servers that answer its peers, the schedule, the store, and the mesh."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from loguru import logger
from prometheus_client import CollectorRegistry

from smoker_common import log
from smoker_common.service import ConfigurationError, Sockets
from smoker_common.work import Work, WorkGroup
from smoker_kube.api import Api
from smoker_kube.token import Token
from smoker_prober.cluster_dns.pods import DnsPods
from smoker_prober.config.load import Loaded
from smoker_prober.config.plan import Plan
from smoker_prober.config.reload import Reload
from smoker_prober.config.service import Hosts, hosts
from smoker_prober.peers.direction import Arrivals
from smoker_prober.peers.mesh import Mesh
from smoker_prober.peers.peer import Peer
from smoker_prober.peers.responder import never_answered, servers
from smoker_prober.prober import Prober
from smoker_prober.process import Process
from smoker_prober.result import Result
from smoker_prober.settings import Settings
from smoker_prober.sinks import log as log_sink
from smoker_prober.sinks.metrics import Metrics
from smoker_prober.store import Store
from smoker_prober.store.identity import Identity

if TYPE_CHECKING:
    from smoker_prober.peers.bandwidth import Turns


class Assembly(WorkGroup):
    """The parts of a prober, run together. `store` has the documents that it serves."""

    def __init__(
        self,
        process: Process,
        loaded: Loaded,
        sockets: Sockets,
        registry: CollectorRegistry,
        fixed: Hosts | None = None,
    ) -> None:
        """Probe the hosts of the plan (or `fixed` ones) and, if the settings say so, the peers.

        Raises `ConfigurationError`.
        """
        self._settings = settings = Settings(process, loaded.plan)
        fixed = hosts(settings) if fixed is None else fixed
        self._never = never_answered(settings)
        arrivals = Arrivals()
        self.store = Store(Identity.of(settings))
        plan = settings.plan
        metrics = Metrics(
            registry,
            interval=plan.interval,
            probes=plan.echoed,
            where=self.store.where,
            mesh=lambda: self.store.mesh(),  # noqa: PLW0108  the mesh sets another one later
        )
        self._prober = Prober(settings, fixed, store=self.store, metrics=metrics, arrivals=arrivals, never=self._never)
        works: list[Work] = [*servers(settings.process, sockets, registry, self._never, arrivals), self._prober]
        self._mesh: Mesh | None = None
        self._dns_pods: DnsPods | None = None
        self._turns: Turns | None = None
        self._found: dict[str, Hosts] = {}  # what the API server knows: peers, and DNS pods
        if settings.process.in_a_mesh:
            api = _api_of(settings.process)
            self._mesh = Mesh(settings, api, self._set_peers, self.store, self._never, arrivals=arrivals)
            works.append(self._mesh)
            if api is not None:
                self._dns_pods = DnsPods(settings, api, self._set_dns_pods)
                works.append(self._dns_pods)
            works += self._bandwidth_responders(sockets)
            self._turns = self._bandwidth(api, registry)
            works += [self._turns] if self._turns is not None else []
        works.append(Reload(process.config_file, loaded, self.set_plan, registry))
        _begin_log(settings)
        if process.config_file and loaded.winners:
            logger.info(
                "environment variables override the file", file=process.config_file, variables=",".join(loaded.winners)
            )
        super().__init__(works)

    def set_plan(self, plan: Plan) -> None:
        """Probe by this plan from now on. This is the one place that applies a plan to the parts.

        Paths that stay keep their windows and counters; paths that go leave no series.
        """
        before, settings = self._settings.plan, self._settings._replace(plan=plan)
        fixed = hosts(settings)  # it can fail: then nothing has changed yet
        self._settings = settings
        if plan.log_level != before.log_level:
            _begin_log(settings)
        self._never.update(never_answered(settings))
        self._prober.set_plan(plan, fixed)
        if self._mesh is not None:
            self._mesh.set_plan(plan)
        if self._dns_pods is not None:
            self._dns_pods.set_plan(plan)
        if self._turns is not None:
            self._turns.set_plan(plan)

    def _bandwidth_responders(self, sockets: Sockets) -> list[Work]:
        """Return what answers the measurements of peers, on each socket for that."""
        found, mesh = sockets.get("peer_bandwidth_port", ()), self._mesh
        if mesh is None or not found:
            return []
        from smoker_prober.bandwidth.responder import BandwidthResponder  # noqa: PLC0415  only where it is measured

        return [BandwidthResponder(sock, mesh.knows) for sock in found]

    def _bandwidth(self, api: Api | None, registry: CollectorRegistry) -> Turns | None:
        """Return what measures the bandwidth to peers, where a Lease keeps all but one pair from it."""
        process, mesh = self._settings.process, self._mesh
        if api is None or mesh is None or not process.bandwidth_lease:
            return None
        from smoker_prober.peers.bandwidth import Turns  # noqa: PLC0415  only where it is measured
        from smoker_prober.sinks.bandwidth import BandwidthMetrics  # noqa: PLC0415
        from smoker_prober.store.transfers import Transfers  # noqa: PLC0415

        def peers() -> list[Peer]:
            return [peer for peer in mesh.near if peer.ports.bandwidth]

        transfers = Transfers(lambda: (peer.node for peer in peers()))
        metrics = BandwidthMetrics(registry, transfers.last)
        self.store.bandwidth = transfers.state

        def keep(result: Result) -> None:
            log_sink.write(result, self._settings.plan.latency)
            transfers.keep(result)
            metrics.keep(result)

        token = Token(api, process.namespace, process.bandwidth_lease, socket.gethostname())
        return Turns(self._settings, token, peers, keep)

    def _set_peers(self, peers: Hosts) -> None:
        self._set_found("peers", peers)

    def _set_dns_pods(self, dns_pods: Hosts, names: Mapping[str, str]) -> None:
        self.store.dns_pods = names
        self._set_found("dns", dns_pods)

    def _set_found(self, kind: str, hosts: Hosts) -> None:
        """Probe `hosts` from now on, beside those of other kinds."""
        self._found[kind] = hosts
        self._prober.set_peers({name: targets for each in self._found.values() for name, targets in each.items()})


def _begin_log(settings: Settings) -> None:
    """Log from the level of the plan on."""
    process = settings.process
    log.configure(settings.plan.log_level, process.log_format, results=sys.stdout, fields=process.log_fields)


def _api_of(process: Process) -> Api | None:
    """Return the API server that knows the peers; None where the settings name them. Raises `ConfigurationError`."""
    if process.peers:
        if not all((process.peer_tcp_port, process.peer_udp_port, process.peer_http_port, process.peer_stamp_port)):
            raise ConfigurationError("PEERS needs PEER_TCP_PORT, PEER_UDP_PORT, PEER_HTTP_PORT and PEER_STAMP_PORT")
        return None
    if not process.namespace:
        raise ConfigurationError("DISCOVERY=endpointslice needs NAMESPACE, the namespace of the EndpointSlices")
    return Api.in_cluster(os.environ)
