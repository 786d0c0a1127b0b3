"""gevent's WSGI server with a strict parser, deadlines, and short answers in one segment.

A `Handler` serves each connection: it has `TIMEOUT` seconds for the headers of a request and for each block of a body.
A stop ends idle connections at once, and the others after their answer.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import gevent
from gevent.pywsgi import WSGIServer
from gevent.socket import socket as gevent_socket

from smoker_common.accept import Acceptor
from smoker_common.admission import Admission
from smoker_common.connections import Connections
from smoker_common.http_handler import Handler
from smoker_common.http_request import Request

if TYPE_CHECKING:
    from wsgiref.types import StartResponse

TIMEOUT = 30.0  # seconds

Application = Callable[[dict[str, Any], "StartResponse"], Iterable[bytes]]
#: Called after each request with the handler that served it: see `Handler.summary`.
Observer = Callable[[Handler], None]


class HttpServer(Acceptor, WSGIServer):
    """Serve `application` on `listener`.

    `observer` is called after each request. `allow` is the Allow header of the answer to an unknown method. A subclass
    may take another protocol on a connection: `takes` says for which request, `upgraded` speaks it.
    """

    handler_class = Handler

    def __init__(
        self,
        listener: socket.socket,
        application: Application,
        *,
        observer: Observer | None = None,
        timeout: float = TIMEOUT,
        allow: str = "GET, HEAD",
        admission: Admission | None = None,
    ) -> None:
        environ = {"SERVER_NAME": "smoker"}  # otherwise pywsgi asks the resolver at start
        options: dict[str, Any] = {"spawn": gevent.spawn_raw, "log": None, "error_log": None, "environ": environ}
        super().__init__(listener, application, **options)
        self.observer, self.timeout, self.allow = observer, timeout, allow
        self.admit_by(admission)
        self.connections: Connections[Handler] = Connections()
        self.turn = 0.0  # when all connections last had a turn

    def do_read(self) -> tuple[gevent_socket, tuple[Any, ...]] | None:  # type: ignore[override]
        accepted = self.accept()
        if accepted is None:
            return None
        listener = self.socket
        return gevent_socket(listener.family, listener.type, listener.proto, fileno=accepted[0]), accepted[1]

    def do_close(self, sock: gevent_socket, address: tuple[Any, ...]) -> None:
        """Release a connection. gevent calls this once for each connection that `do_read` returned."""
        self.left(address)
        super().do_close(sock, address)

    def close(self) -> None:
        """Stop accepting and end idle connections. Requests in flight continue."""
        super().close()
        for handler in self.connections.each() if hasattr(self, "connections") else ():
            if handler.idle:
                handler.cut()
            elif handler.leave is not None:
                with contextlib.suppress(OSError):
                    handler.leave()

    def takes(self, _request: Request) -> bool:
        """Return whether the offer of another protocol is taken."""
        return False

    def upgraded(self, handler: Handler, request: Request) -> None:
        """Speak the other protocol until the connection ends."""
        raise NotImplementedError

    def drain(self, seconds: float) -> int:
        """Wait at most `seconds` for requests in flight, cut the rest, and return how many were cut."""
        return self.connections.drain(seconds)
