"""One HTTP request of the hub to another server, with a total deadline and a limit on the answer.

Each call makes a connection of its own and follows no redirect. TLS certificates are verified (tls.py).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit

import gevent
import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout

from smoker_hub.tls import Client, context_of
from smoker_outcome.failure import reason

MOST_WAIT = 300.0  # most seconds of Retry-After that are respected
PASSING = (408, 425, 429)  # statuses below 500 after which another attempt may succeed


class PostError(Exception):
    """No answer came; the text says why."""


class Answer(NamedTuple):
    """The status, the first bytes of the body, and the seconds of Retry-After, 0 without that field."""

    status: int
    body: bytes
    wait: float = 0.0

    @property
    def taken(self) -> bool:
        """Whether the receiver has taken the message."""
        return 200 <= self.status < 300

    @property
    def passing(self) -> bool:
        """Whether another attempt may succeed."""
        return self.status >= 500 or self.status in PASSING


def is_url(text: str) -> bool:
    """Return whether `text` is an http or https URL with a host and without a user."""
    if not text.isprintable() or any(character.isspace() for character in text):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and not parts.username
    except ValueError:
        return False


def send(
    url: str,
    body: bytes | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
    *,
    seconds: float,
    limit: int,
    ca: str = "",
    client: Client | None = None,
) -> Answer:
    """Send `body` with POST, or without one a GET. Return the answer, within `seconds` and with `limit` bytes at most.

    `ca`: the path of a PEM file with the only CAs to trust. `client`: the certificate to show. Raises `PostError`.
    """
    deadline = gevent.Timeout(seconds)
    try:
        context = context_of(url, ca, client)
        with deadline, urllib3.PoolManager(num_pools=1, retries=False, ssl_context=context) as pool:
            answer = pool.request(
                "GET" if body is None else "POST",
                url,
                body=body,
                headers={"User-Agent": "smoker-hub", **headers},
                redirect=False,
                preload_content=False,
                decode_content=False,
                timeout=Timeout(seconds),
            )
            try:
                text = answer.read(limit, decode_content=False)
            finally:
                answer.close()
            return Answer(answer.status, text, retry_after(answer.headers.get("Retry-After", "")))
    except gevent.Timeout as over:
        if over is not deadline:  # the caller's own
            raise
        raise PostError(f"no answer within {seconds:g} s") from None
    except (HTTPError, OSError, ValueError) as error:
        raise PostError(reason(error, "")) from None


def retry_after(text: str) -> float:
    """Return the seconds of a Retry-After field (RFC 9110 section 10.2.3), 0 where it has none."""
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MOST_WAIT)
    try:
        return min(max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0), MOST_WAIT)
    except (ValueError, OverflowError):
        return 0.0
