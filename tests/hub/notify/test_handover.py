"""A hub that begins to notify in the place of another, with the memory that the other one left in the Lease."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest

from smoker_hub.hub import Hub
from smoker_hub.notify.delivery import Delivery, Message
from smoker_hub.notify.handover import take_over
from smoker_hub.notify.memory import LeaseMemory
from smoker_hub.notify.notifier import Notifier
from smoker_hub.notify.options import receivers
from smoker_hub.notify.receiver import Notice
from smoker_hub.resume import AWAY
from tests.hub.stand_ins import ManualClock, Prober, hub_of

from .receivers import become, looking

NAMES = ("one", "two")


class Kept(Delivery):
    """A delivery whose receiver takes each message at once."""

    def __init__(self, name: str) -> None:
        (options,) = receivers(json.dumps([{"type": "webhook", "url": "http://x/", "name": name}]))
        super().__init__(options)
        self.notices: list[Notice] = []

    def put(self, message: Message) -> None:
        self.notices += message.notices
        self.settled(message)

    @property
    def got(self) -> list[tuple[str, str]]:
        return [(each.event, each.view.place) for each in self.notices]


class Pod:
    """A hub, its two receivers, and its memory, which takes the Lease's `text` when it begins to notify."""

    def __init__(self, hub: Hub, clock: ManualClock) -> None:
        self.hub, self.clock, self.holds = hub, clock, False
        self.memory = LeaseMemory(NAMES, clock)
        self.boxes = [Kept(name) for name in NAMES]
        self.notifier = Notifier(
            hub,
            self.boxes,
            may_notify=lambda: self.holds,
            records=[self.memory],
            take_over=partial(take_over, hub, self.memory),
        )

    def holds_from_now(self, text: str, ago: float = 0.0) -> None:
        self.memory.load(text, 0, self.clock.wall_time() - ago)
        self.holds = True
        self.notifier.compare()

    def look(self, times: int) -> None:
        for _ in range(times):
            self.clock.instant += 5.0
            self.hub.look()
            self.notifier.compare()

    @property
    def got(self) -> list[tuple[str, str]]:
        """Return what each of the two receivers got, which is the same."""
        one, two = self.boxes
        assert one.got == two.got
        return one.got


Before = tuple[str, list[Prober], ManualClock]


def successor(found: list[Prober], clock: ManualClock) -> Pod:
    """Return the hub of a new pod, which has not looked yet."""
    return Pod(hub_of(found, clock), clock)


def before(act: Callable[[str, list[Prober], ManualClock], Any], change: Callable[[str], str] = str) -> Any:
    """Call `act` after a hub has sent the opening of node-2 and has ended."""
    clock = ManualClock()
    with looking("node-2", clock=clock) as (hub, found):
        first = Pod(hub, clock)
        first.holds_from_now("")
        assert first.got == [("open", "node-2")]
        return act(change(first.memory.text(0)), found, clock)


@pytest.mark.parametrize("looks", [0, 1, 2])
def test_an_open_finding_is_not_sent_again(looks: int) -> None:
    """However often the new hub has looked before it takes the Lease, receivers get only one close."""

    def act(text: str, found: list[Prober], clock: ManualClock) -> None:
        new = successor(found, clock)
        new.look(looks)
        new.holds_from_now(text)
        new.look(3)
        assert new.got == []
        assert [each.finding.scope.nodes for each in new.hub.incidents.open] == [("node-2",)]
        become(found)
        new.look(4)
        assert new.got == [("close", "node-2")]
        assert json.loads(new.memory.text(0))["sent"] == []

    before(act)


def test_a_close_while_no_hub_ran_is_sent() -> None:
    """Three looks without the finding close it, and receivers get the close with the date of the first opening."""

    def act(text: str, found: list[Prober], clock: ManualClock) -> None:
        become(found)
        new = successor(found, clock)
        new.holds_from_now(text)
        assert new.got == []
        new.look(3)
        assert new.got == [("close", "node-2")]
        closed = new.boxes[0].notices[0].view
        assert (closed.phase, closed.opened) == ("closed", json.loads(text)["sent"][0]["opened"])

    before(act)


def test_a_finding_that_the_new_hub_has_closed() -> None:
    """The old holder died before it sent the close. Receivers get it at once; one that was sent is not sent again."""

    def act(text: str, found: list[Prober], clock: ManualClock) -> None:
        for known, expected in ((text, [("close", "node-2")]), ('{"sent":[],"more":false,"transitions":0}', [])):
            become(found, "node-2")
            new = successor(found, clock)
            new.look(2)
            become(found)
            new.look(3)
            new.holds_from_now(known)
            assert new.got == expected

    before(act)


def test_a_finding_that_became_worse_meanwhile() -> None:
    """It was sent as a warning: receivers get the update, with what they knew."""

    def milder(text: str) -> str:
        document = json.loads(text)
        document["sent"][0]["finding"]["severity"] = "warning"
        return json.dumps(document)

    def act(text: str, found: list[Prober], clock: ManualClock) -> None:
        new = successor(found, clock)
        new.look(2)
        new.holds_from_now(text)
        new.look(2)
        assert new.got == [("escalate", "node-2")]
        known = new.boxes[0].notices[0].before
        assert known is not None
        assert known.finding.severity == "warning"

    before(act, milder)


def test_after_a_long_time_it_is_another_finding() -> None:
    """When no hub ran for long, the old finding is closed and the one of now opens."""

    def act(text: str, found: list[Prober], clock: ManualClock) -> None:
        clock.instant += AWAY + 100.0
        new = successor(found, clock)
        new.holds_from_now(text, ago=AWAY + 50.0)
        assert new.got == [("close", "node-2")]
        new.look(2)
        assert new.got == [("close", "node-2"), ("open", "node-2")]
        assert [each.id for each in new.hub.incidents.recent()] == [each.id for each in new.hub.incidents.open]

    before(act)


def test_a_hub_that_loses_the_lease_for_a_while_repeats_nothing() -> None:
    """What the other holder has sent meanwhile counts: the same hub gets its own memory back, or the other's."""

    def act(text: str, found: list[Prober], clock: ManualClock) -> None:
        new = successor(found, clock)
        new.look(2)
        for _ in range(2):
            new.holds_from_now(text)
            new.look(1)
            new.holds = False
            new.look(1)
        assert new.got == []

    before(act)


def test_a_finding_that_makes_no_sense_is_left_out(records: list[str]) -> None:
    """An entry of the right types whose place does not exist is ignored; the others count."""

    def spoil(text: str) -> str:
        document = json.loads(text)
        wrong = json.loads(json.dumps(document["sent"][0]))
        wrong["finding"] |= {"id": "000000000000", "scope": {"kind": "pair", "nodes": [], "zones": []}}
        document["sent"].append(wrong)
        return json.dumps(document)

    def act(text: str, found: list[Prober], clock: ManualClock) -> None:
        new = successor(found, clock)
        new.holds_from_now(text)
        assert len([line for line in records if "makes no sense" in line]) == 2, "once for each receiver"
        assert [each.finding.scope.nodes for each in new.hub.incidents.open] == [("node-2",)]
        assert [each["finding"]["id"] for each in json.loads(new.memory.text(0))["sent"]] == [
            each.id for each in new.hub.incidents.open
        ]
        new.look(3)
        assert new.got == []

    before(act, spoil)


def test_what_the_history_knows_comes_first() -> None:
    """A finding that the history has as closed is closed once, and does not open again from the Lease."""

    def act(text: str, found: list[Prober], clock: ManualClock) -> None:
        become(found)
        recalled = successor(found, clock)
        recalled.holds_from_now(text)
        (incident,) = recalled.hub.incidents.open
        incident.end(clock.now())
        known = {name: dict(receiver.open) for name, receiver in zip(NAMES, recalled.notifier._receivers, strict=True)}
        one = msgspec.json.decode(text)["sent"][0]["receivers"]
        assert one == list(NAMES)
        new = successor(found, clock)
        new.notifier = Notifier(
            new.hub,
            new.boxes,
            may_notify=lambda: new.holds,
            records=[new.memory],
            known={"one": known["one"]},  # the other receiver's row was not written
            take_over=partial(take_over, new.hub, new.memory),
        )
        new.holds_from_now(text)
        new.look(4)
        assert new.got == [("close", "node-2")]

    before(act)
