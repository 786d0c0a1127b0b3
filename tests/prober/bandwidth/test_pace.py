"""How fast a transfer sends, and the rate that it finds: a simulated link decides the round-trip times."""

from __future__ import annotations

from smoker_prober.bandwidth.pace import GROWTH, START, Pace
from smoker_prober.kernel.tcp_flow import Flow

LINK, DELAY, LOOK = 12.5e6, 0.0005, 0.005  # bytes per second, seconds, seconds
UNPACED = 10 * LINK


def flow(rate: float, queue: float, *, limited: bool = False) -> Flow:
    """Return a look at a connection over a link with so many seconds of queue."""
    return Flow(rtt=DELAY + queue, min_rtt=DELAY, rate=rate, limited=limited, acked=0, retransmits=0)


def transfer(pace: Pace, looks: int) -> list[float]:
    """Return the seconds of queue at each look of a transfer over the link."""
    queue, sends, queues = 0.0, START, []
    for _ in range(looks):
        delivered = min(sends, LINK) if queue <= 0 else LINK
        queue = max(queue + (sends - LINK) / LINK * LOOK, 0.0)
        queues.append(queue)
        sends = pace.look(flow(delivered, queue)) or sends
    return queues


def test_the_queue_stays_short_at_the_rate_of_the_link() -> None:
    """No more than a look's worth of packets ever waits at the link, and the rate found is the link's within 2 %.

    After some looks less than 3 ms wait.
    """
    pace = Pace()
    queues = transfer(pace, 200)
    assert 0.001 < max(queues) < 1.1 * LOOK
    assert max(queues[100:]) < 0.003
    assert pace.rate is not None
    assert abs(pace.rate / LINK - 1) < 0.02


def test_without_a_queue_the_pace_grows_until_it_limits_nothing() -> None:
    """A link that is faster than the sender slows it down for a few looks only."""
    pace = Pace()
    paces = [pace.look(flow(UNPACED, 0.0)) for _ in range(20)]
    assert paces[:3] == [GROWTH * START, GROWTH**2 * START, GROWTH**3 * START]
    assert paces[-1] == GROWTH * UNPACED
    assert pace.rate == UNPACED


def test_a_rate_limited_by_the_sender_is_not_reported() -> None:
    """Where only the sender ever limited the rate, there is none."""
    pace = Pace()
    assert pace.look(flow(1e6, 0.0, limited=True)) == GROWTH * START
    assert pace.rate is None
