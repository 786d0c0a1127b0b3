"""A server that runs out of descriptors."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

import pytest
from loguru import logger

from smoker_common.accept import Acceptor
from smoker_common.listen import tcp_listener
from tests.conftest import eventually


class Short:
    """A listening socket that has no descriptor left for the first `times` accepts."""

    def __init__(self, sock: Any, times: int) -> None:
        self._sock, self.times = sock, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def _accept(self) -> Any:
        if self.times:
            self.times -= 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return self._sock._accept()


class Greeter(Acceptor):
    """Sends a greeting and closes."""

    def __init__(self, listener: Any) -> None:
        super().__init__(listener)
        self.admit_by(None)

    def do_read(self) -> Any:
        accepted = self.accept()
        return accepted and (socket.socket(fileno=accepted[0]), accepted[1])

    def handle(self, sock: socket.socket, _address: Any) -> None:
        with sock:
            sock.sendall(b"hello")


@pytest.fixture
def lines() -> Any:
    """Return the log lines so far."""
    found: list[str] = []
    sink = logger.add(lambda message: found.append(str(message)), format="{level} {message}")
    yield found
    logger.remove(sink)


def test_accepting_resumes_after_a_shortage_of_descriptors(lines: list[str]) -> None:
    """Without descriptors clients wait in the backlog and are served later.

    One line is logged at the beginning and one at the end.
    """
    server = Greeter(tcp_listener("127.0.0.1", 0))
    server.start()
    short = Short(server.socket, 3)
    server.socket = short  # type: ignore[assignment]
    try:
        with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as client:
            assert client.recv(10) == b"hello"
        assert short.times == 0
        eventually("the end is told", lambda: any("again" in line for line in lines))
    finally:
        server.stop()
    assert sum("no connection can be accepted" in line for line in lines) == 1
    assert sum("accepting connections again" in line for line in lines) == 1


def test_a_client_that_leaves_the_backlog_causes_no_error(lines: list[str]) -> None:
    """ECONNABORTED and similar errors concern the client and are not errors of the server."""
    server = Greeter(tcp_listener("127.0.0.1", 0))
    server.start()

    class Aborted(Short):
        def _accept(self) -> Any:
            if self.times:
                self.times -= 1
                raise OSError(errno.ECONNABORTED, "aborted")
            return self._sock._accept()

    server.socket = Aborted(server.socket, 1)  # type: ignore[assignment]
    try:
        with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as client:
            assert client.recv(10) == b"hello"
    finally:
        server.stop()
    assert lines == []
