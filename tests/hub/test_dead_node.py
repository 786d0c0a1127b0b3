"""The node on which the hub stands dies: who names it then, and who sends that."""

from __future__ import annotations

from functools import partial
from typing import Any

from smoker_diagnosis.component import NODE
from smoker_hub.hub import Hub
from smoker_hub.incidents import Change
from smoker_hub.lease import LASTS, RENEW, Lease
from smoker_hub.notify.delivery import Delivery
from smoker_hub.notify.notifier import Notifier
from smoker_hub.notify.options import receivers
from smoker_kube.api import Api
from tests.diagnosis.mesh import Cluster, nodes
from tests.hub.leases import NAMESPACE, leases
from tests.hub.stand_ins import ManualClock, Prober, go_on, hub_of, probers

DEAD = "node-2"
ERROR = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"


class Kept(Delivery):
    """A delivery that keeps what it was given."""

    def __init__(self) -> None:
        (options,) = receivers('[{"type": "webhook", "url": "http://x/"}]')
        super().__init__(options)
        self.got: list[tuple[str, str]] = []

    def put(self, message: Any) -> None:
        self.got += [(notice.event, notice.view.place) for notice in message.notices]


def die(found: list[Prober], *, seen_from: str) -> None:
    """Have the node die: a hub on it reaches its probers alone, another hub all others."""
    states = Cluster(nodes(5)).fail(lambda link: link.touches(DEAD)).states()
    by_prober = {(state.node, state.network): state for state in states}
    for prober in found:
        node = prober.state.node
        prober.state = by_prober[node, prober.state.network]
        prober.raw = ERROR if (node == DEAD) != (seen_from == DEAD) else b""


def sees(hub: Hub) -> bool:
    """Return whether the hub reaches enough probers to hold the Lease."""
    return not hub.blind


def look(*hubs: Hub) -> None:
    for hub in hubs:
        hub.look()
        hub.look()


def test_the_replica_on_another_node_takes_over() -> None:
    """The one on the dead node finds nothing. The other one names it at once, and sends that once it holds the Lease.

    After the node is back neither sends the opening again, and one sends the close.
    """
    clock = ManualClock()
    with leases() as api, probers(Cluster(nodes(5)).states()) as here, probers(Cluster(nodes(5)).states()) as there:
        hubs = dead, alive = hub_of(here, clock), hub_of(there, clock)
        one, two = (
            Lease(Api(api.url), NAMESPACE, "smoker-hub", name, fit=partial(sees, hub), clock=clock)
            for name, hub in zip(("one", "two"), hubs, strict=True)
        )
        kept = [Kept(), Kept()]
        notifiers = [
            Notifier(hub, [delivery], may_notify=partial(getattr, lease, "held"))
            for hub, delivery, lease in zip(hubs, kept, (one, two), strict=True)
        ]

        def compare() -> list[list[tuple[str, str]]]:
            for notifier in notifiers:
                notifier.compare()
            return [each.got for each in kept]

        look(*hubs)
        one.turn()
        two.turn()
        assert (one.held, two.held) == (True, False)
        die(here, seen_from=DEAD)
        die(there, seen_from="node-1")
        look(*hubs)
        assert (dead.blind, dead.incidents.open) == (True, [])
        assert [each.finding.scope.nodes for each in alive.incidents.open] == [(DEAD,)]
        assert compare() == [[], []]
        cut = clock.instant
        while not two.held:  # the API server does not hear the one on the dead node
            clock.instant += RENEW
            two.turn()
        assert clock.instant - cut <= LASTS + RENEW
        assert compare() == [[], [("open", f"into {DEAD}")]], "what its own probers last said still counts"
        healthy = Cluster(nodes(5)).states()
        for found in (here, there):
            for prober, state in zip(found, healthy, strict=True):
                prober.state, prober.raw = state, b""
        one.turn()
        assert (one.held, two.held) == (False, True)
        for _ in range(3):
            clock.instant += 5.0
            look(*hubs)
        assert [each.got for each in kept] == [[], [("open", f"into {DEAD}")]]
        assert compare() == [[], [("open", f"into {DEAD}"), ("close", f"into {DEAD}")]]


def test_a_dead_node_is_one_finding() -> None:
    """What its own probers last said counts for a round: `into node-2` becomes `node-2` under one id."""
    clock, changes = ManualClock(), list[Change]()
    with probers(Cluster(nodes(5)).states()) as found:
        hub = hub_of(found, clock, changes.append)
        look(hub)
        die(found, seen_from="node-1")
        for _ in range(20):
            clock.instant += 5.0
            go_on(found, 5.0)
            hub.look()
        assert [(each.kind, each.incident.finding.scope.nodes) for each in changes] == [("open", (DEAD,))]
        assert [each.finding.scope.kind for each in hub.incidents.open] == [NODE]


def test_a_hub_that_starts_elsewhere_names_the_dead_node() -> None:
    """Without a history and with the node dead from its first look on, it opens with the second look and sends it."""
    clock, kept = ManualClock(), Kept()
    with probers(Cluster(nodes(5)).states()) as found:
        die(found, seen_from="node-1")
        hub = hub_of(found, clock)
        notifier = Notifier(hub, [kept])
        hub.look()
        notifier.compare()
        assert kept.got == []
        hub.look()
        notifier.compare()
        assert [each.finding.scope.nodes for each in hub.incidents.open] == [(DEAD,)]
        assert kept.got == [("open", DEAD)]
