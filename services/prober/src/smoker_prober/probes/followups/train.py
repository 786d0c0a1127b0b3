"""A STAMP Session-Sender (RFC 8762): a train of packets from one socket, with kernel timestamps."""

from __future__ import annotations

import errno
import math
import random
import socket
import time
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from statistics import median
from typing import NamedTuple

import gevent

from smoker_diagnosis.train import Answer, Train, judge
from smoker_echo.stamp_packet import LENGTH, Malformed, SenderPacket, pack_sender, unpack_reflector
from smoker_prober.kernel import error_queue, timestamping
from smoker_prober.network.resolve import Address, address
from smoker_prober.probes.datagram import connected, wait
from smoker_prober.probes.followups import base
from smoker_prober.result import Method, Result, Rtt

LONGEST = 1.0  # seconds over which a train is spread at most
SHARE = 0.2  # of the interval, where that is less
CLEAN = 3  # trains in a row without loss after which a path is no longer in doubt
SECOND = 30  # packets of a second train, if those of a round are not more
TAKE = 16  # packets between two reads of the socket: its buffer holds some two hundred


class Options(NamedTuple):
    """A train to `port` of the host that answered: `packets` packets, spread over seconds."""

    port: int
    packets: int = 10
    spread: float = 1.0


def spread(interval: float) -> float:
    """Return the seconds over which a train is spread, with this interval between rounds."""
    return min(LONGEST, interval * SHARE)


class Followup(base.Followup):
    """Sends a train to the address that answered a UDP probe."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._clean = CLEAN  # trains in a row without loss
        self._missed = False  # whether a probe has failed since the last train

    def missed(self) -> None:
        """Note that a probe failed. If it works when it is repeated, the path may lose packets."""
        self._missed = True

    def catches_up(self) -> bool:
        """Return whether a probe has failed since the last train."""
        return self._missed

    def doubts(self) -> bool:
        """Return whether one of the last trains lost packets: a second one tells chance, and the end, from loss."""
        return self._clean < CLEAN

    def __call__(self, result: Result, timeout: float, never: Collection[int]) -> Result:
        """Return `result` with what the train found, and with the train's median RTT where it has one."""
        return self._train(result, self._options.packets, timeout, never)

    def again(self, result: Result, timeout: float, never: Collection[int]) -> Result:
        """Return `result` with what a longer train found: its packets count for the hub, and not for rates."""
        return self._train(result, max(self._options.packets, SECOND), timeout, never)

    def _train(self, result: Result, packets: int, timeout: float, never: Collection[int]) -> Result:
        options, self._missed = self._options, False
        found = run(address(result.address, options.port), packets, options.spread, timeout, never)
        self._clean = CLEAN if found is None else 0 if found.lost else self._clean + 1
        if found is None or not found.rtts:
            return replace(result, train=found)
        # These RTTs leave out the reflector's own time: a peer that lacks CPU does not make the network look slow.
        method = Method.STAMP if found.stamped else Method.CLOCK
        return replace(result, train=found, rtt=Rtt(median(found.rtts), method))


class _Arrival(NamedTuple):
    """One answer."""

    sequence: int  # of the packet that it answers
    number: int  # the reflector's
    at: int  # ns since the epoch
    taken: int  # ns of the monotonic clock when it was read, later than `at`
    stamped: bool  # whether the kernel measured `at`
    residence: int  # ns in the reflector


@dataclass
class _UnderWay:
    """The packets that have left and the answers that have come so far."""

    left: dict[int, int] = field(default_factory=dict)  # by sequence number, ns of departure; by the clock at first
    clock: dict[int, int] = field(default_factory=dict)  # ns of the monotonic clock just before each departure
    departed: set[int] = field(default_factory=set)  # packets whose departure the kernel measured
    arrived: list[_Arrival] = field(default_factory=list)
    answered: set[int] = field(default_factory=set)
    ssid: int = field(default_factory=lambda: random.randint(1, 0xFFFF))  # noqa: S311  an identifier, no secret
    unreadable: int = 0  # answers that are no STAMP packets
    refused: bool = False
    stamped: bool = False  # whether the kernel measures departures and arrivals
    numbered: float = (
        math.inf
    )  # the kernel's numbers are our sequence numbers below it, before a packet failed to leave

    @property
    def closed(self) -> bool:
        """Return whether ICMP said that nothing listens there, and no answer has come."""
        return self.refused and not self.answered and not self.unreadable

    @property
    def complete(self) -> bool:
        """Return whether each packet that left has an answer, readable or not."""
        return self.answered >= self.left.keys() or (not self.answered and self.unreadable >= len(self.left))


def run(address: Address, packets: int, spread: float, timeout: float, never: Collection[int] = ()) -> Train | None:
    """Send `packets` over `spread` seconds from a port that is none of `never`, wait up to `timeout` for each answer.

    Return None if nothing reflects (ICMP said so and no answer came) or no packet could leave. The session identifier
    (RFC 8972 section 3) tells a train from an earlier one of the same port.
    """
    under_way = _UnderWay()
    try:
        sock = connected(address, never=never)
    except OSError:  # no descriptor, no source port, no route
        return None
    with sock:
        under_way.stamped = timestamping.enable(sock)
        begun = time.monotonic()
        for sequence in range(packets):
            _await_turn(sock, under_way, sequence, begun + sequence * spread / packets)
            if under_way.closed:
                return None
            under_way.clock[sequence], under_way.left[sequence] = time.monotonic_ns(), time.time_ns()
            try:
                packet = SenderPacket(sequence, under_way.left[sequence], ssid=under_way.ssid)
                sock.send(pack_sender(packet, LENGTH))
            except OSError:  # a local error, or an ICMP error for an earlier packet: this packet has not left
                del under_way.left[sequence]
                under_way.numbered = min(under_way.numbered, sequence)
                _take(sock, under_way)
        _receive(sock, under_way, time.monotonic() + timeout, all_of_it=True)
        _take(sock, under_way)  # the timestamp of a departure can come after the answer
        if under_way.closed:
            return None
    return _judged(under_way, int(timeout * 1e9)) if under_way.left else None


def _judged(under_way: _UnderWay, limit: int) -> Train:
    """Return the train. An answer is late after `limit` ns."""
    arrived = [each for each in under_way.arrived if each.sequence in under_way.left]
    answers = []
    for each in arrived:
        took, elapsed = each.at - under_way.left[each.sequence], each.taken - under_way.clock[each.sequence]
        if not 0 <= took <= elapsed:
            # The wall clock, by which the kernel stamps, was stepped: only the answer is known.
            answers.append(Answer(each.sequence, each.number, -1, late=False))
            continue
        there = each.residence if 0 <= each.residence <= took else 0  # otherwise the reflector's clock was stepped
        answers.append(Answer(each.sequence, each.number, took - there, took > limit))
    stamped = all(each.stamped and each.sequence in under_way.departed for each in arrived)
    return judge(sorted(under_way.left), answers, stamped=stamped, unreadable=under_way.unreadable)


def _await_turn(sock: socket.socket, under_way: _UnderWay, sequence: int, until: float) -> None:
    """Wait until the next packet is due.

    Answers with kernel timestamps stay in the socket meanwhile: reading each as it comes costs three times as much CPU.
    After the first packet they are read once, to see whether anything listens.
    """
    if not under_way.stamped:
        _receive(sock, under_way, until)
        return
    rest = until - time.monotonic()
    if rest > 0:
        gevent.sleep(rest)
    if sequence % TAKE == 1:
        _take(sock, under_way)


def _receive(sock: socket.socket, under_way: _UnderWay, until: float, *, all_of_it: bool = False) -> None:
    """Take answers until `until`, or until every packet that left has one (`all_of_it`)."""
    in_time = True
    while in_time and not (all_of_it and under_way.complete):
        in_time = wait(sock, until)
        _take(sock, under_way)
        in_time = in_time and not under_way.closed


def _take(sock: socket.socket, under_way: _UnderWay) -> None:
    queue = error_queue.drain(sock)
    for number, left in queue.sent.items():
        if number in under_way.left and number < under_way.numbered:
            under_way.left[number] = left
            under_way.departed.add(number)
    under_way.refused = under_way.refused or any(error.errno == errno.ECONNREFUSED for error in queue.errors)
    while True:
        try:
            data, ancillary, _flags, _address = sock.recvmsg(2048, timestamping.CMSG_SPACE)
        except OSError:
            return
        stamp = timestamping.stamp(ancillary)
        try:
            packet = unpack_reflector(data)
        except Malformed:
            under_way.unreadable += 1
            continue
        if packet.ssid not in (under_way.ssid, 0):  # an answer to an earlier train
            continue
        at, taken = time.time_ns() if stamp is None else stamp, time.monotonic_ns()
        came = _Arrival(packet.sender_sequence, packet.sequence, at, taken, stamp is not None, packet.residence)
        under_way.arrived.append(came)
        under_way.answered.add(packet.sender_sequence)
