"""The table of `make e2e-accuracy`; it needs no cluster."""

from __future__ import annotations

from tests.e2e.accuracy.judge import NO_DIRECTION, SEVERAL_LAYERS
from tests.e2e.accuracy.results import Outcome, table
from tests.e2e.accuracy.rows import Row, right

FAULT = Row("a fault", lambda _: None, (right("node", "victim"),))
HEALTHY = Row("healthy", lambda _: None)


def named(*seconds: float | None) -> list[Outcome]:
    """Return rows of faults that were open after so many seconds; None: never."""
    return [Outcome(FAULT, "unknown" if each is None else "right", each, 8.0, ()) for each in seconds]


def test_the_times_cover_every_fault() -> None:
    """Median and 95th percentile (nearest rank) count a fault without a name as the slowest; healthy rows have none."""
    healthy = Outcome(HEALTHY, "right", None, 0.0, ())
    last = table([*named(*map(float, range(1, 20)), None), healthy]).splitlines()[-1]
    assert last.startswith(
        "20 of 21 right; open after: median 10 s, p95 19 s, longest not in time; closed after: median 8 s"
    )
    assert "p95 not in time" in table(named(5.0, None))


def test_without_faults_there_are_no_times() -> None:
    """Healthy rows alone have a verdict and no times."""
    assert table([Outcome(HEALTHY, "right", None, 0.0, ())]).splitlines()[-1] == "1 of 1 right"


def test_what_right_rows_lack_is_counted_apart() -> None:
    """A right finding without the direction is right; the row's verdict and the sum say what it lacks."""
    lacks = [(), (NO_DIRECTION,), (NO_DIRECTION, SEVERAL_LAYERS)]
    text = table([Outcome(FAULT, "right", 5.0, 8.0, (), each) for each in lacks])
    assert "| right, without the direction, one of several layers | 5 s |" in text
    assert "3 of 3 right, 2 of them without the direction, 1 of them one of several layers; open" in text
