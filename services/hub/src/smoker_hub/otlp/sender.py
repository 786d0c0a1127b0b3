"""Sends the batches of one signal, in order, with the retries that OTLP asks for.

batch ─▶ POST (deadline, TLS, gzip) ─▶ 2xx: sent, less what is rejected; 429, 502-504, no answer: again; else failed
"""

from __future__ import annotations

import gzip
import random
from collections import Counter
from collections.abc import Callable

from loguru import logger

from smoker_common.log import escaped
from smoker_hub.otlp.encode import Partial, decode
from smoker_hub.otlp.options import Options
from smoker_hub.otlp.variables import Signal
from smoker_hub.post import Answer, PostError, send

OUTCOMES = ("sent", "rejected", "failed", "dropped")
AGAIN = (429, 502, 503, 504)  # statuses after which OTLP asks for another attempt
ATTEMPTS = 5
FIRST, LONGEST = 1.0, 30.0  # seconds of the pause after the first failure, and at most
LIMIT = 65_536  # bytes of an answer
SHOWN = 200  # characters of what a collector says that are logged


class Sender:
    """Sends one signal. `pause` waits some seconds, and returns true where the hub ends."""

    def __init__(self, signal: Signal, options: Options, pause: Callable[[float], object]) -> None:
        self._signal, self._options, self._pause = signal, options, pause
        self._well = True  # whether the last attempt was taken
        self.counts: Counter[str] = Counter()

    def send(self, body: bytes, count: int) -> bool:
        """Send a batch of `count` records or points, and count the outcome.

        Return whether that is final: another attempt may succeed where the hub ended before the last one.
        """
        final = True
        for attempt in range(1, ATTEMPTS + 1):
            why, wait = self._attempt(body, count)
            if not why:
                return True
            if wait < 0 or attempt == ATTEMPTS:
                break
            pause = min(FIRST * 2 ** (attempt - 1), LONGEST) * random.uniform(0.5, 1)  # noqa: S311  spread, not secret
            if self._pause(max(pause, wait)):
                final = False
                break
        self.counts["failed"] += count
        return final

    def _attempt(self, body: bytes, count: int) -> tuple[str, float]:
        """Return why a batch was not taken, and the seconds that the collector asks for; below 0: not again."""
        try:
            answer = self._post(body)
        except PostError as error:
            return self._tell(str(error)), 0.0
        if not answer.taken:
            return self._tell(f"status {answer.status}"), answer.wait if answer.status in AGAIN else -1.0
        self._tell("")
        try:
            partial = decode(self._signal, answer.body)
        except ValueError as error:
            partial = Partial(0, str(error))
        if partial.rejected or partial.why:
            what, why = "the OTLP collector rejected some records", escaped(partial.why)[:SHOWN]
            logger.warning(what, signal=self._signal, rejected=partial.rejected, cause=why)
        rejected = min(max(partial.rejected, 0), count)
        self.counts["rejected"] += rejected
        self.counts["sent"] += count - rejected
        return "", 0.0

    def _post(self, body: bytes) -> Answer:
        """Send once. Raises `PostError`."""
        headers = {"Content-Type": "application/x-protobuf", **self._options.headers}
        if self._options.gzip:
            body, headers["Content-Encoding"] = gzip.compress(body, 6), "gzip"
        options = self._options
        seconds, ca, client = options.seconds, options.ca_file, options.client
        return send(options.url, body, headers, seconds=seconds, limit=LIMIT, ca=ca, client=client)

    def _tell(self, why: str) -> str:
        """Log when attempts begin to fail, and when they succeed again. Return `why`."""
        if self._well and why:
            logger.warning("the OTLP collector does not accept records", signal=self._signal, cause=why)
        elif not self._well and not why:
            logger.info("the OTLP collector accepts records again", signal=self._signal)
        self._well = not why
        return why
