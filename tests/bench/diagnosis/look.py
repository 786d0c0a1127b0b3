"""One look: a world, faults and their beginnings, failures by chance, and the states that the hub gets."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from smoker_diagnosis.state import Heard, PathState, State

from . import noise as chances
from .faults import Fault
from .packets import Act, Active, Packet, losses, path_state, rounds
from .service import service_results
from .truth import Accept, equivalents
from .world import INTERVAL, NOW, PROBES, ROUND, Link, World

MISSING, MOST_MISSING = 0.01, 5  # share of the states that are not there, whatever the faults; about so many at most
BY_HUB = 0.5  # share of the looks in which the states are fetched over the faulty network itself
EXACT = 100  # nodes up to which what cannot be told apart is worked out
MET = 3  # results that a fault needs before it can be named
DEAD = 0.9  # loss from which a state cannot be fetched


@dataclass
class Look:
    """The engine's input, and the right findings."""

    states: list[State]
    not_ready: tuple[str, ...]
    truths: list[tuple[str, list[Accept], bool]]
    tolerated: list[Accept]
    notes: list[str] = field(default_factory=list)  # what a developer wants to know of it


def request(world: World, link: Link) -> Packet:
    """Return a request of `link`."""
    source, target = link.ends
    overlay = not link.local and world.overlay(link.plane)
    return Packet(link.source, link.target, source == "pod", target == "pod", overlay, link.family, "tcp", False)


def take(
    world: World,
    faults: Sequence[Fault],
    background: float,
    moment: str,
    chance: random.Random,
    *,
    confirm: bool = False,
) -> Look:
    """Return the look at `world` with `faults`. `moment`: "complete" or "half"; `confirm`: see `rounds`."""
    _begin(faults, moment, chance)
    look = Look([], tuple(sorted({node for fault in faults for node in fault.not_ready})), [], [])
    active, hits = struck(world, faults)
    missing = _missing(world, faults, chance, look)
    noise = chances.draw(chance, len(world.links), background)
    flapping = _flapping(world, faults, chance)
    for number in flapping:
        noise[number] = {**noise.get(number, {}), **chances.flapping(chance)}
        look.tolerated.append(Accept("pair", (world.links[number].source, world.links[number].target)))
    paths, heard = _run(world, active, noise, chance, confirm=confirm)
    for number in flapping:
        _remember(world, paths, world.links[number])
    _services(world, faults, background, chance, paths, confirm=confirm)
    for fault in faults:
        if fault.change is not None:
            fault.change(world, paths, chance)
    edits = [fault.edit for fault in faults if fault.edit is not None]
    for number, state in enumerate(world.states):
        if number not in missing:
            changed = _changed(state, paths.get(number), heard.get(number))
            for edit in edits:
                changed = edit(world, changed, chance)
            look.states.append(changed)
    add_truths(world, faults, hits, look)
    if moment == "half":
        _unseen(world, faults, hits, paths, look)
    return look


def _begin(faults: Sequence[Fault], moment: str, chance: random.Random) -> None:
    """Choose the time at which each fault begins."""
    low, high = (0.3, 0.9) if moment == "half" else (1 + ROUND / INTERVAL, 3 + ROUND / INTERVAL)
    for fault in faults:
        fault.begin = NOW - (chance.uniform(low, high) * INTERVAL if fault.steady else 1e4)


def _changed(state: State, paths: Mapping[int, object] | None, heard: Mapping[int, object] | None) -> State:
    changes: dict[str, object] = {}
    if paths:
        changes["paths"] = _replaced(state.paths, paths)
    if heard:
        changes["heard"] = _replaced(state.heard, heard)
    return msgspec.structs.replace(state, **changes) if changes else state


def _replaced(before: list, changed: Mapping[int, object]) -> list:  # type: ignore[type-arg]
    after = list(before)
    for place, value in changed.items():
        after[place] = value
    return [each for each in after if each is not None]


def struck(world: World, faults: Sequence[Fault]) -> tuple[dict[int, Active], list[set[int]]]:
    """Return which faults affect each link, by its number, and which links each fault affects, by `id`."""
    active: dict[int, list[Act]] = {}
    hits: list[set[int]] = []
    numbers = {id(link): number for number, link in enumerate(world.links)}
    for fault in faults:
        hit: set[int] = set()
        hits.append(hit)
        if fault.drop is None:
            continue
        near = world.links if fault.near is None else {id(x): x for n in fault.near for x in world.of_node[n]}.values()
        for link in near:
            table = losses(fault.drop, request(world, link))
            if table:
                active.setdefault(numbers[id(link)], []).append(Act(fault.begin, table, fault.silent))
                hit.add(id(link))
    return active, hits  # type: ignore[return-value]


def _missing(world: World, faults: Sequence[Fault], chance: random.Random, look: Look) -> set[int]:
    """Return the numbers of the missing states."""
    share = min(MISSING, MOST_MISSING / len(world.states)) if world.size >= 5 else 0.0
    missing = {number for number in range(len(world.states)) if chance.random() < share}
    missing |= {
        world.place[node, network]
        for fault in faults
        for node in fault.gone
        for network in ("pod", "host")
        if (node, network) in world.place
    }
    if all(fault.reachable for fault in faults) or chance.random() >= BY_HUB:
        return missing
    hub = away_from(world, faults, chance)
    look.notes.append(f"the hub runs on {hub}")
    return missing | cut_off(world, faults, hub)


def away_from(world: World, faults: Sequence[Fault], chance: random.Random) -> str:
    """Return a node for the hub: one without a fault, if there is one."""
    others = [node for node in world.zones if not any(fault.near and node in fault.near for fault in faults)]
    return chance.choice(others or list(world.zones))


def cut_off(world: World, faults: Sequence[Fault], hub: str) -> set[int]:
    """Return the numbers of the states that cannot be fetched from the node `hub`."""
    missing: set[int] = set()
    for (node, network), number in world.place.items():
        overlay = node != hub and world.overlay("pod" if network == "pod" else "pod-host")
        ask = Packet(hub, node, True, network == "pod", overlay, "ipv4", "tcp", False)
        for fault in faults:
            table = losses(fault.drop, ask) if fault.drop is not None else {}
            if any(max(table[kind]) >= DEAD for kind in ("tcp", "http") if kind in table):
                missing.add(number)
    return missing


def _flapping(world: World, faults: Sequence[Fault], chance: random.Random) -> list[int]:
    many = sum(fault.flapping for fault in faults)
    return chance.sample(range(len(world.links)), min(many, len(world.links)))


Changed = dict[int, dict[int, PathState | None]]  # by number of a state, by place in it


def _run(
    world: World, active: Mapping[int, Active], noise: chances.Noise, chance: random.Random, *, confirm: bool
) -> tuple[Changed, dict[int, dict[int, Heard | None]]]:
    """Run every link that a fault or chance affects."""
    paths: Changed = {}
    heard: dict[int, dict[int, Heard | None]] = {}
    for number in sorted({*active, *noise}):
        link = world.links[number]
        acts = active.get(number, ())
        oldest = min((act.begin for act in acts), default=NOW)
        count = min(max(4, int((NOW - oldest) / INTERVAL) + 4), chances.BACK)
        run = rounds(chance, link.ago, acts, noise.get(number), count, confirm=confirm)
        source, target = (link.source, link.ends[0]), (link.target, link.ends[1])
        place = world.place[source]
        for offset, probe in enumerate(PROBES):
            healthy = world.states[place].paths[link.place + offset]
            state = path_state(healthy, run.results[probe], world.clocks[source])
            paths.setdefault(place, {})[link.place + offset] = state
        far = world.place[target]
        before = run.heard if run.heard is not None else NOW - 1e3 if oldest > NOW - 1e3 else None
        entry = None if before is None else Heard(link.source, link.plane, link.family, before + world.clocks[target])
        heard.setdefault(far, {})[link.heard] = entry
    return paths, heard


def _remember(world: World, paths: Changed, link: Link) -> None:
    """Give a path that has flapped all day the history that its prober has of it."""
    own = paths[world.place[link.source, link.ends[0]]]
    for place in range(link.place, link.place + len(PROBES)):
        state = own.get(place)
        if state is not None:
            own[place] = msgspec.structs.replace(state, **chances.HISTORY)


def _services(
    world: World, faults: Sequence[Fault], background: float, chance: random.Random, paths: Changed, *, confirm: bool
) -> None:
    """Run the paths to the echo services that a fault may affect."""
    noise = chances.draw(chance, len(world.states), background)
    pods = {*world.dns, *(node for nodes in world.echoes.values() for node in nodes)}
    everywhere = any(
        fault.near is None or fault.near & pods or fault.echo or fault.dns_replicas or fault.dns_all for fault in faults
    )
    touched = {node for fault in faults for node in (*(fault.near or ()), *fault.service_on, *fault.dns_on)}
    for prober, number in world.place.items():
        if not (everywhere or prober[0] in touched or number in noise):
            continue
        results = service_results(world, prober, faults, noise.get(number), chance, confirm=confirm)
        if results is None:
            continue
        place = world.service_place[prober]
        for offset, probe in enumerate(PROBES):
            healthy = world.states[number].paths[place + offset]
            paths.setdefault(number, {})[place + offset] = path_state(healthy, results[probe], world.clocks[prober])


def _unseen(world: World, faults: Sequence[Fault], hits: list[set[int]], paths: Changed, look: Look) -> None:
    """Do not ask for the name of a fault that almost no probe has met so far."""
    for number, (fault, hit) in enumerate(zip(faults, hits, strict=True)):
        if fault.drop is not None:
            places = [
                (world.place[link.source, link.ends[0]], link.place + offset)
                for link in world.links
                if id(link) in hit
                for offset in range(len(PROBES))
            ]
        else:
            places = [
                (world.place[prober], place + offset)
                for prober, place in world.service_place.items()
                for offset in range(len(PROBES))
            ]
        met = [path for one, other in places if (path := paths.get(one, {}).get(other)) is not None]
        if sum(path.streak > 0 or path.lost > 0 for path in met) < MET:
            name, accepts, _ = look.truths[number]
            look.truths[number] = (name, accepts, False)


def add_truths(world: World, faults: Sequence[Fault], hits: list[set[int]], look: Look) -> None:
    """Add the right findings about `faults` to the look; `hits`: by fault, the links that it affects, by `id`."""
    seen: set[tuple[str, str]] = {(state.node, state.network) for state in look.states}
    for fault, hit in zip(faults, hits, strict=True):
        accepts = list(fault.accept)
        wanted = fault.wanted and (
            fault.drop is None or any((x.source, x.ends[0]) in seen for x in world.links if id(x) in hit)
        )
        if fault.equivalents and hit and world.size <= EXACT:
            sample = accepts[0]
            visible = [
                link
                for link in world.links
                if (link.source, link.ends[0]) in seen and (not sample.families[0] or link.family in sample.families[0])
            ]
            for kind, layer, (_, nodes, zones) in equivalents(world, visible, hit):
                layers = frozenset({layer}) | (sample.layers & {"loss"})
                accepts.append(Accept(kind, nodes, zones, layers, sample.probes, sample.families))
        look.truths.append((fault.name, accepts, wanted))
        look.tolerated.extend(fault.tolerated)
    broken = {node for fault in faults for node in fault.broken}
    for probe in PROBES:
        if set(world.echoes[probe]) <= broken:
            look.tolerated.append(Accept("service"))
    if set(world.dns) <= broken:
        look.tolerated.append(Accept("dns"))
        look.tolerated.append(Accept("service"))
