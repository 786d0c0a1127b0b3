"""A server of HTTP/2 by the library h2 that answers each request as a test says."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived, StreamEnded

from tests.prober.targets import Serve, until_closed

Headers = dict[str, str]
Answer = Callable[[H2Connection, int, Headers], None]


def page(status: int | str = 200, body: bytes = b"OK", **headers: str) -> Answer:
    """Answer with this status and body."""

    def answer(connection: H2Connection, stream: int, _headers: Headers) -> None:
        connection.send_headers(stream, [(":status", str(status)), *headers.items()], end_stream=not body)
        for start in range(0, len(body), 16_384):
            connection.send_data(stream, body[start : start + 16_384], end_stream=start + 16_384 >= len(body))

    return answer


def serving(answer: Answer) -> Serve:
    """Speak HTTP/2 on a connection, and answer each of its requests once it has ended."""

    def serve(sock: socket.socket) -> None:
        connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        sock.sendall(connection.data_to_send())
        asked: dict[int, Headers] = {}
        while data := sock.recv(65_536):
            for event in connection.receive_data(data):
                if isinstance(event, RequestReceived):
                    assert event.stream_id is not None
                    asked[event.stream_id] = {str(name): str(value) for name, value in event.headers or ()}
                elif isinstance(event, StreamEnded):
                    assert event.stream_id is not None
                    answer(connection, event.stream_id, asked[event.stream_id])
            sock.sendall(connection.data_to_send())

    return serve


def over_tls(serve: Serve, certificate: Path, *protocols: str) -> Serve:
    """The same over TLS, for clients that offer one of `protocols`."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    server.set_alpn_protocols(list(protocols))

    def secured(sock: socket.socket) -> None:
        with server.wrap_socket(sock, server_side=True) as tls:
            serve(tls)

    return secured


def sending(data: bytes) -> Serve:
    """Say `data` and listen until the client closes."""

    def serve(sock: socket.socket) -> None:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        until_closed(sock)

    return serve
