"""What follows failures runs apart from the rounds, within a budget."""

from __future__ import annotations

from functools import partial

import pytest
from gevent.event import Event

from smoker_prober.probes.followups.apart import AT_ONCE, MOST, PAUSE, Apart
from tests.conftest import eventually
from tests.prober.probes.followups.test_confirm import Now


@pytest.mark.parametrize("failures", [1, MOST, 100])
def test_follow_ups_have_a_budget(failures: int) -> None:
    """However many paths fail within a minute, `MOST` follow-ups begin; the next minute has room again."""
    now, ran = Now(), list[int]()
    apart = Apart(clock=now)
    for number in range(failures):
        apart.later(number, partial(ran.append, number))
        eventually("it has ended", lambda: apart.running == 0)
    assert ran == list(range(min(failures, MOST)))
    now.seconds += PAUSE - 1
    assert apart.later("another", lambda: None) == (failures < MOST)
    now.seconds += 2
    assert apart.later("another later", lambda: None)
    apart.close()


def test_a_path_has_one_at_a_time() -> None:
    """A path that fails on has its next follow-up after a minute, and others do not wait for it."""
    now, ran = Now(), list[str]()
    apart = Apart(clock=now)
    for path in ("one", "one", "two", "one"):
        apart.later(path, partial(ran.append, path))
    eventually("all have ended", lambda: apart.running == 0)
    assert ran == ["one", "two"]
    now.seconds += PAUSE
    assert apart.later("one", lambda: None)


def test_few_run_at_once() -> None:
    """While `AT_ONCE` run, no other begins; after `close` none runs on."""
    apart, end = Apart(), Event()
    assert [apart.later(number, partial(_wait, end)) for number in range(AT_ONCE + 1)] == [True] * AT_ONCE + [False]
    apart.close()
    eventually("none runs any more", lambda: apart.running == 0)


def _wait(end: Event) -> None:
    end.wait()
