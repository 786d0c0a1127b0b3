"""Every decoder of bytes from outside against random bytes: some seconds of what `make fuzz` does for minutes."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
