"""TLS over a connection: the second part of the probes that use it."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

from smoker_common.host import wire
from smoker_outcome.tls import TlsFailure
from smoker_prober.network.deadline import Deadline
from smoker_prober.probes.base import Attempt
from smoker_prober.probes.connection import connect
from smoker_prober.probes.trust import context
from smoker_prober.target import Target


@dataclass(frozen=True)
class Security:
    """What a handshake asks for. `server_name` is empty for the target's own name, `ca` for the system's CAs."""

    server_name: str = ""
    ca: str = ""
    min_version: str = "1.2"
    alpn: tuple[str, ...] = ("http/1.1",)


def server_name(target: Target, name: str = "") -> str:
    """Return what a server's certificate must be for: a name without the dot of the root (RFC 6066 section 3)."""
    return wire(name or target.host).removesuffix(".")


def shake_hands(tls: ssl.SSLSocket, deadline: Deadline) -> None:
    """Do the TLS handshake over a nonblocking socket."""
    while True:
        try:
            return tls.do_handshake()
        except ssl.SSLWantReadError:
            deadline.readable(tls)
        except ssl.SSLWantWriteError:
            deadline.writable(tls)


@contextlib.contextmanager
def secured(attempt: Attempt, sock: socket.socket, security: Security) -> Iterator[ssl.SSLSocket]:
    """Secure `sock` by a handshake with a verified certificate, as a phase. Raises `ssl.SSLError`, `BadBundle`.

    A server that chooses none of the protocols in `security.alpn` ends the handshake, or stays silent about them.
    """
    with contextlib.ExitStack() as stack:
        with attempt.phase("tls"):
            name = server_name(attempt.target, security.server_name)  # Python sends no SNI for an address
            trusted = context(security.ca, security.min_version, security.alpn)
            tls = trusted.wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
            stack.enter_context(contextlib.closing(tls))
            shake_hands(tls, attempt.deadline)
        yield tls


@contextlib.contextmanager
def connected(attempt: Attempt, security: Security | None) -> Iterator[socket.socket]:
    """Connect a nonblocking socket, over TLS with a verified certificate where `security` says how."""
    with contextlib.ExitStack() as stack:
        sock: socket.socket = stack.enter_context(connect(attempt))
        if security is not None:
            sock = stack.enter_context(secured(attempt, sock, security))
        yield sock


def require_alpn(sock: socket.socket, *protocols: str) -> None:
    """Raise `TlsFailure` unless the server chose one of `protocols` over TLS (RFC 7301)."""
    chosen = chosen_alpn(sock)
    if chosen not in protocols:
        offered = ", ".join(protocols)
        raise TlsFailure("alpn", f"the server chose {chosen or 'no protocol'} where {offered} was offered (ALPN)")


def chosen_alpn(sock: socket.socket) -> str | None:
    """Return the protocol that the server chose; None without TLS or without a choice."""
    return sock.selected_alpn_protocol() if isinstance(sock, ssl.SSLSocket) else None
