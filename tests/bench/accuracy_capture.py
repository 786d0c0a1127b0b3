"""Capture the packets of one device with the kernel's time stamps, as a process, until stdin ends.

python -m tests.bench.accuracy_capture DEVICE

The process may read late: the kernel stamps each packet when it passes the device, and the queue is long. At its end
the process writes the number of packets that did not fit into the queue, and the others: stamp, length, first bytes.
"""

from __future__ import annotations

import select
import socket
import struct
import sys
from collections.abc import Iterator
from typing import IO

ETH_P_ALL = 3  # linux/if_ether.h
SO_RCVBUFFORCE, SO_TIMESTAMPNS = 33, 35  # asm-generic/socket.h; the latter is also the type of the control message
SOL_PACKET, PACKET_STATISTICS = 263, 6  # linux/socket.h, linux/if_packet.h
TIMESPEC = struct.Struct("=qq")
QUEUE = 128 * 1024 * 1024  # bytes
SNAP = 128  # bytes of a packet that are kept
HEAD, RECORD = struct.Struct("=I"), struct.Struct("=qH")


def open_capture(device: str) -> socket.socket:
    """Open a capture with SOCK_DGRAM: packets have no link header, so Ethernet and TUN look the same."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, QUEUE)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.bind((device, ETH_P_ALL))
    sock.setblocking(False)
    return sock


def receive(sock: socket.socket) -> Iterator[bytes]:
    """Return all waiting packets as records. Fail on a packet without a time stamp: this kernel cannot be used."""
    while True:
        try:
            data, ancillary, _flags, _address = sock.recvmsg(SNAP, socket.CMSG_SPACE(TIMESPEC.size))
        except BlockingIOError:
            return
        for level, kind, value in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                seconds, nanoseconds = TIMESPEC.unpack(value)
                yield RECORD.pack(seconds * 10**9 + nanoseconds, len(data)) + data


def dropped(sock: socket.socket) -> int:
    """Return how many packets did not fit into the queue."""
    _seen, lost = struct.unpack("=II", sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    return int(lost)


def read(stream: IO[bytes]) -> tuple[int, list[tuple[int, bytes]]]:
    """Read what a capture wrote: the number of lost packets, and stamp (ns) and first bytes of the others."""
    raw = stream.read()
    lost: int = HEAD.unpack_from(raw)[0]
    at, packets = HEAD.size, []
    while at < len(raw):
        stamp, length = RECORD.unpack_from(raw, at)
        at += RECORD.size
        packets.append((stamp, raw[at : at + length]))
        at += length
    return lost, packets


def main() -> int:
    """Capture until stdin ends."""
    with open_capture(sys.argv[1]) as sock:
        records: list[bytes] = []
        print("ready", flush=True)
        while True:
            readable, _, _ = select.select([sock, sys.stdin], [], [])
            records += receive(sock)
            if sys.stdin in readable:
                break
        sys.stdout.buffer.write(HEAD.pack(dropped(sock)))
        sys.stdout.buffer.writelines(records)
    return 0


if __name__ == "__main__":
    sys.exit(main())
