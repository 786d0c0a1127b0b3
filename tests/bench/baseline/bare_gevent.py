"""The echo servers that one would write first with gevent, for comparison with Smoker's.

bare_gevent.py tcp|udp|http PORT
"""

import sys
from collections.abc import Callable, Iterable
from typing import Any

from gevent.pywsgi import WSGIServer
from gevent.server import DatagramServer, StreamServer
from gevent.socket import socket


def echo(connection: socket, _address: tuple[str, int]) -> None:
    """Send back everything until the client is done."""
    while data := connection.recv(4096):
        connection.sendall(data)


class UdpEcho(DatagramServer):
    """A UDP echo with one greenlet per datagram, as gevent does by default."""

    # gevent's own documentation overrides it so; its type information knows the method of stream servers only.
    def handle(self, data: bytes, address: tuple[str, int]) -> None:  # type: ignore[override]
        """Send the datagram back."""
        self.socket.sendto(data, address)


def answer(environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], Any]) -> Iterable[bytes]:
    """Answer GET with OK and POST with its body."""
    body: bytes = environ["wsgi.input"].read() if environ["REQUEST_METHOD"] == "POST" else b"OK"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def make_server(kind: str, port: int) -> StreamServer | DatagramServer | WSGIServer:
    """Return the server of this kind, before it listens."""
    address = ("127.0.0.1", port)
    if kind == "tcp":
        return StreamServer(address, echo)
    if kind == "udp":
        return UdpEcho(address)
    return WSGIServer(address, answer)


if __name__ == "__main__":
    make_server(sys.argv[1], int(sys.argv[2])).serve_forever()
