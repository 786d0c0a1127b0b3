"""Which of several replicas notifies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from smoker_hub.lease import LASTS, RENEW, Lease
from smoker_kube.api import Api
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
    """After a holder has ended, the other holds the Lease at its next turn."""
    clock = ManualClock()
    one, two = replica(api, "one", clock), replica(api, "two", clock)
    turns(clock, 2, one, two)
    one.retire()
    assert api.holder("smoker-hub") == ""
    two.turn()
    assert (one.held, two.held) == (False, True)


def test_of_two_writers_one_is_refused(api: Leases) -> None:
    """A write based on a version that another replica has replaced does not take the Lease."""
    clock = ManualClock()
    two = replica(api, "two", clock)
    for before in (False, True):  # the creation, and the takeover
        api.raced = {"holderIdentity": "one"}
        two.turn()
        assert not two.held, before
        assert api.holder("smoker-hub") == "one"
        two.turn()
        clock.instant += LASTS


def test_a_cut_off_replica_gives_up_the_lease(api: Leases) -> None:
    """A replica that reaches fewer than half of the probers gives up the Lease."""
    clock = ManualClock()
    deaf = {"fit": True}
    one = Lease(Api(api.url), NAMESPACE, "smoker-hub", "one", fit=lambda: deaf["fit"], clock=clock)
    two = replica(api, "two", clock)
    turns(clock, 2, one, two)
    assert one.held
    deaf["fit"] = False
    turns(clock, 1, one, two)
    assert (one.held, two.held) == (False, True)


def test_without_the_right_every_replica_notifies(api: Leases, records: list[str]) -> None:
    """The missing right is logged once; a right that is granted later is used."""
    clock = ManualClock()
    one, two = replica(api, "one", clock), replica(api, "two", clock)
    api.status = 403
    turns(clock, 3, one, two)
    assert (one.held, two.held) == (True, True)
    assert len([line for line in records if "may not use Leases" in line]) == 2, "once for each replica"
    api.status = 0
    turns(clock, 2, one, two)
    assert (one.held, two.held) == (True, False)


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
