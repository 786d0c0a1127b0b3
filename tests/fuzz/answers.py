"""A connection on which fuzzed bytes arrive, and a probe that reads them. Nothing is sent."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import re
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from smoker_prober.network.deadline import Deadline
from smoker_prober.probes import PROBES, base
from smoker_prober.result import Outcome
from smoker_prober.target import Path, Target

TIMEOUT = 60.0  # seconds: the fuzzer and pytest end what takes longer
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_KEY = re.compile(rb"Sec-WebSocket-Key: (\S+)\r\n", re.IGNORECASE)


class Patient(Deadline):
    """A deadline over a connection on which nothing waits. Reading still takes its time."""

    def _wait(self, sock: object, *, write: bool) -> None:
        """Do nothing."""


class Answered:
    """A socket to a server that says `answer` and closes. It arrives in pieces of `size` bytes, 0: all at once."""

    def __init__(self, answer: bytes, size: int = 0) -> None:
        self._answer = io.BytesIO(answer)
        self._size = size

    def send(self, data: Any) -> int:
        """Take all of it."""
        return len(data)

    def sendall(self, data: Any) -> None:
        """Take all of it."""
        self.send(data)

    def recv(self, most: int) -> bytes:
        """Return the next piece."""
        return self._answer.read(min(most, self._size or most))

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return the answer as a stream."""
        return io.BufferedReader(io.BytesIO(self._answer.read()))

    def getsockopt(self, *_: int) -> bytes:
        """Raise: the kernel knows nothing of this connection."""
        raise OSError("no TCP connection")

    def settimeout(self, _seconds: float) -> None:
        """Do nothing: nothing here waits."""

    def close(self) -> None:
        """Do nothing."""


class WebSocketServer(Answered):
    """A server that accepts the WebSocket that the client asks for. `answer` is what it says then."""

    def __init__(self, answer: bytes, size: int = 0) -> None:
        super().__init__(b"", size)
        self._frames = answer

    def send(self, data: Any) -> int:
        """Accept the handshake (RFC 6455 section 4.2.2)."""
        if key := _KEY.search(bytes(data)):
            accept = base64.b64encode(hashlib.sha1(key[1] + _GUID, usedforsecurity=False).digest())
            head = b"HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept
            self._answer = io.BytesIO(head + b"\r\n\r\n" + self._frames)
        return len(data)


def probed(name: str, module: Any, options: Any, sock: Answered, connect: str = "connected") -> None:
    """Run the probe `name` against `sock`: its result must be of the network, never an error of the prober itself.

    `connect` is the function of `module` that connects.
    """

    @contextlib.contextmanager
    def connected(*_: object) -> Iterator[Answered]:
        yield sock

    target = Target(name, "127.0.0.1", 1, Path("external", "fuzzed", "other"), options)
    with mock.patch.object(module, connect, connected), mock.patch.object(base, "Deadline", Patient):
        result = base.run(PROBES[name], target, "node", TIMEOUT)
    assert result.outcome is not Outcome.LOCAL_ERROR, result.error
    assert len(result.error) < 2000
    assert result.error.isprintable(), result.error


def pieces(data: bytes) -> tuple[bytes, int]:
    """Return what arrives, and in which pieces: the first byte says it, so that the fuzzer can choose."""
    return data[1:], data[0] if data else 0


def over(
    name: str, module: Any, options: Any, server: type[Answered] = Answered, connect: str = "connected"
) -> Callable[[bytes], None]:
    """Return a function that takes the bytes of a server's answer and runs the probe against it."""

    def run(data: bytes) -> None:
        answer, size = pieces(data)
        probed(name, module, options, server(answer, size), connect)

    return run
