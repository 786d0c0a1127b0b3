"""One row of `make e2e-accuracy`, with a hub that answers what a test says; it needs no cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import msgspec
import pytest

from smoker_diagnosis.component import NETWORK, NODE, OVERLAY, Scope
from smoker_diagnosis.finding import Finding, SeenFlows, finding_of
from smoker_diagnosis.state import PathState, State
from smoker_diagnosis.traces import LastHop
from tests.e2e.accuracy import __main__ as accuracy
from tests.e2e.accuracy.judge import NO_FLOWS, NO_HOP, SEVERAL_LAYERS
from tests.e2e.accuracy.lab import Lab, Open
from tests.e2e.accuracy.results import Outcome
from tests.e2e.accuracy.rows import Row, right

VICTIM, INNOCENT = "node-1", "node-2"
FAULT = Row("a fault", lambda _: None, (right("node", "victim", layers="overlay"),))


class Hub:
    """Answers each question with the next of `looks`, and with nothing once the fault is healed.

    None among the looks: it does not answer. `silent`: how many questions it does not answer after the fault is healed.
    """

    def __init__(self, *looks: Sequence[Finding] | None, silent: int = 0) -> None:
        self._looks, self._silent = list(looks), silent

    def places(self, names: frozenset[str]) -> frozenset[str]:
        return frozenset({VICTIM} if names else ())

    def open(self) -> list[Open] | None:
        found = self._looks.pop(0) if self._looks else ()
        return None if found is None else [Open(each, since=0.0) for each in found]

    def states(self) -> list[State]:
        works = PathState("peer", VICTIM, "pod", "ipv4", "tcp", last="success")
        fails = PathState("peer", "node-3", "pod", "ipv4", "tcp", last="timeout", streak=4)
        return [State(node=INNOCENT, at=0.0, interval=5.0, timeout=1.0, paths=[works, fails])]

    def heal(self) -> None:
        self._looks[:] = [None] * self._silent


def at(node: str, *layers: str) -> Finding:
    """Return a sure finding that the overlay of `node` is broken, or one of `layers`."""
    return finding_of("cluster", "fault", Scope(NODE, (node,)), OVERLAY, layers=layers)


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accuracy, "time", Clock())


def outcome(*looks: Sequence[Finding] | None, row: Row = FAULT, patience: float = 60.0, silent: int = 0) -> Outcome:
    return accuracy.one(row, cast(Lab, Hub(*looks, silent=silent)), patience)


def test_the_right_name_alone_is_right() -> None:
    """Looks without a finding before it do not matter."""
    assert outcome([], [at(VICTIM)]).word == "right"


def test_a_wrong_name_before_the_right_one_is_kept() -> None:
    """Such a row is not right, and its text has the wrong name."""
    found = outcome([at(INNOCENT)], [at(VICTIM)])
    assert found.word == "right, after a wrong name"
    assert any(INNOCENT in each for each in found.said)


def test_what_the_finding_did_not_say_is_kept() -> None:
    """The row is right, and its outcome says that the layer was not told apart."""
    found = outcome([at(VICTIM, OVERLAY, NETWORK)])
    assert (found.word, found.lacks) == ("right", (SEVERAL_LAYERS,))


def test_a_row_can_have_more_time() -> None:
    """The patience of a row is a multiple of that of the command."""
    late = [[], [], [at(VICTIM)]]  # looks, a second apart
    assert outcome(*late, patience=2.0).word == "unknown"
    assert outcome(*late, patience=2.0, row=replace(FAULT, patience=2)).word == "right"


def test_a_row_can_wait_for_the_last_hop() -> None:
    """The seconds are those until the finding opened; without the hop the row is not right."""
    row = replace(FAULT, right=(replace(FAULT.right[0], hop=True),))
    found = msgspec.structs.replace(at(VICTIM), last_hops=(LastHop("10.0.0.1", 2, "node-3", VICTIM, 1),))
    right = outcome([], [at(VICTIM)], [at(VICTIM)], [found], row=row)
    assert (right.word, right.seconds) == ("right", 1.0), "asked for the second time"
    missing = outcome([], *[[at(VICTIM)]] * 9, row=row, patience=4.0)
    assert (missing.word, missing.seconds) == (NO_HOP, 1.0)


def test_a_row_can_wait_for_the_check_of_flows() -> None:
    """The place that opens before the check of its flows has come is not a wrong name."""
    row = replace(FAULT, right=(replace(FAULT.right[0], flows=True),))
    found = msgspec.structs.replace(at(VICTIM), flows=(SeenFlows("node-3", VICTIM, "pod", "ipv4", 8, 16),))
    right = outcome([], [at(VICTIM)], [found], row=row)
    assert (right.word, right.seconds) == ("right", 1.0)
    assert outcome([], *[[at(VICTIM)]] * 9, row=row, patience=4.0).word == NO_FLOWS


def test_a_fault_that_is_not_named_tells_what_the_probers_saw() -> None:
    """So that a reader of the log knows whether the fault was there. A row that is right tells nothing more."""
    assert outcome(patience=2.0).seen == (
        "the hub answers",
        "node-2 (pod) to node-3 (pod, ipv4), tcp: timeout, 4 in a row",
    )
    assert outcome(*[None] * 4, patience=2.0).seen[0] == "the hub does not answer"
    assert outcome([at(VICTIM)]).seen == ()


def test_a_hub_that_does_not_answer_says_nothing() -> None:
    """Its silence is neither the end of a finding nor health."""
    assert outcome([at(VICTIM)], silent=5).closed == 5.0
    healthy = Row("healthy", lambda _: None)
    assert outcome([], *[None] * 9, row=healthy, patience=4.0).word == "right"
    assert outcome(*[None] * 9, row=healthy, patience=4.0).word == "unknown"


def test_some_rows_do_not_replace_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--write` with `--row` is refused before anything breaks."""
    monkeypatch.setattr("sys.argv", ["accuracy", "--row", "pair", "--write"])
    with pytest.raises(SystemExit):
        accuracy.arguments()
    assert "those of --row would replace the whole table" in capsys.readouterr().err
