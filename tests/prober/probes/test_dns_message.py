"""Reading DNS answers of malicious servers: the decoder's own two errors, and bounded work."""

from __future__ import annotations

import struct
import sys
import tracemalloc

import dns.message
import dns.rrset
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smoker_outcome.failure import BadReply
from smoker_prober.probes import dns_message
from smoker_prober.probes.dns_message import Question, Reply, Unasked
from tests.prober.probes.name_server import NAME, RECORDS

QUESTION = Question(7, NAME, "A", dns.message.make_query(NAME, "A", id=7).to_wire())
_QUESTIONED = QUESTION.wire[12:]


def head(answers: int = 0, authorities: int = 0, more: int = 0, *, flags: int = 0x8180, questions: int = 1) -> bytes:
    """Return the header of an answer with these counts."""
    return struct.pack("!HHHHHH", 7, flags, questions, answers, authorities, more)


def right() -> bytes:
    """Return an answer that a server gives."""
    made = dns.message.make_response(dns.message.from_wire(QUESTION.wire))
    for kind, texts in RECORDS.items():
        made.answer.append(dns.rrset.from_text(NAME, 30, "IN", kind, *texts))
    made.answer.append(dns.rrset.from_text(NAME, 30, "IN", "TXT", '"some text"'))
    made.authority.append(dns.rrset.from_text("example.", 30, "IN", "SOA", "ns.example. me.example. 1 2 3 4 5"))
    made.additional.append(dns.rrset.from_text(NAME, 30, "IN", "SRV", "1 2 3 other.example."))
    made.use_edns()
    return made.to_wire()


def read(data: bytes) -> Reply | None:
    """Read an answer; None if the decoder refuses it with one of its own errors."""
    try:
        dns_message.number_of(data)
        return dns_message.reply(data, QUESTION)
    except (Unasked, BadReply):
        return None


RIGHT = right()
BIASED = st.sampled_from([0, 1, 2, 12, 41, 63, 64, 127, 128, 191, 192, 193, 250, 255])
BYTE = BIASED | st.integers(0, 255)


def test_a_right_answer_is_read() -> None:
    """The records of the queried type and the lowest TTL are read."""
    assert read(RIGHT) == Reply("NOERROR", False, ("10.0.0.1", "10.0.0.2"), 30)


@given(st.lists(st.tuples(st.integers(2, len(RIGHT) - 1), BYTE), max_size=12), st.integers(0, len(RIGHT)))
def test_an_answer_with_wrong_bytes(changes: list[tuple[int, int]], length: int) -> None:
    """An answer with any bytes changed or cut off is read or refused."""
    data = bytearray(RIGHT)
    for place, value in changes:
        data[place] = value
    read(bytes(data))
    read(bytes(data[:length]))


@given(st.tuples(*[st.integers(0, 300)] * 3), st.integers(0, 0xFFFF), st.lists(BYTE, max_size=400).map(bytes))
@example((1, 0, 0), 0x8180, b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 0xFFFFFFFF, 4) + bytes(4))
def test_any_bytes_after_the_question(counts: tuple[int, int, int], flags: int, rest: bytes) -> None:
    """Any header and any records are read or refused."""
    read(head(*counts, flags=flags) + _QUESTIONED + rest)
    read(head(*counts, flags=flags, questions=0) + rest)


@given(st.integers(0, 65_535), st.lists(BYTE, max_size=80).map(bytes), st.sampled_from([1, 3, 4, 254, 255, 65_280]))
def test_a_record_of_any_type(kind: int, data: bytes, class_: int) -> None:
    """Each type that dnspython knows, with any content, is read or refused."""
    record = b"\xc0\x0c" + struct.pack("!HHIH", kind, class_, 30, len(data)) + data
    for counts in ((1, 0, 0), (0, 0, 1)):
        read(head(*counts) + _QUESTIONED + record)


def test_a_loop_of_pointers_ends() -> None:
    """A name that points to itself, or to a later one, is refused (RFC 1035 section 4.1.4)."""
    place = 12 + len(_QUESTIONED)
    for target in (place, place + 2):
        name = struct.pack("!H", 0xC000 | target)
        assert read(head(1) + _QUESTIONED + name + b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 0, 4) + bytes(4)) is None


@pytest.mark.parametrize("counts", [(dns_message.MOST, 0, 0), (0, 0, 65_535), (65_535, 65_535, 65_535)])
def test_an_answer_of_too_many_records_is_refused_unread(counts: tuple[int, int, int]) -> None:
    """The header has the number of records: beyond `MOST` none is read."""
    with pytest.raises(BadReply, match="records"):
        dns_message.reply(head(*counts) + _QUESTIONED, QUESTION)


def test_the_work_for_the_worst_answer_is_bounded() -> None:
    """The most records, each with 127 labels by pointers, take a bounded number of steps and bytes."""
    labels = b"".join(b"\x01a" for _ in range(126)) + b"\x00"
    place = 12 + len(_QUESTIONED)
    first = labels + struct.pack("!HHIH", 1, 1, 0, 4) + bytes(4)
    pointer = struct.pack("!H", 0xC000 | place)
    more = b"".join(pointer + struct.pack("!HHIH", 1, 1, 0, 4) + number.to_bytes(4) for number in range(254))
    data = head(dns_message.MOST - 1) + _QUESTIONED + first + more
    read(RIGHT)  # what dnspython imports at first is no part of it
    steps = 0

    def count(_frame: object, _event: str, _argument: object) -> None:
        nonlocal steps
        steps += 1

    tracemalloc.start()
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        assert read(data) is not None
    finally:
        sys.setprofile(before)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert steps < 2_000_000  # calls and returns: some 40 ms without the count
    assert peak < 4 * 1024 * 1024
