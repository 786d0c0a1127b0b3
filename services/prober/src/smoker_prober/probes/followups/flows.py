"""Packets from several source ports, where some are lost: flows that always fail show a broken ECMP or LACP member.

a train lost packets, or a probe failed ─▶ 3 packets from each of 16 ports ── each flow has an answer ──▶ random loss
                                                └─ some have none ─▶ the same again ─▶ smoker_diagnosis.flows.judge
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Collection
from dataclasses import replace

import gevent
from gevent.lock import BoundedSemaphore

from smoker_diagnosis.flows import Flows, judge
from smoker_prober.network.resolve import Address, address
from smoker_prober.probes.datagram import arrived, connected, send, wait
from smoker_prober.probes.followups import base
from smoker_prober.result import Result

PORTS, PACKETS, PASSES = 16, 3, 2
LONGEST = 2.0  # seconds for both passes
APART = 0.05  # seconds between two packets of a flow
PAUSE = 60.0  # seconds between two checks of a path,
HEALING = 10.0  # or between these, where flows failed and a train has lost nothing since: they may work again
AT_ONCE = 8  # checks of this process: each has 16 sockets
_NUMBER = struct.Struct("!4sI")
_MARK = b"FLOW"
_room = BoundedSemaphore(AT_ONCE)


class Followup(base.Followup):
    """Checks the flows of a path after some of its packets were lost, and while flows fail.

    It does so once a minute at most, and sooner where the path may have healed: then the failing flows are over, too.
    """

    def __init__(self, _options: base.Flows, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._checked = -PAUSE
        self._missed = self._failing = False

    def missed(self) -> None:
        """Note that a probe failed. If the next one succeeds, a part of the flows may fail."""
        self._missed = True

    def catches_up(self) -> bool:
        """Return whether a probe has failed since the last check, and one is due."""
        return self._missed and self._clock() - self._checked >= PAUSE

    def __call__(self, result: Result, timeout: float, never: Collection[int]) -> Result:
        """Return `result` with what the flows say, where they were checked."""
        whole = result.train is not None and not result.train.lost
        self._missed = self._missed or (result.train is not None and not whole)
        due = self._clock() - self._checked >= (HEALING if self._failing and whole else PAUSE)
        if not (self._missed or self._failing) or not due or not _room.acquire(blocking=False):
            return result
        try:
            found = run(address(result.address, result.target.port), timeout, never)
        finally:
            _room.release()
        self._checked, self._missed = self._clock(), False
        self._failing = found is not None and found.failing > 0
        return replace(result, flows=found)


def run(address: Address, timeout: float, never: Collection[int] = ()) -> Flows | None:
    """Return the verdict on flows to a UDP echo; None if they say nothing. It takes `timeout` seconds at most."""
    counts = answered(address, timeout, never)
    if not counts:
        return None
    packets = max(sent for sent, _ in counts)
    return judge([answers for sent, answers in counts if sent == packets], packets)


def answered(address: Address, timeout: float, never: Collection[int] = ()) -> list[tuple[int, int]]:
    """Return of each flow how many packets were sent and how many were answered. Empty without sockets."""
    with contextlib.ExitStack() as opened:
        try:
            flows = [_Flow(opened.enter_context(connected(address, never=never))) for _ in range(PORTS)]
        except OSError:  # no descriptor, no source port, no route
            return []
        for _ in range(PASSES):
            _pass(flows, min(timeout, LONGEST) / PASSES)
            if all(flow.answers for flow in flows):
                break
        return [(flow.sent, len(flow.answers)) for flow in flows if flow.sent]


def _pass(flows: list[_Flow], seconds: float) -> None:
    """Send some packets of each flow and wait for their answers. A moment of silence costs each flow one packet."""
    until = time.monotonic() + seconds
    for number in range(PACKETS):
        if number:
            gevent.sleep(min(APART, seconds / PACKETS / 2))
        for flow in flows:
            flow.send()
    for flow in flows:
        flow.wait(until)


class _Flow:
    """The packets from one source port, and their answers."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.sent = 0
        self.answers: set[int] = set()

    def send(self) -> None:
        """Send one packet."""
        self.sent += send(self._sock, _NUMBER.pack(_MARK, self.sent))

    def wait(self, until: float) -> None:
        """Take the answers until all have come, or until the instant `until`."""
        self._take()
        in_time = True
        while in_time and len(self.answers) < self.sent:
            in_time = wait(self._sock, until)
            self._take()

    def _take(self) -> None:
        """Take the answers that have arrived."""
        for data in arrived(self._sock, _NUMBER.size + 1):
            if len(data) == _NUMBER.size and data.startswith(_MARK):
                number = _NUMBER.unpack(data)[1]
                if number < self.sent:
                    self.answers.add(number)
