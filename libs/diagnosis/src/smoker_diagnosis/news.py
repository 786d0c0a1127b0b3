"""Compare two states of one prober: which paths say something new.

Most paths of a look work as they did in the look before. Their newer instants need no reading: cells take them from the
prober's state. The hub compares each state when it arrives, so that a look only reads the paths that are listed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress, count
from operator import is_not
from typing import NamedTuple
from weakref import ReferenceType, ref

from smoker_diagnosis.read import FLAPS
from smoker_diagnosis.state import PathState, State

Places = tuple[int, ...]  # in the paths of a state


class News(NamedTuple):
    """The paths whose cells change from one state of a prober to a newer one. All others go on as before."""

    before: ReferenceType[State]  # weak: the older state is only kept for as long as its part needs it
    after: State
    changed: Places  # paths to read again
    longer: Places  # paths that go on as before, with more results in their history

    def leads(self, old: State, new: State) -> bool:
        """Return whether these are the news from `old` to `new`."""
        return self.after is new and self.before() is old


def news_of(old: State, new: State) -> News | None:
    """Return the news in `new` since `old`; None if the states do not have the same paths in the same order."""
    if not same_prober(old, new):
        return None
    changed: list[int] = []
    longer: list[int] = []
    for place in other_paths(old, new):
        one, other = old.paths[place], new.paths[place]
        if other.flaps < FLAPS and goes_on(one, other):
            if other.past != one.past:
                longer.append(place)
        elif one != other:
            if not same_place(one, other):
                return None
            changed.append(place)
    return News(ref(old), new, tuple(changed), tuple(longer))


def same_prober(old: State, new: State) -> bool:
    """Return whether both have as many paths, and the same terms for all of them."""
    return (
        len(old.paths) == len(new.paths)
        and old.interval == new.interval
        and old.timeout == new.timeout
        and old.starved == new.starved
        and old.zone == new.zone
    )


def same_place(old: PathState, new: PathState) -> bool:
    """Return whether both are about one path and probe."""
    return (
        old.target == new.target
        and old.probe == new.probe
        and old.family == new.family
        and old.plane == new.plane
        and old.role == new.role
        and old.zone == new.zone
    )


def other_paths(old: State, new: State) -> Iterator[int]:
    """Yield the places of the paths in `new` that are other objects than those in `old`."""
    return compress(count(), map(is_not, old.paths, new.paths))


def goes_on(old: PathState, new: PathState) -> bool:
    """Return whether a path that worked still works, and differs in nothing but instants, times and a longer history.

    It compares all that `read.py` and `failures.py` read of a path that works. Words are compared as objects, which is
    faster: `decode` makes one object of equal ones. A path for which this returns False is only read again.
    """
    return (
        old.last is new.last
        and old.last == "success"
        and old.at <= new.at
        and old.target is new.target
        and old.probe is new.probe
        and old.family is new.family
        and old.plane is new.plane
        and old.role is new.role
        and old.zone is new.zone
        and old.sent == new.sent
        and old.lost == new.lost
        and old.lost_at == new.lost_at
        and old.counted == new.counted
        and old.flaps == new.flaps
        and old.lossy == new.lossy
        and old.large is new.large
        and old.attempts == new.attempts
        and old.mtu == new.mtu
        and old.passes == new.passes
        and old.partly == new.partly
        and old.requests_lost == new.requests_lost
        and old.replies_lost == new.replies_lost
        and (old.failures is new.failures or old.failures == new.failures)
        and old.last_failure == new.last_failure
        and (old.flows is new.flows or old.flows == new.flows)
        and (old.kept is new.kept or old.kept == new.kept)
        and (old.halves is new.halves or old.halves == new.halves)
    )
