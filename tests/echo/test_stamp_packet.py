"""STAMP test packets, compared with the RFC's figures and with an independent decoder."""

from __future__ import annotations

import json
import os
import random
import shutil
import struct
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from smoker_echo.stamp_packet import (
    ERROR_ESTIMATE,
    LENGTH,
    Malformed,
    ReflectorPacket,
    SenderPacket,
    pack_reflector,
    pack_sender,
    reflect,
    unpack_reflector,
    unpack_sender,
)

SECOND = 10**9  # ns
LAST = 2**32 * SECOND - 1  # ns since 1970: the end of what is read back, on 7 February 2106
ERA_1 = 2_085_978_496 * SECOND  # ns since 1970: 7 February 2036, 06:28:16
NOT_NTP = 0x4000  # Z of an error estimate: the timestamp has the format of PTP (RFC 8186)
PORT = 8062

# RFC 8762 figure 2: offset, octets
SENDER = [
    (0, "01 02 03 04"),  # sequence number
    (4, "83 aa 7e 81  80 00 00 00"),  # timestamp: 1.5 s after 1970
    (12, "80 05"),  # error estimate
    (14, "00 " * 30),  # MBZ
]
# RFC 8762 figure 5
REFLECTOR = [
    (0, "0a 0b 0c 0d"),  # sequence number
    (4, "83 aa 7e 83  40 00 00 00"),  # timestamp: 3.25 s
    (12, "00 01"),  # error estimate
    (14, "00 00"),  # MBZ
    (16, "83 aa 7e 82  c0 00 00 00"),  # receive timestamp: 2.75 s
    (24, "01 02 03 04"),  # Session-Sender sequence number
    (28, "83 aa 7e 81  80 00 00 00"),  # Session-Sender timestamp
    (36, "80 05"),  # Session-Sender error estimate
    (38, "00 00"),  # MBZ
    (40, "3f"),  # Session-Sender TTL
    (41, "00 00 00"),  # MBZ
]
QUESTION = SenderPacket(0x01020304, 1_500_000_000, 0x8005)
ANSWER = ReflectorPacket(
    sequence=0x0A0B0C0D,
    sent=3_250_000_000,
    received=2_750_000_000,
    sender_sequence=0x01020304,
    sender_sent=1_500_000_000,
    sender_ttl=63,
    sender_error_estimate=0x8005,
)


def octets(figure: list[tuple[int, str]]) -> bytes:
    """Return the packet of a figure; its offsets are those of its fields."""
    raw = b""
    for offset, field in figure:
        assert len(raw) == offset
        raw += bytes.fromhex(field)
    assert len(raw) == LENGTH
    return raw


def nanoseconds(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * SECOND


def ntp_seconds(sent: int) -> int:
    return int(struct.unpack_from("!I", pack_sender(SenderPacket(0, sent)), 4)[0])


def random_packets(count: int) -> Iterable[SenderPacket]:
    chance = random.Random(8762)  # the same numbers each time
    for _ in range(count):
        yield SenderPacket(chance.getrandbits(32), chance.randint(0, LAST), chance.getrandbits(16))


def some_answers(count: int) -> Iterable[ReflectorPacket]:
    chance = random.Random(5357)
    for question in random_packets(count):
        yield ReflectorPacket(
            sequence=chance.getrandbits(32),
            sent=chance.randint(0, LAST),
            received=chance.randint(0, LAST),
            sender_sequence=question.sequence,
            sender_sent=question.sent,
            sender_ttl=chance.getrandbits(8),
            error_estimate=chance.getrandbits(16),
            sender_error_estimate=question.error_estimate,
        )


def test_a_request_has_the_layout_of_figure_2() -> None:
    """A sender packet is written and read octet by octet as in figure 2."""
    assert pack_sender(QUESTION) == octets(SENDER)
    assert unpack_sender(octets(SENDER)) == QUESTION


def test_an_answer_has_the_layout_of_figure_5() -> None:
    """A reflector packet is written and read octet by octet as in figure 5."""
    assert pack_reflector(ANSWER) == octets(REFLECTOR)
    assert unpack_reflector(octets(REFLECTOR)) == ANSWER


def test_must_be_zero_fields_are_ignored() -> None:
    """Octets that must be zero are ignored: TWAMP's padding may fill them."""
    question, answer = bytearray(octets(SENDER)), bytearray(octets(REFLECTOR))
    question[14:44] = b"\xff" * 30
    answer[38:40] = b"\xff" * 2
    answer[41:44] = b"\xff" * 3
    assert unpack_sender(bytes(question)) == QUESTION
    assert unpack_reflector(bytes(answer)) == ANSWER


def test_an_unknown_clock_error_is_encoded_by_the_rfc() -> None:
    """An unknown error: not synchronised, NTP's format, a multiplier other than 0 (RFC 4656 section 4.1.2)."""
    assert struct.unpack_from("!H", pack_sender(SenderPacket(0, 0)), 12)[0] == ERROR_ESTIMATE
    assert (ERROR_ESTIMATE >> 15, ERROR_ESTIMATE >> 14 & 1, ERROR_ESTIMATE & 0xFF) == (0, 0, 1)


def test_requests_survive_packing_and_unpacking() -> None:
    """A sender packet with any sequence number, error estimate and nanosecond from 1970 to 2106 is read as written."""
    for question in random_packets(2000):
        assert unpack_sender(pack_sender(question)) == question


def test_answers_survive_packing_and_unpacking() -> None:
    """All eight fields of a reflector packet are read as written."""
    for answer in some_answers(2000):
        assert unpack_reflector(pack_reflector(answer)) == answer


@pytest.mark.parametrize("rest", [0, 1, 2, 499_999_999, 500_000_000, 999_999_998, 999_999_999])
def test_nanoseconds_are_exact_at_the_edges(rest: int) -> None:
    """No nanosecond is lost at the ends of a second and of an era."""
    for second in (0, 1, ERA_1 // SECOND - 1, ERA_1 // SECOND, LAST // SECOND):
        sent = second * SECOND + rest
        assert unpack_sender(pack_sender(SenderPacket(0, sent))).sent == sent


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ((1970, 1, 1), 2_208_988_800),
        ((1972, 1, 1), 2_272_060_800),
        ((1999, 12, 31), 3_155_587_200),
        ((2036, 2, 7), 4_294_944_000),
        ((2036, 2, 8), 63_104),
    ],
)
def test_dates_are_those_of_the_ntp_table(date: tuple[int, int, int], seconds: int) -> None:
    """The dates are those of RFC 5905 figure 4, and the day before era 1."""
    sent = nanoseconds(*date)
    assert ntp_seconds(sent) == seconds
    assert unpack_sender(pack_sender(SenderPacket(0, sent))).sent == sent


def test_the_era_turns_within_a_nanosecond() -> None:
    """All bits set is the end of era 0, none is the beginning of era 1."""
    assert pack_sender(SenderPacket(0, ERA_1 - 1))[4:12] == bytes.fromhex("ffffffff fffffffb")
    assert pack_sender(SenderPacket(0, ERA_1))[4:12] == bytes(8)
    assert unpack_sender(bytes(LENGTH)).sent == ERA_1


def test_a_train_across_the_era_keeps_its_residence() -> None:
    """A packet received before the end of an era and answered after it keeps the right difference."""
    answer = ReflectorPacket(0, ERA_1 + 700, ERA_1 - 300, 0, ERA_1 - 5000, 64)
    assert unpack_reflector(pack_reflector(answer)).residence == 1000


def test_the_session_identifier_is_at_its_offset() -> None:
    """It is in octets 14 and 15 of both packets (RFC 8972 figures 1 and 2), followed by zeros in the sender's."""
    question, answer = replace(QUESTION, ssid=0xABCD), replace(ANSWER, ssid=0xABCD)
    raw = octets(SENDER)[:14] + b"\xab\xcd" + octets(SENDER)[16:]
    assert pack_sender(question) == raw
    assert unpack_sender(raw) == question
    raw = octets(REFLECTOR)[:14] + b"\xab\xcd" + octets(REFLECTOR)[16:]
    assert pack_reflector(answer) == raw
    assert unpack_reflector(raw) == answer


@pytest.mark.parametrize("length", [0, 1, 13])
def test_a_sender_packet_without_its_fields_is_malformed(length: int) -> None:
    """Below 14 octets (RFC 5357 section 4.1.2) the error contains both numbers."""
    with pytest.raises(Malformed, match=rf"^{length} octets are too few for a STAMP packet, its fields have 14$"):
        unpack_sender(octets(SENDER)[:length])


@pytest.mark.parametrize("length", [0, 1, 14, 27])
def test_an_answer_without_its_fields_is_malformed(length: int) -> None:
    """Below 28 octets an answer does not contain the number of its packet."""
    with pytest.raises(Malformed, match=rf"^{length} octets are too few for a STAMP answer, its fields have 28$"):
        unpack_reflector(octets(REFLECTOR)[:length])


@pytest.mark.parametrize("length", [44, 100])
def test_a_returned_sender_packet_is_not_an_answer(length: int) -> None:
    """A returned sender packet, as from an echo on the reflector's port, has no receive timestamp and is no answer."""
    with pytest.raises(Malformed, match=r"^a STAMP answer has a receive timestamp$"):
        unpack_reflector(pack_sender(replace(QUESTION, ssid=7), length))


@pytest.mark.parametrize("length", [14, 15, 16, 41, 43])
def test_a_short_sender_packet_is_read(length: int) -> None:
    """A short packet of TWAMP Light is read without a session identifier, whatever its padding."""
    for padding in (bytes(44), b"\xff" * 44):
        assert unpack_sender((octets(SENDER)[:14] + padding)[:length]) == QUESTION


@pytest.mark.parametrize(
    ("length", "missing"),
    [
        (28, {"sender_sent": ERA_1, "sender_error_estimate": 0, "sender_ttl": 0}),
        (36, {"sender_error_estimate": 0, "sender_ttl": 0}),
        (38, {"sender_ttl": 0}),
        (40, {"sender_ttl": 0}),
        (41, {}),
        (43, {}),
    ],
)
def test_a_short_answer_is_read(length: int, missing: dict[str, int]) -> None:
    """Answers of TWAMP Light have 41 octets, some end with the last copied field: missing fields are 0."""
    for raw in (octets(REFLECTOR)[:length], memoryview(octets(REFLECTOR))[:length]):
        assert unpack_reflector(raw) == replace(ANSWER, **missing)


def test_bytes_after_the_packet_are_ignored() -> None:
    """Padding and TLVs after the packet are ignored, in bytes and in a buffer."""
    assert unpack_sender(memoryview(octets(SENDER) + b"\xff" * 9)) == QUESTION
    assert unpack_reflector(memoryview(octets(REFLECTOR) + b"\xff" * 9)) == ANSWER


def test_a_request_is_padded_with_zeros() -> None:
    """A sender packet is padded with zeros to the requested length and never cut."""
    assert pack_sender(QUESTION, 1000) == octets(SENDER) + bytes(956)
    assert pack_sender(QUESTION, 3) == octets(SENDER)


def test_numbers_wrap() -> None:
    """Sequence number 2^32 + 5 wraps: the field has 32 bits."""
    assert unpack_sender(pack_sender(SenderPacket(2**32 + 5, 0))).sequence == 5
    answer = ReflectorPacket(2**32 + 5, 0, 0, 0, 0, 0)
    assert unpack_reflector(pack_reflector(answer)).sequence == 5


@pytest.mark.parametrize("padding", [b"", b"x", bytes(range(256))])
def test_an_answer_copies_the_senders_fields(padding: bytes) -> None:
    """A timestamp finer than a nanosecond, or of another format, is copied bit by bit, and so is what follows it."""
    chance = random.Random(44)
    for _ in range(200):
        question = chance.randbytes(LENGTH) + padding
        asked = unpack_sender(question)
        packet = ReflectorPacket(1, 3, 2, asked.sequence, asked.sent, 64, sender_error_estimate=asked.error_estimate)
        raw = reflect(memoryview(question), packet)
        assert raw[24:38] == question[:14]
        assert raw[44:] == padding
        assert (raw[:24], raw[38:44]) == (pack_reflector(packet)[:24], bytes.fromhex("0000 40 000000"))
        assert unpack_reflector(raw) == packet


def tshark() -> str:
    """The decoder; in CI it must be installed."""
    found = shutil.which("tshark")
    if found is None and os.environ.get("CI") == "true":
        pytest.fail("tshark is not installed: the wire format is compared with nobody else's")
    if found is None:
        pytest.skip("tshark is not installed (Debian's package of that name): the figures alone are compared")
    return found


def capture(path: Path, packets: Iterable[tuple[int, int, bytes]]) -> None:
    """Return a pcap file of UDP over IPv4: source port, destination port, payload."""
    with path.open("wb") as file:
        file.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 101))  # LINKTYPE_RAW
        for source, destination, payload in packets:
            udp = struct.pack("!HHHH", source, destination, 8 + len(payload), 0) + payload
            head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0)
            hosts = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
            packet = head + b"".join(hosts if destination == PORT else hosts[::-1]) + udp
            file.write(struct.pack("=IIII", 0, 0, len(packet), len(packet)) + packet)


def dissected(path: Path) -> list[dict[str, Any]]:
    """Return what tshark reads as STAMP's predecessor, whose unauthenticated packets are the same."""
    done = subprocess.run(
        [tshark(), "-r", path, "-d", f"udp.port=={PORT},twamp.test", "-T", "ek"],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"TZ": "UTC", "LC_ALL": "C"},
        timeout=50,
    )
    layers = [json.loads(line).get("layers") for line in done.stdout.splitlines() if line]
    return [
        {name.rpartition("twamp_test_")[2]: value for name, value in layer["twamp_test"].items()}
        for layer in layers
        if layer is not None
    ]


def instant(text: str) -> int:
    """Return the nanoseconds since the epoch of `2026-11-23T16:08:08.123456789Z`."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp()) * SECOND + int(fraction.ljust(9, "0"))


def same_instant(text: str, expected: int) -> bool:
    """Compare to the nanosecond: one reader cuts a fraction of 32 bits, the other rounds it."""
    return abs(instant(text) - expected) <= 1


def test_another_decoder_reads_the_same(tmp_path: Path) -> None:
    """tshark shows the packed sequence numbers, timestamps, error estimates and TTL, in both directions."""
    path = tmp_path / "stamp.pcap"
    chance = random.Random(1)
    begin, end = nanoseconds(1990, 1, 1), nanoseconds(2090, 1, 1)
    # tshark 4.0 looks for Z of the Session-Sender error estimate in the timestamp before it: right from 2002 to 2036.
    now, later = nanoseconds(2003, 1, 1), nanoseconds(2036, 1, 1)
    questions = [
        SenderPacket(asked.sequence, chance.randint(now, later), asked.error_estimate & ~NOT_NTP)
        for asked in random_packets(50)
    ]
    answers = [
        ReflectorPacket(
            sequence=number,
            sent=chance.randint(begin, end),
            received=chance.randint(begin, end),
            sender_sequence=question.sequence,
            sender_sent=question.sent,
            sender_ttl=chance.getrandbits(8),
            sender_error_estimate=question.error_estimate,
        )
        for number, question in enumerate(questions)
    ]
    there = [(40_000, PORT, pack_sender(question)) for question in questions]
    back = [(PORT, 40_000, pack_reflector(answer)) for answer in answers]
    capture(path, there + back)
    seen = dissected(path)
    assert len(seen) == 100
    for question, shown in zip(questions, seen[:50], strict=True):
        assert int(shown["seq_number"]) == question.sequence
        assert int(shown["error_estimate"]) == question.error_estimate
        assert same_instant(shown["timestamp"], question.sent)
    for answer, shown in zip(answers, seen[50:], strict=True):
        assert int(shown["seq_number"]) == answer.sequence
        assert int(shown["error_estimate"]) == answer.error_estimate
        assert same_instant(shown["timestamp"], answer.sent)
        assert same_instant(shown["receive_timestamp"], answer.received)
        assert int(shown["sender_seq_number"]) == answer.sender_sequence
        assert int(shown["sender_error_estimate"]) == answer.sender_error_estimate
        assert same_instant(shown["sender_timestamp"], answer.sender_sent)
        assert int(shown["sender_ttl"]) == answer.sender_ttl
        assert (int(shown["mbz1"]), int(shown["mbz2"])) == (0, 0)
