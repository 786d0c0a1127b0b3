"""The WebSocket echo (RFC 6455) behind `/ws`: every message comes back, piece by piece as it arrives.

No message is held in memory. One that is longer than a body may be is answered with close code 1009; a server that
stops says so with 1001.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from smoker_common.http_body import BLOCK
from smoker_common.http_handler import Handler
from smoker_common.http_request import Request

if TYPE_CHECKING:
    from wsproto.events import Event

PATH = "/ws"
GOING_AWAY, TOO_BIG = 1001, 1009  # close codes (RFC 6455 section 7.4.1)


def takes(request: Request) -> bool:
    """Return whether a request opens a WebSocket here."""
    offers = [value.lower() for name, value in request.headers if name.lower() == "upgrade"]
    return request.target.partition("?")[0] == PATH and request.method == "GET" and offers == ["websocket"]


class WebSocketEcho:
    """One WebSocket. `most` is the bytes of a message."""

    def __init__(self, handler: Handler, request: Request, most: int) -> None:
        from wsproto import ConnectionType, WSConnection  # noqa: PLC0415  0.5 MiB, at the first WebSocket

        self._handler, self._request, self._most = handler, request, most
        self._ws = WSConnection(ConnectionType.SERVER)
        self._message = 0  # bytes of the message so far
        self._block = BLOCK  # bytes until the deadline moves
        self._open, self._leaving, self._sending = True, False, False

    def run(self) -> None:
        """Echo until either side closes."""
        from h11 import LocalProtocolError  # noqa: PLC0415
        from wsproto.utilities import RemoteProtocolError  # noqa: PLC0415

        handler, request = self._handler, self._request
        handler.leave = self.leave
        handler.code = 101
        data = request.upgrade or b""
        try:
            # h11, by which wsproto reads them, refuses the spaces around a value (RFC 9110 section 5.5).
            headers = [
                (name.encode("latin-1"), value.strip(" \t").encode("latin-1")) for name, value in request.headers
            ]
            self._ws.initiate_upgrade_connection(headers, request.target)
            while True:
                for event in self._ws.events():
                    self._answer(event)
                if not self._open:
                    return
                if data:
                    self._ws.receive_data(data)
                    data = b""
                    continue
                data = self._receive()
                if not data:
                    return
        except RemoteProtocolError as error:
            handler.error = f"no valid WebSocket: {error}"
            if self._message or handler.response_length:
                self._say(error.event_hint)
            else:
                handler.refuse_upgrade("400 Bad Request", handler.error)
        except (LocalProtocolError, UnicodeError):  # wsproto takes headers for valid and ASCII, the host for a name
            handler.error = "no valid WebSocket: a header that is not valid or not ASCII, or a host that is no name"
            handler.refuse_upgrade("400 Bad Request", handler.error)
        finally:
            handler.leave = None

    def leave(self) -> None:
        """Say that the server stops. The client's own close ends the connection."""
        from wsproto import events  # noqa: PLC0415

        self._leaving = True
        if not self._sending:
            self._say(events.CloseConnection(code=GOING_AWAY))

    def _receive(self) -> bytes:
        data = self._handler.receive()
        self._request.received += len(data)
        self._block -= len(data)
        if self._block <= 0:
            self._move()
        return data

    def _move(self) -> None:
        """Give the client its time again."""
        self._block = BLOCK
        self._handler.deadline = time.monotonic() + self._handler.server.timeout

    def _answer(self, event: Event) -> None:
        from wsproto import events  # noqa: PLC0415

        if isinstance(event, events.Request):
            self._say(events.AcceptConnection(subprotocol=next(iter(event.subprotocols), None)))
        elif isinstance(event, events.Ping):
            self._say(event.response())
        elif isinstance(event, events.CloseConnection):
            self._say(event.response())
            self._open = False
        elif isinstance(event, events.Message):
            self._message += len(event.data)
            if self._message > self._most:
                self._say(events.CloseConnection(code=TOO_BIG, reason=f"a message may have at most {self._most} bytes"))
                self._open = False
                self._handler.linger()
                return
            self._say(type(event)(data=event.data, message_finished=event.message_finished))
            if event.message_finished:
                self._message = 0
                self._move()
            if self._leaving:
                self.leave()

    def _say(self, event: Event | None) -> None:
        from wsproto.utilities import LocalProtocolError  # noqa: PLC0415

        if event is None:
            return
        self._sending = True
        try:
            self._handler.send(self._ws.send(event))
        except LocalProtocolError:  # closed already
            return
        finally:
            self._sending = False
