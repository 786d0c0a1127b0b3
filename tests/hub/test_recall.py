"""A hub that starts again: open findings continue or close, and its receivers get the missing messages once."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from smoker_diagnosis.sightings import A_ROUND
from smoker_hub.history.recall import recall
from smoker_hub.history.sent import SentRecord
from smoker_hub.history.store import NAME
from smoker_hub.incidents import Change
from smoker_hub.notify.delivery import Delivery, Message
from smoker_hub.notify.notifier import Notifier
from smoker_hub.notify.options import receivers
from smoker_hub.notify.receiver import Notice
from smoker_hub.notify.webhook import DELIVERY
from smoker_hub.resume import AWAY
from tests.diagnosis.mesh import Cluster, nodes
from tests.hub.history_hand import RENEWED, Kept, keeping
from tests.hub.stand_ins import ManualClock, Prober, go_on, probers
from tests.hub.test_hub import become

DEAD = "node-2"


def mesh() -> Cluster:
    return Cluster(nodes(5))


def dead() -> Cluster:
    return mesh().fail(lambda link: link.touches(DEAD))


class RecordingDelivery(Delivery):
    """A delivery that keeps its messages. `takes`: whether they count as accepted."""

    def __init__(self, *, takes: bool) -> None:
        (options,) = receivers(json.dumps([{"type": "webhook", "url": "http://x/", "minSeverity": "info"}]))
        super().__init__(options)
        self.takes, self.notices = takes, list[Notice]()

    def put(self, message: Message) -> None:
        self.notices += message.notices
        if self.takes:
            self.settled(message)

    @property
    def got(self) -> list[str]:
        return [notice.event for notice in self.notices]

    def key(self, number: int) -> str:
        """Return the Idempotency-Key of a message."""
        return self.form.headers(b"", [self.notices[number]])[DELIVERY]


class Start:
    """One run of a hub: its looks, and the messages of its receiver."""

    def __init__(self, kept: Kept, box: RecordingDelivery) -> None:
        recalled = recall(kept.reader, kept.clock)
        kept.hub.resume(recalled.open, recalled.lapsed)
        kept.history.keep_open(each.id for each in [*recalled.open, *recalled.lapsed])
        self.kept, self.box = kept, box
        record = SentRecord(kept.history.put)
        self.notifier = Notifier(kept.hub, [box], records=[record], known=recalled.sent)
        self.notifier.compare()

    def look(self, times: int = 1, seconds: float = 5.0) -> None:
        for _ in range(times):
            self.kept.look(seconds)
            self.notifier.compare()
        self.kept.written()

    def get(self, path: str) -> Any:
        return self.kept.get(path)


@contextlib.contextmanager
def start(folder: Path, found: list[Prober], clock: ManualClock, *, takes: bool = True) -> Iterator[Start]:
    """Return a hub that reads the history before it writes there."""
    with keeping(folder, found, clock, begins=False) as kept:
        one = Start(kept, RecordingDelivery(takes=takes))
        kept.history.start()
        yield one


def test_a_fault_that_lasts_is_not_sent_again(tmp_path: Path, records: list[str]) -> None:
    """The finding keeps its opening, also in the history. It is logged again, and its close is sent once."""
    clock = ManualClock()
    with probers(dead().states()) as found:
        with start(tmp_path, found, clock) as first:
            first.look(3)
            (view,) = first.get("findings")["open"]
            assert first.box.got == ["open"]
        clock.instant += 60.0
        with start(tmp_path, found, clock) as second:
            told = [line for line in records if f"FAULT {DEAD}: " in line]
            assert len(told) == 2
            second.look(3)
            (again,) = second.get("findings")["open"]
            assert (again["id"], again["opened"]) == (view["id"], view["opened"])
            assert second.box.got == []
            become(found, mesh())
            second.look(5)
            assert second.box.got == ["close"]
            assert second.box.key(0) == first.box.key(0).replace("-open-", "-close-")
            kinds = [event["kind"] for event in second.get("events")["events"]]
            assert (kinds.count("finding_opened"), kinds.count("finding_closed")) == (1, 1)
        with start(tmp_path, found, clock) as third:
            third.look(5)
            assert third.box.got == []


def test_a_finding_that_ended_while_the_hub_was_down_closes(tmp_path: Path) -> None:
    """Three looks without the finding close it, and its receiver gets the close."""
    clock = ManualClock()
    with probers(dead().states()) as found:
        with start(tmp_path, found, clock) as first:
            first.look(2)
        become(found, mesh())
        with start(tmp_path, found, clock) as second:
            second.look(2)
            assert second.get("summary")["open"] == 1
            second.look()
            assert (second.get("summary")["open"], second.box.got) == (0, ["close"])
            assert second.box.notices[0].view.phase == "closed"


def test_unsent_messages_are_sent_after_a_restart(tmp_path: Path) -> None:
    """An opening with the same Idempotency-Key, and later the close of an ended finding, are sent: neither is lost."""
    clock = ManualClock()
    with probers(dead().states()) as found:
        with start(tmp_path, found, clock, takes=False) as first:
            first.look(2)
            assert first.box.got == ["open"]
        with start(tmp_path, found, clock) as second:
            assert second.box.got == ["open"]
            assert second.box.key(0) == first.box.key(0)
            second.look()
            second.box.takes = False
            become(found, mesh())
            second.look(3)
            assert second.box.got == ["open", "close"]
        with start(tmp_path, found, clock) as third:
            assert third.box.got == ["close"]
            assert third.box.key(0) == second.box.key(1)
            assert third.box.notices[0].view.closed == second.box.notices[1].view.closed
        with start(tmp_path, found, clock) as fourth:
            assert fourth.box.got == []


def test_an_unsent_escalation_is_sent_after_a_restart(tmp_path: Path) -> None:
    """The escalation is sent, whatever became worse, until its receiver has taken it."""
    clock = ManualClock()
    with probers(dead().states()) as found:
        with start(tmp_path, found, clock) as first:
            first.look(2)
            first.box.takes = False
            (incident,) = first.kept.hub.incidents.open
            incident.escalations += 1
            first.kept.history.tell(Change("escalate", incident))
            first.look()
            assert first.box.got == ["open", "escalate"]
        with start(tmp_path, found, clock) as second:
            second.look(2)
            assert second.box.got == ["escalate"]
            assert second.box.notices[0].view.escalations == 1
        with start(tmp_path, found, clock) as third:
            third.look(2)
            assert third.box.got == []


def test_after_a_long_absence_a_new_finding_opens(tmp_path: Path) -> None:
    """The old finding has closed when the hub stopped, and a new one opens. Each message is sent once."""
    clock = ManualClock()
    with probers(dead().states()) as found:
        with start(tmp_path, found, clock) as first:
            first.look(2)
            stopped = clock.wall_time()
        clock.instant += AWAY + 100.0
        with start(tmp_path, found, clock) as second:
            second.look(3)
            assert second.box.got == ["close", "open"]
            old, new = (notice.view for notice in second.box.notices)
            assert old.closed == stopped
            assert (new.opened or 0.0) > stopped + AWAY
            assert len(second.get("findings")["open"]) == 1


def look_on(hub: Start, found: list[Prober], times: int) -> None:
    """Look some times, while the probers go on."""
    for _ in range(times):
        go_on(found, 5.0)
        hub.look()


def test_a_silent_prober_stays_open_until_its_silence_counts(tmp_path: Path) -> None:
    """A hub knows only a round after its start that a prober is silent, so the finding does not close before."""
    clock = ManualClock()
    with probers(mesh().states()) as found:
        with start(tmp_path, found, clock) as first:
            first.look(2)
            found[0].raw = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"
            look_on(first, found, 12)
            assert [each.finding.kind for each in first.kept.hub.incidents.open] == ["silent"]
        with start(tmp_path, found, clock) as second:
            look_on(second, found, 12)
            assert len(second.get("findings")["open"]) == 1
            assert second.box.got == []
        found[0].raw = b""
        with start(tmp_path, found, clock) as third:
            third.look(int(A_ROUND / 5.0) + 5)
            assert third.box.got == ["close"]


def test_a_file_of_the_first_version_is_taken_over(tmp_path: Path, records: list[str]) -> None:
    """Such a file has no table of sent messages: an open finding continues, and is sent as without a record."""
    clock = ManualClock()
    with probers(dead().states()) as found:
        with start(tmp_path, found, clock) as first:
            first.look(2)
        with sqlite3.connect(tmp_path / NAME) as db:
            db.execute("DROP TABLE sent")
            db.execute("PRAGMA user_version = 1")
        db.close()
        with start(tmp_path, found, clock) as second:
            second.look(2)
            assert second.box.got == ["open"]
            assert second.box.key(0) == first.box.key(0)
        assert not [line for line in records if RENEWED in line]
        with start(tmp_path, found, clock) as third:
            third.look(2)
            assert third.box.got == []


def test_an_unreadable_history_is_logged(tmp_path: Path, records: list[str]) -> None:
    """The hub starts as without a history, and logs why."""
    (tmp_path / NAME).write_bytes(b"no database" * 100)
    with probers(dead().states()) as found, start(tmp_path, found, ManualClock()) as one:
        assert [line for line in records if "the findings that were open before the start are unknown" in line]
        one.look(2)
        assert one.box.got == ["open"]


def test_sent_messages_are_forgotten_if_another_replica_notifies(tmp_path: Path) -> None:
    """Its record of sent messages would be out of date after the next takeover."""
    clock, may = ManualClock(), [True]
    with probers(dead().states()) as found:
        with start(tmp_path, found, clock) as first:
            first.notifier._may_notify = lambda: may[0]
            first.look(2)
            may[0] = False
            first.look()
        with start(tmp_path, found, clock) as second:
            assert second.box.got == ["open"]
