"""What is remembered of a path, and the summary of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smoker_diagnosis.window import (
    FAILURE_SECONDS,
    FAILURES,
    LEAST,
    SAMPLES,
    SECONDS,
    Limits,
    Sample,
    Spread,
    Summary,
    Window,
)

START = 1_800_000.0  # seconds of the monotonic clock


def good(at: float = 0.0, rtt: float | None = 0.001, sent: int = 0, lost: int = 0, duration: float = 0.002) -> Sample:
    """Return a success `at` seconds after the start."""
    return Sample(START + at, "success", counts=True, ok=True, rtt=rtt, duration=duration, sent=sent, lost=lost)


def bad(at: float = 0.0, outcome: str = "timeout", sent: int = 0, lost: int = 0) -> Sample:
    """Return a failure of the network."""
    return Sample(
        START + at, outcome, counts=True, ok=False, rtt=None, duration=5.0, sent=sent, lost=lost, error="wait: too long"
    )


def local(at: float = 0.0) -> Sample:
    """Return a failure of our own."""
    return Sample(
        START + at, "local_error", counts=False, ok=False, rtt=None, duration=0.0, error="connect: too many open files"
    )


def window_of(samples: int) -> Window:
    """Return a window that may keep `kept` results."""
    limits = Limits()
    limits.samples = samples
    return Window(limits)


def summed(*samples: Sample, now: float = 100.0) -> Summary:
    """Return the summary of a window with these results `now` seconds after the start."""
    window = Window()
    for sample in samples:
        window.add(sample)
    return window.summary(START + now)


def test_an_empty_window_has_no_values() -> None:
    """Without a sample every value is None and never 0."""
    assert summed() == Summary(
        results=0,
        failed=0,
        loss_ratio=None,
        rtt=None,
        jitter=None,
        duration=None,
        longest_outage=0.0,
        failed_in_a_row=0,
        recent_loss=None,
        last="",
        last_success=None,
        failures=(),
    )


def test_one_success() -> None:
    """Of one success every percentile is its value, and there is no jitter yet."""
    found = summed(good(at=7, rtt=0.25, duration=0.5))
    assert (found.results, found.failed, found.loss_ratio, found.longest_outage) == (1, 0, 0.0, 0.0)
    assert (found.rtt, found.duration, found.jitter) == (Spread(*[0.25] * 4), Spread(*[0.5] * 4), None)
    assert (found.last, found.last_success, found.failures) == ("success", START + 7, ())


def test_spreads_are_nearest_ranks() -> None:
    """Of 100 round trips in any order the percentiles are the 50th, the 95th, the 99th and the largest."""
    rtts = [n * 37 % 100 + 1 for n in range(100)]
    found = summed(*(good(at=n, rtt=rtt, duration=2 * rtt) for n, rtt in enumerate(rtts)))
    assert found.rtt == Spread(50, 95, 99, 100)
    assert found.duration == Spread(100, 190, 198, 200)


def test_jitter_is_over_successive_results() -> None:
    """Jitter is RFC 3550's filter over successive results; a result without a round trip is skipped."""
    found = summed(good(rtt=10.0), good(rtt=26.0), bad(), good(rtt=None), good(rtt=26.0), good(rtt=10.0))
    assert found.jitter == 1.87890625
    assert found.rtt == Spread(10.0, 26.0, 26.0, 26.0)


def test_failures_are_not_in_the_durations() -> None:
    """A timeout's five seconds are a deadline, not a measurement."""
    found = summed(good(duration=0.5), bad())
    assert found.duration == Spread(*[0.5] * 4)


def test_the_number_of_kept_results_is_bounded() -> None:
    """The window keeps only the last results."""
    window = window_of(10)
    for n in range(100):
        window.add(good(at=n, rtt=float(n)))
    found = window.summary(START + 100)
    assert (found.results, found.rtt) == (10, Spread(94, 99, 99, 99))


def test_the_default_is_an_hour_and_600_results() -> None:
    """The default limits are an hour and 600 results, whichever is reached first."""
    many, long = Window(), Window()
    for n in range(SAMPLES + 1):
        many.add(good(at=n / SAMPLES))
        long.add(good(at=n * 10.0))
    assert many.summary(START + 1).results == SAMPLES == 600
    assert long.summary(START + SAMPLES * 10.0).results == SECONDS / 10 + 1 == 361


def test_failures_in_a_row() -> None:
    """Failures in a row count back to the last success; an error of our own neither counts nor ends them."""
    ours = Sample(START + 4, "local_error", counts=False, ok=False, rtt=None, duration=0.0, error="why")
    assert summed(good(at=1)).failed_in_a_row == 0
    assert summed(bad(at=1), good(at=2), bad(at=3), ours, bad(at=5)).failed_in_a_row == 2


def test_the_loss_of_now() -> None:
    """The present loss is that of the last five results, of those with packets."""
    lost = replace(good(at=1), sent=10, lost=10)
    some = [replace(good(at=10 + n), sent=10, lost=n) for n in range(4)]
    assert summed(lost, *some, bad(at=20)).recent_loss == 6 / 40
    assert summed(bad(at=1)).recent_loss is None


@pytest.mark.parametrize(("now", "results"), [(3600, 2), (3600.5, 1), (3609, 1), (3610, 1), (3611, 1), (10**7, 1)])
def test_results_are_kept_for_a_bounded_time(now: float, results: int) -> None:
    """Results are kept for exactly an hour; the last one is kept until the next."""
    window = Window()
    window.add(good(at=0))
    window.add(good(at=10))
    assert window.summary(START + now).results == results


def test_failures_outlive_successes() -> None:
    """A failure of the night is still there in the morning, when the results around it are gone."""
    window = Window()
    window.add(bad(at=0, outcome="refused"))
    for n in range(1, 200):
        window.add(good(at=60 * n))
    found = window.summary(START + 60 * 200)
    assert (found.failed, found.loss_ratio, found.longest_outage) == (0, 0.0, 0.0)
    assert found.failures == (bad(at=0, outcome="refused"),)


def test_failures_outlive_the_number_of_results_too() -> None:
    """A busy path does not push its failures out."""
    window = window_of(3)
    window.add(bad(at=0))
    for n in range(1, 50):
        window.add(good(at=n))
    assert window.summary(START + 50).failures == (bad(at=0),)


def test_an_interval_of_a_day() -> None:
    """With an interval of a day the last failure has its cause.

    Failures in a row and the outage reach back over days.
    """
    day = 86_400.0
    window = Window()
    for number, sample in enumerate((good(), bad(), bad(sent=10, lost=10), bad(sent=10, lost=5))):
        window.add(replace(sample, time=START + number * day))
    found = window.summary(START + 4 * day - 1)
    assert (found.results, found.failed, found.last, found.failed_in_a_row) == (1, 1, "timeout", 3)
    assert (found.longest_outage, found.recent_loss, found.last_success) == (3 * day - 1, 0.75, START)
    assert [sample.time for sample in found.failures] == [START + 3 * day]
    window.add(good(at=4 * day, rtt=0.25))
    found = window.summary(START + 5 * day - 1)
    assert (found.results, found.failed, found.loss_ratio, found.last) == (1, 0, 0.0, "success")
    assert (found.rtt, found.longest_outage, found.failures) == (Spread(*[0.25] * 4), 3 * day, ())


@pytest.mark.parametrize("now", [3601.0, 10**6])
def test_the_last_result_stays_when_it_is_a_failure(now: float) -> None:
    """The last result stays with its cause: a path that failed a day ago and was not probed since has failed."""
    found = summed(bad(0), now=now)
    assert (found.last, found.failed, found.loss_ratio, found.longest_outage) == ("timeout", 1, 1.0, now)
    assert found.failures == (bad(0),)


def test_an_outage_that_began_before_the_window() -> None:
    """An outage has its whole length, however few results are kept. One that ended before the window is not in it."""
    window = window_of(3)
    for n in range(500):
        window.add(bad(at=60.0 * n))
    assert window.summary(START + 60 * 500).longest_outage == 60 * 500
    old = Window()
    for sample in (bad(0), good(1000), good(5000)):
        old.add(sample)
    assert old.summary(START + 1000 + SECONDS).longest_outage == 1000
    assert old.summary(START + 1001 + SECONDS).longest_outage == 0


def test_failures_are_kept_for_a_day() -> None:
    """Failures are kept for exactly a day; the last result is kept longer."""
    window = Window()
    window.add(bad(at=0))
    window.add(good(at=1))
    assert FAILURE_SECONDS == 24 * 3600
    assert len(window.summary(START + FAILURE_SECONDS).failures) == 1
    assert window.summary(START + FAILURE_SECONDS + 1).failures == ()


def test_the_number_of_kept_failures_is_bounded() -> None:
    """The newest last, and the oldest go first."""
    window = Window()
    for n in range(FAILURES + 50):
        window.add(bad(at=n))
    failures = window.summary(START + 200).failures
    assert [sample.time - START for sample in failures] == list(range(50, 150))


@pytest.mark.parametrize(
    ("windows", "samples", "failures"),
    [(1, SAMPLES, FAILURES), (30, 600, 100), (50, 600, 60), (500, 60, 6), (10**6, *LEAST)],
)
def test_many_windows_keep_less_each(windows: int, samples: int, failures: int) -> None:
    """All windows together are bounded, down to a minimum for each."""
    limits = Limits()
    limits.share(windows)
    assert (limits.samples, limits.failures) == (samples, failures)


def test_a_window_applies_a_smaller_limit() -> None:
    """Results beyond a smaller limit are dropped with the next result."""
    limits = Limits()
    window = Window(limits)
    for n in range(600):
        window.add(bad(at=n))
    limits.share(500)
    window.add(good(at=600))
    found = window.summary(START + 600)
    assert (found.results, len(found.failures)) == (60, 100)
    window.add(bad(at=601))
    assert len(window.summary(START + 601).failures) == 6


def test_the_last_success_is_never_forgotten() -> None:
    """A path that has been down for days knows since when."""
    window = window_of(5)
    window.add(good(at=3))
    for n in range(4, 50):
        window.add(bad(at=n * 3600))
    assert window.summary(START + 50 * 3600).last_success == START + 3


def test_a_summary_does_not_change_the_next() -> None:
    """Two summaries at one moment are equal."""
    window = Window()
    for n in range(20):
        window.add(good(at=n, rtt=float(n)) if n % 3 else bad(at=n))
    assert window.summary(START + 20) == window.summary(START + 20)


@pytest.mark.parametrize(
    ("samples", "now", "seconds"),
    [
        ([good(0), good(10)], 20, 0),
        ([bad(0)], 0, 0),
        ([bad(5)], 20, 15),  # open: it has lasted until now
        ([good(0), bad(5), good(12)], 20, 7),  # closed: until the success
        ([good(0), bad(5), bad(8), bad(11), good(12)], 20, 7),  # from the first of several
        ([bad(0), good(3), bad(5), good(12), bad(13), good(15)], 20, 7),  # the longest of three
        ([bad(0), good(3), bad(15)], 20, 5),  # the open one is the longest
        ([bad(0), good(13), bad(15)], 20, 13),  # the open one is not
        ([bad(0), local(5), good(9)], 20, 9),  # ours neither ends it
        ([local(0), bad(5), good(9)], 20, 4),  # nor begins it
        ([good(0), local(5)], 20, 0),
        ([good(0), local(5), good(9)], 20, 0),
    ],
)
def test_the_longest_outage(samples: list[Sample], now: float, seconds: float) -> None:
    """An outage lasts from a first failure to the next success, or until now."""
    assert summed(*samples, now=now).longest_outage == seconds


@pytest.mark.parametrize(
    ("samples", "ratio"),
    [
        ([good(), good()], 0.0),
        ([bad(), bad()], 1.0),
        ([good(), bad(), good(), good()], 0.25),
        ([good(sent=10), good(sent=10, lost=1)], 0.05),
        ([good(sent=10, lost=10)], 1.0),
        ([good(sent=30), good(sent=10, lost=4)], 0.1),  # of packets, not of trains
        ([local()], None),
        ([local(), good(), bad()], 0.5),
    ],
)
def test_loss(samples: list[Sample], ratio: float | None) -> None:
    """Loss is that of the packets of trains if there are trains, else of results; without either there is none."""
    assert summed(*samples).loss_ratio == ratio


def test_a_local_error_is_not_counted() -> None:
    """A local error is no loss, no failure of the path and no outage. It is remembered, and it is the last result."""
    found = summed(good(0), local(1), local(2))
    assert (found.results, found.failed, found.loss_ratio, found.longest_outage) == (3, 0, 0.0, 0.0)
    assert (found.last, found.last_success) == ("local_error", START)
    assert found.failures == (local(1), local(2))


def test_percentiles_of_an_empty_window_are_none() -> None:
    """The spread of no values is None."""
    assert Spread.of([]) is None
    assert Spread.of(iter((3.0, 1.0, 2.0))) == Spread(2.0, 3.0, 3.0, 3.0)
