"""The command `smoker-hub`."""

import sys

from smoker_common.leave import leave_on_signals

leave_on_signals(serves=not sys.argv[1:])  # before the imports, which take longest

from gevent import monkey

monkey.patch_all(subprocess=False)

import os
from pathlib import Path

from prometheus_client import CollectorRegistry

from smoker_common.output import take_over
from smoker_common.service import Mistake, Sockets, main
from smoker_common.work import Together, Work
from smoker_hub.collect import Collector
from smoker_hub.history.metrics import HistoryMetrics
from smoker_hub.history.reader import Reader
from smoker_hub.history.recorder import History
from smoker_hub.hub import Hub
from smoker_hub.metrics import HubMetrics
from smoker_hub.notify.delivery import Delivery
from smoker_hub.notify.notifier import Notifier
from smoker_hub.otlp import options as otlp
from smoker_hub.places import FixedPlaces, Places
from smoker_hub.settings import Settings
from smoker_hub.web import api
from smoker_hub.web.auth import Guard
from smoker_hub.web.sources import Sources
from smoker_hub.web.stream import Stream
from smoker_kube.api import Api

PROGRAM = "smoker-hub"


def places_of(settings: Settings) -> Places | FixedPlaces:
    """Return what says where the probers are. Raises `Mistake`."""
    if settings.peers:
        return FixedPlaces(settings.peers)
    if not settings.namespace:
        raise Mistake("NAMESPACE is needed, the namespace of the EndpointSlices, or PEERS")
    try:
        kubernetes = Api.in_cluster(os.environ)
    except LookupError as outside:
        raise Mistake(str(outside)) from None
    services = {settings.peer_service: ("pod", settings.peer_admin_port)}
    if settings.peer_host_service:
        services[settings.peer_host_service] = ("host", settings.peer_host_admin_port)
    return Places(kubernetes, settings.namespace, services)


def build(settings: Settings, sockets: Sockets, registry: CollectorRegistry) -> Work:
    """Return the hub with its API and its receivers. Raises `Mistake`."""
    places = places_of(settings)
    collector = Collector(places, timeout=settings.timeout)
    hub = Hub(places, collector, interval=settings.interval, cluster=settings.cluster_name)
    stream = Stream(hub)
    hub.follow(stream.tell, stream.look)
    deliveries = [Delivery(options) for options in settings.receivers]
    exports, mistakes = otlp.read(os.environ)
    if mistakes := [*mistakes, *(mistake for delivery in deliveries if (mistake := delivery.mistake()))]:
        raise Mistake("; ".join(mistakes))
    guard = Guard(Path(settings.auth_folder)) if settings.auth_folder else None
    if guard is not None and (mistake := guard.mistake()):
        raise Mistake(f"AUTH_FOLDER: {mistake}")
    notifier = Notifier(hub, deliveries, external_url=settings.external_url)
    hub.follow(notifier.nudge)
    registry.register(HubMetrics(hub))
    registry.register(notifier)
    history = _history(hub, settings, registry)
    reader = None if history is None else Reader(history.path)
    works: list[Work] = [
        hub,
        api.Server(
            sockets["http_port"][0], Sources(hub=hub, stream=stream, reader=reader, addresses=places, guard=guard)
        ),
        notifier,
    ]
    works += [] if history is None else [history]
    works += _exporter(hub, exports, registry)
    return Together(works)


def _exporter(hub: Hub, exports: otlp.Otlp, registry: CollectorRegistry) -> list[Work]:
    """Return what sends logs and metrics to a collector, where one is named."""
    if exports.logs is None and exports.metrics is None:
        return []
    from smoker_hub.otlp.exporter import Exporter  # noqa: PLC0415  protobuf takes 2 MiB

    exporter = Exporter(hub, exports)
    hub.follow(exporter.tell, exporter.look)
    registry.register(exporter)
    return [exporter]


def _history(hub: Hub, settings: Settings, registry: CollectorRegistry) -> History | None:
    """Return the history where one is wanted."""
    if not settings.history_folder:
        return None
    bounds = {"days": settings.history_days, "mebibytes": settings.history_mebibytes}
    history = History(hub, Path(settings.history_folder), **bounds)
    hub.follow(history.tell, history.look)
    registry.register(HistoryMetrics(history))
    return history


def command() -> int:
    """Run it."""
    take_over(PROGRAM)
    return main(PROGRAM, "Asks every prober what it sees and says what is at fault.", Settings, build)


if __name__ == "__main__":
    sys.exit(command())
