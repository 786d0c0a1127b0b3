"""Delivers the messages of one receiver, in order.

Message ─▶ bounded queue ─▶ POST ─▶ 2xx: sent; 5xx, 429, no answer: again after a pause that doubles; else failed
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable
from typing import Literal, NamedTuple

import gevent
from gevent.event import Event
from loguru import logger

from smoker_common.clock import Clock
from smoker_diagnosis.finding import Finding
from smoker_hub.notify.receiver import SEVERITIES, Form, Notice, Options, UnusableFile
from smoker_hub.notify.types import NOTIFIERS
from smoker_hub.post import Answer, PostError, is_url, send
from smoker_hub.tls import bad_ca

QUEUE = 200  # messages that wait at most; then the oldest is dropped
ATTEMPTS = 12  # for a message, over some six minutes
FIRST, LONGEST = 1.0, 60.0  # seconds of the pause after the first failure, and at most
SECONDS = 10.0  # for one attempt, in all
LIMIT = 16_384  # bytes of an answer that are read
SHOWN = 200  # characters of an answer that are logged
OUTCOMES: tuple[Literal["sent", "failed", "dropped"], ...] = ("sent", "failed", "dropped")


class Message(NamedTuple):
    """What is to be sent. `repeat`: it repeats what was sent before, and is tried once."""

    notices: tuple[Notice, ...]
    repeat: bool = False


class Outlet(ABC):
    """What the notifier sends to: the delivery of one receiver, or the log records for an OTLP collector.

    A greenlet calls `_send_waiting` whenever `_news` is set.
    """

    def __init__(self) -> None:
        self._news, self._idle, self._ending = Event(), Event(), Event()
        self._idle.set()
        self._greenlet: gevent.Greenlet[[], None] | None = None
        #: Called with a message that was taken, or that is not tried again.
        self.settled: Callable[[Message], None] = lambda _message: None

    @property
    @abstractmethod
    def name(self) -> str:
        """The name by which records keep what it was sent."""

    @property
    @abstractmethod
    def repeat(self) -> float:
        """Seconds after which all open findings are sent again; 0: never."""

    @property
    @abstractmethod
    def most(self) -> int:
        """Findings in one message at most."""

    @property
    def idle(self) -> bool:
        """Whether nothing waits."""
        return self._idle.is_set()

    @abstractmethod
    def wants(self, finding: Finding) -> bool:
        """Return whether a finding is sent."""

    @abstractmethod
    def put(self, message: Message) -> None:
        """Send `message` soon."""

    def start(self) -> None:
        """Begin to send."""
        self._greenlet = gevent.spawn(self._run)

    def _run(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            self._send_waiting()
            self._idle.set()

    @abstractmethod
    def _send_waiting(self) -> None:
        """Send all that waits, and survive any failure."""

    def wait_idle(self) -> None:
        """Wait until nothing waits."""
        self._idle.wait()

    def drain(self, seconds: float) -> int:
        """Send what waits, within `seconds` and without pauses. Return how much was not sent."""
        self._ending.set()
        self._idle.wait(seconds)
        if self._greenlet is not None:
            self._greenlet.kill()
        return self._drop()

    @abstractmethod
    def _drop(self) -> int:
        """Drop what waits. Return how much that is."""


class Delivery(Outlet):
    """Sends to one receiver. `pause` waits some seconds, or less where the hub ends."""

    def __init__(
        self,
        options: Options,
        *,
        seconds: float = SECONDS,
        clock: Clock | None = None,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        super().__init__()
        self.options = options
        self.form: Form = NOTIFIERS[options.type].form(options)
        self._seconds, self._clock = seconds, clock or Clock()
        self._waiting: deque[Message] = deque()
        self._pause = pause or self._ending.wait
        self._well = True  # whether the last attempt was taken
        self.counts: Counter[str] = Counter()

    @property
    def name(self) -> str:
        """The name of the receiver."""
        return self.options.name

    @property
    def repeat(self) -> float:
        """Seconds after which all open findings are sent again; 0: never."""
        return self.form.repeat

    @property
    def most(self) -> int:
        """Findings in one message at most."""
        return self.form.most

    def mistake(self) -> str:
        """Return why a mounted file cannot be used, or an empty string."""
        options = self.options
        try:
            self._base()
            options.authorization.read()
            options.signing_key.read()
        except UnusableFile as unusable:
            return f"the receiver {self.name}: {unusable}"
        why = bad_ca(options.ca_file)
        return f"the receiver {self.name}: {why}" if why else ""

    def wants(self, finding: Finding) -> bool:
        """Return whether a finding is grave enough for this receiver."""
        return SEVERITIES.index(finding.severity) >= SEVERITIES.index(self.options.min_severity)

    def put(self, message: Message) -> None:
        """Send `message` soon."""
        self._waiting.append(message)
        if len(self._waiting) > QUEUE:
            self._count("dropped", self._waiting.popleft(), "a notification was dropped because too many wait")
        self._idle.clear()
        self._news.set()

    def _drop(self) -> int:
        left = list(self._waiting)
        self._waiting.clear()
        for message in left:
            self._count("dropped", message, "a notification was not sent before the hub ended")
        return len(left)

    def _send_waiting(self) -> None:
        while self._waiting:
            message = self._waiting[0]
            try:
                self._deliver(message)
            except Exception:
                self.counts["failed"] += 1
                logger.exception("a notification failed unexpectedly", receiver=self.name)
            if self._waiting and self._waiting[0] is message:  # else it was dropped meanwhile
                self._waiting.popleft()

    def _deliver(self, message: Message) -> None:
        """Try until it is taken, refused for good, or tried often enough."""
        for attempt in range(1, ATTEMPTS + 1):
            why, again, wait = self._attempt(message)
            self._tell(why)
            if not why:
                self.counts["sent"] += 1
                self.settled(message)
                return
            if message.repeat or not again or attempt == ATTEMPTS or self._ending.is_set():
                break
            pause = min(FIRST * 2 ** (attempt - 1), LONGEST) * random.uniform(0.5, 1)  # noqa: S311  spread, not secret
            self._pause(max(pause, wait))
        self._count("failed", message, "a notification could not be sent", cause=why, attempts=attempt)
        if not (again and self._ending.is_set()):  # else the next start tries it again
            self.settled(message)

    def _attempt(self, message: Message) -> tuple[str, bool, float]:
        """Return why it was not taken, whether another attempt may help, and the seconds that were asked for."""
        try:
            answer = self._post(message)
        except (UnusableFile, PostError) as error:
            return str(error), True, 0.0
        if answer.taken:
            return "", False, 0.0
        reason = answer.body.decode(errors="replace").strip()[:SHOWN]
        return f"status {answer.status}" + (f": {reason}" if reason else ""), answer.passing, answer.wait

    def _base(self) -> str:
        """Return the URL. Raises `UnusableFile`."""
        base = self.options.url.read()
        if not is_url(base):
            raise UnusableFile(f"{self.options.url.file} does not hold a URL that begins with http:// or https://")
        return base

    def _post(self, message: Message) -> Answer:
        """Send once. Raises `UnusableFile`, `PostError`."""
        base = self._base()
        body = self.form.body(message.notices, self._clock.wall_time())
        headers = {"Content-Type": "application/json", **self.form.headers(body, message.notices)}
        if self.options.authorization:
            headers["Authorization"] = self.options.authorization.read()
        return send(self.form.url(base), body, headers, seconds=self._seconds, limit=LIMIT, ca=self.options.ca_file)

    def _tell(self, why: str) -> None:
        """Log when attempts begin to fail, and when they succeed again."""
        if self._well and why:
            logger.warning("a receiver does not accept notifications", receiver=self.name, cause=why)
        elif not self._well and not why:
            logger.info("a receiver accepts notifications again", receiver=self.name)
        self._well = not why

    def _count(self, outcome: str, message: Message, what: str, **more: object) -> None:
        """Count a message that was not sent, and log each change that it had."""
        self.counts[outcome] += 1
        for notice in () if message.repeat else message.notices:
            logger.error(what, receiver=self.name, id=notice.view.id, happened=notice.event, **more)
