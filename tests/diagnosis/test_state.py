"""The state's document: how it is read, and what successive states of a prober share."""

from __future__ import annotations

import msgspec

from smoker_diagnosis.state import PEER, LastFailure, PathState, State, decode, encode
from tests.diagnosis.mesh import Cluster, nodes


def newer(state: State, *changed: int) -> State:
    """Return a newer state of the same prober in which these paths have a new result."""
    paths = list(state.paths)
    for number in changed:
        paths[number] = msgspec.structs.replace(paths[number], at=paths[number].at + 30.0)
    return msgspec.structs.replace(state, at=state.at + 5.0, paths=paths)


def test_unchanged_paths_are_the_objects_of_the_state_before() -> None:
    """A new result costs the memory of one path, and the state is the same as without the older one."""
    (first, *_) = Cluster(nodes(3)).states()
    before = decode(encode(first))
    document = encode(newer(first, 1))
    after = decode(document, before)
    assert after == decode(document)
    shared = [new is old for new, old in zip(after.paths, before.paths, strict=True)]
    assert shared == [number != 1 for number in range(len(before.paths))]
    assert all(new is old for new, old in zip(after.heard, before.heard, strict=True))


def test_other_paths_than_before() -> None:
    """An added path, a removed one and another order do not change what is read."""
    (first, *_) = Cluster(nodes(4)).states()
    before = decode(encode(first))
    for paths in (first.paths[1:], [*first.paths, first.paths[0]], first.paths[::-1], []):
        document = encode(msgspec.structs.replace(first, paths=list(paths)))
        assert decode(document, before) == decode(document)
    assert before == decode(encode(first)), "the older state must stay as it was"


def test_equal_words_of_all_states_are_one_object() -> None:
    """Names of nodes, planes and families, which repeat in thousands of states, are one object each."""
    states = [decode(encode(state)) for state in Cluster(nodes(4)).states()]
    for field in ("target", "plane", "family", "probe", "last"):
        words = [getattr(path, field) for state in states for path in state.paths]
        assert len({id(word) for word in words}) == len(set(words)), field
    heard = [each.node for state in states for each in state.heard]
    assert heard
    assert len({id(word) for word in heard}) == len(set(heard))


def test_equal_figures_of_all_states_are_one_object() -> None:
    """Round-trip times, counts of failures and their causes, which often repeat, are one object each."""

    def prober(node: str, at: float) -> State:
        failed = LastFailure(at, "timeout", 2, "no answer within 5 s")
        one = PathState(PEER, "node-9", "pod", "ipv4", "udp", last="timeout", at=at, failures={"timeout": 3})
        one = msgspec.structs.replace(one, error=failed.error, last_failure=failed, rtt_p50=0.000314, rtt_p99=0.000628)
        return State(node=node, at=at, interval=30.0, timeout=5.0, paths=[msgspec.structs.replace(one, large_at=at)])

    documents = [encode(prober(f"node-{number}", 1000.0 + number)) for number in range(2)]
    (first,), (second,) = (decode(each).paths for each in documents)
    assert (first, second) == tuple(prober(f"node-{number}", 1000.0 + number).paths[0] for number in range(2))
    for field in ("failures", "error", "rtt_p50", "rtt_p99"):
        assert getattr(first, field) is getattr(second, field), field
    assert first.last_failure is not None
    assert second.last_failure is not None
    assert first.last_failure.error is second.last_failure.error is second.error
    assert first.large_at is first.at


def test_long_names_of_failures_are_not_kept() -> None:
    """A document with absurd outcomes is read as it is, and nothing of it outlives its state."""
    (state, *_) = Cluster(nodes(3)).states()
    strange = msgspec.structs.replace(state.paths[0], failures={"x" * 100_000: 1, "timeout": 2})
    document = encode(msgspec.structs.replace(state, paths=[strange]))
    first, second = decode(document), decode(document)
    assert first.paths == second.paths == [strange]
    assert first.paths[0].failures is not second.paths[0].failures


def test_places_of_pods_are_one_object() -> None:
    """Probers that list the same echo and DNS pods share one list in memory; one that lists others keeps its own."""
    echoes, dns = {"tcp": ["node-1", "node-2"]}, {"node-1": "kube-system/coredns-1"}
    same = [State(node=node, at=1.0, interval=30.0, timeout=5.0, echoes=echoes, dns_pods=dns) for node in ("a", "b")]
    first, second = (decode(encode(state)) for state in same)
    assert first.echoes is second.echoes
    assert first.dns_pods is second.dns_pods
    other = decode(encode(msgspec.structs.replace(same[0], echoes={"tcp": ["node-3"]})))
    assert other.echoes == {"tcp": ["node-3"]}
    assert first.echoes == echoes
