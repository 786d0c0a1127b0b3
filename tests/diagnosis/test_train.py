"""The result of a train of packets from the answers to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from smoker_diagnosis.train import Answer, judge

MS = 1_000_000  # ns


def answers(*pairs: tuple[int, int], late: Sequence[int] = ()) -> list[Answer]:
    """Return answers of 1 ms with (the packet's number, the reflector's number)."""
    return [Answer(sequence, number, MS, sequence in late) for sequence, number in pairs]


@dataclass(frozen=True)
class Case:
    """The answers, and the counts that differ from 0."""

    name: str
    answers: list[Answer]
    counts: dict[str, int] = field(default_factory=dict)
    packets: int = 4
    rtts: int = 4  # how many

    def __str__(self) -> str:
        return self.name


FIRST = (0, 0), (1, 1), (2, 2)
ALL = (*FIRST, (3, 3))
CASES = [
    Case("all", answers(*ALL)),
    Case("none", [], {"lost": 4, "requests_lost": 4}, rtts=0),
    Case("the-first-request-lost", answers((1, 0), (2, 1), (3, 2)), {"lost": 1, "requests_lost": 1}, rtts=3),
    Case("a-request-lost", answers((0, 0), (2, 1), (3, 2)), {"lost": 1, "requests_lost": 1}, rtts=3),
    Case("the-first-reply-lost", answers((1, 1), (2, 2), (3, 3)), {"lost": 1, "replies_lost": 1}, rtts=3),
    Case("a-reply-lost", answers((0, 0), (2, 2), (3, 3)), {"lost": 1, "replies_lost": 1}, rtts=3),
    Case("one-of-each-lost", answers((0, 0), (3, 2)), {"lost": 2, "requests_lost": 1, "replies_lost": 1}, rtts=2),
    Case("all-but-the-last-reply-lost", answers((3, 3)), {"lost": 3, "replies_lost": 3}, rtts=1),
    Case("the-last-reply-lost-looks-like-its-request", answers(*FIRST), {"lost": 1, "requests_lost": 1}, rtts=3),
    Case("a-reply-twice", answers((0, 0), (1, 1), (1, 1), (2, 2), (3, 3)), {"duplicates": 1}),
    Case("a-reply-three-times", answers((0, 0), (1, 1), (1, 1), (1, 1), (2, 2), (3, 3)), {"duplicates": 2}),
    Case("a-request-twice", answers((0, 0), (1, 1), (1, 2), (2, 3), (3, 4)), {"duplicates": 1}),
    Case(
        "a-request-twice-and-another-lost",
        answers((0, 0), (1, 1), (1, 2), (3, 3)),
        {"duplicates": 1, "lost": 1, "requests_lost": 1},
        rtts=3,
    ),
    Case("a-request-twice-and-one-of-its-replies-lost", answers((0, 0), (1, 2), (2, 3), (3, 4))),
    Case("two-swapped", answers((0, 0), (2, 2), (1, 1), (3, 3)), {"reordered": 1}),
    Case("swapped-on-the-way-there", answers((0, 0), (2, 1), (1, 2), (3, 3)), {"reordered": 1}),
    Case("the-first-comes-last", answers((1, 1), (2, 2), (3, 3), (0, 0)), {"reordered": 1}),
    Case("the-last-comes-first", answers((3, 3), (0, 0), (1, 1), (2, 2)), {"reordered": 3}),
    Case("backwards", answers((3, 3), (2, 2), (1, 1), (0, 0)), {"reordered": 3}),
    Case("a-double-is-not-out-of-order", answers((0, 0), (1, 1), (0, 0), (2, 2), (3, 3)), {"duplicates": 1}),
    Case("one-late", answers(*ALL, late=[1]), {"delayed": 1}, rtts=3),
    Case("all-late", answers(*ALL, late=[0, 1, 2, 3]), {"delayed": 4}, rtts=0),
    Case(
        "a-late-one-overtaken",
        answers((0, 0), (2, 2), (3, 3), (1, 1), late=[1]),
        {"delayed": 1, "reordered": 1},
        rtts=3,
    ),
    Case("a-late-one-twice", answers(*ALL, (3, 3), late=[3]), {"delayed": 1, "duplicates": 1}, rtts=3),
    Case(
        "late-and-lost",
        answers((0, 0), (2, 2), late=[2]),
        {"delayed": 1, "lost": 2, "requests_lost": 1, "replies_lost": 1},
        rtts=1,
    ),
    Case("a-train-of-one", answers((0, 0)), packets=1, rtts=1),
    Case("a-train-of-one-lost", [], {"lost": 1, "requests_lost": 1}, packets=1, rtts=0),
]
COUNTS = ("lost", "delayed", "duplicates", "reordered", "requests_lost", "replies_lost")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_counts(case: Case) -> None:
    """Each count is exact, and nothing else is counted with it."""
    train = judge(range(case.packets), case.answers)
    assert train.sent == case.packets
    assert {name: getattr(train, name) for name in COUNTS} == dict.fromkeys(COUNTS, 0) | case.counts
    assert train.rtts == (0.001,) * case.rtts
    assert train.requests_lost + train.replies_lost == train.lost
    assert train.loss_ratio == case.counts.get("lost", 0) / case.packets


def test_a_reflector_that_had_begun_before_is_counted_from_its_first_number() -> None:
    """A reflector may take the train for an earlier one of the same port. Numbers beyond the train's length show it."""
    assert judge(range(4), answers((0, 50), (1, 51), (2, 52), (3, 53))).lost == 0
    train = judge(range(4), answers((0, 50), (2, 51), (3, 52)))
    assert (train.requests_lost, train.replies_lost) == (1, 0)
    train = judge(range(4), answers((0, 50), (2, 52), (3, 53)))
    assert (train.requests_lost, train.replies_lost) == (0, 1)


@pytest.mark.parametrize(
    ("came", "unreadable", "expected"),
    [
        (ALL, 3, (0, 0, 0.0)),
        (FIRST, 1, (1, 0, 0.0)),
        (FIRST, 7, (1, 0, 0.0)),
        (FIRST[:2], 1, (1, 1, 1 / 3)),
        ((), 1, (4, 0, None)),
        ((), 4, (4, 0, None)),
        ((), 0, (0, 4, 1.0)),
    ],
)
def test_answers_that_cannot_be_read(
    came: tuple[tuple[int, int], ...], unreadable: int, expected: tuple[int, int, float | None]
) -> None:
    """Each unreadable answer takes a packet out of the loss. If none is readable, no packet's fate is known."""
    train = judge(range(4), answers(*came), unreadable=unreadable)
    assert (train.unreadable, train.lost, train.loss_ratio) == expected
    assert train.requests_lost + train.replies_lost == train.lost


def test_a_packet_that_did_not_leave_is_not_lost() -> None:
    """A send error is ours, so the numbers of sent packets may have gaps."""
    train = judge([0, 2, 3], answers((0, 0), (2, 1), (3, 2)))
    assert (train.sent, train.lost, train.loss_ratio) == (3, 0, 0.0)


def test_round_trips_are_in_the_order_of_sending() -> None:
    """Round trips are in the order of sending, without late answers and second copies."""
    came = [
        Answer(2, 2, 30 * MS, late=False),
        Answer(0, 0, 10 * MS, late=False),
        Answer(0, 0, 99 * MS, late=False),
        Answer(3, 3, 900 * MS, late=True),
        Answer(1, 1, 20 * MS, late=False),
    ]
    assert judge(range(4), came).rtts == (0.01, 0.02, 0.03)


def test_a_negative_time_is_not_a_sample() -> None:
    """If a clock was set back and a time is negative, there is no sample, and no 0."""
    assert judge([0], [Answer(0, 0, -5, late=False)]).rtts == ()


def test_jitter_is_that_of_the_round_trips() -> None:
    """The jitter is RFC 3550's filter over 10, 26, 26 and 10 ms, computed by hand, in seconds."""
    came = [Answer(n, n, rtt * MS, late=False) for n, rtt in enumerate((10, 26, 26, 10))]
    assert judge(range(4), came).jitter == pytest.approx(0.00187890625)


def test_one_round_trip_has_no_jitter() -> None:
    """The jitter of one round trip is None and not 0."""
    assert judge(range(4), answers((2, 0))).jitter is None
    assert judge(range(4), []).jitter is None
