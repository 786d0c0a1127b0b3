"""Percentiles, jitter and rare events."""

from __future__ import annotations

import random

import pytest

from smoker_diagnosis.stats import at_least, jitter, percentile, shared

FIVE = (15, 20, 35, 40, 50)
TEN = (3, 6, 7, 8, 8, 10, 13, 15, 16, 20)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        (FIVE, 0.05, 15),
        (FIVE, 0.3, 20),
        (FIVE, 0.4, 20),
        (FIVE, 0.41, 35),
        (FIVE, 0.5, 35),
        (FIVE, 1, 50),
        (TEN, 0.25, 7),
        (TEN, 0.5, 8),
        (TEN, 0.75, 15),
        (TEN, 0.95, 20),
        (TEN, 1, 20),
        ((7,), 1e-12, 7),
        ((7,), 0.5, 7),
        ((7,), 1, 7),
        ((1, 2), 0.5, 1),
        ((1, 2), 0.51, 2),
    ],
)
def test_a_percentile_is_the_nearest_rank(values: tuple[float, ...], share: float, expected: float) -> None:
    """A percentile is the smallest value that at least that share of all values does not exceed: always one of them."""
    assert percentile(values, share) == expected


def test_floating_point_does_not_change_the_rank() -> None:
    """Every whole percentile of any number of values equals that in integer arithmetic.

    So 55 % of 100 values is the 55th.
    """
    for count in range(1, 301):
        values = range(1, count + 1)
        for per_cent in range(1, 101):
            assert percentile(values, per_cent / 100) == -(-per_cent * count // 100)


def test_the_percentiles_of_a_full_window() -> None:
    """Of 600 values the percentiles are the 300th, the 570th and the 594th."""
    assert [percentile(range(1, 601), share) for share in (0.5, 0.95, 0.99)] == [300, 570, 594]


@pytest.mark.parametrize(
    ("values", "share"), [((), 0.5), ((1.0,), 0), ((1.0,), -0.5), ((1.0,), 1.01), ((1.0,), float("nan"))]
)
def test_a_percentile_without_values_is_an_error(values: tuple[float, ...], share: float) -> None:
    """No values, or an invalid share, is an error and not a number."""
    with pytest.raises(ValueError, match="no percentile"):
        percentile(values, share)


@pytest.mark.parametrize(
    ("rtts", "expected"),
    [
        ((), None),
        ((10.0,), None),
        ((10.0, 10.0), 0.0),
        ((10.0, 26.0), 1.0),  # 0 + (16 - 0) / 16
        ((26.0, 10.0), 1.0),  # a shorter time is as much of a change
        ((10.0, 26.0, 26.0), 0.9375),  # 1 + (0 - 1) / 16
        ((10.0, 26.0, 26.0, 10.0), 1.87890625),  # 0.9375 + (16 - 0.9375) / 16
        ((0.0, 0.0, 32.0), 2.0),  # a first difference of nothing is a difference
    ],
)
def test_jitter_by_hand(rtts: tuple[float, ...], expected: float | None) -> None:
    """J = J + (|D| - J) / 16 from 0 (RFC 3550 section 6.4.1); without a difference there is none."""
    assert jitter(rtts) == expected


def test_jitter_settles_where_the_differences_are() -> None:
    """A path that alternates by 16 ms approaches a jitter of 16 ms from below."""
    found = jitter([10.0 + 16 * (n % 2) for n in range(400)])
    assert found is not None
    assert 15.999 < found <= 16


def test_jitter_takes_what_can_be_read_once() -> None:
    """A generator works like a list, and the result has the unit of the input."""
    chance = random.Random(3550)
    rtts = [chance.random() for _ in range(50)]
    once, thousandfold = jitter(rtt for rtt in rtts), jitter([1000 * rtt for rtt in rtts])
    assert once is not None
    assert thousandfold == pytest.approx(1000 * once)


@pytest.mark.parametrize(
    ("many", "mean", "expected"),
    [(0, 0.0, 1.0), (1, 0.0, 0.0), (1, 1.0, 0.632121), (3, 2.0, 0.323324), (10, 1.0, 1.11425e-7), (90, 0.5, 0.0)],
)
def test_the_probability_of_rare_events(many: int, mean: float, expected: float) -> None:
    """The upper tail of a Poisson distribution, compared with published values."""
    assert at_least(many, mean) == pytest.approx(expected, rel=1e-4, abs=1e-12)


@pytest.mark.parametrize(
    ("many", "mean", "expected"), [(480, 930.0, 1.0), (1100, 760.0, 0.0), (1000, 1000.0, 0.504205)]
)
def test_many_events_are_as_good_as_few(many: int, mean: float, expected: float) -> None:
    """A mean of hundreds, as in a mesh of a thousand nodes, overflows nothing."""
    assert at_least(many, mean) == pytest.approx(expected, rel=1e-4, abs=1e-12)


def test_the_chance_that_two_shares_differ_so_much() -> None:
    """Fisher's lady: of four cups each, she named all four right once in 70 times by chance."""
    assert shared(4, 4, 0, 4) == pytest.approx(1 / 70)
    assert shared(3, 4, 1, 4) == pytest.approx(17 / 70)
    assert shared(0, 16, 0, 32) == 1.0
    assert shared(0, 0, 0, 0) == 1.0
