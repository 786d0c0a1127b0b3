"""The webhook: what arrives, how it is signed, what happens when it does not arrive."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import socket
from collections.abc import Iterator

import msgspec
from gevent.server import StreamServer

from smoker_common.listen import tcp_listener
from smoker_hub.notify.webhook import ATTEMPTS, QUEUE, Webhook
from tests.conftest import eventually
from tests.hub.stand_ins import HOST


class Said(msgspec.Struct):
    event: str


@contextlib.contextmanager
def receiver(*statuses: int) -> Iterator[tuple[str, list[bytes]]]:
    """A listener that answers with these statuses, the last one again and again; its URL, and what it was sent."""
    got: list[bytes] = []

    def serve(sock: socket.socket, _address: object) -> None:
        with sock, contextlib.suppress(OSError):
            data = b""
            while b"\r\n\r\n" not in data or not data.rstrip().endswith(b"}"):
                data += sock.recv(65_536)
            got.append(data)
            status = statuses[min(len(got), len(statuses)) - 1]
            sock.sendall(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())

    listener = tcp_listener(HOST, 0)
    server = StreamServer(listener, serve)
    server.start()
    try:
        yield f"http://{HOST}:{listener.getsockname()[1]}/hook", got
    finally:
        server.stop(timeout=0)


def test_it_is_signed_and_sent_in_order() -> None:
    """Each as JSON in the order of the changes, with the HMAC of the body."""
    with receiver(200) as (url, got):
        webhook = Webhook(url, "hush")
        webhook.start()
        webhook.send(Said("open"), "a1", "open")
        webhook.send(Said("close"), "a1", "close")
        eventually("both were sent", lambda: webhook.counts["sent"] == 2)
        assert webhook.drain(5.0) == 0
        for request, event in zip(got, ("open", "close"), strict=True):
            head, _, body = request.partition(b"\r\n\r\n")
            assert json.loads(body) == {"event": event}
            assert f"X-Smoker-Signature: sha256={hmac.new(b'hush', body, hashlib.sha256).hexdigest()}".encode() in head


def test_an_error_is_tried_again_after_longer_pauses() -> None:
    """What is refused twice and then taken was sent once."""
    pauses: list[float] = []
    with receiver(503, 500, 204) as (url, got):
        webhook = Webhook(url, pause=pauses.append)
        webhook.start()
        webhook.send(Said("open"), "a1", "open")
        eventually("it was sent", lambda: webhook.counts["sent"] == 1)
        webhook.drain(5.0)
        assert len(got) == 3
        assert b"X-Smoker-Signature" not in got[0]
        assert 0.5 <= pauses[0] <= 1.0 <= pauses[1] <= 2.0


def test_what_is_never_taken_is_counted_and_logged(records: list[str]) -> None:
    """After the last attempt it is given up, and the next one has its turn."""
    with receiver(404) as (url, got):
        webhook = Webhook(url, pause=lambda _seconds: None)
        webhook.start()
        webhook.send(Said("open"), "a1", "open")
        eventually("it was given up", lambda: webhook.counts["failed"] == 1)
        webhook.drain(5.0)
        assert len(got) == ATTEMPTS
        assert [line for line in records if "could not be sent" in line and "status 404" in line]


def test_the_queue_is_bounded(records: list[str]) -> None:
    """The oldest is dropped, counted and logged; what is left at the end is, too."""
    webhook = Webhook("http://127.0.0.1:9/")
    for number in range(QUEUE + 1):
        webhook.send(Said("open"), f"{number:x}", "open")
    assert webhook.counts["dropped"] == 1
    assert webhook.drain(0.01) == QUEUE
    assert webhook.counts["dropped"] == QUEUE + 1
    assert len([line for line in records if "before the end" in line]) == QUEUE
