"""Delivery: attempts, limits, and the independence of receivers."""

from __future__ import annotations

from pathlib import Path

from gevent.event import Event

from smoker_hub.notify.delivery import ATTEMPTS, QUEUE, Message
from tests.conftest import eventually

from .receivers import delivery, looking, notice, receiver


def test_a_temporary_refusal_is_retried_with_longer_pauses(records: list[str]) -> None:
    """The message is sent in the end. The log says when attempts begin to fail and when they succeed again."""
    pauses: list[float] = []
    with (
        looking("node-2") as (hub, _),
        receiver(503, 429, 204) as there,
        delivery(there.url, pause=pauses.append) as one,
    ):
        one.put(Message((notice(hub),)))
        eventually("it was sent", lambda: one.counts["sent"] == 1)
    assert len(there.got) == 3
    assert 0.5 <= pauses[0] <= 1.0 <= pauses[1] <= 2.0
    assert len([line for line in records if "does not accept notifications" in line and "status 503" in line]) == 1
    assert len([line for line in records if "accepts notifications again" in line]) == 1


def test_retry_after_is_respected() -> None:
    """Retry-After (RFC 9110 section 10.2.3) is the shortest pause."""
    pauses: list[float] = []
    with (
        looking("node-2") as (hub, _),
        receiver(503, 200, fields="Retry-After: 17\r\n") as there,
        delivery(there.url, pause=pauses.append) as one,
    ):
        one.put(Message((notice(hub),)))
        eventually("it was sent", lambda: one.counts["sent"] == 1)
    assert pauses == [17.0]


def test_a_message_that_is_never_accepted_is_counted_and_logged(records: list[str]) -> None:
    """After the last attempt the message is given up, counted and logged, and the next message is sent."""
    with looking("node-2") as (hub, _), receiver(*[500] * ATTEMPTS, 200) as there, delivery(there.url) as one:
        one.put(Message((notice(hub),)))
        one.put(Message((notice(hub),)))
        eventually("the second one was sent", lambda: one.counts["sent"] == 1)
        assert one.counts["failed"] == 1
        assert len(there.got) == ATTEMPTS + 1
        (line,) = (line for line in records if "could not be sent" in line)
        assert f"'attempts': {ATTEMPTS}" in line
        assert hub.incidents.open[0].id in line


def test_a_permanent_refusal_is_not_retried(records: list[str]) -> None:
    """A status of 4xx, or a redirect, is final. The receiver's reason is logged, cut and escaped."""
    for status in (400, 302):
        with (
            looking("node-2") as (hub, _),
            receiver(status, said=b"invalid_blocks" + b"x" * 50_000) as there,
            delivery(there.url) as one,
        ):
            one.put(Message((notice(hub),)))
            eventually("it was given up", lambda: one.counts["failed"] == 1)
        assert len(there.got) == 1
        assert any(f"status {status}: invalid_blocks" in line and len(line) < 600 for line in records)


def test_a_receiver_that_hangs_ends_with_the_deadline_and_delays_no_other(records: list[str]) -> None:
    """While one receiver hangs another gets its message, and the hanging attempt ends at its deadline."""
    with (
        looking("node-2") as (hub, _),
        receiver(0, 200) as hung,
        receiver(200) as well,
        delivery(hung.url, seconds=0.3) as slow,
        delivery(well.url, name="other") as quick,
    ):
        slow.put(Message((notice(hub),)))
        eventually("the first attempt has begun", lambda: hung.got)
        quick.put(Message((notice(hub),)))
        eventually("the other one has it", lambda: quick.counts["sent"] == 1)
        eventually("the second attempt was taken", lambda: slow.counts["sent"] == 1)
    assert any("no answer within 0.3 s" in line for line in records)


def test_the_queue_is_bounded(records: list[str]) -> None:
    """The oldest message is dropped, counted and logged; so are messages that are left at the end."""
    with looking("node-2") as (hub, _), receiver(0) as there, delivery(there.url) as one:
        for _ in range(QUEUE + 1):
            one.put(Message((notice(hub),)))
        assert one.counts["dropped"] == 1
        eventually("the oldest one left is being sent", lambda: there.got)
        assert one.drain(0.01) == QUEUE
        assert one.counts["dropped"] == QUEUE + 1
        assert len([line for line in records if "before the hub ended" in line]) == QUEUE


def test_shutdown_cuts_pauses_short() -> None:
    """When the hub ends, a message that waits for its next attempt is sent at once."""
    paused = Event()

    with (
        looking("node-2") as (hub, _),
        receiver(503, 200, fields="Retry-After: 300\r\n") as there,
        delivery(there.url) as one,
    ):
        ending = one._ending

        def pause(seconds: float) -> None:
            paused.set()
            ending.wait(seconds)

        one._pause = pause
        one.put(Message((notice(hub),)))
        paused.wait()
        one.put(Message((notice(hub),)))
        assert one.drain(10.0) == 0
        assert one.counts == {"sent": 2}


def test_the_url_file_is_read_for_each_attempt(tmp_path: Path) -> None:
    """A changed URL or Authorization in a Secret is used at the next attempt."""
    url, authorization = tmp_path / "url", tmp_path / "authorization"
    with looking("node-2") as (hub, _), receiver(200) as there:
        authorization.write_text("Bearer one\n")
        url.write_text("http://127.0.0.1:9/")
        with delivery("", urlFile=str(url), authorizationFile=str(authorization)) as one:
            url.write_text(there.url)
            authorization.write_text("Bearer two\n")
            one.put(Message((notice(hub),)))
            eventually("it was sent", lambda: one.counts["sent"] == 1)
    assert there.got[0].headers["authorization"] == "Bearer two"
