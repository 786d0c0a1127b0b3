"""A flow to a Service that is kept: one UDP socket, always the same source port, beside the fresh ones of the probe.

The kernel remembers for each flow to which pod it goes (connection tracking). If the pod is gone and that entry stays,
the flow is lost until nothing is sent for minutes, while new flows work.

fresh probe answered ─▶ packet on the kept flow ── answered ──▶ all is well
                             └─ three times no answer ─▶ 16 fresh flows ── all answered ─▶ a round in which it failed
                                                              └─ one is not: a pod does not answer ─▶ not counted
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Collection
from dataclasses import replace

from gevent.lock import BoundedSemaphore

from smoker_prober.kernel import error_queue
from smoker_prober.network.resolve import Address, address
from smoker_prober.probes.datagram import arrived, connected, wait
from smoker_prober.probes.followups import base, flows
from smoker_prober.result import KeptFlow, Result

TRIES = 3
LONGEST = 1.0  # seconds for all tries
HELD = 600.0  # seconds for which a flow that fails is kept
_MARK = b"KEPT"


class Followup(base.Followup):
    """Keeps one flow to the address that answers a UDP probe. A flow counts as kept from its second answer on."""

    def __init__(self, _options: base.KeptFlow, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sock: socket.socket | None = None
        self._address: Address | None = None
        self._worked = False
        self._rounds, self._since = 0, 0.0  # failures in a row
        self._one_at_a_time = BoundedSemaphore()  # a round may begin while it is asked again

    def doubts(self) -> bool:
        """Return whether the flow failed for the first time: the diagnosis counts it from the second time on."""
        return self._rounds == 1

    def missed(self) -> None:
        """Note that a fresh flow failed, too: then the kept one says nothing."""
        self._forget_failures()

    def __call__(self, result: Result, timeout: float, never: Collection[int]) -> Result:
        """Return `result` with what the kept flow says."""
        with self._one_at_a_time:
            return self._ask(result, timeout, never)

    def _ask(self, result: Result, timeout: float, never: Collection[int]) -> Result:
        wanted, now = address(result.address, result.target.port), self._clock()
        if wanted != self._address or (self._rounds and now - self._since > HELD):
            self.close()
        sock = self._open(wanted, never)
        if sock is None:
            return result
        port, seconds = int(sock.getsockname()[1]), min(timeout / 2, LONGEST)
        if _answered(sock, seconds):
            self._worked = True
            self._forget_failures()
            return replace(result, kept=KeptFlow(port))
        if not self._worked:  # a new flow that fails says nothing about kept ones
            self.close()
            return result
        fresh = flows.answered(wanted, timeout / 2, never)
        if not fresh or not all(answers for _, answers in fresh):
            return result
        self._since = self._since if self._rounds else now
        self._rounds += 1
        return replace(result, kept=KeptFlow(port, self._rounds, now - self._since))

    def _open(self, wanted: Address, never: Collection[int]) -> socket.socket | None:
        """Return the socket of the flow; None if none can be opened."""
        if self._sock is None:
            try:
                self._sock = connected(wanted, never=never)
            except OSError:  # no descriptor, no source port, no route
                return None
            self._address = wanted
        return self._sock

    def _forget_failures(self) -> None:
        self._rounds, self._since = 0, 0.0

    def close(self) -> None:
        """End the flow. The next round begins another one."""
        if self._sock is not None:
            self._sock.close()
        self._sock, self._address, self._worked = None, None, False
        self._forget_failures()

    def __del__(self) -> None:
        """Close the socket with the round that has it: a target that is probed no longer has no other end."""
        if getattr(self, "_sock", None) is not None:
            self.close()


def _answered(sock: socket.socket, seconds: float) -> bool:
    """Return whether one of some packets is answered within `seconds`."""
    token = _MARK + os.urandom(4)  # an answer to an earlier round does not count
    begun = time.monotonic()
    for number in range(1, TRIES + 1):
        try:
            sock.send(token)
        except OSError:  # an ICMP error for an earlier packet
            error_queue.drain(sock)
        if _heard(sock, token, begun + seconds * number / TRIES):
            return True
    return False


def _heard(sock: socket.socket, token: bytes, until: float) -> bool:
    """Return whether `token` comes back until that instant."""
    in_time, heard = True, False
    while in_time and not heard:
        in_time = wait(sock, until)
        heard = token in list(arrived(sock, len(token) + 1))  # all of it is taken
    return heard
