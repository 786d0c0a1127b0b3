"""Everything that decodes bytes from outside, each as a function of bytes: what it raises is a defect.

A decoder's own exceptions are caught here. Beside them, `Decoder.run` checks what its callers rely on. A new decoder is
a function and a line in `DECODERS`.
"""

from __future__ import annotations

import itertools
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast
from unittest import mock

from smoker_common.http_handler import Handler
from smoker_common.http_request import RequestParser
from smoker_diagnosis import state
from smoker_echo import stamp_packet
from smoker_echo import websocket as echo_websocket
from smoker_kube import lease
from smoker_outcome.failure import BadReply
from smoker_prober.bandwidth import wire
from smoker_prober.cluster_dns import pods
from smoker_prober.config import load, reader
from smoker_prober.kernel import error_queue
from smoker_prober.peers import endpoints
from smoker_prober.probes import certificate, dns, dns_message, dns_options, grpc, http, http_options, websocket
from tests.fuzz import seeds
from tests.fuzz.answers import WebSocketServer, over, pieces


@dataclass(frozen=True)
class Decoder:
    """`run` raises nothing, whatever it gets. `seeds` are good inputs, from which a fuzzer starts."""

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def dns_answer(data: bytes) -> None:
    """Read an answer to a query. The first byte chooses the type that was asked for."""
    answer, kind = pieces(data)
    question = dns_message.Question(seeds.NUMBER, seeds.NAME, dns_message.TYPES[kind % len(dns_message.TYPES)], b"")
    try:
        dns_message.number_of(answer)
        reply = dns_message.reply(answer, question)
    except (dns_message.Unasked, BadReply):
        return
    assert len(reply.answers) <= dns_message.MOST
    assert all(len(text) <= dns_message.LONGEST for text in reply.answers)


def dns_stream(data: bytes) -> None:
    """Look up two types over TCP, where each message has its length before it. The queries have known numbers."""
    with mock.patch("secrets.randbits", side_effect=itertools.count(seeds.NUMBER)):
        over("dns", dns, STREAM, connect="connected_stream")(data)


def grpc_reply(data: bytes) -> None:
    """Read a HealthCheckResponse."""
    try:
        assert grpc.answer(data) >= 0
    except BadReply:
        return


def stamp(data: bytes) -> None:
    """Read and answer a packet of STAMP or TWAMP Light, and read it as an answer."""
    try:
        sent = stamp_packet.unpack_sender(data)
        answer = stamp_packet.reflect(data, stamp_packet.ReflectorPacket(1, 2, 3, sent.sequence, sent.sent, 64))
        assert len(answer) == max(len(data), stamp_packet.LENGTH)
        assert stamp_packet.unpack_reflector(answer).sender_sequence == sent.sequence
        stamp_packet.sender_stamp(data)
        stamp_packet.unpack_reflector(data)
    except stamp_packet.Malformed:
        return


def state_document(data: bytes) -> None:
    """Read a state; what was read can be written and read again."""
    try:
        found = state.decode(data)
    except state.StateError:
        return
    assert state.encode(state.decode(state.encode(found), found)) == state.encode(found)


def plan(data: bytes) -> None:
    """Read a plan: there is one whatever the file holds, and a bounded number of mistakes."""
    _plan, mistakes = load.read(data)
    assert len(mistakes) <= reader.MISTAKES
    assert all(len(mistake.text) < 2000 for mistake in mistakes)


def control_messages(data: bytes) -> None:
    """Read one message of a socket's error queue. `data` has control messages: level, type, length, then its bytes."""
    ancillary, at = [], 0
    while at + seeds.CONTROL.size <= len(data):
        level, kind, length = seeds.CONTROL.unpack_from(data, at)
        at += seeds.CONTROL.size
        ancillary.append((level, kind, data[at : at + length]))
        at += length
    found = error_queue.Drained()
    error_queue.sort(ancillary, found)
    for error in found.errors:
        assert error.text("192.0.2.1").isprintable()


def x509(data: bytes) -> None:
    """Read a certificate."""
    try:
        found = certificate.decode(data)
    except certificate.Malformed:
        return
    assert all(text.isprintable() for text in (found.subject, found.issuer, *found.names))


def http_requests(data: bytes) -> None:
    """Read the requests of a client of ours."""
    parser = RequestParser(lambda _request: True)
    for piece in struct.iter_unpack("16s", data.ljust(-(-len(data) // 16) * 16, b" ")):
        parser.feed(piece[0])


class _Client:
    """What the WebSocket echo needs of its connection: all bytes have come with the request."""

    deadline, response_length, code, error = 0.0, 0, 0, ""
    leave: object = None

    def __init__(self, data: bytes) -> None:
        self.server = SimpleNamespace(timeout=1.0)
        self._data = [data]

    def receive(self) -> bytes:
        return self._data.pop() if self._data else b""

    def send(self, data: bytes) -> None:
        self.response_length += len(data)

    def refuse_upgrade(self, status: str, why: str) -> None:
        assert status.startswith("400 ")
        assert why

    def linger(self) -> None:
        pass


def websocket_requests(data: bytes) -> None:
    """Answer the WebSocket of a client of the HTTP echo: headers up to the first empty line, then frames."""
    headers, _, frames = data.partition(b"\r\n\r\n")
    parser = RequestParser(echo_websocket.takes)
    parser.feed(seeds.UPGRADE + headers + b"\r\n\r\n")
    if parser.refused is None and parser.requests and parser.requests[0].upgrade is not None:
        client = _Client(frames)
        echo_websocket.WebSocketEcho(cast(Handler, client), parser.requests[0], 1024).run()
        assert client.response_length <= len(frames) + 1024


def bandwidth(data: bytes) -> None:
    """Read a block of a transfer by each of its readers. What a peer asks for is within the limits."""
    for read in (wire.request_of, wire.done_of, wire.sent_of, wire.word_of):
        try:
            found = read(data)
        except wire.WireError:
            continue
        if isinstance(found, wire.Request):
            assert found.bytes <= wire.MOST_BYTES
            assert found.seconds <= wire.MOST_SECONDS


def api_objects(data: bytes) -> None:
    """Read an object of the API server as the peers, the DNS pods and the Lease read it."""
    try:
        item = json.loads(data)
    except ValueError:
        return
    endpoints.peers([endpoints.sliceof(item, seeds.SERVER).endpoints], {seeds.PROBERS: "pod"})
    pods.pods([pods.endpoints(item)])
    lease.holder_of(item)


HTTP1 = http_options.Options(version="1.1")
HTTP2 = http_options.Options(version="2")
TEXT = websocket.Options(message="text")
STREAM = dns_options.Options(seeds.NAME, ("A", "AAAA"), "tcp")

DECODERS = {
    "dns": Decoder(dns_answer, seeds.DNS),
    "dns-stream": Decoder(dns_stream, seeds.DNS_STREAMS),
    "http1": Decoder(over("http", http, HTTP1), seeds.HTTP1),
    "http2": Decoder(over("http", http, HTTP2), seeds.HTTP2),
    "grpc": Decoder(over("grpc", grpc, None), seeds.GRPC),
    "grpc-message": Decoder(grpc_reply, seeds.GRPC_MESSAGES),
    "websocket": Decoder(over("websocket", websocket, TEXT, WebSocketServer), seeds.WEBSOCKET),
    "websocket-echo": Decoder(websocket_requests, seeds.WEBSOCKET_REQUESTS),
    "websocket-handshake": Decoder(over("websocket", websocket, None), seeds.HANDSHAKES),
    "stamp": Decoder(stamp, seeds.STAMP),
    "state": Decoder(state_document, seeds.STATES),
    "plan": Decoder(plan, seeds.PLANS),
    "error-queue": Decoder(control_messages, seeds.ERROR_QUEUE),
    "certificate": Decoder(x509, seeds.CERTIFICATES),
    "http-request": Decoder(http_requests, seeds.REQUESTS),
    "bandwidth": Decoder(bandwidth, seeds.BANDWIDTH),
    "api-object": Decoder(api_objects, seeds.API_OBJECTS),
}
