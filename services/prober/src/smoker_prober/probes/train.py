"""A STAMP Session-Sender (RFC 8762): packets spread over a moment, from one socket, stamped by the kernel."""

from __future__ import annotations

import contextlib
import math
import socket
import time
from dataclasses import dataclass, field

import gevent
from gevent.socket import wait_read

from smoker_echo.stamp_packet import LENGTH, Malformed, SenderPacket, pack_sender, unpack_reflector
from smoker_prober.analysis.train import Answer, Train, judge
from smoker_prober.kernel import error_queue, timestamping
from smoker_prober.resolve import Address

TAKE = 16  # packets after which what lies in the socket is taken: its buffer holds some two hundred


class _Over(Exception):
    """The wait is over."""


@dataclass
class _UnderWay:
    """What has left and what has come so far."""

    left: dict[int, int] = field(default_factory=dict)  # sequence number: ns of departure, by the clock at first
    arrived: list[tuple[int, int, int, int]] = field(default_factory=list)  # sequence, number, ns of arrival, residence
    answered: set[int] = field(default_factory=set)
    refused: bool = False
    stamped: bool = False  # whether the kernel says when something left and came
    numbered: float = math.inf  # below it the kernel's numbers are ours; it may or may not count what did not leave


def run(address: Address, packets: int, spread: float, timeout: float) -> Train | None:
    """Send `packets` over `spread` seconds, wait up to `timeout` for the answer to each.

    None where nobody reflects (ICMP said so and no answer came), and where no packet could leave.
    """
    under_way = _UnderWay()
    try:
        sock = _socket(address)
    except OSError:  # no descriptor, no way there
        return None
    with sock:
        under_way.stamped = timestamping.enable(sock)
        begun = time.monotonic()
        for sequence in range(packets):
            _await_turn(sock, under_way, sequence, begun + sequence * spread / packets)
            if under_way.refused and not under_way.answered:
                return None
            under_way.left[sequence] = time.time_ns()
            try:
                sock.send(pack_sender(SenderPacket(sequence, under_way.left[sequence]), LENGTH))
            except OSError:  # ours or an ICMP error for an earlier one; the packet has not left
                del under_way.left[sequence]
                under_way.numbered = min(under_way.numbered, sequence)
                _take(sock, under_way)
        _receive(sock, under_way, time.monotonic() + timeout, all_of_it=True)
        if under_way.refused and not under_way.answered:
            return None
    limit = int(timeout * 1e9)
    answers = []
    for sequence, number, arrived, residence in under_way.arrived:
        if sequence in under_way.left:
            took = arrived - under_way.left[sequence]
            there = residence if 0 <= residence <= took else 0  # else its clock was stepped: nobody knows
            answers.append(Answer(sequence, number, took - there, took > limit))
    return judge(sorted(under_way.left), answers) if under_way.left else None


def _socket(address: Address) -> socket.socket:
    """Connected, not blocking, with ICMP errors where the kernel gives them."""
    sock = socket.socket(address.family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.connect(address.sockaddr)  # sends nothing
    except OSError:
        sock.close()
        raise
    error_queue.enable(sock)
    return sock


def _await_turn(sock: socket.socket, under_way: _UnderWay, sequence: int, until: float) -> None:
    """Wait for the moment of the next packet.

    What the kernel stamps can lie in the socket meanwhile: taking each answer as it comes costs three times as much.
    Only after the first packet it is looked at, for whether there is anybody.
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
    while not (all_of_it and under_way.answered >= under_way.left.keys()):
        rest = until - time.monotonic()
        try:
            wait_read(sock.fileno(), max(rest, 0.0), _Over())
        except _Over:
            _take(sock, under_way)  # what is there is there, however late we were woken
            return
        _take(sock, under_way)
        if under_way.refused and not under_way.answered:
            return


def _take(sock: socket.socket, under_way: _UnderWay) -> None:
    queue = error_queue.drain(sock)
    for number, stamp in queue.sent.items():
        if number in under_way.left and number < under_way.numbered:
            under_way.left[number] = stamp
    under_way.refused = under_way.refused or bool(queue.errors)
    while True:
        try:
            data, ancillary, _flags, _address = sock.recvmsg(2048, timestamping.CMSG_SPACE)
        except OSError:
            return
        arrived = timestamping.stamp(ancillary) or time.time_ns()
        with contextlib.suppress(Malformed):
            packet = unpack_reflector(data)
            under_way.arrived.append((packet.sender_sequence, packet.sequence, arrived, packet.residence))
            under_way.answered.add(packet.sender_sequence)
