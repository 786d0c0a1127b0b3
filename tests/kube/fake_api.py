"""An API server on loopback that does what a test's script says: a step for each request, in order.

When there are no more steps, a request is taken and nothing is said any more. Of Kubernetes it knows no more than which
queries are refused. As in the real API server, a list from its cache (resourceVersion=0) is one page, whatever `limit`
says; the script gives what it holds.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer

from smoker_common.listen import tcp_listener
from tests.conftest import eventually

HOST = "127.0.0.1"
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


class Request(NamedTuple):
    """What was asked."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]  # names in lower case

    @property
    def watches(self) -> bool:
        return "watch" in self.query


#: What is done about one request; the connection stays for the next one if it returns True.
Step = Callable[[socket.socket], bool]


def answer(status: int, body: Any = None, **headers: object) -> Step:
    """Return a whole answer; `retry_after=3` is a header Retry-After."""

    def step(sock: socket.socket) -> bool:
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        sock.sendall(f"HTTP/1.1 {status} Reason\r\nContent-Length: {len(data)}\r\n{more}\r\n".encode() + data)
        return True

    return step


def page(*items: Any, version: str = "1", more: str = "") -> Step:
    """One page of a list."""
    about = {"resourceVersion": version} | ({"continue": more} if more else {})
    return answer(200, {"kind": "EndpointSliceList", "metadata": about, "items": list(items)})


def watch(*events: Any, end: str = "hold", pieces: int = 0) -> Step:
    """Return a watch: a line for each event, raw bytes unchanged, in pieces of so many bytes unless that is 0.

    `end`: "end" as it should, "cut" in the middle of the answer, "hold" it open in silence.
    """

    def step(sock: socket.socket) -> bool:
        sock.sendall(CHUNKED)
        data = b"".join(each if isinstance(each, bytes) else json.dumps(each).encode() + b"\n" for each in events)
        size = pieces or len(data) or 1
        for at in range(0, len(data), size):
            piece = data[at : at + size]
            sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
            gevent.sleep(0)
        if end == "end":
            sock.sendall(b"0\r\n\r\n")
        elif end == "hold":
            hold(sock)
        return end == "end"

    return step


def hold(sock: socket.socket) -> bool:
    """Send nothing until the other side closes."""
    while sock.recv(4096):
        pass
    return False


def cut(_sock: socket.socket) -> bool:
    """Close without an answer."""
    return False


def item(name: str, version: str = "1", **content: Any) -> dict[str, Any]:
    """An object of the collection."""
    return {"metadata": {"name": name, "resourceVersion": version}, **content}


def event(kind: str, name: str, version: str, **content: Any) -> dict[str, Any]:
    """A line of a watch."""
    return {"type": kind, "object": item(name, version, **content)}


def bookmark(version: str) -> dict[str, Any]:
    return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}


def error(code: int) -> dict[str, Any]:
    return {"type": "ERROR", "object": {"kind": "Status", "code": code, "reason": "Expired"}}


class FakeApi:
    """Takes one step of `script` per request. Without `token`, if set, a request gets a 401 and no step."""

    def __init__(self, *script: Step, token: str = "", context: ssl.SSLContext | None = None) -> None:
        self.script, self.token = deque(script), token
        self.requests: list[Request] = []
        self.open = 0  # connections
        self._context = context
        listener = tcp_listener(HOST, 0)
        self.port: int = listener.getsockname()[1]
        self.url = f"{'https' if context else 'http'}://{HOST}:{self.port}"
        self._pool = Pool()
        self._server = StreamServer(listener, self._handle, spawn=self._pool)
        self._server.start()

    def stop(self) -> None:
        self._server.stop(timeout=0)

    def asked(self, count: int) -> list[Request]:
        """Return the requests once there are `count`; fail if there are more."""
        eventually(f"{count} requests", lambda: len(self.requests) >= count)
        assert len(self.requests) == count
        return self.requests

    def _handle(self, sock: socket.socket, _address: object) -> None:
        self.open += 1
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.callback(sock.close)
            if self._context:
                sock = stack.enter_context(self._context.wrap_socket(sock, server_side=True))
            for request in _requests(sock):
                self.requests.append(request)
                if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
                    step = answer(401)
                elif unfit(request.query):
                    step = answer(400)
                else:
                    step = self.script.popleft() if self.script else hold
                if not step(sock):
                    break
        self.open -= 1


def unfit(query: dict[str, str]) -> bool:
    """Return whether the real API server answers 400, which it did for each of these (Kubernetes 1.35)."""
    version = query.get("resourceVersion", "")
    return (bool(query.get("continue")) and version not in ("", "0")) or (
        "resourceVersionMatch" in query and (not version or "watch" in query)
    )


Fake = Callable[..., FakeApi]


@contextlib.contextmanager
def faking() -> Iterator[Fake]:
    """`faking(*script)` runs a `FakeApi` for the duration of the block."""
    with contextlib.ExitStack() as servers:

        def one(*script: Step, token: str = "", context: ssl.SSLContext | None = None) -> FakeApi:
            server = FakeApi(*script, token=token, context=context)
            servers.callback(server.stop)
            return server

        yield one


def _requests(sock: socket.socket) -> Iterator[Request]:
    """Yield requests without a body, which are all that a reader of the API sends."""
    with sock.makefile("rb") as stream:
        while line := stream.readline():
            url = urlsplit(line.split()[1].decode())
            headers = {}
            while (field := stream.readline().strip()) != b"":
                name, _, value = field.decode().partition(":")
                headers[name.lower()] = value.strip()
            yield Request(url.path, dict(parse_qsl(url.query, keep_blank_values=True)), headers)
