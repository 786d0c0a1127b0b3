"""The memory of what was sent travels with the Lease: who writes it, and who reads it when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest

from smoker_hub.lease import LASTS, RENEW, SENT, Lease
from smoker_kube.api import Api
from tests.conftest import PATIENCE
from tests.hub.leases import NAMESPACE, Leases, leases
from tests.hub.stand_ins import ManualClock

NAME = "smoker-hub"


class Noted:
    """A memory that notes what it loads."""

    def __init__(self, content: str) -> None:
        self.content, self.loaded, self.dates = content, list[str](), list[float]()

    def text(self, transitions: int) -> str:
        return f"{self.content} {transitions}"

    def load(self, text: str, transitions: int, renewed: float) -> None:
        self.loaded.append(text and f"{text} {transitions}")
        self.dates.append(renewed)

    def lose(self) -> None:
        self.loaded.clear()


@pytest.fixture
def api() -> Iterator[Leases]:
    """An API server with a Lease that nobody has held."""
    with leases() as made:
        made.store(NAME, {}, {"labels": {"app": "smoker-hub"}, "annotations": {"mine": "kept"}})
        yield made


def replica(api: Leases, name: str, clock: ManualClock, memory: Noted) -> Lease:
    return Lease(Api(api.url), NAMESPACE, NAME, name, memory=memory, clock=clock)


def stored(api: Leases) -> dict[str, str]:
    return dict(api.items[NAME]["metadata"]["annotations"])


def test_the_holder_writes_it_and_the_next_one_reads_it(api: Leases) -> None:
    """It is written with each renewal and the release, beside what others have there, and read once."""
    clock = ManualClock()
    old, new = Noted("first"), Noted("none")
    one, two = replica(api, "one", clock, old), replica(api, "two", clock, new)
    one.turn()
    assert (old.loaded, stored(api)) == ([""], {"mine": "kept", SENT: "first 0"}), "nobody has written anything yet"
    two.turn()
    old.content = "last"
    one.start()
    one.retire()
    one.drain(PATIENCE)
    assert (two.held, new.loaded, stored(api)[SENT]) == (False, [], "last 1")
    two.turn()
    two.turn()
    assert (two.held, new.loaded, stored(api)[SENT]) == (True, ["last 1 1"], "none 2")
    assert api.items[NAME]["metadata"]["labels"] == {"app": "smoker-hub"}


def test_what_a_dead_holder_wrote_is_read_at_the_takeover(api: Leases) -> None:
    """The next holder takes in the last text, and the date of the last renewal."""
    clock, new = ManualClock(), Noted("")
    one, two = replica(api, "one", clock, Noted("its last")), replica(api, "two", clock, new)
    one.turn()
    one.turn()
    renewed = datetime.fromisoformat(api.items[NAME]["spec"]["renewTime"]).timestamp()
    two.turn()
    clock.instant += LASTS
    two.turn()
    assert (new.loaded, new.dates) == (["its last 0 0"], [renewed])


def test_a_failed_write_loses_nothing_else(api: Leases) -> None:
    """A holder that cannot write goes on, does not read its own old text, and writes the newest one later."""
    clock, memory = ManualClock(), Noted("old")
    one = replica(api, "one", clock, memory)
    for _ in range(2):
        one.turn()
    memory.content, api.refuses = "new", 503
    for _ in range(5):
        clock.instant += RENEW
        one.turn()
    assert (one.held, stored(api)[SENT]) == (True, "old 0")
    api.refuses = 0
    one.turn()
    assert (one.held, memory.loaded, stored(api)[SENT]) == (True, [""], "new 0")


def test_a_free_lease_that_cannot_be_written_is_read(api: Leases) -> None:
    """A hub that notifies without the Lease knows what the holder before it has sent."""
    api.store(NAME, {"holderIdentity": "", "renewTime": "2026-11-29T12:00:00.000000Z"}, {"annotations": {SENT: "last"}})
    api.refuses, memory = 503, Noted("")
    one = replica(api, "one", ManualClock(), memory)
    one.turn()
    assert (one.held, memory.loaded) == (True, ["last 0"])


def test_what_a_hub_took_in_without_getting_the_lease_does_not_count(api: Leases) -> None:
    """A hub whose write comes second has read what the last holder left; the other hub goes on with that."""
    api.store(NAME, {"holderIdentity": "", "renewTime": "2026-11-29T12:00:00.000000Z"}, {"annotations": {SENT: "last"}})
    memory = Noted("")
    one = replica(api, "one", ManualClock(), memory)
    api.raced = {"holderIdentity": "two"}
    one.turn()
    assert (one.held, memory.loaded, len(memory.dates)) == (False, [], 1)


@pytest.mark.parametrize("date", ["", "soon", 7, "9999-99-99T00:00:00Z"])
def test_without_a_date_it_does_not_count(api: Leases, date: object) -> None:
    """A text whose last renewal nobody knows is as good as none."""
    api.store(NAME, {"holderIdentity": "", "renewTime": date}, {"annotations": {SENT: "last"}})
    memory = Noted("")
    one = replica(api, "one", ManualClock(), memory)
    one.turn()
    assert (one.held, memory.loaded) == (True, [""])


@pytest.mark.parametrize("content", [7, None, ["x"], {"x": "y"}])
def test_annotations_of_other_types(api: Leases, content: object) -> None:
    """What is not text is none, and a Lease without a map of annotations gets one."""
    for written in ({SENT: content}, content):
        api.store(NAME, {"holderIdentity": "", "renewTime": "2026-11-29T12:00:00Z"}, {"annotations": written})
        memory = Noted("text")
        one = replica(api, "one", ManualClock(), memory)
        one.turn()
        one.turn()
        assert (one.held, memory.loaded) == (True, [""])
        assert api.items[NAME]["metadata"]["annotations"][SENT] == "text 1"
