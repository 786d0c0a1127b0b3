"""The prober that one would write first: a greenlet per host, PING over TCP and UDP every 30 s, answers discarded.

python bare_prober.py HOSTS TCP-PORT UDP-PORT [INTERVAL]
"""

from gevent import monkey

monkey.patch_all()

import ipaddress
import socket
import sys

import gevent

INTERVAL = 30.0  # seconds, unless told otherwise


def ask(kind: socket.SocketKind, host: str, port: int) -> None:
    """Probe once."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.settimeout(5)
        sock.connect((host, port))
        sock.sendall(b"PING")
        sock.recv(4)


def rounds(host: str, tcp: int, udp: int, interval: float, offset: float) -> None:
    """Probe for ever."""
    gevent.sleep(offset)
    while True:
        ask(socket.SOCK_STREAM, host, tcp)
        ask(socket.SOCK_DGRAM, host, udp)
        gevent.sleep(interval)


if __name__ == "__main__":
    number, tcp_port, udp_port = (int(text) for text in sys.argv[1:4])
    every = float(sys.argv[4]) if len(sys.argv) > 4 else INTERVAL
    first = ipaddress.IPv4Address("127.16.0.1")
    for index in range(number):
        gevent.spawn(rounds, str(first + index), tcp_port, udp_port, every, every * index / number)
    gevent.wait()
