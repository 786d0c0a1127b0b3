"""A path of about a millisecond: two TUN devices, one per namespace, and this process between them until stdin ends.

python -m tests.bench.accuracy_relay NAMESPACE NAMESPACE DEVICE SECONDS

The delay depends on `select` and the machine; the capture shows how long each packet really took.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import struct
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

CLONE_NEWNET = 0x40000000  # linux/sched.h
TUNSETIFF = 0x400454CA  # linux/if_tun.h
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
LARGEST = 65_535  # bytes


def open_tun(namespace: str, device: str) -> int:
    """Open a new TUN device in `namespace`. This process stays in that namespace: os.setns needs Python 3.12."""
    libc = ctypes.CDLL(None, use_errno=True)
    entered = os.open(Path("/run/netns") / namespace, os.O_RDONLY)
    try:
        if libc.setns(entered, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns to {namespace}")
    finally:
        os.close(entered)
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
    return tun


def queued(tun: int) -> Iterator[bytes]:
    """Return all waiting packets: packets of a burst should not wait for each other."""
    with contextlib.suppress(BlockingIOError):
        while True:
            yield os.read(tun, LARGEST)


def relay(ends: tuple[int, int], stop: int, delay: float) -> None:
    """Forward each packet `delay` seconds after it came, until `stop` can be read."""
    other = {ends[0]: ends[1], ends[1]: ends[0]}
    waiting: deque[tuple[float, int, bytes]] = deque()
    while True:
        rest = max(waiting[0][0] - time.monotonic(), 0.0) if waiting else None
        readable, _, _ = select.select([*ends, stop], [], [], rest)
        if stop in readable:
            return
        for end in readable:
            waiting.extend((time.monotonic() + delay, other[end], packet) for packet in queued(end))
        while waiting and waiting[0][0] <= time.monotonic():
            _, end, packet = waiting.popleft()
            try:
                os.write(end, packet)
            except OSError:  # the device is not up yet: nobody is there to miss it
                continue


def main() -> int:
    """Relay until stdin ends."""
    one, two, device, delay = sys.argv[1:]
    with contextlib.suppress(OSError):  # not in every container; the path is then less steady
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        ends = open_tun(one, device), open_tun(two, device)
    except OSError as error:
        print(f"there is no TUN device: {error}", flush=True)
        return 1
    print("ready", flush=True)
    relay(ends, sys.stdin.fileno(), float(delay))
    return 0


if __name__ == "__main__":
    sys.exit(main())
