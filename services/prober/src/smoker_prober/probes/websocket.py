"""The WebSocket probe (RFC 6455): a handshake, a ping or an echoed text, and a close. wsproto knows the protocol."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smoker_common.host import authority, wire
from smoker_common.kinds import Kind, one_of
from smoker_outcome.failure import BadReply
from smoker_prober.probes import http_options, option_kinds
from smoker_prober.probes.base import Attempt, Probe
from smoker_prober.probes.certified import Certified, expiry_of
from smoker_prober.probes.connection import count_retransmits
from smoker_prober.probes.handshake import Security, connected
from smoker_prober.probes.options import Url, option
from smoker_prober.probes.stream import receive, send

if TYPE_CHECKING:
    from wsproto.events import Event

PAYLOAD = "PING"
MOST = 64 * 1024  # bytes that are read before the answer
NORMAL = 1000  # close code (RFC 6455 section 7.4.1)


def _protocol(text: str) -> str:
    if len(found := option_kinds.protocols(text)) != 1:
        raise ValueError(text)
    return str(found[0])


SUBPROTOCOL = Kind("the name of a subprotocol", _protocol, option_kinds.protocol_schema)


@dataclass(frozen=True)
class Options(http_options.WebPort):
    """The request and the answer that must come. The URL's scheme says whether over TLS."""

    path: str = option("/", http_options.path, "what is asked for")
    tls: bool = option(False, option_kinds.switch, "whether to use TLS; wss:// sets it")
    subprotocol: str = option("", SUBPROTOCOL, "the subprotocol that must be chosen")
    message: str = option(
        "ping",
        one_of("ping", "text"),
        "what must come back: the pong of a ping, or the text from a server that echoes it",
    )
    server_name: str = option("", option_kinds.host, "the name in the server's certificate; default: the host")
    ca: str = option("", option_kinds.file, "a file with the CAs to trust; default: the system's")


@dataclass(frozen=True)
class Details(Certified):
    """What only a WebSocket probe finds."""

    status: int | None = None  # of an answer that is no WebSocket
    close_code: int | None = None  # with which the server closed, where it did so first
    subprotocol: str | None = None

    @property
    def of_failure(self) -> dict[str, Any]:
        """Return the status, or the close code."""
        found = {"status": self.status, "close_code": self.close_code}
        return {name: value for name, value in found.items() if value is not None}


class _Conversation:
    """A WebSocket as its client sees it."""

    def __init__(self, attempt: Attempt, sock: socket.socket, options: Options) -> None:
        from wsproto import ConnectionType, WSConnection  # noqa: PLC0415  0.5 MiB, for those who need it

        self._attempt, self._sock, self._options = attempt, sock, options
        self._ws = WSConnection(ConnectionType.CLIENT)
        self._read = 0
        self._text = ""

    def open(self) -> str:
        """Do the handshake, and return the subprotocol. Raises `BadReply`."""
        from wsproto import events  # noqa: PLC0415

        attempt, options, target = self._attempt, self._options, self._attempt.target
        host = authority(wire(target.host), target.port).removesuffix(f":{options.default_port}")
        offered = [options.subprotocol] if options.subprotocol else []
        with attempt.phase("send"):
            agent = [(b"User-Agent", b"smoker-prober")]
            self._say(events.Request(host=host, target=options.path, subprotocols=offered, extra_headers=agent))
        with attempt.phase("wait"), attempt.deadline.reading():
            for event in self._events():
                if isinstance(event, events.AcceptConnection):
                    if (event.subprotocol or "") != options.subprotocol:
                        raise BadReply(f"the server chose no subprotocol where {options.subprotocol} was offered")
                    return event.subprotocol or ""
                if isinstance(event, events.RejectConnection):
                    attempt.details = Details(status=event.status_code, **expiry_of(self._sock))
                    raise BadReply(f"status {event.status_code} instead of 101 for a WebSocket at {options.path}")
        raise AssertionError("events end with an exception")

    def exchange(self) -> None:
        """Send a message and wait for what must come back; other messages are skipped. Raises `BadReply`."""
        from wsproto import events  # noqa: PLC0415

        ping = self._options.message == "ping"
        self._say(events.Ping(payload=PAYLOAD.encode()) if ping else events.TextMessage(data=PAYLOAD))
        for event in self._events():
            if isinstance(event, events.Ping):
                self._say(event.response())
            elif isinstance(event, events.CloseConnection):
                self._closed(event.code, event.reason)
            elif isinstance(event, events.Pong) and ping and bytes(event.payload) == PAYLOAD.encode():
                return
            elif isinstance(event, events.TextMessage) and not ping:
                self._text += event.data
                if event.message_finished:
                    if self._text == PAYLOAD:
                        return
                    self._text, self._attempt.stray = "", f"got a text of {len(self._text)} characters for {PAYLOAD!r}"

    def close(self) -> None:
        """Close, and wait for the server to do so, too. Raises `BadReply`."""
        from wsproto import events  # noqa: PLC0415

        self._attempt.stray = ""
        self._say(events.CloseConnection(code=NORMAL))
        for event in self._events():
            if isinstance(event, events.CloseConnection):
                if event.code != NORMAL:
                    self._closed(event.code, event.reason)
                return

    def _closed(self, code: int, reason: str | None) -> None:
        self._attempt.details = Details(close_code=code, **expiry_of(self._sock))
        words = "".join(each if each.isprintable() else "?" for each in (reason or "")[:64])
        raise BadReply(f"the server closed with code {int(code)}{f': {words}' if words else ''}")

    def _say(self, event: Event) -> None:
        from wsproto.utilities import LocalProtocolError  # noqa: PLC0415

        try:
            data = self._ws.send(event)
        except LocalProtocolError:  # the server has closed meanwhile: its close frame says why
            return
        send(self._sock, data, self._attempt.deadline)

    def _events(self) -> Iterator[Event]:
        """Yield what the server says. Raises `BadReply` at its end."""
        from wsproto.utilities import RemoteProtocolError  # noqa: PLC0415

        while True:
            try:
                yield from self._ws.events()
                data = receive(self._sock, self._attempt.deadline)
                self._read += len(data)
                self._attempt.received = self._read
                if not data:
                    raise BadReply("the connection was closed without a close frame")
                if self._read > MOST:
                    raise BadReply(f"got more than {MOST} bytes before the answer")
                self._ws.receive_data(data)
            except RemoteProtocolError as error:
                raise BadReply(f"no valid WebSocket: {str(error)[:64]}") from None
            except UnicodeError:  # wsproto takes the values of headers for ASCII
                raise BadReply("no valid WebSocket: a header that is not ASCII") from None


def run(attempt: Attempt) -> None:
    """Open a WebSocket, get an answer, and close it."""
    options: Options = attempt.target.options or Options()
    security = Security(options.server_name, options.ca) if options.tls else None
    with connected(attempt, security) as sock:
        conversation = _Conversation(attempt, sock, options)
        subprotocol = conversation.open()
        attempt.details = Details(subprotocol=subprotocol or None, **expiry_of(sock))
        with attempt.phase("transfer"), attempt.deadline.reading():
            conversation.exchange()
            conversation.close()
        count_retransmits(attempt, sock)


def from_url(url: Url) -> Options:
    """Return the options that a URL says. Raises ValueError."""
    return Options(url.page, tls=url.scheme == "wss")


def _prepare(_options: object) -> None:
    import wsproto  # noqa: F401, PLC0415


probe = Probe(
    run,
    "tcp",
    "open a WebSocket, send a ping or a text that is echoed, and close it",
    options=Options,
    default_port=80,
    schemes=("ws", "wss"),
    form="ws[s]://host[:port][/path]",
    from_url=from_url,
    prepare=_prepare,
)
