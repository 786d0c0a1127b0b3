"""Every decoder of bytes from outside against random bytes: some seconds of what `make fuzz` does for minutes."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smoker_prober.probes import base, dns_message
from smoker_prober.result import Result
from tests.fuzz.decoders import DECODERS

EXAMPLES = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
MOST = 8 * 1024 * 1024  # bytes that a decoder may hold at once, for an input of a few hundred
BYTE = st.integers(0, 255)
#: What is done to a good input: at a place a byte is replaced, some are left out, or some put in.
CHANGE = st.tuples(
    st.integers(0, 2000), st.integers(0, 4), st.one_of(BYTE.map(lambda n: bytes([n])), st.binary(max_size=6))
)


def changed(seed: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """Return `seed` after `changes`."""
    data = bytearray(seed)
    for at, count, new in changes:
        begin = at % (len(data) + 1)
        data[begin : begin + count] = new
    return bytes(data)


@pytest.mark.parametrize("name", DECODERS)
def test_every_seed_is_decoded(name: str) -> None:
    """What the fuzzer begins with is decoded."""
    for seed in DECODERS[name].seeds:
        DECODERS[name].run(seed)


def test_answers_of_every_type_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seeds of `dns` have a record of each type, and its decoder asks for that type."""
    read: list[tuple[str, tuple[str, ...]]] = []
    real = dns_message.reply

    def reply(data: bytes, question: dns_message.Question) -> dns_message.Reply:
        found = real(data, question)
        read.append((question.kind, found.answers))
        return found

    monkeypatch.setattr(dns_message, "reply", reply)
    for seed in DECODERS["dns"].seeds:
        DECODERS["dns"].run(seed)
    assert {kind for kind, answers in read if answers} == set(dns_message.TYPES)


def test_messages_of_a_stream_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first seed of `dns-stream` answers both queries, so its look-up is a success, whatever the pieces."""
    ended: list[Result] = []
    real = base.run

    def run(*given: Any) -> Result:
        ended.append(real(*given))
        return ended[-1]

    monkeypatch.setattr(base, "run", run)
    for seed in DECODERS["dns-stream"].seeds[:2]:
        DECODERS["dns-stream"].run(seed)
    assert [each.fields["answers"] for each in ended] == ["192.0.2.1,2001:db8::1"] * 2


@pytest.mark.parametrize("name", DECODERS)
@EXAMPLES
@given(data=st.data())
def test_decoders_raise_only_their_own_errors(name: str, data: st.DataObject) -> None:
    """A decoder raises nothing but its own exception for a damaged input and for any bytes."""
    seed = data.draw(st.sampled_from([b"", *DECODERS[name].seeds]))
    DECODERS[name].run(changed(seed, data.draw(st.lists(CHANGE, max_size=5))))


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_uses_bounded_memory(name: str) -> None:
    """A decoder holds little, also for a good input with the largest numbers in the place of each of its bytes."""
    decoder = DECODERS[name]
    for seed in decoder.seeds:
        decoder.run(seed)  # imports, caches
    tracemalloc.start()
    try:
        for seed in decoder.seeds:
            for at in range(0, len(seed), max(1, len(seed) // 12)):
                decoder.run(changed(seed, [(at, 4, b"\xff\xff\xff\xff")]))
                decoder.run(changed(seed, [(at, 1, b"\x7f\xff")]))
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST, f"{peak} bytes at once"
