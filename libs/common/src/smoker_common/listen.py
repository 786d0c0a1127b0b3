"""Listening sockets, and the names of the addresses that talk to them.

An empty host means every address of both families. TCP then listens once, on a dual-stack socket; UDP on a socket a
family, because an answer must leave from the address that was asked and each family has its own way to say so.
A host is an address in its normal form (host.py); a link-local one is bound with its interface's scope id.
Each function raises `OSError` where the address or the port cannot be had.
"""

from __future__ import annotations

import errno
import socket

from smoker_common.host import SockAddr, sockaddr

BACKLOG = 4096  # the kernel cuts it to net.core.somaxconn
NOT_SENT = 16 * 1024  # bytes that may wait in a socket beyond what its peer has room for (tcp(7))
V4_MAPPED = "::ffff:"


def tcp_listener(host: str, port: int) -> socket.socket:
    """A listening TCP socket that does not block; its accepted sockets inherit its options."""
    if host:
        family, where = sockaddr(host, port)
        listener = socket.create_server(where, family=family, backlog=BACKLOG)
    elif _has_ipv6():
        listener = socket.create_server(("::", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
    else:
        listener = socket.create_server(("0.0.0.0", port), backlog=BACKLOG)
    # Headers and body are two segments for many a server; Nagle's algorithm and a delayed ACK make 40 ms of them.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        # Otherwise the kernel says nothing of a slow reader until a third of the send buffer, megabytes, is free.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOT_SENT)
    listener.setblocking(False)
    return listener


def udp_sockets(host: str, port: int) -> list[socket.socket]:
    """Bound UDP sockets that do not block: one for a host, one a family for the empty host (both with one port)."""
    if host:
        return [_udp_socket(*sockaddr(host, port))]
    sockets = [_udp_socket(*sockaddr("0.0.0.0", port))]
    if _has_ipv6():
        try:
            sockets.append(_udp_socket(*sockaddr("::", sockets[0].getsockname()[1])))
        except OSError:
            sockets[0].close()
            raise
    return sockets


def _udp_socket(family: socket.AddressFamily, where: SockAddr) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(where)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _has_ipv6() -> bool:
    """Whether this host can bind an IPv6 address: a kernel may be built with it and have it switched off."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::", 0))
    except OSError:
        return False
    return True


def endpoint(address: tuple[object, ...]) -> str:
    """`host:port` of a socket address, IPv6 in brackets; an IPv4 address seen by a dual-stack socket as IPv4."""
    host, port = str(address[0]), address[1]
    if host.startswith(V4_MAPPED) and "." in host:
        host = host[len(V4_MAPPED) :]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def why_not(error: OSError) -> str:
    """Why a port could not be opened, for a person."""
    return {
        errno.EADDRINUSE: "is taken by another process",
        errno.EACCES: "needs a privilege this process has not (ports from 1024 need none)",
        errno.EADDRNOTAVAIL: "cannot be opened: LISTEN_ADDRESS is no address of this host",
    }.get(error.errno or 0, f"cannot be opened: {error.strerror or error}")
