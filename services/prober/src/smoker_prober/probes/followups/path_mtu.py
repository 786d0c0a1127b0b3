"""Checks that the largest packet which the path should take arrives and comes back. It follows a UDP probe.

one packet of `allowed` bytes ── answered ──▶ no fault
        └─ three times no answer ─▶ twice one packet of each size, the largest first ─▶ smoker_diagnosis.path_mtu.judge

A router that says "too big" (ICMP 3/4) is no fault: the kernel then lowers the path's MTU, and that size is tried.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple

from smoker_diagnosis.path_mtu import PathMtu, judge, sizes
from smoker_prober.kernel import path_mtu
from smoker_prober.network.resolve import Address, address
from smoker_prober.probes.datagram import arrived, connected, send, wait
from smoker_prober.probes.followups import base
from smoker_prober.result import Outcome, Result

LARGEST = 9216  # bytes: jumbo frames end here; loopback would take 65,536
TRIES, SWEEPS = 3, 2
FILLING = bytes(LARGEST)
_SIZE = struct.Struct("!I")


class Options(NamedTuple):
    """A large packet in the first round, and then in one of `every` rounds."""

    every: int = 1


class Followup(base.Followup):
    """Sends a large packet to the address that answered a UDP probe, when it is due and while such packets are lost."""

    def __init__(self, options: Options) -> None:
        self._every = options.every
        self._rounds = 0  # until the next round that has one
        self._lost = False

    def __call__(self, result: Result, timeout: float, never: Collection[int]) -> Result:
        """Return `result` with what the packet found. Where large packets are lost, the probe has failed."""
        self._rounds -= 1
        if self._rounds >= 0 and not self._lost:
            return result
        found = run(address(result.address, result.target.port), timeout, never)
        self._rounds = self._every - 1
        self._lost = found.black_hole if found is not None else self._lost  # None: nothing is known, so try again
        if found is None or not found.black_hole:
            return replace(result, path_mtu=found)
        return replace(result, path_mtu=found, outcome=Outcome.MTU, error=str(found))


def run(address: Address, timeout: float, never: Collection[int] = ()) -> PathMtu | None:
    """Send packets of several sizes to a UDP echo, for `timeout` seconds at most, from a port that is none of `never`.

    Return None if they say nothing about sizes.
    """
    try:
        sock = connected(address, path_mtu.enable, never=never)
    except OSError:  # no descriptor, no source port, no route
        return None
    with sock:
        return _Sizes(sock, timeout / (TRIES + SWEEPS)).found()


class _Sizes:
    """The sizes that `sock` has sent and got back. `patience` is the seconds for each try."""

    def __init__(self, sock: socket.socket, patience: float) -> None:
        self._sock, self._patience = sock, patience
        self._headers = path_mtu.HEADERS[sock.family]
        self._answered: set[int] = set()
        self._cut = False  # whether an answer held only a part: the packet did arrive

    @property
    def _allowed(self) -> int:
        return min(path_mtu.known(self._sock) or 0, LARGEST)

    def found(self) -> PathMtu | None:
        for _ in range(TRIES):
            allowed = self._allowed  # less than before if a router has answered
            if self._send(allowed) and self._await({allowed}, allowed):
                return PathMtu(allowed, allowed)
        allowed, tried = self._allowed, set[int]()
        for _ in range(SWEEPS):
            tried |= {size for size in sizes(allowed) if size not in self._answered and self._send(size)}
            self._await(tried, allowed)
        return judge(allowed, tried, self._answered) if self._allowed >= allowed and not self._cut else None

    def _send(self, size: int) -> bool:
        """Send a packet of `size` bytes. Return whether it has left."""
        if size < self._headers + _SIZE.size:  # the path's MTU is not known
            return False
        return send(self._sock, self._payload(size))

    def _payload(self, size: int) -> bytes:
        """Return the payload of a packet of `size` bytes: the size, then zeros."""
        return (_SIZE.pack(size) + FILLING)[: size - self._headers]

    def _await(self, wanted: set[int], allowed: int) -> bool:
        """Return whether all of `wanted` are answered in time. Stop early if the path takes less than `allowed`."""
        until = time.monotonic() + self._patience
        in_time = True
        while in_time and not wanted <= self._answered and self._allowed >= allowed:
            in_time = wait(self._sock, until)
            self._take()
        return wanted <= self._answered

    def _take(self) -> None:
        """Take the answers that have arrived."""
        for data in arrived(self._sock, LARGEST + 1):
            size = _SIZE.unpack_from(data)[0] if len(data) >= _SIZE.size else 0
            if data == self._payload(size):
                self._answered.add(size)
            self._cut = self._cut or len(data) + self._headers < size
