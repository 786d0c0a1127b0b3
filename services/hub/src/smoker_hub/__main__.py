"""The command `smoker-hub`."""

import sys

from smoker_common.leave import leave_on_signals

leave_on_signals(serves=not sys.argv[1:])  # before the imports, which take longest

from gevent import monkey

monkey.patch_all(subprocess=False)

import os

from prometheus_client import CollectorRegistry

from smoker_common.output import take_over
from smoker_common.service import Mistake, Sockets, main
from smoker_common.work import Together, Work
from smoker_hub.collect import Collector
from smoker_hub.hub import Hub
from smoker_hub.incidents import Change
from smoker_hub.metrics import HubMetrics
from smoker_hub.notify.webhook import Webhook
from smoker_hub.places import FixedPlaces, Places
from smoker_hub.settings import Settings
from smoker_hub.web import api, now, views
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
    """Return the hub with its API and, where there is one, its webhook. Raises `Mistake`."""
    places = places_of(settings)
    collector = Collector(places, timeout=settings.timeout)
    webhook = Webhook(settings.webhook_url, settings.webhook_secret) if settings.webhook_url else None

    def send(change: Change) -> None:
        if webhook is not None:
            said = views.Notification(change.kind, now.view(hub, change.incident))
            webhook.send(said, change.incident.id, change.kind)

    hub = Hub(places, collector, interval=settings.interval, cluster=settings.cluster_name, tells=[send])
    stream = Stream(hub)
    hub.follow(stream.tell, stream.look)
    registry.register(HubMetrics(hub, webhook))
    works: list[Work] = [hub, api.Server(sockets["http_port"][0], Sources(hub, stream))]
    return Together([*works, webhook] if webhook is not None else works)


def command() -> int:
    """Run it."""
    take_over(PROGRAM)
    return main(PROGRAM, "Asks every prober what it sees and says what is at fault.", Settings, build)


if __name__ == "__main__":
    sys.exit(command())
