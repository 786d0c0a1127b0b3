"""Evidence that is updated from look to look equals evidence that is built from scratch."""

from __future__ import annotations

import msgspec
import pytest

from smoker_diagnosis import part
from smoker_diagnosis.diagnose import diagnose
from smoker_diagnosis.evidence import TCP, Cell, Mesh, Prober
from smoker_diagnosis.gather import Evidence
from smoker_diagnosis.news import News, news_of
from smoker_diagnosis.read import read as read_path
from smoker_diagnosis.state import PathState, State, decode, encode
from tests.bench.diagnosis.faults import KINDS
from tests.bench.diagnosis.run import Case, look_at
from tests.diagnosis import looks

SIZE = 20  # nodes
NEWER = 0.5  # seconds
FAULTS = [kind for kind in KINDS if not kind.startswith("healthy")]


@pytest.mark.parametrize("kind", KINDS)
def test_renewed_evidence_finds_the_same(kind: str) -> None:
    """In a healthy mesh, then with a fault, then healthy again, each look finds what a look without a past finds."""
    evidence = Evidence()
    taken = look_at(Case((kind,), SIZE, 1e-2, "complete", "renewal"))
    assert taken is not None, f"no world of {SIZE} nodes can have {kind}"
    look, world, _ = taken
    for states in (world.states, look.states, world.states):
        assert diagnose(states, evidence=evidence) == diagnose(states)


def test_outdated_evidence_no_longer_counts(healthy: list[State]) -> None:
    """States that stay the same while time passes count as if they were read at that moment."""
    evidence = Evidence()
    lasts = part.ROUNDS * healthy[0].interval + part.TIMEOUTS * healthy[0].timeout
    for passed in (0.0, lasts / 2, 0.9 * lasts, lasts, 2 * lasts):
        waited: dict[Prober, float] = {(state.node, state.network): passed for state in healthy}
        assert diagnose(healthy, waited, evidence=evidence) == diagnose(healthy, waited)


def test_news_that_the_hub_hands_on_change_no_finding() -> None:
    """Looks with the news of each state find what looks that compare the states find, and looks without a past."""
    given, compares = Evidence(), Evidence()
    known: dict[Prober, State] = {}
    leading = findings = 0
    for documents in looks.documents(5, 0, 48, FAULTS):
        news: dict[Prober, News] = {}
        for who, document in documents.items():
            before = known.get(who)
            known[who] = decode(document, before)
            changes = None if before is None else news_of(before, known[who])
            if changes is not None:
                news[who] = changes
        states = [known[who] for who in sorted(documents)]
        found = diagnose(states, evidence=given, news=news)
        assert found == diagnose(states, evidence=compares)
        # The order of a finding's paths depends on when each prober first answered.
        assert [(each.id, each.counts) for each in found] == [(each.id, each.counts) for each in diagnose(states)]
        leading += len(news)
        findings += len(found)
    assert leading
    assert findings


@pytest.mark.parametrize("number", [0, 1], ids=["world 0", "world 1"])
def test_the_sums_of_renewed_evidence_are_those_of_new_evidence(number: int) -> None:
    """Probers come, go and renew single paths: what looks add up stays what a look without a past counts."""
    evidence = Evidence()
    for documents in looks.documents(5, number, 60, FAULTS):
        states = [decode(documents[who]) for who in sorted(documents)]
        assert sums(evidence.mesh(states)) == sums(Evidence().mesh(states))


def sums(mesh: Mesh) -> dict[str, object]:
    """Return what is added up over all probers. A plane without a path is not in it."""
    names = ("known", "past", "flaps", "trains", "lossy", "sent", "lost", "count", "directed", "zones", "answering")
    places = ("nodes", "silent")
    services = [(cell.source, cell.target, cell.plane) for cell in mesh.services]
    return {"planes": +mesh.planes, "services": services, **{name: getattr(mesh, name) for name in (*names, *places)}}


def test_all_services_that_fail_are_listed() -> None:
    """Whatever changes from look to look, each path to a Service that fails, or whose kept flow does, is listed."""
    evidence = Evidence()
    failed = 0
    for documents in looks.documents(5, 2, 60, FAULTS):
        mesh = evidence.mesh([decode(documents[who]) for who in sorted(documents)])
        failing = [cell for cell in mesh.services if cell.bad or cell.kept is not None]
        assert failing == [cell for cell in mesh.troubled if cell.bad or cell.kept is not None]
        failed += len(failing)
    assert failed


def test_two_states_of_one_prober_count_once(healthy: list[State]) -> None:
    """Where a prober answers twice, the later state counts, and nothing of the other one stays in the sums."""
    evidence = Evidence()
    shorter = msgspec.structs.replace(healthy[0], paths=healthy[0].paths[:-1])
    assert sums(evidence.mesh([shorter, *healthy])) == sums(Evidence().mesh(healthy))
    assert sums(evidence.mesh(healthy[1:])) == sums(Evidence().mesh(healthy[1:]))


def test_a_success_after_outdated_results_counts(healthy: list[State]) -> None:
    """A path that was not probed for long, and works as before when it is, counts again."""
    evidence = Evidence()
    path = healthy[0].paths[0]
    stale = msgspec.structs.replace(healthy[0], paths=[msgspec.structs.replace(path, at=path.at - 1000.0)])
    assert evidence.mesh([stale]).known == 0
    fresh = decode(encode(msgspec.structs.replace(stale, at=stale.at + NEWER, paths=[path])), stale)
    news = news_of(stale, fresh)
    assert news is not None
    assert evidence.mesh([fresh], news={(fresh.node, fresh.network): news}).known == 1


def test_zones_are_those_of_now(healthy: list[State]) -> None:
    """When a node changes its zone, leaves or comes back, all paths have the zones that a look without a past finds."""
    evidence = Evidence()
    node = healthy[0].node
    moved = [msgspec.structs.replace(state, zone="zone-new") if state.node == node else state for state in healthy]
    unknown = [msgspec.structs.replace(state, zone="", paths=without_zones(state)) for state in healthy]
    for states in (healthy, moved, healthy[1:], healthy, unknown[1:], unknown, moved):
        assert zones_of(evidence.mesh(states)) == zones_of(Evidence().mesh(states))


def without_zones(state: State) -> list[PathState]:
    """Return the paths of `state` to targets of unknown zones."""
    return [msgspec.structs.replace(path, zone="") for path in state.paths]


def zones_of(mesh: Mesh) -> set[tuple[str, ...]]:
    """Return the ends of all paths of `mesh`, with their zones."""
    return {(each.source, each.target, each.source_zone, each.target_zone) for each in mesh.cells}


def test_news_of_other_states_are_not_used(healthy: list[State]) -> None:
    """If a look was left out, the news since the state in between do not count: the missed failure is found."""
    evidence = Evidence()
    evidence.mesh(healthy)
    missed = with_news(healthy[0], last="timeout", streak=1)
    last = decode(encode(msgspec.structs.replace(missed, at=missed.at + 5.0)), missed)
    news = news_of(missed, last)
    assert news is not None
    assert news.changed == ()
    who = last.node, last.network
    assert evidence.mesh([last, *healthy[1:]], news={who: news}).failing


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The paths that a look reads: source and target of each, in its order."""
    of: list[tuple[str, str]] = []

    def note(cell: Cell, path: PathState, place: int, lasts: float, *, starved: bool) -> None:
        of.append((cell.source, path.target))
        read_path(cell, path, place, lasts, starved=starved)

    monkeypatch.setattr("smoker_diagnosis.part.read", note)
    return of


def test_a_look_reads_only_what_changed(healthy: list[State], read: list[tuple[str, str]]) -> None:
    """If one path of a mesh has changed, only that path is read."""
    evidence = Evidence()
    evidence.mesh(healthy)
    read.clear()
    evidence.mesh([with_news(healthy[0], last="timeout", streak=1), *healthy[1:]])
    assert set(read) == {(healthy[0].node, healthy[0].paths[0].target)}


def test_an_unchanged_path_is_not_read_again(healthy: list[State], read: list[tuple[str, str]]) -> None:
    """A newer success reads nothing, and its instant counts: the path is as old as its last probe."""
    evidence = Evidence()
    path = healthy[0].paths[0]
    cells = evidence.mesh(healthy).leaving(healthy[0].node)
    ends = path.target, path.plane, path.family
    cell = next(each for each in cells if (each.target, each.plane, each.family) == ends)
    age = cell.age(TCP)
    read.clear()
    evidence.mesh([with_news(healthy[0], rtt_p50=0.5), *healthy[1:]])
    assert read == []
    assert cell.age(TCP) == pytest.approx(age - NEWER)


def test_a_history_that_grows_counts(healthy: list[State], read: list[tuple[str, str]]) -> None:
    """Each success makes the history of its path longer by one result, also where the path is not read."""
    evidence = Evidence()
    before = evidence.mesh(healthy)
    read.clear()
    after = evidence.mesh([with_news(state, past=state.paths[0].past + 1) for state in healthy])
    assert read == []
    assert after.past == before.past + len(healthy)
    states = [with_news(state, past=state.paths[0].past + 1) for state in healthy]
    assert Evidence().mesh(states).past == after.past


def with_news(state: State, **changes: object) -> State:
    """Return the state with a result of its first path that is newer by `NEWER` seconds."""
    news = msgspec.structs.replace(state.paths[0], at=state.paths[0].at + NEWER, **changes)
    return msgspec.structs.replace(state, paths=[news, *state.paths[1:]])


@pytest.fixture
def healthy() -> list[State]:
    """Return the states of a healthy mesh, as a hub decodes them."""
    taken = look_at(Case(("healthy: nothing",), SIZE, 0.0, "complete", "renewal"))
    assert taken is not None
    return [decode(encode(state)) for state in taken[0].states]
