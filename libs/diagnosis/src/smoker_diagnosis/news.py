"""Compare two states of one prober: which paths say something new.

Most paths of a look work as they did in the look before. Their newer instants need no reading: cells take them from the
prober's state.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress, count
from operator import is_not

from smoker_diagnosis.state import PathState, State


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

    It compares all that `read.py` reads of a path that works. Words are compared as objects, which is faster: `decode`
    makes one object of equal ones. A path for which this returns False is only read again.
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
        and (old.flows is new.flows or old.flows == new.flows)
        and (old.kept is new.kept or old.kept == new.kept)
    )
