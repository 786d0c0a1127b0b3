"""How fast a transfer sends, and the rate that it finds: a simulated link decides how long segments are on the way."""

from __future__ import annotations

import pytest

from smoker_prober.bandwidth.pace import ENOUGH, LEAD, QUEUE, RECENT, SEGMENTS, START, Pace
from smoker_prober.kernel.tcp_flow import Flow

LOOK, RTT, MSS = 0.005, 0.0002, 1448  # seconds, seconds, bytes
MBIT = 1e6 / 8  # bytes per second
FAST = 1e9  # bytes per second: a burst that no queue slows


class Link:
    """A transfer over a link of so many bytes per second, behind a token bucket of so many bytes."""

    def __init__(self, rate: float, bucket: float = 0.0) -> None:
        self.pace = Pace()
        self.paces: list[float] = []
        self.queues: list[float] = []  # seconds
        self._rate, self._bucket = rate, bucket
        self._tokens, self._waiting, self._acked, self._now = bucket, 0.0, 0.0, 0.0

    def run(self, looks: int) -> Link:
        """Send for so many looks at the pace, and look after each."""
        for _ in range(looks):
            sent = self.pace.bytes_per_second * LOOK
            passes = min(self._waiting + sent, self._rate * LOOK + self._tokens)
            self._waiting += sent - passes
            self._tokens = min(self._tokens + self._rate * LOOK - passes, self._bucket)
            self._acked += passes
            self._now += LOOK
            unacked = (self._waiting + self.pace.bytes_per_second * RTT) / MSS
            self.see(unacked, self._rate if self._waiting else FAST)
        return self

    def see(self, unacked: float, sample: float) -> None:
        """Look at a connection with so many segments on the way, and so fast a sample."""
        flow = Flow(min_rtt=RTT, mss=MSS, unacked=int(unacked), acked=int(self._acked), rate=sample, retransmits=0)
        self.pace.look(flow, self._now)
        self.paces.append(self.pace.bytes_per_second)
        self.queues.append(self._waiting / self._rate)


@pytest.mark.parametrize("mbits", [20, 100, 1000])
def test_the_queue_stays_short_at_the_rate_of_the_link(mbits: int) -> None:
    """Less than 8 ms ever wait, and less than 4 ms later on, while the link stays busy. Its rate is found (2 %)."""
    link = Link(mbits * MBIT).run(200)
    assert max(link.queues) > QUEUE
    assert max(link.queues) < 0.008
    assert max(link.queues[100:]) < 0.004
    assert min(link.paces[100:]) > 0.8 * mbits * MBIT
    assert link.pace.rate == pytest.approx(mbits * MBIT, rel=0.02)


def test_bursts_through_a_token_bucket_do_not_raise_the_pace() -> None:
    """A bucket lets bursts through at once, at a high rate; pace and rate follow the bytes acknowledged."""
    link = Link(20 * MBIT, bucket=32_000.0).run(200)
    assert max(link.paces) < 2.5 * 20 * MBIT
    assert max(link.queues) < 0.01
    assert link.pace.rate == pytest.approx(20 * MBIT, rel=0.02)


def test_the_pace_leads_what_is_acknowledged_by_half() -> None:
    """Without a queue the pace is 1.5 times the rate of acknowledgement, and reaches a fast link within 100 looks."""
    link = Link(1250 * MBIT).run(2)
    assert link.paces == [pytest.approx(LEAD * START), pytest.approx(LEAD * LEAD * START)]
    assert max(link.run(98).paces) > 1000 * MBIT


def test_nothing_acknowledged_leaves_the_pace_where_it_began() -> None:
    """As long as no byte is acknowledged, the pace does not grow with the looks."""
    link = Link(FAST)
    for _ in range(50):
        link.see(0, 0.0)
    assert set(link.paces) == {LEAD * START}


def test_segments_that_a_late_cpu_leaves_unanswered_are_no_queue() -> None:
    """A sample far above the rate shows that the link is faster: many segments on the way do not slow the pace then."""
    link = Link(FAST).run(10)
    before = link.pace.bytes_per_second
    link.see(1000, FAST)
    assert link.pace.bytes_per_second > before
    link.see(1000, 0.0)
    assert link.pace.bytes_per_second < before


def test_after_a_queue_that_does_not_come_back_the_pace_grows_faster_and_faster() -> None:
    """One look at a queue does not hold the pace down: 40 looks later it is ten times as high."""
    link = Link(FAST).run(10)
    link.see(1000, 0.0)
    slowed = link.pace.bytes_per_second
    assert link.run(40).pace.bytes_per_second > 10 * slowed


def test_a_piece_is_whole_segments() -> None:
    """A piece has two segments at least, and half a millisecond of the pace."""
    link = Link(1000 * MBIT)
    link.see(0, 0.0)
    assert link.pace.piece == SEGMENTS * MSS
    link.run(100)
    assert link.pace.piece % MSS == 0
    assert link.pace.piece == pytest.approx(link.pace.bytes_per_second * 0.0005, abs=MSS)


def test_without_a_queue_the_rate_is_the_highest() -> None:
    """Where the link was never busy, the rate is what it delivered at most; too few looks have none."""
    link = Link(FAST).run(RECENT - 1)
    assert link.pace.rate is None
    link.run(ENOUGH)
    assert link.pace.rate is not None
    assert link.paces[-1] / LEAD == pytest.approx(link.pace.rate)
