"""DNS messages (RFC 1035): a query, and what an answer says. dnspython reads and writes them.

An answer counts if its number, its question and its sender are those of the query (RFC 5452 section 9.1). The socket
sees to the sender. An answer may come from a hostile server, so its size and the number of its records are bounded.

dnspython is imported with the first message: only a prober with a DNS target pays 2 MiB and 30 ms for it.
"""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smoker_outcome.failure import BadReply

if TYPE_CHECKING:
    from dns.message import Message

TYPES = ("A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT")
LARGEST = 16 * 1024  # bytes of an answer
MOST = 256  # records in an answer: each can hold a name of 127 labels
LONGEST = 255  # characters of an answer
_HEADER = struct.Struct("!HHHHHH")  # number, flags, and how many records each of the four sections has
_QR, _OPCODE, _TC = 0x8000, 0x7800, 0x0200  # RFC 1035 section 4.1.1


class Unasked(Exception):
    """An answer to another query. The message says what is different."""


@dataclass(frozen=True)
class Question:
    """One query: its number, the name with the root's dot, the type of the records, and the message as it is sent."""

    number: int
    name: str
    kind: str
    wire: bytes


@dataclass(frozen=True)
class Reply:
    """What an answer says. `answers` are records of the type that was asked for, aliases followed."""

    rcode: str
    truncated: bool = False
    answers: tuple[str, ...] = ()
    ttl: int | None = None  # seconds: the least of the answers and of their aliases


def questions(name: str, kinds: tuple[str, ...]) -> list[Question]:
    """Return a query for each type, with numbers that cannot be guessed."""
    import dns.message  # noqa: PLC0415

    numbers: set[int] = set()
    while len(numbers) < len(kinds):
        numbers.add(secrets.randbits(16))
    made = []
    for number, kind in zip(numbers, kinds, strict=True):
        # Without EDNS, as the C libraries ask.
        query = dns.message.make_query(name, kind, id=number)
        made.append(Question(number, name, kind, query.to_wire()))
    return made


def number_of(data: bytes) -> int:
    """Return the number of a message. Raises `Unasked` if it is too short to have one, or is no answer."""
    if len(data) < _HEADER.size:
        raise Unasked(f"got {len(data)} bytes, which are not a DNS message")
    number, flags, *_ = _HEADER.unpack_from(data)
    if not flags & _QR or flags & _OPCODE:
        raise Unasked("got a DNS message that is not an answer to a query")
    return int(number)


def reply(data: bytes, question: Question) -> Reply:
    """Return what `data`, a message with the number of `question`, says.

    Raises `Unasked` if it answers another question, `BadReply` if it cannot be read.
    """
    import dns.exception  # noqa: PLC0415
    import dns.message  # noqa: PLC0415

    _number, flags, *counts = _HEADER.unpack_from(data)
    if len(data) > LARGEST or sum(counts) > MOST:
        raise BadReply(f"got an answer of {len(data)} bytes with {sum(counts)} records")
    cut = bool(flags & _TC)  # then the records may end anywhere
    try:
        message = dns.message.from_wire(data, keyring=False, ignore_trailing=True, question_only=cut)
        return _read(message, question, truncated=cut)
    except dns.exception.DNSException as error:
        raise BadReply(f"got an answer that cannot be read: {str(error)[:LONGEST] or type(error).__name__}") from None


def _read(message: Message, question: Question, *, truncated: bool) -> Reply:
    import dns.message  # noqa: PLC0415
    import dns.name  # noqa: PLC0415
    import dns.rcode  # noqa: PLC0415
    import dns.rdataclass  # noqa: PLC0415
    import dns.rdatatype  # noqa: PLC0415

    rcode = message.rcode()
    if not message.question and rcode != dns.rcode.NOERROR:  # a server that could not read the question
        return Reply(dns.rcode.to_text(rcode))
    asked = [(each.name, each.rdtype, each.rdclass) for each in message.question]
    wanted = dns.name.from_text(question.name), dns.rdatatype.from_text(question.kind), dns.rdataclass.IN
    if asked != [wanted]:
        raise Unasked("got an answer to another question")
    if truncated or rcode != dns.rcode.NOERROR or not isinstance(message, dns.message.QueryMessage):
        return Reply(dns.rcode.to_text(rcode), truncated)
    chain = message.resolve_chaining()
    if chain.answer is None:
        return Reply(dns.rcode.to_text(rcode))
    texts = sorted(record.to_text()[:LONGEST] for record in chain.answer)  # servers turn their order
    return Reply(dns.rcode.to_text(rcode), False, tuple(texts), chain.minimum_ttl)
