"""Open listening sockets, and write socket addresses as text.

An empty host means every address of both families. TCP then listens on one dual-stack socket. UDP uses one socket per
family: an answer must leave from the address that received the request, and each family has its own option for it.
A host is an address in its normal form (host.py); a link-local one is bound with its interface's scope id.
Each function raises `OSError` if the address or the port cannot be opened.
"""

from __future__ import annotations

import errno
import socket

from smoker_common.host import SockAddr, sockaddr

BACKLOG = 4096  # the kernel cuts it to net.core.somaxconn
NOT_SENT = 16 * 1024  # bytes that may wait in a socket beyond what its peer has room for (tcp(7))
V4_MAPPED = "::ffff:"


def tcp_listener(host: str, port: int) -> socket.socket:
    """Return a non-blocking listening TCP socket. Accepted sockets inherit its options."""
    if host:
        family, where = sockaddr(host, port)
        listener = socket.create_server(where, family=family, backlog=BACKLOG)
    elif _has_ipv6():
        listener = socket.create_server(("::", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
    else:
        listener = socket.create_server(("0.0.0.0", port), backlog=BACKLOG)
    # Without it, Nagle's algorithm and a delayed ACK add 40 ms when headers and body are two segments.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        # Without it, a socket with a slow reader is writable only when a third of its buffer (megabytes) is free.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOT_SENT)
    listener.setblocking(False)
    return listener


def udp_sockets(host: str, port: int) -> list[socket.socket]:
    """Return non-blocking bound UDP sockets: one for a host, or one per family for an empty host, on the same port."""
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
    """Return whether this host can bind an IPv6 address: a kernel may have IPv6 built in but switched off."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::", 0))
    except OSError:
        return False
    return True


def endpoint(address: tuple[object, ...]) -> str:
    """Return `host:port` of a socket address, with IPv6 in brackets and IPv4-mapped addresses as IPv4."""
    host, port = str(address[0]), address[1]
    if host.startswith(V4_MAPPED) and "." in host:
        host = host[len(V4_MAPPED) :]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def bind_error_text(error: OSError) -> str:
    """Return why a port could not be opened, for a person."""
    return {
        errno.EADDRINUSE: "is taken by another process",
        errno.EACCES: "needs a privilege that this process does not have (ports from 1024 up need none)",
        errno.EADDRNOTAVAIL: "cannot be opened: LISTEN_ADDRESS is not an address of this host",
    }.get(error.errno or 0, f"cannot be opened: {error.strerror or error}")
