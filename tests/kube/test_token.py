"""A token of the cluster: one client holds it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from smoker_kube.api import Api, Refused
from smoker_kube.token import LASTS, Token
from tests.hub.leases import NAMESPACE, Leases, leases
from tests.hub.stand_ins import ManualClock

NAME = "smoker-bandwidth"


@pytest.fixture
def api() -> Iterator[Leases]:
    """An API server with the Lease as the chart makes it: without a spec."""
    with leases() as made:
        made.store(NAME, {})
        yield made


def token(api: Leases, identity: str, clock: ManualClock) -> Token:
    return Token(Api(api.url), NAMESPACE, NAME, identity, clock)


def test_one_of_two_clients_holds_the_token(api: Leases) -> None:
    """The second client takes it only after the first has given it back."""
    clock = ManualClock()
    one, two = token(api, "one", clock), token(api, "two", clock)
    assert (one.take(), two.take(), one.take()) == (True, False, False)
    assert api.holder(NAME) == "one"
    two.give_back()
    assert api.holder(NAME) == "one", "a client that does not hold it gives nothing back"
    one.give_back()
    assert two.take()


def test_of_two_writers_one_is_refused(api: Leases) -> None:
    """A client whose read is older than another's write does not hold it."""
    one = token(api, "one", ManualClock())
    api.raced = {"holderIdentity": "two"}
    assert not one.take()
    assert api.holder(NAME) == "two"


def test_a_dead_holder_loses_the_token(api: Leases) -> None:
    """It is free once the record has stood still for LASTS seconds of the other's clock, and not before."""
    clock = ManualClock()
    assert token(api, "one", clock).take()
    two = token(api, "two", clock)
    assert not two.take()
    clock.instant += LASTS - 0.1
    assert not two.take()
    clock.instant += 0.2
    assert two.take()


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_refusing_api_gives_no_token(api: Leases, status: int) -> None:
    """Without the API nobody holds it: the caller gets the error."""
    api.status = status
    with pytest.raises(Refused):
        token(api, "one", ManualClock()).take()
