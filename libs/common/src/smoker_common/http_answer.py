"""Parse the answer to a GET as its bytes arrive, without a socket: 200 with a body, or 304 for a known ETag."""

from __future__ import annotations

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

OK, NOT_MODIFIED = 200, 304
LONGEST_TAG = 256  # bytes


class WrongAnswer(Exception):
    """The answer is not what was asked for; the text says why, after the name of the peer."""


class Answer:
    """An answer as it arrives. llhttp calls the `on_…` methods."""

    def __init__(self, known: str) -> None:
        self.known, self.tag = known, ""  # the ETag that the caller has, and the one that came
        self.arrived = 0  # bytes
        self.body: list[bytes] = []
        self.complete = False
        self.reusable = False  # whether another request can follow on its connection
        self._status = 0
        self._kept = False  # whether the peer keeps the connection
        self._over = False  # whether bytes came after its end
        self._parser = HttpResponseParser(self)
        self._headers_complete = self._sized = False

    def feed(self, data: bytes) -> None:
        """Parse `data`. Raises `WrongAnswer`."""
        self.arrived += len(data)
        self._over = self._over or self.complete
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._over = True
            if not self.complete:  # bytes after the answer are ignored
                raise WrongAnswer("does not speak HTTP/1.1") from None

    def end(self) -> None:
        """Record that the peer closed the connection. Raises `WrongAnswer` if the answer is incomplete."""
        if not self._headers_complete or self._sized:
            raise WrongAnswer(f"closed the connection before the end of its answer, after {self.arrived} bytes")
        self._status = self.status
        self.complete = True  # RFC 9112 section 6.3: a body without a length ends with the connection

    def release(self) -> None:
        """Drop the parser, whose reference to this answer keeps both, and the body, until the garbage is collected."""
        del self._parser

    def on_message_begin(self) -> None:
        self._over = self._over or self.complete

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"etag" and _is_tag(value):
            self.tag = value.decode("ascii")
        self._sized = self._sized or name.lower() in (b"content-length", b"transfer-encoding")

    def on_headers_complete(self) -> None:
        self._headers_complete = not self._interim()

    def on_body(self, data: bytes) -> None:
        if not self.complete:
            self.body.append(data)

    def on_message_complete(self) -> None:
        if self._interim():
            self._sized = False
        else:
            self._status, self._kept = self.status, self._parser.should_keep_alive()  # llhttp forgets both
            self.complete = True

    def check(self) -> None:
        """Raise `WrongAnswer` if the status is known and is neither 200 nor, for a request with an ETag, 304."""
        status = self.status
        if self._headers_complete and status != OK and not (status == NOT_MODIFIED and self.known):
            raise WrongAnswer(f"answers with status {status}")

    @property
    def keeps(self) -> bool:
        """Return whether the peer keeps the connection open and sent nothing after the answer."""
        return self._kept and not self._over

    @property
    def status(self) -> int:
        """Return the status. It is valid once the status line has arrived."""
        return self._status if self.complete else int(self._parser.get_status_code())

    def _interim(self) -> bool:
        """Return whether the status is 1xx: then another answer follows (RFC 9110 section 15.2)."""
        return self.status < OK


def _is_tag(value: bytes) -> bool:
    """Return whether `value` is an ETag (RFC 9110 section 8.8.3) in ASCII that is safe to send back."""
    return 0 < len(value) <= LONGEST_TAG and all(0x20 < byte < 0x7F for byte in value)
