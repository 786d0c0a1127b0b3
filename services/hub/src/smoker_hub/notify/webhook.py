"""The webhook: each finding as JSON when it opens and when it closes, in order, with retries.

change ─▶ bounded queue ─▶ POST (deadline, TLS verified, signed) ─▶ 2xx: sent; else again after a pause that doubles
"""

from __future__ import annotations

import hashlib
import hmac
import random
from collections import Counter, deque
from collections.abc import Callable
from typing import Literal, NamedTuple

import gevent
import msgspec
import urllib3
from gevent.event import Event
from loguru import logger
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout

from smoker_outcome.failure import reason

QUEUE = 200  # changes that wait at most; then the oldest is dropped
ATTEMPTS = 6
FIRST, LONGEST = 1.0, 30.0  # seconds of the pause after the first failure, and at most
SECONDS = 10.0  # for one attempt, in all
SIGNATURE = "X-Smoker-Signature"
Outcome = Literal["sent", "failed", "dropped"]
OUTCOMES: tuple[Outcome, ...] = ("sent", "failed", "dropped")


class Message(NamedTuple):
    """What is to be sent. `about` is the finding's id and whether it opened or closed, for the log."""

    body: bytes
    id: str
    event: str


class Webhook:
    """Sends to `url`; with a `secret`, signed: `X-Smoker-Signature: sha256=<HMAC of the body, in hex>`."""

    def __init__(
        self, url: str, secret: str = "", *, pause: Callable[[float], object] = gevent.sleep, seconds: float = SECONDS
    ) -> None:
        self._url, self._secret, self._pause, self._seconds = url, secret.encode(), pause, seconds
        self._waiting: deque[Message] = deque()
        self._news, self._idle = Event(), Event()
        self._idle.set()
        self.counts: Counter[str] = Counter()
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=1, retries=False)
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def send(self, document: msgspec.Struct, finding: str, event: str) -> None:
        """Send `document` soon."""
        self._waiting.append(Message(msgspec.json.encode(document), finding, event))
        if len(self._waiting) > QUEUE:
            lost = self._waiting.popleft()
            self.counts["dropped"] += 1
            logger.error("a notification was dropped, too many wait", id=lost.id, happened=lost.event)
        self._idle.clear()
        self._news.set()

    def start(self) -> None:
        self._greenlet = gevent.spawn(self._run)

    def retire(self) -> None:
        """Nothing is of its own: it sends what others hand over."""

    def close(self) -> None:
        """Nothing more is handed over; what waits is sent while it drains."""

    def drain(self, seconds: float) -> int:
        """Send what waits, for `seconds` at most. Return how much was not sent."""
        self._idle.wait(seconds)
        if self._greenlet is not None:
            self._greenlet.kill()
        left = len(self._waiting)
        for lost in self._waiting:
            self.counts["dropped"] += 1
            logger.error("a notification was not sent before the end", id=lost.id, happened=lost.event)
        return left

    def unready(self) -> str:
        """Never: the hub answers without it."""
        return ""

    def stuck(self) -> str:
        """Never: each attempt ends."""
        return ""

    def _run(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            while self._waiting:
                message = self._waiting[0]
                self._deliver(message)
                if self._waiting and self._waiting[0] is message:
                    self._waiting.popleft()
            self._idle.set()

    def _deliver(self, message: Message) -> None:
        for attempt in range(ATTEMPTS):
            why = self._post(message.body)
            if not why:
                self.counts["sent"] += 1
                return
            if attempt + 1 < ATTEMPTS:
                logger.debug("a notification was not taken", cause=why, attempt=attempt + 1)
                self._pause(random.uniform(0.5, 1) * min(FIRST * 2**attempt, LONGEST))  # noqa: S311  spread, not secret
        self.counts["failed"] += 1
        logger.error(
            "a notification could not be sent", cause=why, attempts=ATTEMPTS, id=message.id, happened=message.event
        )

    def _post(self, body: bytes) -> str:
        """Return an empty string where it was taken, else why not."""
        headers = {"Content-Type": "application/json", "User-Agent": "smoker-hub"}
        if self._secret:
            headers[SIGNATURE] = "sha256=" + hmac.new(self._secret, body, hashlib.sha256).hexdigest()
        deadline = gevent.Timeout(self._seconds)
        try:
            with deadline:
                answer = self._pool.request(
                    "POST",
                    self._url,
                    body=body,
                    headers=headers,
                    redirect=False,
                    preload_content=False,
                    timeout=Timeout(self._seconds),
                )
                answer.close()  # what it says beside its status is of no interest
        except gevent.Timeout as over:
            if over is not deadline:
                raise
            return f"no answer within {self._seconds:g} s"
        except (HTTPError, OSError, ValueError) as error:
            return reason(error, "")
        return "" if 200 <= answer.status < 300 else f"status {answer.status}"
