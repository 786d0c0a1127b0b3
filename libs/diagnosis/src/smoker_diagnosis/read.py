"""Read the results of one path into its cell."""

from __future__ import annotations

from functools import lru_cache

from smoker_diagnosis.evidence import BITS, DNS, LARGE, LOCAL_ERROR, MTU, RESOLVE, UDP, Cell, Failure, Places
from smoker_diagnosis.state import SERVICE, AskedAgain, PathState

FLAPS = 4  # short streaks of failures in its history from which a path is unsteady,
OFTEN = 0.1  # if they are this share of its results
LONG = 4  # intervals from the first failure of a streak to its last: such a one is evidence on any path
MOST_AGAIN = 10_000  # look-ups of checks: no prober counts so many
LAYOUTS = 8192  # places of paths that cells share: most probers list their paths in the same order


def counts(path: PathState) -> bool:
    """Return whether the last result of `path` says something about now, if it is not outdated."""
    return bool(path.last) and path.last != LOCAL_ERROR


def read(cell: Cell, path: PathState, place: int, lasts: float, *, starved: bool) -> None:
    """Add the results of `path` to its cell, except outdated and local ones, and failures for lack of CPU.

    `place`: of the path in its prober's state. `lasts`: seconds after which a result is outdated. `starved`: whether
    the prober lacked CPU.
    """
    if path.sent > 0:
        cell.trains += path.past
        cell.lossy += path.lossy
        cell.sent += path.sent
        cell.lost += min(max(path.lost, 0), path.sent)
        cell.requests_lost += path.requests_lost
        cell.replies_lost += path.replies_lost
    if not counts(path) or cell.now.instant > path.at + lasts:
        return
    _read_follow_ups(cell, path)
    often = path.flaps >= FLAPS and path.flaps >= OFTEN * path.past
    lasting = often and path.streak > 0 and path.at - path.since >= LONG * (path.interval or cell.now.interval)
    if not lasting:  # its past says nothing of how often chance fails other paths
        cell.past, cell.flaps = cell.past + path.past, cell.flaps + path.flaps
    if path.role == SERVICE:
        _count_attempts(cell, path)
    if often and not lasting:
        cell.unsteady |= BITS[path.probe]
        cell.places = _with(cell.places, BITS[path.probe], place)  # its trains are evidence nevertheless
        return
    ok = path.last == "success"
    if starved and not ok:
        return
    bit = BITS[path.probe]
    if bit == UDP and path.lost and not starved:  # where trains lose packets, an unanswered PING is one more
        attempts = max(path.attempts, 0)
        cell.sent += attempts
        cell.lost += min(max(path.failures.get("timeout", 0), 0), attempts)
    if path.large and (ok or path.last == MTU):
        cell.mtu, cell.passes = path.mtu, path.passes
        _set(cell, LARGE, path, place, bad=path.large == "black_hole")
    if path.last == RESOLVE:  # the name was not found, so nothing is known about its target
        _set(cell, DNS, path, place, bad=True)
    else:  # the large packet was lost; the small ones were answered
        _set(cell, bit, path, place, bad=not ok and path.last != MTU)


def read_look_ups(cell: Cell, path: PathState, place: int, lasts: float, *, starved: bool) -> None:
    """Add the results of a path to a DNS server to its cell, within the same bounds."""
    if not counts(path) or cell.now.instant > path.at + lasts:
        return
    cell.tries, cell.misses = {DNS: path.attempts}, {DNS: min(path.failed, path.attempts)}
    cell.partly = min(max(path.partly, 0), path.attempts)
    halves = path.halves
    if halves is not None and 0 <= halves.count <= halves.of and halves.at <= cell.now.instant:
        cell.halves = halves
        cell.again = halves.again if _is_possible(halves.again, cell.now.instant) else None
    ok = path.last == "success"
    if ok or not starved:
        _set(cell, DNS, path, place, bad=not ok)


def _is_possible(again: AskedAgain | None, now: float) -> bool:
    """Return whether a prober can have counted so."""
    if again is None:
        return False
    service = 0 <= again.whole <= again.of - again.halved <= again.of <= MOST_AGAIN
    pods = 0 <= again.halved_pods <= again.of_pods - again.silent_pods <= again.of_pods <= MOST_AGAIN
    return service and pods and max(again.at, again.since) <= now


def _read_follow_ups(cell: Cell, path: PathState) -> None:
    """Add what the checks of flows have found. Counts that no check can find are no evidence."""
    if path.flows is not None and 0 < path.flows.failing < path.flows.tried:
        cell.flows = path.flows
    if path.kept is not None and path.kept.rounds > 0:
        cell.kept = path.kept


def _count_attempts(cell: Cell, path: PathState) -> None:
    """Count the attempts of the last rounds at a Service. Each began with a look-up of its name.

    A state can say that more have failed than there were: then all have.
    """
    failed = min(path.failed, path.attempts)
    unresolved = min(path.failures.get(RESOLVE, 0), failed)
    for bit, tries, misses in (
        (DNS, path.attempts, unresolved),
        (BITS[path.probe], path.attempts - unresolved, failed - unresolved),
    ):
        cell.tries = {**cell.tries, bit: cell.tries.get(bit, 0) + tries}
        cell.misses = {**cell.misses, bit: cell.misses.get(bit, 0) + misses}


def _set(cell: Cell, bit: int, path: PathState, place: int, *, bad: bool) -> None:
    cell.known |= bit
    cell.places = _with(cell.places, bit, place)
    if bad:
        cell.bad |= bit
        before = cell.failed[bit].streak if bit in cell.failed else 0  # the look-ups of all probes count together
        failure = Failure(path.last, min(path.since, cell.at(bit)), max(path.streak, 1) + before)
        cell.failed = {**cell.failed, bit: failure}
        cell.offender = path.offender or cell.offender
        cell.connected |= bit if path.connected else 0
        if path.traced is not None and (cell.traced is None or path.traced.at > cell.traced.at):
            cell.traced = path.traced


@lru_cache(maxsize=LAYOUTS)
def _with(places: Places, bit: int, place: int) -> Places:
    """Return `places` with another one for `bit`. Equal ones are one object."""
    return (*places[:bit], place, *places[bit + 1 :])
