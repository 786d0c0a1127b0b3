"""Which of several replicas notifies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from smoker_hub.lease import LASTS, RENEW, Lease
from smoker_kube.api import Api
from smoker_kube.lease import LARGEST
from tests.conftest import PATIENCE
from tests.hub.leases import NAMESPACE, Leases, leases
from tests.hub.stand_ins import ManualClock


@pytest.fixture
def api() -> Iterator[Leases]:
    """An API server with Leases."""
    with leases() as made:
        yield made


def replica(api: Leases, name: str, clock: ManualClock, *, fit: bool = True) -> Lease:
    return Lease(Api(api.url), NAMESPACE, "smoker-hub", name, fit=lambda: fit, clock=clock)


def turns(clock: ManualClock, count: int, *replicas: Lease) -> None:
    """Run `count` turns of each replica."""
    for _ in range(count):
        for each in replicas:
            each.turn()
        clock.instant += RENEW


def test_one_of_two_notifies(api: Leases) -> None:
    """The first replica that asks creates the Lease and renews it; the other waits, however long."""
    clock = ManualClock()
    one, two = replica(api, "one", clock), replica(api, "two", clock)
    turns(clock, 20, one, two)
    assert (one.held, two.held) == (True, False)
    assert api.holder("smoker-hub") == "one"
    assert api.items["smoker-hub"]["spec"]["leaseTransitions"] == 0


def test_a_holder_that_dies_is_replaced(api: Leases) -> None:
    """The other takes over once the record has not changed for 10 s of its own clock, and not before."""
    clock = ManualClock()
    one, two = replica(api, "one", clock), replica(api, "two", clock)
    turns(clock, 3, one, two)
    begun = clock.instant
    while not two.held:
        turns(clock, 1, two)
        assert clock.instant - begun <= LASTS + 2 * RENEW
    assert clock.instant - begun > LASTS - RENEW
    assert api.holder("smoker-hub") == "two"
    assert api.items["smoker-hub"]["spec"]["leaseTransitions"] == 1
    turns(clock, 1, one)
    assert not one.held, "what comes back sees that it was replaced"


def test_a_holder_that_stops_releases_the_lease(api: Leases) -> None:
    """After a holder has ended, the other holds the Lease at its next turn, and not before what waited is sent."""
    clock, sending = ManualClock(), list[tuple[bool, str]]()
    one, two = replica(api, "one", clock), replica(api, "two", clock)
    turns(clock, 2, one, two)
    one.start()
    one.before_release = lambda _: sending.append((one.held, api.holder("smoker-hub")))
    one.retire()
    one.close()
    assert one.drain(PATIENCE) == 0
    assert sending == [(True, "one")]
    assert api.holder("smoker-hub") == ""
    two.turn()
    assert (one.held, two.held) == (False, True)


def test_of_two_writers_one_is_refused(api: Leases, records: list[str]) -> None:
    """A write based on a version that another replica has replaced does not take the Lease."""
    clock = ManualClock()
    two = replica(api, "two", clock)
    for before in (False, True):  # the creation, and the takeover
        api.raced = {"holderIdentity": "one"}
        two.turn()
        assert not two.held, before
        assert api.holder("smoker-hub") == "one"
        assert not [line for line in records if "the same replica" in line], "a race is no failure"
        two.turn()
        clock.instant += LASTS


def test_a_cut_off_replica_gives_up_the_lease(api: Leases) -> None:
    """A replica that reaches fewer than half of the probers gives up the Lease, and notifies until another has it."""
    clock = ManualClock()
    deaf = {"fit": True}
    one = Lease(Api(api.url), NAMESPACE, "smoker-hub", "one", fit=lambda: deaf["fit"], clock=clock)
    two = replica(api, "two", clock)
    turns(clock, 2, one, two)
    assert one.held
    deaf["fit"] = False
    turns(clock, 1, one)
    assert (one.held, api.holder("smoker-hub")) == (True, "")
    turns(clock, 1, two, one)
    assert (one.held, two.held) == (False, True)


def test_a_cut_off_hub_without_another_goes_on(api: Leases, records: list[str]) -> None:
    """It does not stop to notify and begin again, which would send what is open a second time."""
    clock, fit = ManualClock(), {"fit": True}
    one = Lease(Api(api.url), NAMESPACE, "smoker-hub", "one", fit=lambda: fit["fit"], clock=clock)
    for fit["fit"] in (True, False, True):
        turns(clock, 10, one)
        assert one.held
    assert api.holder("smoker-hub") == "one"
    assert len([line for line in records if "now sends the notifications" in line]) == 1


def test_a_changed_label_does_not_end_a_hold(api: Leases, records: list[str]) -> None:
    """An upgrade writes the chart's labels between the holder's read and its write: it reads and writes once more."""
    clock = ManualClock()
    one = replica(api, "one", clock)
    turns(clock, 2, one)
    api.raced = dict(api.items["smoker-hub"]["spec"])
    writes = api.writes
    one.turn()
    assert (one.held, api.writes - writes) == (True, 2)
    assert len([line for line in records if "now sends the notifications" in line]) == 1


def test_a_free_lease_that_cannot_be_written(api: Leases) -> None:
    """A hub that cannot take a Lease that nobody holds notifies: no other can take it either."""
    clock = ManualClock()
    one, two = replica(api, "one", clock), replica(api, "two", clock)
    api.refuses = 503
    turns(clock, 1, one, two)
    assert (one.held, two.held) == (True, True)
    api.refuses = 0
    turns(clock, 2, one, two)
    assert (one.held, two.held) == (True, False)
    api.refuses = 503
    turns(clock, 1, one, two)
    assert (one.held, two.held) == (True, False)


@pytest.mark.parametrize("exists", [False, True])
def test_a_lease_that_the_api_server_does_not_accept(api: Leases, records: list[str], *, exists: bool) -> None:
    """A hub notifies and says why where its Lease is refused as invalid, by an admission policy or for its name."""
    clock = ManualClock()
    if exists:
        api.store("smoker-hub", {})
    one = replica(api, "one", clock)
    api.refuses = 422
    turns(clock, 3, one)
    assert one.held
    assert len([line for line in records if "does not accept the Lease smoker-hub: LEASE_NAME is no" in line]) == 1
    api.refuses = 0
    turns(clock, 1, one)
    assert (one.held, api.holder("smoker-hub")) == (True, "one")


def test_a_lease_that_is_too_large(api: Leases, records: list[str]) -> None:
    """The holder goes on, the log says what to do, and once the Lease is deleted the hub makes it again."""
    clock = ManualClock()
    one = replica(api, "one", clock)
    turns(clock, 2, one)
    api.store("smoker-hub", api.items["smoker-hub"]["spec"], {"annotations": {"of-others": "x" * LARGEST}})
    turns(clock, 3, one)
    assert one.held
    assert len([line for line in records if "smoker-hub has more than 64 KiB and is not read; delete it" in line]) == 1
    assert not [line for line in records if "the Kubernetes API" in line]
    del api.items["smoker-hub"]
    turns(clock, 1, one)
    assert (one.held, api.holder("smoker-hub")) == (True, "one")


def test_a_lease_that_was_never_read(api: Leases) -> None:
    """A hub that has not been able to read the Lease since its start notifies after the time that a holder has."""
    clock = ManualClock()
    one = replica(api, "one", clock)
    api.status = 503
    one.turn()
    assert not one.held
    clock.instant += LASTS
    one.turn()
    assert one.held


def test_without_the_right_every_replica_notifies(api: Leases, records: list[str]) -> None:
    """The missing right is logged once; a right that is granted later is used."""
    clock = ManualClock()
    one, two = replica(api, "one", clock), replica(api, "two", clock)
    api.status = 403
    turns(clock, 3, one, two)
    assert (one.held, two.held) == (True, True)
    assert len([line for line in records if "may not use the Lease smoker-hub" in line]) == 2, "once for each replica"
    api.status = 0
    turns(clock, 2, one, two)
    assert (one.held, two.held) == (True, False)


def test_without_the_right_to_write_a_hub_never_stops(api: Leases) -> None:
    """A hub that may read the Lease and not write it notifies without a break, while it asks again, too."""
    clock, held = ManualClock(), list[bool]()
    one = replica(api, "one", clock)
    api.refuses = 403
    one.turn()
    api.asked = lambda: held.append(one.held)
    turns(clock, 2, one)
    assert held == [True] * 4, "two reads and two writes"


def test_an_unreachable_api_server_changes_nothing(api: Leases, records: list[str]) -> None:
    """The holder keeps notifying, the other does not begin, and both log once that they cannot ask."""
    clock = ManualClock()
    one, two = replica(api, "one", clock), replica(api, "two", clock)
    turns(clock, 2, one, two)
    api.status = 503
    turns(clock, 30, one, two)
    assert (one.held, two.held) == (True, False)
    assert len([line for line in records if "the same replica keeps notifying" in line]) == 2
    api.status = 0
    one.turn()
    two.turn()
    assert (one.held, two.held) == (True, False)
