"""Make equal values in the states of many probers one object: thousands of states contain few different ones."""

from __future__ import annotations

from functools import cache, lru_cache
from sys import intern
from typing import TYPE_CHECKING, Any

from msgspec.structs import fields, force_setattr

if TYPE_CHECKING:  # the state's own module imports this one
    from smoker_diagnosis.state import PathState, State

WORDS = ("target", "plane", "family", "probe", "zone", "last", "offender", "error")  # fields of a path that repeat
RTTS = ("rtt_p50", "rtt_p99")  # they repeat, too: a prober rounds them to microseconds
INTEGERS = ("mtu", "sent")  # the large ones
ZERO = 0.0  # shared: each float that is decoded is an object of its own
SMALL = 256  # Python has one object for each integer up to this
SHORT = 64  # characters in the outcomes of failures that are shared
PLACES = ("echoes", "dns_pods")  # fields of a state that most probers know alike

_places: dict[str, Any] = {}  # by field of `PLACES`: its last value


def share(state: State, before: State | None) -> State:
    """Return `state` with equal values as one object.

    `before`: an older state of the same prober. Paths that have not changed since become the same objects.
    """
    for field in ("cluster", "node", "zone"):
        force_setattr(state, field, intern(getattr(state, field)))
    for field in PLACES:
        found = getattr(state, field)
        if found == _places.get(field):
            force_setattr(state, field, _places[field])
        else:
            _places[field] = found
    known: set[int] = set()  # identities of what `before` has made one object already
    if before is not None:
        _reuse(state.paths, before.paths)
        _reuse(state.heard, before.heard)
        _reuse(state.bandwidth, before.bandwidth)
        known = {*map(id, before.paths), *map(id, before.heard), *map(id, before.bandwidth)}
    for path in state.paths:
        if id(path) not in known:
            _share_path(path)
    for each in (*state.heard, *state.bandwidth):
        if id(each) not in known:
            for field in ("node", "plane", "family"):
                force_setattr(each, field, intern(getattr(each, field)))
    return state


def _share_path(path: PathState) -> None:
    for field in WORDS:
        force_setattr(path, field, intern(getattr(path, field)))
    for field in _floats(type(path)):
        if not getattr(path, field):
            force_setattr(path, field, ZERO)
    for field in RTTS:
        force_setattr(path, field, _one_rtt(getattr(path, field)))
    for field in INTEGERS:
        if getattr(path, field) > SMALL:
            force_setattr(path, field, _one(getattr(path, field)))
    if path.large_at == path.at:  # the last probe also tried a large packet
        force_setattr(path, "large_at", path.at)
    _share_failures(path)


def _share_failures(path: PathState) -> None:
    if sum(map(len, path.failures)) <= SHORT:
        force_setattr(path, "failures", _one_count(tuple(path.failures.items())))
    if path.last_failure is not None:
        for field in ("outcome", "error"):
            force_setattr(path.last_failure, field, intern(getattr(path.last_failure, field)))


@cache
def _floats(kind: type[PathState]) -> tuple[str, ...]:
    """Return the names of the fields that are floats."""
    return tuple(field.name for field in fields(kind) if field.type is float)


@lru_cache(maxsize=1024)
def _one(number: int) -> int:
    """Return one object for equal numbers."""
    return number


@lru_cache(maxsize=8192)
def _one_rtt(seconds: float) -> float:
    """Return one object for equal round-trip times."""
    return seconds


@lru_cache(maxsize=1024)
def _one_count(failures: tuple[tuple[str, int], ...]) -> dict[str, int]:
    """Return one object for equal counts of failures. It is never changed."""
    return dict(failures)


def _reuse(new: list[Any], old: list[Any]) -> None:
    """Put the objects of `old` in the places of equal ones of `new`."""
    for place, (one, other) in enumerate(zip(new, old, strict=False)):
        if one == other:
            new[place] = other
