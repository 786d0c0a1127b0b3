"""Evidence that is renewed from look to look equals evidence that is built from scratch."""

from __future__ import annotations

import msgspec
import pytest

from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.evidence import Cell, Prober
from smoker_diagnosis.gather import Evidence
from smoker_diagnosis.part import ROUNDS, TIMEOUTS, Part
from smoker_diagnosis.state import PathState, State, decode, encode
from tests.bench.diagnosis.faults import KINDS
from tests.bench.diagnosis.run import Case, look_at

SIZE = 20  # nodes


@pytest.mark.parametrize("kind", KINDS)
def test_renewed_evidence_finds_the_same(kind: str) -> None:
    """A healthy mesh, then a fault, then health again: each look finds what a look without a past finds."""
    evidence = Evidence()
    taken = look_at(Case((kind,), SIZE, 1e-2, "complete", "renewal"))
    assert taken is not None, f"no world of {SIZE} nodes can have {kind}"
    look, world, _ = taken
    for states in (world.states, look.states, world.states):
        assert diagnose(states, evidence=evidence) == diagnose(states)


def test_what_becomes_too_old_counts_no_more(healthy: list[State]) -> None:
    """States that stay the same while time passes say what they would say if they were read at that moment."""
    evidence = Evidence()
    lasts = ROUNDS * healthy[0].interval + TIMEOUTS * healthy[0].timeout
    for passed in (0.0, lasts / 2, 0.9 * lasts, lasts, 2 * lasts):
        waited: dict[Prober, float] = {(state.node, state.network): passed for state in healthy}
        assert diagnose(healthy, waited, evidence=evidence) == diagnose(healthy, waited)


def test_a_look_reads_only_what_changed(healthy: list[State], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a mesh in which one path has news, one path is read."""
    evidence = Evidence()
    evidence.mesh(healthy)
    read = []

    def note(_cell: Cell, path: PathState, part: Part) -> None:
        read.append((part.state.node, path.target, path.plane, path.family))

    monkeypatch.setattr("smoker_diagnosis.part._add", note)
    first = healthy[0]
    path = first.paths[0]
    news = msgspec.structs.replace(path, at=path.at + 0.5)
    evidence.mesh([msgspec.structs.replace(first, paths=[news, *first.paths[1:]]), *healthy[1:]])
    assert set(read) == {(first.node, path.target, path.plane, path.family)}


@pytest.fixture
def healthy() -> list[State]:
    """The states of a healthy mesh, as a hub decodes them."""
    taken = look_at(Case(("healthy: nothing",), SIZE, 0.0, "complete", "renewal"))
    assert taken is not None
    return [decode(encode(state)) for state in taken[0].states]
