"""Good inputs of each decoder: without them a fuzzer would first have to find out what a message looks like."""

from __future__ import annotations

import json
import socket
import ssl
import struct
from pathlib import Path

import dns.flags
import dns.message
import dns.rrset
from hpack import Encoder
from hyperframe.frame import DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, RstStreamFrame, SettingsFrame
from wsproto.frame_protocol import CloseReason, FrameProtocol, Opcode

from smoker_diagnosis.state import encode
from smoker_echo.stamp_packet import ReflectorPacket, SenderPacket, pack_reflector, pack_sender
from smoker_prober.bandwidth import wire
from smoker_prober.kernel import error_queue, timestamping
from smoker_prober.probes import dns_message
from tests.diagnosis.mesh import Cluster, nodes

ROOT = Path(__file__).resolve().parents[2]
NUMBER, NAME = 0x1234, "web.example."
CONTROL = struct.Struct("=HHH")  # level, type and length of a control message, as `decoders.control_messages` reads it
WHOLE = b"\0"  # what arrives, arrives at once (`answers.pieces`)


def _dns(*records: tuple[str, str, str], flags: int = 0, kind: str = "A", number: int = NUMBER) -> bytes:
    """Return an answer with these records: names, types and texts."""
    answer = dns.message.make_response(dns.message.make_query(NAME, kind, id=number))
    answer.flags |= flags
    for name, type_, text in records:
        answer.answer.append(dns.rrset.from_text(name, 30, "IN", type_, text))
    return answer.to_wire()


_RECORDS = {
    "A": "192.0.2.1",
    "AAAA": "2001:db8::1",
    "CNAME": "alias.example.",
    "MX": "10 mail.example.",
    "NS": "ns.example.",
    "PTR": "host.example.",
    "SOA": "ns.example. admin.example. 1 7200 900 1209600 300",
    "SRV": "0 5 443 host.example.",
    "TXT": '"a" "b"',
}
_ALIASED = ((NAME, "CNAME", "alias.example."), ("alias.example.", "A", "192.0.2.1"))
DNS = (  # before each the number of the type that is asked for
    *(bytes([at]) + _dns((NAME, kind, _RECORDS[kind]), kind=kind) for at, kind in enumerate(dns_message.TYPES)),
    b"\0" + _dns(*_ALIASED),
    b"\0" + _dns(flags=dns.flags.TC),
    b"\0" + _dns((NAME, "A", "192.0.2.1"), kind="AAAA"),
)


def _stream(*messages: bytes) -> bytes:
    return b"".join(len(each).to_bytes(2) + each for each in messages)


_BOTH = _stream(_dns(*_ALIASED), _dns((NAME, "AAAA", "2001:db8::1"), kind="AAAA", number=NUMBER + 1))
DNS_STREAMS = (WHOLE + _BOTH, b"\1" + _BOTH, WHOLE + _stream(_dns(), b"") + _BOTH, WHOLE + b"\xff\xff")

HTTP1 = (
    WHOLE + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    WHOLE + b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"\7HTTP/1.0 404 Not Found\r\nConnection: close\r\n\r\nno",
)


def _http2(status: str, body: bytes, trailers: list[tuple[str, str]] | None = None) -> bytes:
    encoder = Encoder()
    frames: list[Frame] = [
        SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: 65_535}),
        SettingsFrame(0, flags=["ACK"]),
    ]
    frames.append(
        HeadersFrame(1, encoder.encode([(":status", status), ("content-type", "a/b")]), flags=["END_HEADERS"])
    )
    data = DataFrame(1, body)
    frames.append(data)
    if trailers is None:
        data.flags.add("END_STREAM")
    else:
        frames.append(HeadersFrame(1, encoder.encode(trailers), flags=["END_HEADERS", "END_STREAM"]))
    return b"".join(frame.serialize() for frame in frames)


_RESET = (SettingsFrame(0), RstStreamFrame(1, 2), PingFrame(0, bytes(8)), GoAwayFrame(0, 1, 2, b"why"))
HTTP2 = (
    WHOLE + _http2("200", b"ok"),
    WHOLE + _http2("m4.", b""),
    b"\5" + _http2("404", b""),
    WHOLE + b"".join(frame.serialize() for frame in _RESET),
)

GRPC_MESSAGES = (b"\0\0\0\0\2\x08\1", b"\0\0\0\0\0", b"\0\0\0\0\6\x12\1a\x08\xac\2")
GRPC = (
    WHOLE + _http2("200", GRPC_MESSAGES[0], [("grpc-status", "0")]),
    WHOLE + _http2("200", b"", [("grpc-status", "5"), ("grpc-message", "no")]),
)


def _frames(*messages: tuple[Opcode, bytes | str]) -> bytes:
    server = FrameProtocol(client=False, extensions=[])
    return b"".join(
        server._serialize_frame(opcode, data if isinstance(data, bytes) else data.encode()) for opcode, data in messages
    )


_CLOSE = FrameProtocol(client=False, extensions=[]).close(CloseReason.NORMAL_CLOSURE, "bye")
WEBSOCKET = (
    WHOLE + _frames((Opcode.TEXT, "PING")) + _CLOSE,
    WHOLE + _frames((Opcode.PING, b"x"), (Opcode.BINARY, b"y"), (Opcode.TEXT, "no"), (Opcode.PONG, b"")),
    b"\1" + _CLOSE,
)
HANDSHAKES = (
    WHOLE + b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
    WHOLE + b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
)

_SENT = SenderPacket(7, 1_700_000_000_000_000_000, ssid=9)
STAMP = (
    pack_sender(_SENT),
    pack_sender(_SENT)[:14],
    pack_sender(_SENT, 60),
    pack_reflector(ReflectorPacket(1, _SENT.sent + 2000, _SENT.sent + 1000, 7, _SENT.sent, 64)),
)

STATES = tuple(map(encode, Cluster(nodes(3)).states()))

PLANS = (
    (ROOT / "docs" / "configuration.md").read_text().partition("```yaml\n")[2].partition("```")[0].encode(),
    b"targets:\n- &a {name: t, probe: tls, host: h, tls: {minVersion: '1.3', alpn: [h2]}}\n- *a\n",
    b"interval: 500ms\nmesh: {peers: 3}\ndns: {replicas: {namespace: kube-system, service: kube-dns}}\n",
)


def _control(level: int, kind: int, data: bytes) -> bytes:
    return CONTROL.pack(level, kind, len(data)) + data


_V4 = struct.pack("=HH4s8x", socket.AF_INET, 0, bytes([192, 0, 2, 9]))
_V6 = struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, bytes(15) + b"\1", 0)
_STAMP = _control(socket.SOL_SOCKET, timestamping.SO_TIMESTAMPING, struct.pack("=qq32x", 1_700_000_000, 5))
ERROR_QUEUE = (
    _control(socket.IPPROTO_IP, error_queue.IP_RECVERR, struct.pack("=IBBBBII", 111, 2, 3, 3, 0, 0, 0) + _V4),
    _control(socket.IPPROTO_IPV6, error_queue.IPV6_RECVERR, struct.pack("=IBBBBII", 113, 3, 1, 3, 0, 0, 0) + _V6),
    _STAMP + _control(socket.IPPROTO_IP, error_queue.IP_RECVERR, struct.pack("=IBBBBII", 42, 4, 0, 0, 0, 0, 6)),
)

_FILES = (ROOT / "tests" / "prober" / "probes").glob("*.pem")
_TEXTS = (file.read_text().partition("-----BEGIN CERTIFICATE-----") for file in sorted(_FILES))
CERTIFICATES = tuple(
    ssl.PEM_cert_to_DER_cert(begin + rest.partition("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----")
    for _, begin, rest in _TEXTS
    if begin
)

REQUESTS = (
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
)

UPGRADE = b"GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
_KEY = b"Host: a\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
_MASKED = b"\x81\x84\0\0\0\0PING\x89\x80\0\0\0\0\x88\x82\0\0\0\0\3\xe8"
WEBSOCKET_REQUESTS = (
    _KEY + b"\r\n" + _MASKED,
    _KEY + b"Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: permessage-deflate; x=y\r\n\r\n\x82\x80\0\0\0\0",
)

BANDWIDTH = (
    wire.request(wire.Request(wire.UP, wire.MOST_BYTES, wire.MOST_SECONDS)),
    wire.request(wire.Request(wire.DOWN, 65_536, 0.05)),
    wire.done(65_536, 0.05),
    wire.sent(125e6, 3),
    wire.block(wire.BUSY),
)

SERVER, PROBERS = "smoker-server", "smoker-prober"
_PORTS = {"tcp-echo": 8080, "udp-echo": 8081, "http-echo": 8082, "stamp": 8062, "dns": 53, "bandwidth": 8063}


def _slice(service: str, family: str, address: str) -> bytes:
    endpoint = {
        "addresses": [address],
        "nodeName": "node-1",
        "zone": "a",
        "targetRef": {"kind": "Pod", "name": "pod-1"},
    }
    return json.dumps(
        {
            "metadata": {"name": service, "labels": {"kubernetes.io/service-name": service}},
            "addressType": family,
            "ports": [{"name": name, "port": port, "protocol": "UDP"} for name, port in _PORTS.items()],
            "endpoints": [endpoint | {"conditions": {"ready": True, "serving": True, "terminating": False}}],
        }
    ).encode()


API_OBJECTS = (
    _slice(PROBERS, "IPv4", "10.0.0.1"),
    _slice(SERVER, "IPv6", "fd00::1"),
    json.dumps({"metadata": {"resourceVersion": "7"}, "spec": {"holderIdentity": "node-1"}}).encode(),
)
