"""Successive states of a mesh, as a hub receives them: new results come path by path, faults begin and end.

Now and then a prober does not answer, restarts with its paths in another order, or has no new result for some minutes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from smoker_diagnosis.evidence import Prober
from smoker_diagnosis.state import PathState, State, encode
from tests.bench.diagnosis.faults import KINDS, Fault
from tests.bench.diagnosis.look import take
from tests.bench.diagnosis.world import World, make

EVERY = 5.0  # seconds from one look to the next
PROBED = 1 / 6  # share of the paths with a new result in each look
LASTS = 12  # looks from one fault to the next
SILENT, RESTARTS, STARVES, PAUSES = 0.02, 0.005, 0.01, 0.005  # how often these happen to a prober in one look
PAUSE = 40  # looks


@dataclass
class _Simulated:
    """One prober."""

    shown: State
    clock: float
    pause: int = 0  # looks without a new result
    order: list[int] = field(default_factory=list)  # of its paths


def documents(size: int, number: int, looks: int, kinds: Sequence[str]) -> Iterator[dict[Prober, bytes]]:
    """Yield the documents of the probers that answer, look by look, in the world `number` of `size` nodes."""
    chance = random.Random(f"looks {size} {number}")
    world = make(size, number)
    probers = {_key(state): _Simulated(state, state.at, order=[*range(len(state.paths))]) for state in world.states}
    target = {_key(state): state for state in world.states}
    for look in range(looks):
        if look % LASTS == 0:
            target = {_key(state): state for state in _states(world, look, kinds, chance)}
        for key, prober in probers.items():
            _go_on(prober, target.get(key, prober.shown), chance)
        yield {key: encode(each.shown) for key, each in probers.items() if key in target and chance.random() >= SILENT}


def _states(world: World, look: int, kinds: Sequence[str], chance: random.Random) -> list[State]:
    """Return the states of the healthy world, and every other time with a fault."""
    fault: Fault | None = KINDS[chance.choice(kinds)].make(world, chance, set()) if look // LASTS % 2 else None
    return take(world, [fault], 1e-3, "complete", chance).states if fault else world.states


def _go_on(prober: _Simulated, target: State, chance: random.Random) -> None:
    """Let `EVERY` seconds pass. Some paths have a new result: the one that they have in `target`."""
    if prober.pause:
        prober.pause -= 1
    elif chance.random() < PAUSES:
        prober.pause = PAUSE
    restarts = chance.random() < RESTARTS or len(target.paths) != len(prober.shown.paths)
    prober.clock = 100.0 if restarts else prober.clock + EVERY
    if restarts:
        prober.order = [*range(len(target.paths))]
        chance.shuffle(prober.order)
    later = prober.clock - target.at
    paths = []
    for place, old in zip(prober.order, target.paths if restarts else prober.shown.paths, strict=True):
        probed = not prober.pause and chance.random() < PROBED
        paths.append(_result(target.paths[place], later, old) if restarts or probed else old)
    starved = prober.shown.starved != (chance.random() < STARVES)
    prober.shown = replace(target, at=prober.clock, paths=paths, heard=prober.shown.heard, starved=starved)


def _result(path: PathState, later: float, before: PathState) -> PathState:
    """Return the result of `path`, `later` seconds later, with a history that is one result longer."""
    return replace(
        path,
        at=path.at + later,
        since=path.since and path.since + later,
        large_at=path.large_at and path.large_at + later,
        past=min(before.past + 1, 120),
    )


def _key(state: State) -> Prober:
    return state.node, state.network
