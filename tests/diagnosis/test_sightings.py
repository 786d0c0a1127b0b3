"""When a look has news: a probe has failed since the look before, even if a repeated one has succeeded."""

from __future__ import annotations

import msgspec
import pytest

from smoker_diagnosis.sightings import Failures
from smoker_diagnosis.state import LastFailure, PathState, State

WORKS = PathState("peer", "node-2", "pod", "ipv4", "udp", "", "success", 100.0, 3)
FAILS = msgspec.structs.replace(WORKS, last="timeout", streak=1)
NO_ANSWER = LastFailure(100.0, "timeout")


def look(failures: Failures, *paths: PathState) -> bool:
    return failures.look([State(node="node-1", at=200.0, interval=30.0, timeout=5.0, paths=list(paths))])


@pytest.mark.parametrize("last_failure", [None, NO_ANSWER], ids=["older prober", "prober"])
def test_a_failure_is_news_once(last_failure: LastFailure | None) -> None:
    """The same result says nothing new, and the next failure does."""
    failures = Failures()
    fails = msgspec.structs.replace(FAILS, last_failure=last_failure)
    again = last_failure and LastFailure(130.0, "timeout", 2)
    later = msgspec.structs.replace(fails, at=130.0, streak=2, last_failure=again)
    assert [look(failures, path) for path in (WORKS, fails, fails, later, later, WORKS)] == [
        False,
        True,
        False,
        True,
        False,
        False,
    ]


def test_a_failure_that_is_over_before_the_look_is_news() -> None:
    """A look-up that was half answered has failed, even if its repetition a second later succeeded."""
    failures = Failures()
    over = msgspec.structs.replace(WORKS, at=101.5, last_failure=NO_ANSWER)
    assert [look(failures, path) for path in (WORKS, over, over, WORKS)] == [False, True, False, False]


def test_a_success_after_a_known_failure_is_no_news() -> None:
    """The failure is the same, whatever came after it."""
    failures = Failures()
    fails = msgspec.structs.replace(FAILS, last_failure=NO_ANSWER)
    works = msgspec.structs.replace(WORKS, at=101.5, last_failure=NO_ANSWER)
    assert [look(failures, path) for path in (fails, works)] == [True, False]
