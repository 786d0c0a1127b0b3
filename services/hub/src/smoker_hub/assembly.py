"""Create the parts of the hub from its settings."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger
from prometheus_client import CollectorRegistry

from smoker_common.service import ConfigurationError, Sockets
from smoker_common.work import Work, WorkGroup
from smoker_hub import words
from smoker_hub.collect import Collector
from smoker_hub.diagnose import Diagnosis
from smoker_hub.history.metrics import HistoryMetrics
from smoker_hub.history.reader import Reader
from smoker_hub.history.recall import recall
from smoker_hub.history.recorder import History
from smoker_hub.history.sent import SentRecord
from smoker_hub.hub import Hub
from smoker_hub.lease import Lease
from smoker_hub.metrics import HubMetrics
from smoker_hub.nodes import Nodes
from smoker_hub.notify.delivery import Delivery
from smoker_hub.notify.handover import take_over
from smoker_hub.notify.memory import LeaseMemory
from smoker_hub.notify.notifier import Known, Notifier
from smoker_hub.otlp import options as otlp
from smoker_hub.otlp.variables import RECEIVER
from smoker_hub.places import FixedPlaces, Places
from smoker_hub.settings import Settings
from smoker_hub.web import api
from smoker_hub.web.auth import Guard
from smoker_hub.web.sources import Sources
from smoker_hub.web.stream import Stream
from smoker_kube.api import Api

if TYPE_CHECKING:
    from smoker_hub.otlp.exporter import Exporter


def kubernetes_of(settings: Settings) -> Api | None:
    """Return the API server, None where a setting names the probers. Raises `ConfigurationError`."""
    if settings.peers:
        return None
    if not settings.namespace:
        raise ConfigurationError("NAMESPACE is needed, the namespace of the EndpointSlices, or PEERS")
    return Api.in_cluster(os.environ)


def places_of(settings: Settings, kubernetes: Api | None, nodes: Nodes | None) -> Places | FixedPlaces:
    """Return the source of the probers' addresses."""
    if kubernetes is None:
        return FixedPlaces(settings.peers)
    services = {settings.peer_service: ("pod", settings.peer_admin_port)}
    if settings.peer_host_service:
        services[settings.peer_host_service] = ("host", settings.peer_host_admin_port)
    return Places(kubernetes, settings.namespace, services, nodes)


def build(settings: Settings, sockets: Sockets, registry: CollectorRegistry) -> Work:
    """Return the hub with its API and its receivers. Raises `ConfigurationError`."""
    kubernetes = kubernetes_of(settings)
    nodes = Nodes(kubernetes, words.log_node) if kubernetes is not None and settings.watch_nodes == "true" else None
    places = places_of(settings, kubernetes, nodes)
    hub = Hub(
        places,
        Collector(places, timeout=settings.timeout),
        interval=settings.interval,
        cluster=settings.cluster_name,
        diagnosis=Diagnosis(nodes),
    )
    exports, mistakes = otlp.read(os.environ)
    names = [each.name for each in settings.receivers] + ([RECEIVER] if exports.logs is not None else [])
    memory = LeaseMemory(names, hub.clock)
    lease = _lease(hub, settings, kubernetes, memory)

    def notifies() -> bool:
        return lease is None or lease.held

    stream = Stream(hub)
    hub.follow(stream.tell, stream.look)
    deliveries = [Delivery(options) for options in settings.receivers]
    if mistakes := [*mistakes, *(mistake for delivery in deliveries if (mistake := delivery.mistake()))]:
        raise ConfigurationError("; ".join(mistakes))
    for note in exports.notes:
        logger.warning(note)
    guard = Guard(Path(settings.auth_folder)) if settings.auth_folder else None
    if guard is not None and (mistake := guard.mistake()):
        raise ConfigurationError(f"AUTH_FOLDER: {mistake}")
    history = _history(hub, settings, registry)
    reader = None if history is None else Reader(history.path)
    known = _recall(hub, history, reader)
    exporter = _exporter(hub, exports, registry, notifies)
    notifier = Notifier(
        hub,
        deliveries,
        others=[] if exporter is None or exporter.logs is None else [exporter.logs],
        external_url=settings.external_url,
        may_notify=notifies,
        records=[memory] if history is None else [memory, SentRecord(history.put)],
        known=known,
        take_over=partial(take_over, hub, memory, record=None if history is None else history.go_on),
    )
    if history is not None:
        history.wait_for(notifier.ended)
        if nodes is not None:
            nodes.follow(history.tell_node)
    if lease is not None:
        lease.before_release = notifier.wait_sent
    hub.follow(notifier.compare_soon)
    registry.register(HubMetrics(hub, notifies))
    registry.register(notifier)
    sources = Sources(
        hub=hub, stream=stream, reader=reader, prometheus=settings.prometheus_url, addresses=places, guard=guard
    )
    works: list[Work] = [hub, api.Server(sockets["http_port"][0], sources), notifier]
    works += [each for each in (history, lease, exporter) if each is not None]
    return WorkGroup(works)


def _recall(hub: Hub, history: History | None, reader: Reader | None) -> Mapping[str, Mapping[str, Known]]:
    """Have the hub continue the findings that were open when it stopped. Return those that each receiver was sent."""
    if history is None or reader is None:
        return {}
    recalled = recall(reader, hub.clock)
    hub.resume(recalled.open, recalled.lapsed)
    history.keep_open(each.id for each in [*recalled.open, *recalled.lapsed])
    return recalled.sent


def _exporter(
    hub: Hub, exports: otlp.Otlp, registry: CollectorRegistry, notifies: Callable[[], bool]
) -> Exporter | None:
    """Return the exporter to an OTLP collector, if one is configured."""
    if exports.logs is None and exports.metrics is None:
        return None
    from smoker_hub.otlp.exporter import Exporter  # noqa: PLC0415  protobuf takes 2 MiB

    exporter = Exporter(hub, exports, may_notify=notifies)
    hub.follow(look=exporter.look)
    registry.register(exporter)
    return exporter


def _lease(hub: Hub, settings: Settings, kubernetes: Api | None, memory: LeaseMemory) -> Lease | None:
    """Return the Lease whose holder notifies, if the settings name one. A cut-off holder gives it up."""
    if kubernetes is None or not settings.lease_name:
        return None
    identity = socket.gethostname()
    return Lease(
        kubernetes, settings.namespace, settings.lease_name, identity, fit=lambda: not hub.blind, memory=memory
    )


def _history(hub: Hub, settings: Settings, registry: CollectorRegistry) -> History | None:
    """Return the history, if one is configured."""
    if not settings.history_folder:
        return None
    bounds = {"days": settings.history_days, "mebibytes": settings.history_mebibytes}
    history = History(hub, Path(settings.history_folder), **bounds)
    hub.follow(history.tell, history.look)
    registry.register(HistoryMetrics(history))
    return history
