"""The far end of the accuracy bench, until stdin ends: the echo services, the STAMP reflector, a DNS and a TLS server.

python -m tests.bench.accuracy_echo CERTIFICATE
"""

from gevent import monkey

monkey.patch_all()

import socket
import ssl
import sys
from functools import partial

import dns.message
import dns.rrset
import gevent
from gevent.server import StreamServer
from gevent.socket import wait_read

from smoker_echo.pktinfo import SPACE, answer_from, ask_for_destination
from smoker_echo.stamp import StampReflector
from smoker_echo.tcp import TcpEcho
from smoker_echo.udp import UdpEcho

from .accuracy_job import NAME, PORTS

SO_RCVBUFFORCE = 33  # asm-generic/socket.h
QUEUE = 4 * 1024 * 1024  # bytes: a burst waits, it is not lost
BACKLOG = 2048
LARGEST = 512  # bytes of a query


def listener(probe: str) -> socket.socket:
    """A socket that listens at the port of this probe."""
    return socket.create_server(("0.0.0.0", PORTS[probe]), backlog=BACKLOG)


def receiver(probe: str) -> socket.socket:
    """A nonblocking socket for datagrams to the port of this probe."""
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, QUEUE)
    sock.bind(("0.0.0.0", PORTS[probe]))
    sock.setblocking(False)
    return sock


def answer_queries(sock: socket.socket) -> None:
    """Answer every DNS query with one address, from the address that was asked."""
    record = dns.rrset.from_text(NAME, 30, "IN", "A", "192.0.2.1")
    while True:
        wait_read(sock.fileno())
        query, ancillary, _flags, client = sock.recvmsg(LARGEST, SPACE)
        response = dns.message.make_response(dns.message.from_wire(query))
        response.answer.append(record)
        sock.sendmsg([response.to_wire()], answer_from(*ancillary[0]), 0, client)


def shake_hands(context: ssl.SSLContext, sock: socket.socket, _client: object) -> None:
    """Do the TLS handshake and wait for the end of the connection. A client that goes away is no fault."""
    try:
        with context.wrap_socket(sock, server_side=True) as secured:
            secured.recv(1)
    except OSError:
        sock.close()


def main() -> int:
    """Serve until stdin ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    TcpEcho(listener("tcp")).start()
    StreamServer(listener("tls"), partial(shake_hands, context)).start()
    UdpEcho(receiver("udp")).start()
    StampReflector(receiver("train")).start()
    queries = receiver("dns")
    ask_for_destination(queries)
    gevent.spawn(answer_queries, queries)
    print("ready", flush=True)
    wait_read(sys.stdin.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
