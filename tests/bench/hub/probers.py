"""The process that serves simulated probers: one listener, an address of 127.0.0.0/8 for each prober.

    python -m tests.bench.hub.probers MANY SHARE OF    # prober SHARE, SHARE + OF, SHARE + 2 OF … of MANY

It writes its port to stdout and ends with its stdin. For a prober, `LOOK` seconds pass from one request to the next: a
look finds the same number of new results, however busy the machine is.
"""

from __future__ import annotations

import resource
import socket
import sys
from collections import Counter

import gevent
from gevent.server import StreamServer

from smoker_common.listen import tcp_listener
from tests.bench.hub.world import LOOK, Prober, number_of


def main(many: int, share: int, of: int) -> None:
    """Serve until stdin ends."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    probers = {number: Prober(number, many) for number in range(share, many, of)}
    asked: Counter[int] = Counter()

    def serve(sock: socket.socket, _address: object) -> None:
        number = number_of(sock.getsockname()[0].removeprefix("::ffff:"))
        with sock:
            while request := sock.recv(4096):
                asked[number] += 1
                tag, body = probers[number].document(LOOK * asked[number])
                if f"If-None-Match: {tag}\r\n".encode() in request:
                    sock.sendall(f"HTTP/1.1 304 Not Modified\r\nETag: {tag}\r\n\r\n".encode())
                    continue
                head = f"HTTP/1.1 200 OK\r\nETag: {tag}\r\nContent-Length: {len(body)}\r\n\r\n"
                sock.sendall(head.encode() + body)

    listener = tcp_listener("0.0.0.0", 0)
    listener.listen(4096)
    StreamServer(listener, serve).start()
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    gevent.get_hub().threadpool.spawn(sys.stdin.read).get()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
