"""The simulated mesh is what it says: healthy where nothing is wrong, and a fault hits its paths and no others."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from smoker_diagnosis.state import PathState, State, decode, encode
from tests.bench.diagnosis import noise
from tests.bench.diagnosis.faults import KINDS, Fault
from tests.bench.diagnosis.findings import Named
from tests.bench.diagnosis.kinds import ALL_FILES
from tests.bench.diagnosis.look import Look, take
from tests.bench.diagnosis.packets import Act, Packet, losses, path_state, rounds, train
from tests.bench.diagnosis.run import Case
from tests.bench.diagnosis.table import Table
from tests.bench.diagnosis.truth import Accept, judge
from tests.bench.diagnosis.world import INTERVAL, NOW, PACKETS, PROBES, ROUND, World, make

HOST_WORLD, POD_WORLD = 1, 0  # numbers of worlds with and without probers on the host network


def paths(states: list[State], role: str = "peer") -> Iterator[tuple[str, PathState]]:
    """Yield the paths of one role with their source."""
    for state in states:
        yield from ((state.node, path) for path in state.paths if path.role == role)


def one(name: str, world: World, seed: int = 0, background: float = 0.0) -> tuple[Fault, Look]:
    """Return a fault of a kind, and the look at it."""
    chance = random.Random(seed)
    fault = KINDS[name].make(world, chance, set())
    assert fault is not None
    fault.reachable = True
    return fault, take(world, [fault], background, "complete", chance)


@pytest.mark.parametrize("size", [3, 5, 20, 100])
@pytest.mark.parametrize("number", [HOST_WORLD, POD_WORLD, 2])
def test_a_healthy_world_has_no_failing_path(size: int, number: int) -> None:
    """A healthy world has no failing path, and each result is of the last two intervals."""
    world = make(size, number)
    for state in world.states:
        assert decode(encode(state)) == state
        for path in state.paths:
            assert (path.last, path.attempts, path.failed, path.streak) == ("success", 3, 0, 0)
            assert 0 < state.at - path.at < 2 * INTERVAL
            assert (path.sent, path.lost) == (3 * PACKETS * (path.probe == "udp"), 0)
    assert sum(len(state.heard) for state in world.states) == len(world.links)


def test_each_node_probes_ten_peers() -> None:
    """From twelve nodes on, each node probes ten peers and ten probe it; every probe of a path is there."""
    world = make(20, HOST_WORLD)
    targets: dict[str, set[str]] = {}
    for source, path in paths(world.states):
        if path.target != source:
            targets.setdefault(source, set()).add(path.target)
    assert {len(each) for each in targets.values()} == {10}
    assert len(list(paths(world.states))) == len(world.links) * len(PROBES)


def test_zones_have_different_sizes() -> None:
    """Zones are of different sizes, and none is empty."""
    world = make(100, POD_WORLD)
    sizes = sorted(len(world.members(zone)) for zone in set(world.zones.values()))
    assert sizes[0] >= 1
    assert sizes[0] < sizes[-1]


def test_the_same_arguments_give_the_same_world() -> None:
    """The same arguments give the same world and the same look."""
    first, second = (one("node dead", make(20, HOST_WORLD), 7, 1e-2)[1] for _ in range(2))
    assert [encode(state) for state in first.states] == [encode(state) for state in second.states]


@pytest.mark.parametrize(
    ("name", "planes"),
    [("node dead", {"pod", "host", "pod-host", "host-pod"}), ("node overlay dead", {"pod", "host-pod"})],
)
def test_a_dead_node_fails_every_path_across_it(name: str, planes: set[str]) -> None:
    """A dead node or overlay fails every path of its planes that crosses to or from the node, and no other path."""
    world = make(20, HOST_WORLD)
    assert not world.shape.pod_host_overlay
    fault, look = one(name, world)
    (node,) = fault.accept[0].nodes
    for source, path in paths(look.states):
        hit = (source == node) != (path.target == node) and path.plane in planes
        assert (path.last == "timeout") == hit, (source, path)


def test_a_one_way_fault_of_a_pair() -> None:
    """Where packets from one node to another are lost, both directions of probing fail, and one far end has heard."""
    world = make(5, POD_WORLD)
    fault, look = one("pair, one way", world)
    source, target = fault.accept[0].nodes
    failing = {(one, path.target) for one, path in paths(look.states) if path.last == "timeout"}
    assert failing == {(source, target), (target, source)}
    by_node = {state.node: state for state in look.states}

    def last_heard(far: str, near: str) -> float:
        state = by_node[far]
        return min(state.at - heard.at for heard in state.heard if heard.node == near)

    if target in by_node and source in by_node:
        assert last_heard(target, source) > NOW - fault.begin - 1
        assert last_heard(source, target) < INTERVAL + ROUND


def test_a_stateful_filter_fails_only_new_flows() -> None:
    """A filter with state fails what comes in, and lets answers pass."""
    world = make(5, POD_WORLD)
    fault, look = one("new flows into a node", world)
    (node,) = fault.accept[0].nodes
    assert {path.target for _, path in paths(look.states) if path.last == "timeout"} == {node}
    assert all(path.last == "success" for source, path in paths(look.states) if source == node)


def test_a_udp_fault_fails_only_udp() -> None:
    """A fault of UDP fails no TCP and no HTTP."""
    _, look = one("UDP at a node", make(20, POD_WORLD))
    assert {path.probe for _, path in paths(look.states) if path.last != "success"} == {"udp"}


def test_an_mtu_black_hole_has_the_passing_size() -> None:
    """An MTU black hole is a verdict of UDP paths that work otherwise, with the size that passes."""
    _, look = one("MTU black hole at a node", make(5, POD_WORLD))
    found = [path for _, path in paths(look.states) if path.large == "black_hole"]
    assert found
    assert {(path.last, path.passes, path.mtu) for path in found} == {("mtu", 1280, 1450)}


def test_an_ipv6_fault_fails_no_ipv4() -> None:
    """A fault of IPv6 fails no IPv4."""
    _, look = one("IPv6 at a node", make(20, POD_WORLD))
    assert {path.family for _, path in paths(look.states) if path.last != "success"} == {"ipv6"}


def test_a_policy_closes_pods_and_not_the_host_network() -> None:
    """Where all pods are closed, the host network works and everything into pods of other nodes fails."""
    _, look = one("into all pods closed", make(5, HOST_WORLD))
    for source, path in paths(look.states):
        if source != path.target:
            assert (path.last != "success") == (path.plane in ("pod", "host-pod"))


def test_lost_packets_are_counted_by_direction() -> None:
    """Lost packets are counted in the direction in which they were lost."""
    fault, look = one("loss 20% into a node", make(20, POD_WORLD), seed=3)
    (node,) = fault.accept[0].nodes
    into = [path for _, path in paths(look.states) if path.target == node]
    out = [path for source, path in paths(look.states) if source == node]
    assert sum(path.requests_lost for path in into) > 4 * sum(path.replies_lost for path in into)
    assert sum(path.replies_lost for path in out) > 2 * sum(path.requests_lost for path in out)
    assert not sum(path.lost for source, path in paths(look.states) if node not in (source, path.target))


def test_trains_lose_requests_or_answers() -> None:
    """Loss of all requests, of all answers, and of none."""
    chance = random.Random(1)
    assert train(chance, 0.0, 0.0) == (PACKETS, 0, 0, 0)
    assert train(chance, 1.0, 0.0) == (PACKETS, PACKETS, PACKETS, 0)
    assert train(chance, 0.0, 1.0)[1] == PACKETS


def test_a_dead_service_range_fails_one_node() -> None:
    """A Service range that is dead on one node fails that node's Service paths alone; without DNS no name is found."""
    world = make(5, POD_WORLD)
    fault, look = one("Service range dead on a node", world)
    failing = {source for source, path in paths(look.states, "service") if path.last != "success"}
    assert failing == {*fault.accept[0].nodes}
    assert all(path.last == "success" for _, path in paths(look.states))
    _, look = one("DNS dead", world)
    assert {path.last for _, path in paths(look.states, "service")} == {"resolve_error"}


def test_a_not_ready_node_has_no_paths() -> None:
    """A node that is not ready has no paths, no state, and an entry with those that probed it."""
    fault, look = one("node NotReady and gone from the mesh", make(20, POD_WORLD))
    (node,) = fault.accept[0].nodes
    assert look.not_ready == (node,)
    assert node not in {path.target for _, path in paths(look.states)} | {state.node for state in look.states}
    assert {left.node for state in look.states for left in state.left} == {node}


def test_a_new_fault_has_failed_some_of_its_paths() -> None:
    """Soon after its beginning a fault has failed some of its paths, and the others still say what was before."""
    world, chance = make(20, POD_WORLD), random.Random(2)
    fault = KINDS["node dead"].make(world, chance, set())
    assert fault is not None
    fault.reachable = True
    look = take(world, [fault], 0.0, "half", chance)
    (node,) = fault.accept[0].nodes
    last = {path.last for source, path in paths(look.states) if node in (source, path.target)}
    assert last == {"success", "timeout"}


def test_a_path_is_healthy_until_its_fault_begins() -> None:
    """A path is healthy until its fault begins, and its streak begins after that."""
    packet = Packet("a", "b", True, True, True, "ipv4", "tcp", False)
    table = losses(lambda each: float(each.receiver == "b"), packet)
    found = rounds(random.Random(1), 10.0, [Act(NOW - 45.0, table, "timeout")])
    for results in found.results.values():
        assert [each.outcome for each in results] == [
            "timeout" if each.began >= NOW - 45.0 else "success" for each in results
        ]
    assert found.heard is not None
    assert found.heard < NOW - 45.0


def test_chance_failures_have_the_requested_rate() -> None:
    """Failures by chance are as many as asked for, and none without a rate."""
    assert not noise.draw(random.Random(1), 1000, 0.0)
    found = noise.draw(random.Random(1), 10_000, 1e-2)
    failing = sum(what != noise.PACKETS for rounds_ago in found.values() for what in rounds_ago.values())
    assert 0.9 < failing / (10_000 * noise.BACK * 1e-2) < 1.1


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_fault_makes_a_valid_look(name: str) -> None:
    """Every kind makes a look, in some world, that can be encoded; a fault says what is right."""
    assert ALL_FILES
    for number in range(10):
        world, chance = make(20, number), random.Random(number)
        fault = KINDS[name].make(world, chance, set())
        if fault is not None:
            look = take(world, [fault], 1e-3, "complete", chance)
            assert all(decode(encode(state)) for state in look.states)
            assert bool(fault.accept) == (not name.startswith("healthy"))
            return
    pytest.fail(f"no world has {name}")


@pytest.mark.parametrize("name", KINDS)
def test_the_text_identifies_the_look(name: str) -> None:
    """The text of a look says which one it is."""
    case = Case((name, "pair"), 20, 1e-5, "half", "1.7")
    assert Case.parse(str(case)) == case


def test_a_confirmation_counts_in_the_streak_only() -> None:
    """A repeated probe counts in the streak and in no rate; a path that failed by chance mostly works again."""
    packet = Packet("a", "b", True, True, True, "ipv4", "tcp", False)
    table = losses(lambda each: 1.0, packet)
    healthy = next(path for _, path in paths(make(3, POD_WORLD).states))
    found = rounds(random.Random(1), 20.0, [Act(NOW - 25.0, table, "timeout")], confirm=True)
    path = path_state(healthy, found.results["tcp"], 0.0)
    assert (path.attempts, path.failed, path.streak) == (3, 1, 2)
    after = []
    for seed in range(50):
        found = rounds(random.Random(seed), 20.0, [], {0: "tcp"}, confirm=True)
        path = path_state(healthy, found.results["tcp"], 0.0)
        assert path.failed == 1
        after.append((path.last, path.streak))
    assert set(after) == {("success", 0), ("timeout", 2)}
    assert after.count(("success", 0)) > 25


def named(
    kind: str, *nodes: str, layer: str = "network", one_of: tuple[str, ...] = (), confidence: float = 1.0
) -> Named:
    """Return what a finding may name."""
    others = tuple(("node", (node,), ()) for node in one_of)
    return Named("fault", kind, nodes, (), frozenset({layer}), (), (), others, confidence, "")


def test_verdicts_are_classified() -> None:
    """A right name, a wrong layer, a name among others, a missing and a false one are told apart."""
    accept = [Accept("node", ("a",), layers=frozenset({"network"}))]
    truths = [("a is dead", accept, True)]

    def counts(*found: Named) -> tuple[int, int, int, int, int]:
        verdict = judge(truths, [], found)
        return verdict.placed, verdict.whole, verdict.one_of, len(verdict.missed), len(verdict.false)

    assert counts(named("node", "a")) == (1, 1, 0, 0, 0)
    assert counts(named("node", "a", layer="overlay")) == (1, 0, 0, 0, 0)
    assert counts(named("into", "a")) == (1, 0, 0, 0, 0)
    assert counts(named("node", "a", one_of=("a", "b"))) == (0, 0, 1, 0, 0)
    assert counts() == (0, 0, 0, 1, 0)
    assert counts(named("node", "b")) == (0, 0, 0, 1, 1)
    assert counts(named("node", "a"), named("pair", "a", "b")) == (1, 1, 0, 0, 1)


def test_each_name_counts_once_by_its_confidence() -> None:
    """Each name counts once in the row of its confidence, as right or false; one of several places has its own row."""
    truths = [("a is dead", [Accept("node", ("a",), layers=frozenset({"network"}))], True)]
    table = Table()
    found = [
        named("node", "a", confidence=0.98),
        named("node", "b", confidence=0.99),
        named("node", "c", one_of=("a", "c")),
    ]
    table.add((5, 0.0, 1, "complete"), ["node dead"], judge(truths, [], found), 0.001)
    rows = table.render(table.goals()).splitlines()
    assert "| from 97 % | after two looks | 2 | 50.0 % |" in rows
    assert "| one of several places | as a warning, after two rounds | 1 | 100.0 % |" in rows
    assert "| from 90 % | after a round | 0 | - |" in rows
